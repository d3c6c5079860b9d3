//! The calls of a run in the order in which they were decided, and which of them ran while another did.

use super::call::Call;
use super::incomplete;
use crate::error::{Error, ErrorCode};
use crate::ledger::Home;
use crate::ledger::read::{Entry, Filter, entries};
use crate::ledger::record::{Kind, Record};
use std::collections::{BTreeSet, HashMap};

/// The calls of `run`, of `session` where it is given, as they were decided.
///
/// # Errors
/// [`ErrorCode::LedgerNotFound`] where there are none, [`ErrorCode::ReplayIncomplete`] where they are of several sessions, or one
/// of them cannot be given back that no other may have made; else those of reading.
pub(super) fn calls(home: &Home, run: &str, session: Option<&str>) -> Result<Vec<Call>, Error> {
    let mut found = read(home, run, session)?;
    if found.is_empty() {
        let path = home.path().display();
        let why = format!(
            "no call of the run `{run}` is in the ledger of `{path}`; calls belong to one inside `counterseal.run(id)`"
        );
        return Err(Error::new(ErrorCode::LedgerNotFound, why).with("path", path));
    }
    let sessions: BTreeSet<&str> = found.iter().map(Call::session).collect();
    if sessions.len() > 1 {
        let listed: Vec<String> = sessions.iter().map(|one| format!("`{one}`")).collect();
        let listed = listed.join(", ");
        return Err(incomplete(format!(
            "the run `{run}` is in several sessions: {listed}; give `session` to say which is meant"
        )));
    }
    found.sort_by_key(|call| call.begins);
    nest(&mut found);
    // One that may have been made by another's body is only needed where the program makes it.
    let needed = found.iter().enumerate().filter(|(_, call)| call.around.is_empty());
    for (index, call) in needed {
        if let Some(why) = call.missing() {
            let position = index + 1;
            return Err(incomplete(format!("the run `{run}` cannot be replayed: call {position}, {call}: {why}")));
        }
    }
    Ok(found)
}

fn read(home: &Home, run: &str, session: Option<&str>) -> Result<Vec<Call>, Error> {
    let filter = Filter { kinds: vec![Kind::Decided, Kind::Completed], ..Filter::default() };
    let mut calls: HashMap<[u8; 16], Call> = HashMap::new();
    for (place, entry) in entries(home, &filter, true)?.enumerate() {
        let Entry { record, payloads, .. } = entry?;
        match record {
            Record::Decided(record) => {
                let is_wanted = record.run.as_deref() == Some(run) && session.is_none_or(|one| *one == record.session);
                if is_wanted {
                    // where one id was decided again, the last time counts
                    calls.insert(record.action_id.0, Call::new(record, payloads, place));
                }
            }
            Record::Completed(record) => {
                if let Some(call) = calls.get_mut(&record.action_id.0) {
                    call.end(record, payloads, place);
                }
            }
            _ => {}
        }
    }
    Ok(calls.into_values().collect())
}

/// Notes for each call those that ran when it began and still ran when it ended.
fn nest(calls: &mut [Call]) {
    let mut running: Vec<(usize, usize)> = Vec::new();
    for (index, call) in calls.iter_mut().enumerate() {
        running.retain(|(_, ends)| *ends > call.begins);
        call.around = running.iter().filter(|(_, ends)| *ends > call.ends).map(|(index, _)| *index).collect();
        running.push((index, call.ends));
    }
}
