//! What sessions remember, in one process and over a restart, and what they must not take for nothing.

#![cfg(test)]

use counterseal::clock::UnixNanos;
use counterseal::condition::SessionView as _;
use counterseal::ledger::{Entropy, Home};
use counterseal::session::{ModelUse, Secrets, Sessions};
use counterseal::state::{Options, State};
use std::path::Path;
use std::sync::Arc;

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

fn sessions(home: &Path) -> Sessions {
    let home = Home::open_or_create(home, &mut Entropy::system()).unwrap();
    Sessions::new(Arc::new(State::open(&home, &Options::default()).unwrap()), Secrets::new(&[7; 32]))
}

#[test]
fn tags_and_calls_are_remembered_by_session() {
    let folder = tempfile::tempdir().unwrap();
    let all = sessions(&folder.path().join("home"));
    let secrets = Secrets::new(&[7; 32]);
    let (tool, tags) = (secrets.tool("read_inbox"), [secrets.tag("untrusted"), secrets.tag("private")]);
    assert!(!all.view("one", NOW).saw("untrusted").unwrap());
    all.decided("one", tool, &tags, NOW).unwrap();
    all.decided("one", tool, &[], NOW).unwrap();
    all.mark("one", "secret", NOW).unwrap();
    all.used("one", ModelUse { prompt_tokens: 5, completion_tokens: 2, cost_micro_usd: 30 }, NOW).unwrap();
    let view = all.view("one", NOW);
    assert!(view.saw("untrusted").unwrap() && view.saw("private").unwrap() && view.saw("secret").unwrap());
    assert!(!view.saw("payment").unwrap());
    assert_eq!((view.calls(Some("read_inbox")).unwrap(), view.calls(Some("other")).unwrap()), (2, 0));
    assert_eq!(view.calls(None).unwrap(), 2);
    assert!(!all.view("two", NOW).saw("untrusted").unwrap());
    let totals = all.totals("one", NOW).unwrap();
    assert_eq!((totals.calls, totals.prompt_tokens, totals.completion_tokens, totals.cost_micro_usd), (2, 5, 2, 30));
}

#[test]
fn what_was_said_and_learned_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let all = sessions(&folder.path().join("home"));
    all.heard("one", "Pay Ann $50.00, IBAN DE89 3704 0044 0532 0130 00", NOW).unwrap();
    all.heard("one", "and mail bob@example.com", NOW).unwrap();
    all.learned("one", ["Carl@Example.com"], NOW).unwrap();
    let view = all.view("one", NOW);
    for said in ["ann", "50", "DE89370400440532013000", "bob@example.com", "pay Ann"] {
        assert!(view.said(said).unwrap(), "{said}");
    }
    for never in ["", "example.com", "carl@example.com", "00 and"] {
        assert!(!view.said(never).unwrap(), "{never}");
    }
    assert!(view.known("carl@example.com").unwrap() && !view.known("bob@example.com").unwrap());
    assert!(!all.view("two", NOW).said("ann").unwrap());
}

#[test]
fn a_sub_agent_shares_its_parents_facts_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let all = sessions(&folder.path().join("home"));
    all.heard("root", "ask ann", NOW).unwrap();
    all.mark("child", "before", NOW).unwrap();
    all.link("child", "root", NOW).unwrap();
    all.link("grandchild", "child", NOW).unwrap();
    all.link("grandchild", "child", NOW).unwrap();
    all.mark("grandchild", "deep", NOW).unwrap();
    all.mark("root", "top", NOW).unwrap();
    all.learned("child", ["x@y.example"], NOW).unwrap();
    for session in ["root", "child", "grandchild"] {
        let view = all.view(session, NOW);
        for tag in ["before", "deep", "top"] {
            assert!(view.saw(tag).unwrap(), "{session} {tag}");
        }
        assert!(view.said("ann").unwrap() && view.known("X@y.example").unwrap(), "{session}");
    }
    // a circle cannot be made
    all.link("root", "grandchild", NOW).unwrap();
    assert!(all.view("root", NOW).saw("top").unwrap());
}
