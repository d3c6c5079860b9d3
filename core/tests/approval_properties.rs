//! The life of an approval: what holds whatever happens to it, in whatever order.

#![cfg(test)]

use counterseal::approval::{
    Answer, Approval, Approver, Call, Consent, Edit, Event, Grant, Person, Request, Requirement, State,
};
use counterseal::clock::UnixNanos;
use counterseal::ledger::record::scalar::{Hash, Id, Time};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const START: i64 = 1_000;
const EXPIRES: i64 = 2_000;

const fn at(offset: i64) -> Time {
    Time(UnixNanos(offset))
}

fn person(id: u8, verified: bool) -> Person {
    let groups = if id.is_multiple_of(2) { vec![Arc::from("even")] } else { Vec::new() };
    Person { id: Arc::from(format!("p{id}")), groups, verified_by: verified.then(|| Arc::from("os")) }
}

fn request(requirements: Vec<Requirement>, requester: Option<Person>) -> Request {
    Request {
        id: Id([1; 16]),
        call: Call {
            action_id: Id([2; 16]),
            call_id: None,
            source: Arc::from("program"),
            tool: Arc::from("t"),
            agent: None,
            requester,
            session: Arc::from("s"),
            run: None,
        },
        binding: Hash([3; 32]),
        reason: None,
        reason_code: Arc::from("rule"),
        policy: Hash([4; 32]),
        requirements,
        shown: BTreeMap::new(),
        hidden: 0,
        time: at(START),
        expires: at(EXPIRES),
        asker: Id([5; 16]),
        redact: Vec::new(),
        arguments: None,
    }
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let approver = prop_oneof![
        Just(Approver::Group(Arc::from("even"))),
        (0_u8..4).prop_map(|id| Approver::Person(Arc::from(format!("p{id}"))))
    ];
    (prop::collection::vec(approver, 0..3), 1_u32..4, any::<bool>()).prop_map(
        |(approvers, quorum, not_by_requester)| Requirement {
            rule: Arc::from("local/r"),
            approvers,
            quorum,
            not_by_requester,
        },
    )
}

fn consent() -> impl Strategy<Value = Consent> {
    let edit =
        (0_u8..2).prop_map(|value| Edit::from_json(json!([{"op": "replace", "path": "/n", "value": value}])).unwrap());
    let grant = (1_u32..3).prop_map(|count| Grant { when: None, count: Some(count), until: Some(at(EXPIRES + 500)) });
    (prop::option::weighted(0.2, edit), prop::option::weighted(0.3, grant))
        .prop_map(|(edit, grant)| Consent { edit, grant })
}

fn event() -> impl Strategy<Value = Event> {
    let time = (START - 100..EXPIRES + 2_000).prop_map(at);
    let answer = prop_oneof![6 => consent().prop_map(Answer::Yes), 1 => Just(Answer::No)];
    prop_oneof![
        8 => (time.clone(), 0_u8..4, any::<bool>(), answer).prop_map(|(time, id, verified, answer)| Event::Answered {
            time, by: person(id, verified), answer, note: None
        }),
        1 => time.clone().prop_map(|time| Event::Expired { time }),
        1 => time.clone().prop_map(|time| Event::Cancelled { time }),
        1 => (time.clone(), any::<u8>()).prop_map(|(time, by)| Event::Resumed { time, asker: Id([by; 16]) }),
        1 => time.clone().prop_map(|time| Event::Left { time }),
        2 => time.clone().prop_map(|time| Event::Claimed { time }),
        1 => time.clone().prop_map(|time| Event::Suspended { time }),
        1 => time.clone().prop_map(|time| Event::Delivered { time }),
        2 => time.prop_map(|time| Event::Used { time, action_id: Id([9; 16]) }),
    ]
}

/// Whether the yeses before `decided` meet every requirement: counted here from the events alone.
fn met(approval: &Approval) -> bool {
    let request = approval.request();
    let mut said: BTreeMap<&str, (&Person, &Consent)> = BTreeMap::new();
    let mut agreed = None;
    for event in approval.events() {
        if let Event::Answered { by, answer: Answer::Yes(consent), .. } = event {
            said.insert(&by.id, (by, consent));
            agreed = Some(consent.edit.as_ref());
        }
    }
    assert_eq!(approval.edit(), agreed.unwrap());
    let last: BTreeMap<&str, &Person> = said
        .iter()
        .filter(|(_, (_, consent))| consent.edit == agreed.unwrap().cloned())
        .map(|(id, (by, _))| (*id, *by))
        .collect();
    request.requirements.iter().all(|requirement| {
        let counted = last.values().filter(|person| {
            let listed = requirement.approvers.is_empty()
                || requirement.approvers.iter().any(|approver| match approver {
                    Approver::Person(id) => *id == person.id,
                    Approver::Group(group) => person.groups.contains(group),
                });
            let requester = request.call.requester.as_ref();
            let apart = !requirement.not_by_requester
                || requester
                    .is_some_and(|of| of.verified_by.is_some() && person.verified_by.is_some() && of.id != person.id);
            listed && apart
        });
        counted.count() >= requirement.quorum as usize
    })
}

proptest! {
    #[test]
    fn a_life_holds_what_it_promises(
        requirements in prop::collection::vec(requirement(), 1..3),
        requester in prop::option::of((0_u8..4, any::<bool>())),
        events in prop::collection::vec(event(), 0..24),
    ) {
        let asked = request(requirements, requester.map(|(id, verified)| person(id, verified)));
        let mut approval = Approval::new(asked.clone());
        let (mut claims, mut uses, mut left) = (0, 0, 0);
        for event in events {
            let before = approval.clone();
            match approval.apply(event.clone()) {
                Err(_) => prop_assert_eq!(&approval, &before, "a refused event changes nothing"),
                Ok(()) => {
                    if before.state() != State::Pending {
                        prop_assert_eq!(approval.state(), before.state(), "an end is an end");
                    }
                    match event {
                        Event::Claimed { .. } => {
                            claims += 1;
                            prop_assert_eq!(before.state(), State::Approved);
                        }
                        Event::Suspended { .. } => left += 1,
                        Event::Used { time, .. } => {
                            uses += 1;
                            let yeses = before.answers().filter_map(|(_, answer, _)| answer.consent());
                            for grant in yeses.map(|consent| consent.grant.as_ref().unwrap()) {
                                prop_assert!(uses <= grant.count.unwrap() && time < grant.until.unwrap());
                            }
                        }
                        Event::Answered { time, ref answer, .. } => {
                            prop_assert_eq!(before.state(), State::Pending);
                            prop_assert!(time < at(EXPIRES), "nobody is too late");
                            if *answer == Answer::No {
                                prop_assert_eq!(approval.state(), State::Denied);
                            }
                        }
                        Event::Expired { time } => prop_assert!(time >= at(EXPIRES)),
                        _ => {}
                    }
                    if approval.state() == State::Approved && before.state() == State::Pending {
                        prop_assert!(met(&approval));
                    }
                    if approval.state() == State::Pending {
                        prop_assert!(approval.missing().iter().any(|missing| *missing > 0));
                    }
                }
            }
        }
        prop_assert!(claims <= 1 + left, "a yes is good for one run, however often that is left");
        prop_assert_eq!(&Approval::fold(asked, approval.events().to_vec()).unwrap(), &approval);
        let text = serde_json::to_string(approval.events()).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Vec<Event>>(&text).unwrap(), approval.events());
    }
}
