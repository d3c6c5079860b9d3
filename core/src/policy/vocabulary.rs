//! Tags against the vocabulary: a misspelt tag would leave a rule without tools.

use super::compiled::Policy;
use super::conditions::Conditions;
use super::document::Rule;
use super::problem::Problems;
use super::read::Placed;
use super::text::Tag;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The tag of tools whose results others write: nothing in them is ever a fact.
pub(crate) const UNTRUSTED: &str = "untrusted";

/// Notes facts that would be taken from a tool that the policy itself calls untrusted.
pub(crate) fn check_facts(policy: &Policy, out: &mut Problems) {
    for entry in policy.tools.entries() {
        let untrusted = entry.tool.tags.iter().flatten().any(|tag| &*tag.value.0 == UNTRUSTED);
        if let (true, Some(first)) = (untrusted, entry.tool.facts_from_result.iter().flatten().next()) {
            let message =
                format!("`{}` is tagged `{UNTRUSTED}`, so nothing in its results is a fact", entry.pattern.text());
            out.instead(
                &first.at,
                message,
                "remove `facts_from_result`, or the tag if nobody else writes what it reads",
            );
        }
    }
}

/// Notes every tag of a tool or a rule that the vocabulary does not have. Without a vocabulary any tag may be used.
pub(crate) fn check(policy: &Policy, out: &mut Problems) {
    let Some(vocabulary) = &policy.tags else {
        return;
    };
    let mut look = |tag: &Placed<Tag>| {
        if !vocabulary.contains(&tag.value.0) {
            let message = format!("the tag `{}` is not in the vocabulary `tags`", tag.value.0);
            out.unknown(
                &tag.at,
                message,
                &tag.value.0,
                vocabulary.iter().map(|known| &**known),
                "add it to `tags`, or take it out",
            );
        }
    };
    for entry in policy.tools.entries() {
        entry.tool.tags.iter().flatten().for_each(&mut look);
    }
    let limits = policy.limits.iter().map(|limit| &limit.rule);
    for rule in policy.rules.iter().map(|rule| &rule.rule).chain(limits) {
        rule.tags.iter().flat_map(|tags| &tags.value).for_each(&mut look);
    }
}

/// Notes every tag that a rule asks the session for and the vocabulary does not have.
pub(crate) fn asked(rule: &Rule, conditions: &Conditions, vocabulary: Option<&BTreeSet<Arc<str>>>, out: &mut Problems) {
    let Some(vocabulary) = vocabulary else { return };
    let written = [(&rule.when, &conditions.when), (&rule.unless, &conditions.unless)];
    for (expression, compiled) in written {
        let (Some(expression), Some(compiled)) = (expression, compiled) else { continue };
        for tag in compiled.tags().filter(|tag| !vocabulary.contains(*tag)) {
            let message = format!(
                "rule `{}` asks whether the session saw `{tag}`, which is not in the vocabulary `tags`",
                rule.id()
            );
            let known = vocabulary.iter().map(|known| &**known);
            out.unknown(&expression.at, message, tag, known, "add it to `tags`, or ask for one that is there");
        }
    }
}
