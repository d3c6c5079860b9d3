//! Keys that are not of this version: refused by name, never accepted and ignored.

use super::problem::{At, Problems};

/// Keys of the policy language that this version cannot act on.
const LATER: &[(&str, &[&str])] = &[
    ("the policy", &["approvals", "obligations", "max_policy_age", "kill_switch"]),
    ("`approval`", &["notify", "escalate"]),
    ("a rule", &["obligations", "set", "redact", "redact_result", "notify"]),
];

/// Notes a key that `place` does not have.
pub(crate) fn unknown_key(key: &str, at: &At, place: &str, known: &[&str], out: &mut Problems) {
    if LATER.iter().any(|(of, keys)| *of == place && keys.contains(&key)) {
        out.instead(at, format!("`{key}` is not supported by this version"), "remove it: nothing would act on it");
        return;
    }
    let message = format!("{place} has no key `{key}`");
    let all = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    out.unknown(at, message, key, known.iter().copied(), format!("it has {all}"));
}
