//! Records as types: what `tail`, `show`, `verify --deep` and backtests read, and what the published JSON Schema says.

use super::payloads::Payloads;
use super::scalar::{Hash, Id, Time};
use crate::call::{Risk, qualified};
use crate::decide::{Effect, Enforcement, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

macro_rules! records {
    ($($variant:ident $text:literal $doc:literal { $($(#[$meta:meta])* $field:ident: $type:ty,)* })*) => {
        /// One record of the ledger. Members that this version does not know are kept.
        #[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
        #[serde(untagged)]
        pub enum Record { $(#[doc = $doc] $variant(Box<$variant>),)* }

        /// What a record is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $(#[doc = $doc] $variant,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text in records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The kind of that text.
            #[must_use]
            pub fn parse(text: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str().as_bytes() == text)
            }
        }

        impl Record {
            /// Reads a line of that kind.
            pub(super) fn parse_kind(kind: Kind, line: &[u8]) -> Result<Self, serde_json::Error> {
                match kind { $(Kind::$variant => serde_json::from_slice(line).map(Self::$variant),)* }
            }

            /// What it is about.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$variant(_) => Kind::$variant,)* }
            }

            /// Its number in the stream.
            #[must_use]
            pub fn seq(&self) -> u64 {
                match self { $(Self::$variant(record) => record.seq,)* }
            }

            /// When it was made, as the clock said.
            #[must_use]
            pub fn time(&self) -> crate::clock::UnixNanos {
                match self { $(Self::$variant(record) => record.time.0,)* }
            }

            /// Its hash.
            #[must_use]
            pub fn hash(&self) -> [u8; 32] {
                match self { $(Self::$variant(record) => record.hash.0,)* }
            }
        }

        $(
            #[doc = $doc]
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
            pub struct $variant {
                /// The format's version.
                pub v: tags::One,
                /// What the record is about.
                pub kind: tags::$variant,
                /// The record's number in the stream, from 1.
                #[schemars(range(min = 1))]
                pub seq: u64,
                /// When it was made, as the clock said.
                pub time: Time,
                /// The hash of the record before.
                pub prev: Hash,
                $($(#[$meta])* pub $field: $type,)*
                /// SHA-256 over the line's bytes before `,"hash":`.
                pub hash: Hash,
                /// What a later version added.
                #[serde(flatten)]
                pub extra: Map<String, Value>,
            }
        )*

        /// The fixed values of `v` and `kind`.
        pub mod tags {
            use schemars::JsonSchema;
            use serde::{Deserialize, Serialize};

            /// Version 1.
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct One;

            impl Serialize for One {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_u8(1)
                }
            }

            impl<'de> Deserialize<'de> for One {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    match u8::deserialize(deserializer)? {
                        1 => Ok(Self),
                        other => Err(serde::de::Error::custom(format_args!("version {other} is not read"))),
                    }
                }
            }

            impl JsonSchema for One {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    "One".into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({ "const": 1 })
                }
            }

            $(
                #[doc = $doc]
                #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
                #[schemars(inline)]
                pub enum $variant {
                    /// The only one.
                    #[serde(rename = $text)]
                    Tag,
                }
            )*
        }
    };
}

records! {
    Opened "opened" "The first record of every segment." {
        /// The stream.
        stream: Id,
        /// The segment's number in it, from 1.
        #[schemars(range(min = 1))]
        segment: u32,
        /// What wrote it.
        product: Product,
        /// The home.
        home: Id,
        /// The check value of the key with which the segment's digests are made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest_key: Option<Hash>,
    }
    Recovered "recovered" "A dead process's stream was taken over." {
        /// Records taken from its spool.
        records: u64,
        /// Uncommitted slots of its spool.
        skipped: u64,
        /// Bytes cut from the segment's torn tail.
        torn: u64,
    }
    Policy "policy" "A policy came into force." {
        /// The version that decisions name.
        policy: Hash,
        /// What it is made of.
        layers: Vec<Layer>,
        /// Its mode.
        enforcement: Enforcement,
        /// How many rules it has.
        rules: u64,
        /// The version before.
        #[serde(deserialize_with = "required")]
        previous: Option<Hash>,
    }
    Decided "decided" "A tool call was decided; recorded before its body runs." {
        /// Names the call.
        action_id: Id,
        /// The framework's id of the call.
        call_id: String,
        /// The call digest; null where the arguments could not be captured.
        #[serde(deserialize_with = "required")]
        digest: Option<Hash>,
        /// Which tool.
        tool: Tool,
        /// The agent's id.
        #[serde(deserialize_with = "required")]
        agent: Option<String>,
        /// The user.
        #[serde(deserialize_with = "required")]
        user: Option<User>,
        /// The conversation.
        session: String,
        /// True where the program named no session.
        implicit: bool,
        /// One execution in the session.
        #[serde(deserialize_with = "required")]
        run: Option<String>,
        /// The call id of the call that made this one.
        #[serde(deserialize_with = "required")]
        parent: Option<String>,
        /// Tags of policy and code together.
        tags: Vec<String>,
        /// How much harm the tool can do.
        #[serde(deserialize_with = "required")]
        risk: Option<Risk>,
        /// The system it acts on.
        #[serde(deserialize_with = "required")]
        connector: Option<String>,
        /// What it does there.
        #[serde(deserialize_with = "required")]
        action: Option<String>,
        /// What the policy said.
        decision: Verdict,
        /// What the mode made of it.
        effect: Effect,
        /// Why, as a stable code.
        reason_code: String,
        /// Ids of the rules that asked for it.
        rules: Vec<String>,
        /// The policy's version.
        policy: Hash,
        /// The mode in force.
        enforcement: Enforcement,
        /// What must happen if it runs.
        obligations: Vec<Value>,
        /// Expected cost in micro-USD.
        #[serde(deserialize_with = "required")]
        estimated_cost: Option<i64>,
        /// The approval it runs on.
        #[serde(deserialize_with = "required")]
        approval: Option<String>,
        /// Hashes of its sidecar lines.
        #[serde(deserialize_with = "required")]
        payload: Option<Payloads>,
    }
    Completed "completed" "A decided call ended." {
        /// The call.
        action_id: Id,
        /// How it ended.
        outcome: Outcome,
        /// How long the body took, in nanoseconds.
        duration: u64,
        /// What is known of the result.
        #[serde(deserialize_with = "required")]
        result: Option<CallResult>,
        /// Settled cost in micro-USD.
        #[serde(deserialize_with = "required")]
        cost: Option<i64>,
        /// Settled tokens.
        #[serde(deserialize_with = "required")]
        tokens: Option<u64>,
        /// Hashes of its sidecar lines.
        #[serde(deserialize_with = "required")]
        payload: Option<Payloads>,
    }
    Approval "approval" "An approval changed its state." {
        /// The approval's id.
        approval: String,
        /// The call it is about.
        action_id: Id,
        /// Its state.
        state: ApprovalState,
        /// Who decided.
        #[serde(deserialize_with = "required")]
        decided_by: Option<String>,
        /// Hashes of its sidecar lines.
        #[serde(deserialize_with = "required")]
        payload: Option<Payloads>,
    }
    Control "control" "Somebody steered the engine." {
        /// What was done.
        what: String,
        /// Hashes of its sidecar lines, which lie under the action id of 32 zeros.
        #[serde(deserialize_with = "required")]
        payload: Option<Payloads>,
    }
    Erased "erased" "Payloads were erased." {
        /// Whose.
        action_ids: Vec<Id>,
        /// Which parts; null: all.
        #[serde(deserialize_with = "required")]
        parts: Option<Vec<String>>,
        /// Why.
        reason: String,
        /// By whom.
        by: String,
    }
    Pruned "pruned" "A closed segment was removed." {
        /// Its stream.
        stream: Id,
        /// Its number.
        #[schemars(range(min = 1))]
        segment: u32,
        /// How many records it had.
        records: u64,
        /// Their Merkle root.
        root: Hash,
        /// The hash of the last.
        last: Hash,
    }
    Dropped "dropped" "Records that should have been written and could not." {
        /// How many.
        count: u64,
        /// Why.
        why: String,
    }
    Closed "closed" "The last record of a stream." {
        /// Records in the stream so far.
        records: u64,
        /// Records dropped so far.
        dropped: u64,
        /// Counters by name.
        counted: BTreeMap<String, u64>,
    }
}

/// Null is a value here; a missing member is not.
fn required<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// What wrote a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One document of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Its layer.
    pub layer: String,
    /// SHA-256 of its canonical form.
    pub version: Hash,
    /// Its name.
    #[serde(deserialize_with = "required")]
    pub name: Option<String>,
}

/// The tool of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Where it comes from.
    pub source: String,
    /// Its own name.
    pub name: String,
    /// SHA-256 of its definition.
    pub digest: Hash,
}

impl Tool {
    /// Its name for people: with the source where that is not the program.
    #[must_use]
    pub fn qualified(&self) -> Cow<'_, str> {
        qualified(&self.source, &self.name)
    }
}

/// The user of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The user's id, as the program knows it.
    pub id: String,
    /// Who vouched for the id.
    #[serde(deserialize_with = "required")]
    pub verified_by: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The body returned.
    Success,
    /// The body raised.
    Error,
    /// It was refused.
    Denied,
    /// The approval's time ran out.
    Expired,
    /// The wait for people was called off.
    Cancelled,
    /// The framework took the call back.
    Interrupted,
    /// Nobody knows.
    Unknown,
}

impl From<Outcome> for crate::ledger::Outcome {
    fn from(recorded: Outcome) -> Self {
        match recorded {
            Outcome::Success => Self::Success,
            Outcome::Error => Self::Error,
            Outcome::Denied => Self::Denied,
            Outcome::Expired => Self::Expired,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Interrupted => Self::Interrupted,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// What is known of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CallResult {
    /// Its digest and size.
    Digest(ResultDigest),
    /// It has no value.
    Uncaptured(Uncaptured),
}

/// A result's digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResultDigest {
    /// The result digest.
    pub digest: Hash,
    /// Its full size in canonical bytes.
    pub bytes: u64,
}

/// The text of a result without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uncaptured {
    /// A generator, a stream, something opaque.
    Uncaptured,
}

/// The state of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided yet.
    Pending,
    /// Somebody said yes.
    Approved,
    /// Somebody said no.
    Denied,
    /// Its time ran out.
    Expired,
    /// It was called off.
    Cancelled,
}
