//! Calls that wait for people while their home cannot be read or written, for a moment or for longer.

use super::{answer, args, ask, begin, context, person, records, refusal, run, start, yes};
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, ApprovalId, State};
use counterseal::decide::ReasonCode;
use counterseal::guard::{Asking, Captured, Guard};
use counterseal::ledger::{Home, Outcome};
use counterseal::value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// As long as what fails is tried again, and more.
const LONG: Duration = Duration::from_secs(60);
/// Longer than a few looks.
const MOMENT: Duration = Duration::from_millis(300);

fn pay() -> Value<'static> {
    args(400.0, "r")
}

fn asked(guard: &Arc<Guard>) -> (Asking, ApprovalId) {
    let asking = ask(guard, &pay(), &context());
    let id = asking.approval().unwrap();
    (asking, id)
}

fn runs(asking: Asking) {
    assert!(asking.waiting().wait(LONG));
    run(asking.resume(Ok(&pay()))).complete(Outcome::Success, &Captured::Nothing);
}

fn states(home: &Path) -> Vec<String> {
    records(home, "approval").iter().map(|record| record["state"].as_str().unwrap().to_owned()).collect()
}

/// A file of the approvals that cannot be opened by anybody, until this is dropped.
struct Broken {
    path: PathBuf,
    whole: PathBuf,
}

impl Broken {
    fn new(home: &Path, name: &str) -> Self {
        let path = home.join("approvals").join(name);
        let (whole, loops) = (path.with_extension("whole"), path.with_extension("loops"));
        std::fs::hard_link(&path, &whole).unwrap();
        std::os::unix::fs::symlink(&path, &loops).unwrap();
        std::fs::rename(&loops, &path).unwrap();
        Self { path, whole }
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        std::fs::rename(&self.whole, &self.path).unwrap();
    }
}

#[test]
fn what_cannot_be_read_for_a_moment_is_waited_for_on() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let (asking, id) = asked(&guard);
    let broken = Broken::new(home.path(), &format!("{id}.json"));
    assert!(!asking.waiting().wait(MOMENT), "it is looked again");
    drop(broken);
    answer(home.path(), id, "ann", yes());
    runs(asking);
    guard.close(LONG).unwrap();
    assert_eq!(states(home.path()), ["pending", "approved"]);
}

#[test]
fn what_cannot_be_written_for_a_moment_is_put_down_once() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let (first, _) = asked(&guard);
    let draft = home.path().join("approvals/draft");
    // a folder in its place: the lock can be had, and no approval be written
    std::fs::create_dir(&draft).unwrap();
    first.answer(person("ann"), yes(), None);
    let second = begin(&guard, &pay(), &context());
    assert!(!first.waiting().wait(MOMENT) && second.approval().is_none());
    std::fs::remove_dir(&draft).unwrap();
    runs(first);
    assert!(second.waiting().wait_asked(LONG));
    answer(home.path(), second.approval().unwrap(), "ann", yes());
    runs(second);
    guard.close(LONG).unwrap();
    assert_eq!(states(home.path()).iter().filter(|state| *state == "pending").count(), 2, "asked once each");
    assert_eq!(states(home.path()).iter().filter(|state| *state == "approved").count(), 2, "answered once each");
}

#[test]
fn what_is_given_up_is_left_for_a_like_call() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let (asking, id) = asked(&guard);
    let broken = Broken::new(home.path(), &format!("{id}.json"));
    assert!(asking.waiting().wait(LONG), "not for ever");
    assert_eq!(refusal(asking.resume(Ok(&pay()))).decision.reason_code, ReasonCode::ApprovalFailed);
    drop(broken);
    let (again, same) = asked(&guard);
    assert_eq!(same, id, "a like call takes it up");
    answer(home.path(), id, "ann", yes());
    runs(again);
}

#[test]
fn nobody_is_said_to_wait_for_what_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let (asking, id) = asked(&guard);
    let broken = Broken::new(home.path(), "lock");
    asking.answer(person("ann"), Answer::No, None);
    assert!(asking.waiting().wait(LONG), "not for ever");
    drop(broken);
    let store = Store::new(&Home::open(home.path()).unwrap());
    let waited = |id| store.is_waited_for(&store.find(id).unwrap());
    let began = std::time::Instant::now();
    while waited(id) {
        assert!(began.elapsed() < LONG, "nobody waits for it");
        std::thread::yield_now();
    }
    assert_eq!(store.find(id).unwrap().state(), State::Pending);
    drop(asking);
    let (again, same) = asked(&guard);
    assert_eq!(same, id);
    assert!(waited(id));
    drop(again);
}
