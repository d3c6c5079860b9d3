//! When a changed policy file may take the place of the one in force, decided from what one look at it after the other found.
//!
//! Invariants: a file is judged only where two looks in a row found it the same, for one that is being written where it stands
//! would be a policy with its rules missing. A policy that refuses nothing never takes the place of one that refuses: it is what
//! is left of a file cut short. What was refused is refused once, until the file is another one. Whatever happens, the policy in
//! force stays in force until another is [`Reload::taken`].

use super::{Policy, load_bytes};
use crate::error::{Error, ErrorCode};
use std::sync::Arc;

/// What one look at the file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What tells the file from one that was there before, such as its number and time of change; empty where it is not known. The clock
    /// of a disk may be too coarse to tell two changes apart: so the text counts too.
    pub stamp: String,
    /// Its bytes, or why it cannot be read.
    pub found: Result<Vec<u8>, String>,
}

/// What a look leads to.
#[derive(Debug)]
pub enum Step {
    /// The file is what is in force, or what was refused already.
    Keep,
    /// It is another one: the next look tells whether it is whole.
    Wait,
    /// This one is to be put in force: then [`Reload::taken`], or [`Reload::refused`] where it does not fit.
    Take(Arc<Policy>),
    /// It cannot be used, which is to be said now and not again.
    Refuse(Error),
}

/// One policy file that is looked at.
#[derive(Debug)]
pub struct Reload {
    path: String,
    policy: Arc<Policy>,
    /// The text of the policy in force.
    in_force: Vec<u8>,
    /// What the last look found, where that is neither in force nor refused.
    before: Option<Look>,
    /// What is judged: the candidate's, until it is taken or refused.
    judged: Option<(Look, Arc<Policy>)>,
    /// What was refused.
    refused: Option<Look>,
    standing: Standing,
}

/// What came of looking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// How often a changed file was put in force.
    pub reloaded: u64,
    /// How often one was refused.
    pub refused: u64,
    /// Why the file that is there now is not in force.
    pub problem: Option<String>,
}

impl Reload {
    /// Begins with what the first look at `path` found: that is the policy in force.
    ///
    /// # Errors
    /// That it cannot be read, or is no policy.
    pub fn begin(path: &str, found: Result<Vec<u8>, String>) -> Result<Self, Error> {
        let in_force = found.map_err(|why| unreadable(path, &why))?;
        let policy = Arc::new(load_bytes(path, &in_force)?);
        let path = path.to_owned();
        Ok(Self { path, policy, in_force, before: None, judged: None, refused: None, standing: Standing::default() })
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What came of looking so far.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// What `now` leads to.
    pub fn look(&mut self, now: Look) -> Step {
        self.judged = None;
        let before = self.before.take();
        if now.found.as_ref().is_ok_and(|text| *text == self.in_force) {
            self.refused = None;
            self.standing.problem = None;
            return Step::Keep;
        }
        if self.refused.as_ref() == Some(&now) {
            return Step::Keep;
        }
        if before.as_ref() != Some(&now) {
            self.before = Some(now);
            return Step::Wait;
        }
        match self.candidate(&now) {
            Ok(policy) => {
                self.judged = Some((now, Arc::clone(&policy)));
                Step::Take(policy)
            }
            Err(error) => {
                self.refuse(Some(now), error.to_string());
                Step::Refuse(error)
            }
        }
    }

    /// The policy of the last [`Step::Take`] is in force now.
    pub fn taken(&mut self) {
        let Some((Look { found: Ok(text), .. }, policy)) = self.judged.take() else { return };
        (self.in_force, self.policy, self.refused) = (text, policy, None);
        self.standing.reloaded += 1;
        self.standing.problem = None;
    }

    /// The policy of the last [`Step::Take`] cannot be put in force, or the look itself failed.
    pub fn refused(&mut self, why: String) {
        let judged = self.judged.take().map(|(look, _)| look);
        self.refuse(judged, why);
    }

    fn refuse(&mut self, look: Option<Look>, why: String) {
        self.refused = look;
        self.standing.refused += 1;
        self.standing.problem = Some(why);
    }

    fn candidate(&self, now: &Look) -> Result<Arc<Policy>, Error> {
        let text = now.found.as_ref().map_err(|why| unreadable(&self.path, why))?;
        let policy = load_bytes(&self.path, text)?;
        if policy.refuses_nothing() && !self.policy.refuses_nothing() {
            return Err(empty(&self.path));
        }
        Ok(Arc::new(policy))
    }
}

/// What is said of a policy file that cannot be read.
#[must_use]
pub fn unreadable(path: &str, why: &str) -> Error {
    let message = format!("the policy `{path}` cannot be read: {why}; give the path of a file, or the policy itself");
    Error::new(ErrorCode::PolicyUnreadable, message).with("path", path)
}

fn empty(path: &str) -> Error {
    let message = format!(
        "`{path}` has no rule, limit or scope any more, so it would let every call run; write what it is to refuse, or call \
         `configure` again, or start the program anew, to have nothing refused"
    );
    Error::new(ErrorCode::ConfigInvalid, message).with("path", path)
}

#[cfg(test)]
mod tests {
    use super::{Look, Reload, Step};
    use crate::error::ErrorCode;

    const ALLOWS: &str = "version: 1\nrules: [{id: other, tools: [other], decision: deny}]\n";
    const DENIES: &str = "version: 1\nrules: [{id: no, tools: [pay], decision: deny}]\n";
    const NOTHING: &str = "version: 1\n";
    const BROKEN: &str = "version: 2\n";

    fn begun(text: &str) -> Reload {
        Reload::begin("policy.yaml", Ok(text.as_bytes().to_vec())).unwrap()
    }

    fn look(reload: &mut Reload, stamp: &str, found: Result<&str, &str>) -> String {
        let found = found.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned);
        match reload.look(Look { stamp: stamp.to_owned(), found }) {
            Step::Keep => "keep".to_owned(),
            Step::Wait => "wait".to_owned(),
            Step::Take(_) => "take".to_owned(),
            Step::Refuse(error) => format!("refuse {}", error.code().as_str()),
        }
    }

    /// What every look leads to, where what is to be taken is taken.
    fn sequence(begin: &str, looks: &[(&str, Result<&str, &str>)], expected: &[&str]) -> Reload {
        let mut reload = begun(begin);
        let mut steps = Vec::new();
        for (stamp, found) in looks {
            steps.push(look(&mut reload, stamp, *found));
            if steps.last().is_some_and(|step| step == "take") {
                reload.taken();
            }
        }
        assert_eq!(steps, expected);
        reload
    }

    #[test]
    fn a_change_is_taken_once_two_looks_found_it_the_same() {
        let looks = [("1", Ok(ALLOWS)), ("2", Ok(DENIES)), ("2", Ok(DENIES)), ("2", Ok(DENIES)), ("3", Ok(DENIES))];
        let reload = sequence(ALLOWS, &looks, &["keep", "wait", "take", "keep", "keep"]);
        assert_eq!((reload.standing().reloaded, reload.standing().refused), (1, 0));
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let half = "version: 1\nrules: [{id: no, tools: [pay]";
        let looks = [("2", Ok(half)), ("3", Ok(DENIES)), ("4", Ok(DENIES)), ("4", Ok(DENIES))];
        sequence(ALLOWS, &looks, &["wait", "wait", "wait", "take"]);
    }

    #[test]
    fn a_change_that_no_stamp_shows_is_seen() {
        let looks = [("1", Ok(DENIES)), ("1", Ok(BROKEN)), ("1", Ok(DENIES)), ("1", Ok(DENIES))];
        sequence(ALLOWS, &looks, &["wait", "wait", "wait", "take"]);
    }

    #[test]
    fn a_change_that_is_taken_back_is_none() {
        let looks = [("2", Ok(DENIES)), ("3", Ok(ALLOWS)), ("2", Ok(DENIES)), ("2", Ok(DENIES))];
        sequence(ALLOWS, &looks, &["wait", "keep", "wait", "take"]);
    }

    #[test]
    fn what_is_refused_is_refused_once_until_it_is_another() {
        let refused = "refuse policy_invalid";
        let (gone, denied) = (Err("no such file"), Err("permission denied"));
        let looks = [("2", Ok(BROKEN)), ("2", Ok(BROKEN)), ("2", Ok(BROKEN)), ("2", Ok(BROKEN))];
        let reload = sequence(ALLOWS, &looks, &["wait", refused, "keep", "keep"]);
        assert!(reload.standing().problem.as_deref().unwrap().contains("policy.yaml"), "{reload:?}");
        let looks = [("2", Ok(BROKEN)), ("2", Ok(BROKEN)), ("3", Ok(BROKEN)), ("3", Ok(BROKEN))];
        sequence(ALLOWS, &looks, &["wait", refused, "wait", refused]);
        let unreadable = "refuse policy_unreadable";
        let looks =
            [("", gone), ("", gone), ("", gone), ("", denied), ("", denied), ("4", Ok(DENIES)), ("4", Ok(DENIES))];
        let reload = sequence(ALLOWS, &looks, &["wait", unreadable, "keep", "wait", unreadable, "wait", "take"]);
        assert_eq!((reload.standing().reloaded, reload.standing().refused), (1, 2));
        assert_eq!(reload.standing().problem, None);
    }

    #[test]
    fn a_problem_is_over_when_the_file_is_again_what_is_in_force() {
        let looks = [("2", Ok(BROKEN)), ("2", Ok(BROKEN)), ("3", Ok(ALLOWS)), ("2", Ok(BROKEN)), ("2", Ok(BROKEN))];
        let refused = "refuse policy_invalid";
        let mut reload = sequence(ALLOWS, &looks, &["wait", refused, "keep", "wait", refused]);
        assert_eq!(look(&mut reload, "4", Ok(ALLOWS)), "keep");
        assert_eq!((reload.standing().refused, &reload.standing().problem), (2, &None));
    }

    #[test]
    fn a_policy_that_refuses_nothing_takes_the_place_of_one_alike_alone() {
        let looks = [("2", Ok(NOTHING)), ("2", Ok(NOTHING)), ("3", Ok(DENIES)), ("3", Ok(DENIES))];
        sequence(ALLOWS, &looks, &["wait", "refuse config_invalid", "wait", "take"]);
        let named = "version: 1\nname: x\n";
        sequence(NOTHING, &[("2", Ok(named)), ("2", Ok(named))], &["wait", "take"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_once_and_the_one_before_stays() {
        let mut reload = begun(ALLOWS);
        let before = reload.policy().clone();
        let steps = ["2", "2"].map(|stamp| look(&mut reload, stamp, Ok(DENIES)));
        assert_eq!(steps, ["wait", "take"]);
        reload.refused("a guarded tool has no such argument".to_owned());
        assert_eq!(["2", "2", "3"].map(|stamp| look(&mut reload, stamp, Ok(DENIES))), ["keep", "keep", "wait"]);
        assert_eq!(reload.standing().problem.as_deref(), Some("a guarded tool has no such argument"));
        assert!(std::sync::Arc::ptr_eq(&before, reload.policy()));
    }

    #[test]
    fn what_nobody_says_was_taken_is_not_in_force() {
        let mut reload = begun(ALLOWS);
        let steps = ["2", "2", "2", "2"].map(|stamp| look(&mut reload, stamp, Ok(DENIES)));
        assert_eq!(steps, ["wait", "take", "wait", "take"]);
        assert_eq!(reload.standing().reloaded, 0);
        // what was to be taken is not any more: the file is another one since
        assert_eq!(look(&mut reload, "3", Ok(ALLOWS)), "keep");
        reload.taken();
        assert_eq!(reload.standing().reloaded, 0);
    }

    #[test]
    fn it_begins_with_a_policy() {
        let code = |found: Result<&str, &str>| {
            let found = found.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned);
            Reload::begin("policy.yaml", found).unwrap_err().code()
        };
        assert_eq!(code(Err("no such file")), ErrorCode::PolicyUnreadable);
        assert_eq!(code(Ok(BROKEN)), ErrorCode::PolicyInvalid);
    }
}
