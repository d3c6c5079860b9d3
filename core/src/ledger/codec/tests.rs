//! Every record comes back as it was put in, and no bytes are read as something they are not.

use super::decode::Decoded;
use super::*;
use crate::clock::UnixNanos;
use crate::decide::{Effect, Enforcement, Verdict};
use crate::ledger::entry::{ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, ToolEntry};
use crate::ledger::event::{ApprovalChange, Control, Erased, PolicyChange, PolicyLayer};
use proptest::prelude::*;
use std::sync::Arc;

fn encode(record: &impl Record, omitted: Omitted) -> Vec<u8> {
    let mut measure = Measure::default();
    record.write(omitted, &mut measure);
    let mut bytes = vec![0xee; measure.0];
    let mut place = Place(&mut bytes);
    record.write(omitted, &mut place);
    assert!(place.0.is_empty(), "measured more than was written");
    bytes
}

fn some_text(text: &str, index: u8, present: u16) -> Option<&str> {
    (present >> index & 1 == 1).then_some(text)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decided_comes_back(
        text in ".{0,20}", present in any::<u16>(), tags in prop::collection::vec("[a-z]{1,8}", 0..4),
        rules in prop::collection::vec("[a-z/]{1,12}", 0..4), time in any::<i64>(), choice in 0usize..12,
        cost in any::<Option<i64>>(), payload in prop::collection::vec(any::<u8>(), 1..300), implicit in any::<bool>(),
    ) {
        let tags: Vec<Arc<str>> = tags.into_iter().map(Arc::from).collect();
        let rules: Vec<Arc<str>> = rules.into_iter().map(Arc::from).collect();
        let parts = [Part { name: "arguments", canonical: &payload }, Part { name: "note", canonical: b"1" }];
        let maybe = |index| some_text(&text, index, present);
        let decided = Decided {
            action_id: ActionId([choice as u8; 16]),
            time: UnixNanos(time),
            call_id: maybe(0),
            digest: cost.map(|_| [9; 32]),
            tool: ToolEntry {
                source: &text, name: "tool", digest: [4; 32], tags: &tags,
                risk: maybe(1), connector: maybe(2), action: maybe(3),
            },
            context: ContextEntry {
                agent: maybe(4), user: maybe(5), user_verified_by: maybe(6), session: &text, implicit,
                run: maybe(7), parent: maybe(8),
            },
            decision: [Verdict::Allow, Verdict::RequireApproval, Verdict::Deny][choice % 3],
            effect: [Effect::Run, Effect::Refused, Effect::Asked][choice % 3],
            reason_code: "rule",
            rules: &rules,
            policy: [7; 32],
            enforcement: [Enforcement::Observe, Enforcement::StepUp, Enforcement::Progressive, Enforcement::Block][choice % 4],
            estimated_cost: cost,
            approval: maybe(9),
            parts: &parts,
            durable: false,
        };
        let bytes = encode(&decided, Omitted::default());
        let Decoded::Decided { entry, tags: found_tags, rules: found_rules, parts: found } =
            decode(kind::DECIDED, &bytes).unwrap() else { panic!("another kind") };
        let texts = |list: &[Arc<str>]| list.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        prop_assert_eq!(found_tags, texts(&tags));
        prop_assert_eq!(found_rules, texts(&rules));
        prop_assert_eq!(found[0].canonical, &payload[..]);
        prop_assert_eq!((found[1].name, found[1].canonical), ("note", &b"1"[..]));
        prop_assert_eq!(
            format!("{:?}{:?}", entry.context, (entry.time, entry.call_id, entry.digest, entry.tool.digest, entry.tool.source)),
            format!("{:?}{:?}", decided.context, (decided.time, decided.call_id, decided.digest, decided.tool.digest, decided.tool.source))
        );
        prop_assert_eq!(
            format!("{:?}", (entry.tool.risk, entry.tool.connector, entry.tool.action, entry.decision, entry.effect, entry.enforcement)),
            format!("{:?}", (decided.tool.risk, decided.tool.connector, decided.tool.action, decided.decision, decided.effect, decided.enforcement))
        );
        prop_assert_eq!(
            format!("{:?}", (entry.action_id, entry.policy, entry.estimated_cost, entry.approval, entry.reason_code, entry.tool.name)),
            format!("{:?}", (decided.action_id, decided.policy, decided.estimated_cost, decided.approval, decided.reason_code, decided.tool.name))
        );
    }

    #[test]
    fn completed_comes_back(
        outcome in 0usize..7, duration in any::<u64>(), cost in any::<Option<i64>>(), tokens in any::<Option<u64>>(), size in any::<Option<u64>>(),
    ) {
        let outcome = [
            Outcome::Success, Outcome::Error, Outcome::Denied, Outcome::Expired, Outcome::Cancelled, Outcome::Interrupted,
            Outcome::Unknown,
        ][outcome];
        let result = size.map_or(ResultEntry::Uncaptured, |size| ResultEntry::Digest([3; 32], size));
        let completed =
            Completed { action_id: ActionId([1; 16]), time: UnixNanos(5), outcome, duration, result, cost, tokens, parts: &[] };
        let bytes = encode(&completed, Omitted::default());
        let Decoded::Completed { entry, parts } = decode(kind::COMPLETED, &bytes).unwrap() else { panic!("another kind") };
        prop_assert_eq!(format!("{entry:?}"), format!("{completed:?}"));
        prop_assert!(parts.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in any::<u8>(), mut bytes in prop::collection::vec(any::<u8>(), 0..400), version in any::<bool>()) {
        if version && !bytes.is_empty() {
            bytes[0] = VERSION;
        }
        let _ends = decode(kind, &bytes).is_ok();
    }
}

#[test]
fn events_come_back() {
    let time = UnixNanos(77);
    let layers = [PolicyLayer { layer: "local", version: [1; 32], name: Some("n") }];
    let policy =
        PolicyChange { policy: [2; 32], layers: &layers, enforcement: "block", rules: 3, previous: Some([4; 32]) };
    let bytes = encode(&Timed(time, &policy), Omitted::default());
    let Decoded::Policy { entry, layers: found, .. } = decode(kind::POLICY, &bytes).unwrap() else {
        panic!("another kind")
    };
    assert_eq!(format!("{:?}", PolicyChange { layers: &found, ..entry }), format!("{policy:?}"));

    let parts = [Part { name: "note", canonical: b"{}" }];
    let approval = ApprovalChange {
        approval: "a",
        action_id: ActionId([6; 16]),
        state: "approved",
        decided_by: None,
        parts: &parts,
    };
    let bytes = encode(&Timed(time, &approval), Omitted::default());
    let Decoded::Approval { entry, parts: found, .. } = decode(kind::APPROVAL, &bytes).unwrap() else {
        panic!("another kind")
    };
    assert_eq!(format!("{:?}", ApprovalChange { parts: &found, ..entry }), format!("{approval:?}"));

    let control = Control { what: "kill_switch", parts: &parts };
    let bytes = encode(&Timed(time, &control), Omitted::default());
    let Decoded::Control { entry, parts: found, time: at } = decode(kind::CONTROL, &bytes).unwrap() else {
        panic!("another kind")
    };
    assert_eq!((format!("{:?}", Control { parts: &found, ..entry }), at), (format!("{control:?}"), time));

    for parts in [None, Some(["result"].as_slice())] {
        let erased = Erased { action_ids: &[ActionId([8; 16])], parts, reason: "r", by: "b" };
        let bytes = encode(&Timed(time, &erased), Omitted::default());
        let Decoded::Erased { action_ids, parts: found, reason, by, .. } = decode(kind::ERASED, &bytes).unwrap() else {
            panic!("another kind")
        };
        let again = Erased { action_ids: &action_ids, parts: found.as_deref(), reason, by };
        assert_eq!(format!("{again:?}"), format!("{erased:?}"));
    }
}

#[test]
fn a_later_version_is_named() {
    assert_eq!(decode(kind::DECIDED, &[VERSION + 1]).unwrap_err(), Malformed::Version(VERSION + 1));
    assert_eq!(decode(kind::DECIDED, &[]).unwrap_err(), Malformed::Damaged);
    assert_eq!(decode(kind::DECIDED, &[0]).unwrap_err(), Malformed::Damaged);
}

#[test]
fn the_largest_part_goes_first_and_leaves_a_trace() {
    let parts = [
        Part { name: "arguments", canonical: b"22" },
        Part { name: "annotations", canonical: b"333" },
        Part { name: "note", canonical: b"1" },
    ];
    let control = Control { what: "w", parts: &parts };
    let mut omitted = Omitted::default();
    let mut left = Vec::new();
    loop {
        let bytes = encode(&Timed(UnixNanos(0), &control), omitted);
        let Decoded::Control { parts: found, .. } = decode(kind::CONTROL, &bytes).unwrap() else {
            panic!("another kind")
        };
        left.push(found.iter().map(|part| part.canonical.len()).collect::<Vec<_>>());
        if !omitted.largest(&parts) {
            break;
        }
    }
    assert_eq!(left, [[2, 3, 1], [2, 0, 1], [0, 0, 1], [0, 0, 0]]);
}
