//! Replays `tests/vectors/approvals.json`: what the answers of several people come to.

#![cfg(test)]

use counterseal::approval::{
    Answer, Approval, Call, Consent, Edit, Event, Grant, Person, Request, Requirement, Shown, State,
};
use counterseal::ledger::record::scalar::{Hash, Id, Time};
use serde_json::Value as Json;
use std::sync::Arc;

const VECTORS: &str = include_str!("../../tests/vectors/approvals.json");
const ASKED: &str = "2090-01-01T00:00:00.000000000Z";

fn read<T: serde::de::DeserializeOwned>(of: &Json) -> T {
    serde_json::from_value(of.clone()).unwrap()
}

fn time(text: &str) -> Time {
    read(&Json::from(text))
}

fn asked(case: &Json) -> Approval {
    let quorum = case.get("quorum").map_or(1, read);
    Approval::new(Request {
        id: Id([1; 16]),
        call: Call {
            action_id: Id([2; 16]),
            call_id: None,
            source: Arc::from("program"),
            tool: Arc::from("t"),
            agent: None,
            requester: None,
            session: Arc::from("s"),
            run: None,
        },
        binding: Hash([3; 32]),
        reason: None,
        reason_code: Arc::from("rule"),
        policy: Hash([4; 32]),
        requirements: vec![Requirement {
            rule: Arc::from("local/r"),
            approvers: Vec::new(),
            quorum,
            not_by_requester: false,
        }],
        shown: case["args"].as_object().unwrap().iter().map(shown).collect(),
        hidden: 0,
        time: time(ASKED),
        expires: time("2090-01-01T01:00:00.000000000Z"),
        asker: Id([5; 16]),
        redact: case.get("detect").map(read).unwrap_or_default(),
        arguments: None,
    })
}

fn shown((name, value): (&String, &Json)) -> (String, Shown) {
    (name.clone(), Shown { value: value.clone(), bound: true })
}

fn answered(given: &Json) -> Event {
    let edit = given.get("edit").map(|edit| Edit::from_json(edit.clone()).unwrap());
    Event::Answered {
        time: time(ASKED),
        by: Person { id: read(&given["by"]), groups: Vec::new(), verified_by: None },
        answer: Answer::Yes(Consent { edit, grant: given.get("grant").map(read) }),
        note: given.get("note").map(read),
    }
}

#[test]
fn answers() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        assert!(case.get("op").is_none(), "{name}: unknown operation");
        let mut approval = asked(case);
        for given in case["answers"].as_array().unwrap() {
            let applied = approval.apply(answered(given));
            assert_eq!(
                applied.err().map(|error| error.code().as_str()),
                given.get("error").and_then(Json::as_str),
                "{name}"
            );
        }
        let expect = &case["expect"];
        assert_eq!(approval.state().as_str(), expect["state"], "{name}");
        let granted: Option<Grant> = approval.granted().map(|granted| granted.as_one());
        assert_eq!(serde_json::to_value(&granted).unwrap(), expect["grant"], "{name}");
        let notes = approval.events().iter().filter_map(|event| match event {
            Event::Answered { note, .. } => note.as_deref(),
            _ => None,
        });
        let expected: Vec<&str> = expect.get("notes").map_or_else(Vec::new, |notes| {
            notes.as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect()
        });
        assert_eq!(notes.collect::<Vec<_>>(), expected, "{name}");
        for like in expect["likes"].as_array().unwrap() {
            assert_eq!(approval.state(), State::Approved, "{name}");
            let at = like.get("at").map_or_else(|| time(ASKED), |at| time(at.as_str().unwrap()));
            let canonical = like["args"].to_string();
            let same = like["args"] == case["args"];
            let mut call = approval.request().call.clone();
            let text = |key: &str| like.get(key).map(|text| Arc::from(text.as_str().unwrap()));
            call.session = text("session").unwrap_or(call.session);
            call.agent = text("agent").or(call.agent);
            let user = text("user").map(|id| Person { id, groups: Vec::new(), verified_by: None });
            call.requester = user.or(call.requester);
            let alike = approval.request().call.is_like(&call);
            let runs = alike && approval.grant(at.0).is_some_and(|granted| granted.admits(same, canonical.as_bytes()));
            assert_eq!(runs, like["runs"].as_bool().unwrap(), "{name}: {like}");
            if runs {
                approval.apply(Event::Used { time: at, action_id: Id([9; 16]) }).unwrap();
            }
        }
        let again = Approval::fold(approval.request().clone(), approval.events().to_vec()).unwrap();
        assert_eq!(again, approval, "{name}: what was folded once folds the same again");
    }
    assert_eq!(cases.len(), 22);
}
