//! Who answers, and who may.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Somebody who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The person's id, as whoever vouches for it knows it.
    pub id: Arc<str>,
    /// Groups the person is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Arc<str>>,
    /// Who vouched for id and groups: `os`, a sign-on; `None` means nobody did.
    pub verified_by: Option<Arc<str>>,
}

/// One entry of `approvers`: a person by id, or a group's members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approver {
    /// That person.
    Person(Arc<str>),
    /// Whoever is in that group; written `group:finance`.
    Group(Arc<str>),
}

impl Approver {
    /// Reads an entry of `approvers`; `None` where it names nobody.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("group:") {
            Some("") => None,
            Some(group) => Some(Self::Group(Arc::from(group))),
            None if text.is_empty() || text.contains(':') => None,
            None => Some(Self::Person(Arc::from(text))),
        }
    }

    /// Whether it means `person`.
    #[must_use]
    pub fn is(&self, person: &Person) -> bool {
        match self {
            Self::Person(id) => *id == person.id,
            Self::Group(group) => person.groups.contains(group),
        }
    }
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => f.write_str(id),
            Self::Group(group) => write!(f, "group:{group}"),
        }
    }
}

impl Serialize for Approver {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Approver {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an approver is an id or `group:` and a name"))
    }
}
