//! Runs the cases of a policy ([`crate::policy::cases`]) against it: each in a home of its own, by the guard that programs use,
//! with a clock that the case moves.

mod answering;
mod report;

pub use report::{CallReport, CaseReport, Decided, Difference, Rehearsed};

use crate::call::{Beginning, CallContext, User};
use crate::clock::{Clock, UnixNanos};
use crate::decide::{Decision, Effect, Layer, Layers, Options};
use crate::error::{Error, ErrorCode};
use crate::guard::{Admission, Captured, Config, Guard, Observer, Tool};
use crate::ledger::{self, ActionId, Outcome};
use crate::policy::cases::{Call, Case, Cases, Context, LAYER, Step, What};
use crate::policy::{At, Policy};
use report::differences;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the ledger of a case's home is waited for.
const CLOSING: Duration = Duration::from_secs(10);

/// Runs every case of `cases`, which were loaded for `policy`. `directory` is an empty directory for their homes.
///
/// # Errors
/// Whatever keeps a home from being made or its state from being used; a case that is not as expected is none.
pub fn rehearse(policy: &Arc<Policy>, cases: &Cases, directory: &Path) -> Result<Rehearsed, Error> {
    let mut stage = Stage { policy, directory, shared: None };
    let mut reports = Vec::with_capacity(cases.list.len());
    let mut tried = BTreeSet::new();
    for (number, case) in cases.list.iter().enumerate() {
        let report = stage.play(number, case)?;
        let decided = report.calls.iter().flat_map(|call| call.decided.iter().chain(&call.then));
        tried.extend(decided.flat_map(|decided| decided.rules.iter().cloned()));
        reports.push(report);
    }
    let limits = policy.limits.iter().map(crate::policy::Limit::id);
    let all = policy.rule_ids().chain(limits).map(|id| format!("{LAYER}/{id}"));
    let untried: BTreeSet<String> = all.filter(|id| !tried.contains(&**id)).collect();
    Ok(Rehearsed { cases: reports, untried: untried.into_iter().collect() })
}

struct Stage<'a> {
    policy: &'a Arc<Policy>,
    directory: &'a Path,
    /// The home of all cases of one call: with nothing before it, a call needs only be asked about, which counts nothing.
    shared: Option<Arc<Guard>>,
}

impl Stage<'_> {
    fn play(&mut self, number: usize, case: &Case) -> Result<CaseReport, Error> {
        let asks = case.steps.iter().any(|step| matches!(&step.what, What::Call(call) if call.asks()));
        let alone = !asks && matches!(case.steps.as_slice(), [Step { what: What::Call(_), .. }]);
        let home = self.directory.join(if alone { "shared".to_owned() } else { number.to_string() });
        let last = Arc::new(Last::default());
        let shared = self.shared.as_ref().filter(|_| alone).cloned();
        let guard = match shared {
            Some(guard) => guard,
            None => self.guard(&home, case.start, asks.then(|| Arc::clone(&last)))?,
        };
        if alone {
            self.shared = Some(Arc::clone(&guard));
        }
        let mut play = Play {
            policy: self.policy,
            guard: &guard,
            home,
            number,
            alone,
            asks,
            last,
            now: case.start,
            begun: HashMap::new(),
        };
        let mut calls = Vec::new();
        for (place, step) in case.steps.iter().enumerate() {
            calls.extend(play.step(place + 1, step)?);
        }
        if !alone {
            guard.close(CLOSING)?;
        }
        let ok = calls.iter().all(|call| call.differences.is_empty());
        Ok(CaseReport { name: Arc::clone(&case.name), line: line(&case.at), ok, calls })
    }

    /// A guard for the home; one whose `asked` is there can ask people.
    fn guard(&self, home: &Path, start: UnixNanos, asked: Option<Arc<Last>>) -> Result<Arc<Guard>, Error> {
        let layer = Layer { name: Arc::from(LAYER), policy: Arc::clone(self.policy) };
        Guard::start(Config {
            layers: Layers::new(vec![layer], Options::default())?,
            home: home.to_owned(),
            agent: None,
            clock: Clock::manual(start),
            previous: None,
            asks: asked.is_some(),
            observer: asked.map(|last| last as Arc<dyn Observer>),
            ledger: ledger::Options::default(),
        })
    }
}

/// The last decision that was recorded: a ticket does not say what was decided.
#[derive(Debug, Default)]
struct Last(Mutex<Option<Decision>>);

impl Observer for Last {
    fn decided(&self, _: &Tool, decision: &Decision, _: Option<ActionId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(decision.clone());
    }
}

/// One case while it is played.
struct Play<'a> {
    policy: &'a Policy,
    guard: &'a Arc<Guard>,
    home: PathBuf,
    number: usize,
    alone: bool,
    /// Whether people can be asked.
    asks: bool,
    last: Arc<Last>,
    now: UnixNanos,
    begun: HashMap<Arc<str>, Arc<Beginning>>,
}

impl Play<'_> {
    fn step(&mut self, place: usize, step: &Step) -> Result<Option<CallReport>, Error> {
        self.now = UnixNanos(self.now.0.saturating_add(step.after));
        self.guard.clock().set(self.now);
        let context = self.context(&step.context);
        match &step.what {
            What::Mark(tag) => self.guard.mark(&context, tag).map(|()| None),
            What::Usage(used) => self.guard.spent(&context, *used).map(|()| None),
            What::Call(call) => self.call(place, step, call, &context).map(Some),
        }
    }

    fn call(&mut self, place: usize, step: &Step, call: &Call, context: &CallContext) -> Result<CallReport, Error> {
        let (line, name) = (line(&step.at), call.tool.name.clone());
        let tool = match self.guard.tool(call.tool.clone()) {
            Ok(tool) => tool,
            Err(error) => {
                let expected = "a tool that fits the policy".to_owned();
                let differences = vec![Difference { member: "tool", expected, found: error.message().to_owned() }];
                return Ok(CallReport { step: place, line, tool: name, decided: None, then: None, differences });
            }
        };
        let decision = self.guard.check(&tool, Ok(&call.args), context);
        let effect = decision.effect;
        let decided = Decided::of(decision);
        let mut found = call.expect.as_ref().map_or_else(Vec::new, |expect| differences(expect, &decided, false));
        let then = match effect {
            Effect::Asked if self.asks && !call.check => Some(self.ask(&tool, call, context)?),
            Effect::Run if !call.check && !self.alone => self.run(&tool, call, context).map(|()| None)?,
            _ => None,
        };
        if effect != Effect::Asked && !call.answers.is_empty() {
            let expected = "a call that people are asked about".to_owned();
            found.push(Difference { member: "answer", expected, found: decided.effect.to_owned() });
        } else if let Some(expect) = &call.then {
            found.extend(differences(expect, then.as_ref().unwrap_or(&decided), true));
        }
        Ok(CallReport { step: place, line, tool: name, decided: Some(decided), then, differences: found })
    }

    /// Lets a call run that may, so that limits and the session know of it.
    fn run(&self, tool: &Arc<Tool>, call: &Call, context: &CallContext) -> Result<(), Error> {
        self.finish(self.guard.admit(tool, Ok(&call.args), context), call)
    }

    /// Ends a call as its body does that returns the case's result.
    fn finish(&self, admission: Admission, call: &Call) -> Result<(), Error> {
        let admitted = match admission {
            Admission::Sync(pending) => pending.finish(CLOSING),
            other => other,
        };
        match admitted {
            Admission::Run(ticket) => {
                let result = call.result.as_ref().map_or(Captured::Nothing, Captured::Value);
                ticket.complete(Outcome::Success, &result);
                Ok(())
            }
            Admission::Refused(refusal) => {
                let why = refusal.decision.detail.as_deref().unwrap_or("nothing says why").to_owned();
                let message = format!("a call of a case may run and cannot be recorded: {why}; try again");
                Err(Error::new(ErrorCode::LedgerIo, message))
            }
            Admission::Sync(_) | Admission::Ask(_) => Ok(()),
        }
    }

    fn context(&mut self, context: &Context) -> CallContext {
        let named = context.session();
        // cases that share a home share no session
        let own = |id: Arc<str>| if self.alone { Arc::from(format!("{}/{id}", self.number)) } else { id };
        let (session, parent) = (own(named), &context.parent.clone().map(own));
        let text = &context.user_text;
        if text.is_some() || parent.is_some() {
            let known = self.begun.get(&session).is_some_and(|known| {
                known.user_text.as_deref() == text.as_deref() && known.parent.as_deref() == parent.as_deref()
            });
            if !known {
                let outer = parent.as_ref().and_then(|parent| self.begun.get(parent).cloned());
                let beginning = Beginning::new(text.as_deref().map(Box::from), parent.clone()).within(outer);
                self.begun.insert(Arc::clone(&session), Arc::new(beginning));
            }
        }
        let user = context.user.as_ref();
        CallContext {
            agent: context.agent.clone(),
            user: user.map(|id| User { id: Arc::clone(id), verified_by: context.verified_by.clone() }),
            beginning: self.begun.get(&session).cloned(),
            run: context.run.clone(),
            enforcement: context.enforcement,
            ..CallContext::new(session)
        }
    }
}

const fn line(at: &At) -> u32 {
    match at {
        At::Text { line, .. } => *line,
        At::Path(_) => 0,
    }
}
