//! Runs the cases of a policy ([`crate::policy::cases`]) against it: each in a home of its own, by the guard that programs use,
//! with a clock that the case moves.

use crate::call::{Beginning, CallContext, User};
use crate::clock::{Clock, UnixNanos};
use crate::decide::{Decision, Effect, Layer, Layers, Options};
use crate::error::{Error, ErrorCode};
use crate::guard::{Admission, Captured, Config, Guard, Tool};
use crate::ledger::{self, Outcome};
use crate::policy::cases::{Call, Case, Cases, Context, Expect, LAYER, Step, What};
use crate::policy::{At, Policy};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long the ledger of a case's home is waited for.
const CLOSING: Duration = Duration::from_secs(10);

/// What came of all cases.
#[derive(Debug, Serialize)]
pub struct Rehearsed {
    /// The cases, in the order of the file.
    pub cases: Vec<CaseReport>,
    /// Rules and limits that decided no call of any case, by id.
    pub untried: Vec<String>,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// What it shows.
    pub name: Arc<str>,
    /// Its line in the file, from 1.
    pub line: u32,
    /// Whether everything was as expected.
    pub ok: bool,
    /// Its calls.
    pub calls: Vec<CallReport>,
}

/// What came of one call.
#[derive(Debug, Serialize)]
pub struct CallReport {
    /// Which step of the case it is, from 1.
    pub step: usize,
    /// The step's line in the file, from 1.
    pub line: u32,
    /// The tool's name.
    pub tool: String,
    /// What was decided; `None` where the tool cannot be guarded under this policy.
    pub decided: Option<Decided>,
    /// What is not as it was expected; empty where all is.
    pub differences: Vec<Difference>,
}

/// What was decided of a call.
#[derive(Debug, Serialize)]
pub struct Decided {
    /// What the policy says.
    pub decision: &'static str,
    /// What the mode makes of it.
    pub effect: &'static str,
    /// Why, as a stable code.
    pub reason_code: &'static str,
    /// The rules and limits that decided.
    pub rules: Vec<Arc<str>>,
    /// Why, for people.
    pub reason: Option<Arc<str>>,
    /// What the model is told.
    pub reason_for_agent: Option<Arc<str>>,
    /// The part of a condition that failed.
    pub detail: Option<Arc<str>>,
}

/// One thing that is not as it was expected.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Which member of what is expected.
    pub member: &'static str,
    /// What was expected.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl Rehearsed {
    /// Whether every case was as expected.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.cases.iter().all(|case| case.ok)
    }
}

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
        let decided = report.calls.iter().filter_map(|call| call.decided.as_ref());
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
        let alone = matches!(case.steps.as_slice(), [Step { what: What::Call(_), .. }]);
        let shared = self.shared.as_ref().filter(|_| alone).cloned();
        let guard = match shared {
            Some(guard) => guard,
            None => {
                let home = self.directory.join(if alone { "shared".to_owned() } else { number.to_string() });
                self.guard(&home, case.start)?
            }
        };
        if alone {
            self.shared = Some(Arc::clone(&guard));
        }
        let mut play = Play { guard: &guard, number, alone, now: case.start, begun: HashMap::new() };
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

    fn guard(&self, home: &Path, start: UnixNanos) -> Result<Arc<Guard>, Error> {
        let layer = Layer { name: Arc::from(LAYER), policy: Arc::clone(self.policy) };
        Guard::start(Config {
            layers: Layers::new(vec![layer], Options::default())?,
            home: home.to_owned(),
            agent: None,
            clock: Clock::manual(start),
            previous: None,
            observer: None,
            asks: false,
            ledger: ledger::Options::default(),
        })
    }
}

/// One case while it is played.
struct Play<'a> {
    guard: &'a Arc<Guard>,
    number: usize,
    alone: bool,
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

    fn call(&self, place: usize, step: &Step, call: &Call, context: &CallContext) -> Result<CallReport, Error> {
        let (line, name) = (line(&step.at), call.tool.name.clone());
        let tool = match self.guard.tool(call.tool.clone()) {
            Ok(tool) => tool,
            Err(error) => {
                let expected = "a tool that fits the policy".to_owned();
                let differences = vec![Difference { member: "tool", expected, found: error.message().to_owned() }];
                return Ok(CallReport { step: place, line, tool: name, decided: None, differences });
            }
        };
        let decision = self.guard.check(&tool, Ok(&call.args), context);
        if decision.effect == Effect::Run && !call.check && !self.alone {
            self.run(&tool, call, context)?;
        }
        let differences = call.expect.as_ref().map_or_else(Vec::new, |expect| differences(expect, &decision));
        Ok(CallReport { step: place, line, tool: name, decided: Some(Decided::of(decision)), differences })
    }

    /// Lets a call run that may, so that limits and the session know of it.
    fn run(&self, tool: &Arc<Tool>, call: &Call, context: &CallContext) -> Result<(), Error> {
        let admitted = match self.guard.admit(tool, Ok(&call.args), context) {
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
        let session = if self.alone { Arc::from(format!("{}/{named}", self.number)) } else { named };
        let (text, parent) = (&context.user_text, &context.parent);
        if text.is_some() || parent.is_some() {
            let known = self.begun.get(&session).is_some_and(|known| {
                known.user_text.as_deref() == text.as_deref() && known.parent.as_deref() == parent.as_deref()
            });
            if !known {
                let beginning = Beginning::new(text.as_deref().map(Box::from), parent.clone());
                self.begun.insert(Arc::clone(&session), Arc::new(beginning));
            }
        }
        let user = context.user.as_ref();
        CallContext {
            agent: context.agent.clone(),
            user: user.map(|id| User { id: Arc::clone(id), verified_by: context.verified_by.clone() }),
            beginning: self.begun.get(&session).cloned(),
            session,
            implicit: false,
            run: context.run.clone(),
            parent: None,
            call_id: None,
            annotations: None,
            enforcement: context.enforcement,
        }
    }
}

impl Decided {
    fn of(decision: Decision) -> Self {
        Self {
            decision: decision.verdict.as_str(),
            effect: decision.effect.as_str(),
            reason_code: decision.reason_code.as_str(),
            rules: decision.rules.to_vec(),
            reason: decision.reason,
            reason_for_agent: decision.reason_for_agent,
            detail: decision.detail,
        }
    }
}

fn differences(expect: &Expect, decision: &Decision) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |member, expected: Option<&str>, is: Option<&str>| {
        if let Some(expected) = expected
            && is != Some(expected)
        {
            let found_text = is.unwrap_or("nothing").to_owned();
            found.push(Difference { member, expected: expected.to_owned(), found: found_text });
        }
    };
    compare("decision", expect.decision.map(crate::decide::Verdict::as_str), Some(decision.verdict.as_str()));
    compare("effect", expect.effect.map(Effect::as_str), Some(decision.effect.as_str()));
    let code = expect.reason_code.map(crate::decide::ReasonCode::as_str);
    compare("reason_code", code, Some(decision.reason_code.as_str()));
    compare("reason", expect.reason.as_deref(), decision.reason.as_deref());
    compare("reason_for_agent", expect.reason_for_agent.as_deref(), decision.reason_for_agent.as_deref());
    if let Some(rules) = &expect.rules {
        let mut is: Vec<&str> = decision.rules.iter().map(|rule| &**rule).collect();
        is.sort_unstable();
        let named = |ids: &[&str]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        let expected: Vec<&str> = rules.iter().map(String::as_str).collect();
        if expected != is {
            found.push(Difference { member: "rules", expected: named(&expected), found: named(&is) });
        }
    }
    found
}

const fn line(at: &At) -> u32 {
    match at {
        At::Text { line, .. } => *line,
        At::Path(_) => 0,
    }
}
