//! A home with a ledger in it: two processes one after the other, six calls, two users, their payloads and checkpoints.

use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Effect, Enforcement, Verdict};
use counterseal::ledger::{
    ActionId, Completed, ContextEntry, Decided, Ledger, Options, Outcome, Part, PolicyChange, PolicyLayer, ResultEntry,
    Sink, ToolEntry,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T08:00:00Z
const START: i64 = 1_795_248_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
const LONG: Duration = Duration::from_secs(60);

/// The id of the `nth` call, from 1.
pub(crate) fn action(nth: u8) -> ActionId {
    ActionId([nth; 16])
}

/// Makes the home `home` and, beside it, the file `outside` with the checkpoints that were handed over.
pub(crate) fn make(home: &Path, outside: &Path) {
    for process in 0..2_u8 {
        let clock = Clock::manual(UnixNanos(START + 100 * SECOND * i64::from(process)));
        let sinks = vec![Sink::File(outside.to_owned())];
        let ledger = Ledger::open(home, Options { clock: Arc::new(clock), sinks, ..Options::default() }).unwrap();
        let began = UnixNanos(START + 100 * SECOND * i64::from(process));
        let layers = [PolicyLayer { layer: "local", version: [7; 32], name: Some("support") }];
        let change =
            PolicyChange { policy: [7; 32], layers: &layers, enforcement: "progressive", rules: 2, previous: None };
        ledger.policy(began, &change).unwrap();
        for nth in 1..=3 {
            call(&ledger, process * 3 + nth);
        }
        ledger.close(LONG).unwrap();
    }
}

/// Every third call is refused; calls of the first process are of user `u-1`, of the second of `u-2`.
fn call(ledger: &Ledger, nth: u8) {
    let refused = nth.is_multiple_of(3);
    let time = UnixNanos(START + SECOND * (i64::from(nth) + if nth > 3 { 100 } else { 0 }));
    let arguments = format!(r#"{{"amount":{},"order_id":"ord_{nth}"}}"#, u32::from(nth) * 40);
    let parts = [Part { name: "arguments", canonical: arguments.as_bytes() }];
    let rules: [Arc<str>; 1] = [Arc::from(if refused { "local/big-refunds" } else { "local/small-refunds" })];
    let (user, session) = if nth > 3 { ("u-2", "conv-2") } else { ("u-1", "conv-1") };
    ledger
        .decided(&Decided {
            action_id: action(nth),
            time,
            call_id: None,
            digest: Some([nth; 32]),
            tool: ToolEntry {
                source: "program",
                name: "issue_refund",
                digest: [9; 32],
                tags: &[],
                risk: Some("high"),
                connector: None,
                action: None,
            },
            context: ContextEntry {
                agent: Some("support"),
                user: Some(user),
                user_verified_by: None,
                session,
                implicit: false,
                run: None,
                parent: None,
            },
            decision: if refused { Verdict::Deny } else { Verdict::Allow },
            effect: if refused { Effect::Refused } else { Effect::Run },
            reason_code: "rule",
            rules: &rules,
            policy: [7; 32],
            enforcement: Enforcement::Progressive,
            estimated_cost: None,
            approval: None,
            parts: &parts,
            durable: false,
        })
        .unwrap();
    let outcome = if refused { Outcome::Denied } else { Outcome::Success };
    let result = if refused { ResultEntry::None } else { ResultEntry::Digest([nth; 32], 12) };
    let ended = UnixNanos(time.0 + 1_500_000);
    ledger
        .completed(&Completed {
            action_id: action(nth),
            time: ended,
            outcome,
            duration: 1_500_000,
            result,
            cost: None,
            tokens: None,
            parts: &[],
        })
        .unwrap();
}

/// Rewrites the ledger that the bad inputs in `tests/bad/ledger` are made from; nothing else changes it.
#[test]
#[ignore = "replaces a committed ledger by one with new ids and keys"]
fn write_the_committed_ledger() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bad/ledger/whole");
    let _absent = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    make(&directory.join("home"), &directory.join("outside"));
}
