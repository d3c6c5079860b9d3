//! What a rule says of asking people, and what in it could never be met.

use super::compiled::Policy;
use super::conditions::{TypedTool, TypedTools};
use super::document::{Approval, Rule};
use super::node::{Kind, Node};
use super::pattern::Bare;
use super::problem::Problems;
use super::read::{Placed, Read, wrong};
use super::text::{Argument, shown};
use crate::approval::Approver;
use crate::decide::Verdict;
use std::time::Duration;

/// How long people may have: from a second to thirty days.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Read for Approver {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Str(text, _) = &node.kind else {
            return wrong(node, "a person's id or `group:` and a name, as text", out);
        };
        let fits = text.len() <= 256 && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        let read = fits.then(|| Self::parse(text)).flatten();
        if read.is_none() {
            let message = format!("the approver `{}` is no id and no group", shown(text));
            out.instead(&node.at, message, "write a person's id, or `group:` and a name");
        }
        read
    }
}

super::read::schemas! {
    Approver { "type": "string", "pattern": "^(group:[^\\s]+|[^\\s:]+)$", "maxLength": 256 };
}

/// How many people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quorum(pub(crate) u32);

impl Read for Quorum {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match node.kind {
            Kind::Int(count @ 1..=100) => u32::try_from(count).ok().map(Self),
            Kind::Int(_) => {
                out.instead(&node.at, "a quorum is at least 1 and at most 100 people", "write `1`");
                None
            }
            _ => wrong(node, "a count of people", out),
        }
    }
}

super::read::schemas! {
    Quorum { "type": "integer", "minimum": 1, "maximum": 100 };
}

/// Who may not answer, whatever `approvers` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NotBy {
    /// The user on whose behalf the agent acts.
    Requester,
}

super::read::choices! {
    NotBy { "requester" => NotBy::Requester }
}

/// How long people have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout(pub(crate) Duration);

impl Read for Timeout {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Str(text, _) = &node.kind else {
            return wrong(node, "a time such as `15m`, as text", out);
        };
        let found = span(text).filter(|found| (SHORTEST..=LONGEST).contains(found));
        if found.is_none() {
            let message = format!("`{}` is no time between 1s and 30d", shown(text));
            out.instead(&node.at, message, "write a whole number and `s`, `m`, `h` or `d`, such as `15m`");
        }
        found.map(Self)
    }
}

super::read::schemas! {
    Timeout { "type": "string", "pattern": "^[1-9][0-9]{0,8}[smhd]$" };
}

/// A whole number and its unit.
pub(super) fn span(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let count: u64 = if plain { digits.parse().ok()? } else { return None };
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// Notes what no answer could ever meet, what nothing would ask for, and names that a tool of known arguments does not have.
pub(crate) fn check(policy: &Policy, out: &mut Problems) {
    check_names(policy, out);
    for compiled in &policy.rules {
        let rule = &compiled.rule;
        if let Some(approval) = &rule.approval {
            check_rule(rule, approval, out);
        }
    }
}

fn check_rule(rule: &Rule, approval: &Placed<Approval>, out: &mut Problems) {
    let id = rule.id();
    if rule.verdict() == Verdict::Allow {
        let message = format!("rule `{id}` allows, so that nobody is asked");
        out.instead(&approval.at, message, "take `approval` out, or write `decision: require_approval`");
    }
    let approvers = approval.approvers.as_ref();
    let quorum = approval.quorum.as_ref();
    if let Some(approvers) = approvers {
        if approvers.value.is_empty() {
            let message = format!("rule `{id}` can never be approved: its `approvers` is empty");
            out.instead(&approvers.at, message, "name at least one, or leave the key out: then anybody may answer");
        }
        let people = approvers.value.iter().all(|one| matches!(**one, Approver::Person(_)));
        let named: std::collections::BTreeSet<_> = approvers.value.iter().map(|one| &one.value).collect();
        if let Some(quorum) = quorum
            && people
            && !named.is_empty()
            && usize::try_from(quorum.value.0).unwrap_or(usize::MAX) > named.len()
        {
            let message =
                format!("rule `{id}` can never be approved: its quorum is larger than the number of its approvers");
            out.instead(&quorum.at, message, format!("write `{}` or less, or name more", named.len()));
        }
    }
    if let Some(bind) = &approval.bind
        && bind.value.is_empty()
    {
        let message = format!("a yes to rule `{id}` would hold for any arguments: its `bind` is empty");
        out.instead(&bind.at, message, "name what people decide on, or leave the key out: then all of it is bound");
    }
}

/// Rules that name their tools one by one are looked at here; all are once a tool is guarded.
fn check_names(policy: &Policy, out: &mut Problems) {
    let typed = TypedTools::new(policy);
    let mut look = |name: &Placed<Argument>, key: &str, tool: &TypedTool| {
        if tool.arguments.get(&name.value.0).is_none() {
            let named = &tool.spec.name;
            let message = format!("`{key}` names `{}`, which is no argument of the tool `{named}`", name.value.0);
            let instead = "name one that it has, or correct the tool's `args`";
            out.unknown(&name.at, message, &name.value.0, tool.arguments.names(), instead);
        }
    };
    for compiled in &policy.rules {
        let rule = &compiled.rule;
        let Some(approval) = &rule.approval else { continue };
        let names = rule.tools.iter().flat_map(|list| &list.value).filter_map(|pattern| pattern.exact_name());
        for tool in names.flat_map(|name| typed.named(name)) {
            if rule.selects(&tool.spec.source, &tool.spec.name, &tool.known) {
                approval.bind.iter().flat_map(|list| &list.value).for_each(|name| look(name, "bind", tool));
                approval.show.iter().flatten().for_each(|name| look(name, "show", tool));
            }
        }
    }
    for tool in &typed.tools {
        let said = policy.tools.of(Bare::Any, &tool.spec.source, &tool.spec.name);
        said.flat_map(|entry| &entry.tool.volatile).flatten().for_each(|name| look(name, "volatile", tool));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_and_a_unit() {
        assert_eq!(span("15m"), Some(Duration::from_secs(900)));
        assert_eq!(span("2d"), Some(Duration::from_secs(172_800)));
        for wrong in ["", "m", "15", "0s", "015m", "1.5h", "-1s", "15 m", "15µ", "99999999999999999999d"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
