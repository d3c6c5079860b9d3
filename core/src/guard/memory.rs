//! What the processes of the home remember together, opened with the first call that needs it.

use super::health::count;
use super::limits::{Counted, Reservation, Settled};
use super::open_call;
use super::tool::Items;
use super::{Guard, Tool};
use crate::call::{Beginning, CallContext, Told};
use crate::clock::UnixNanos;
use crate::condition::{Facts, SessionView, Unknown};
use crate::decide::{Decision, Effect, FailMode, ReasonCode};
use crate::error::Error;
use crate::ledger::Home;
use crate::session::{Secrets, Sessions, View};
use crate::state::{Options, State, StateError};
use crate::value::Value;
use arc_swap::ArcSwapOption;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shared state of the home and what is kept in it.
#[derive(Debug)]
pub struct Memory {
    /// The table.
    pub state: Arc<State>,
    /// The sessions in it.
    pub sessions: Sessions,
}

/// How long a state that could not be opened is left alone: every try is one of the disk, and every call would make one.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens it when it is first needed. A fork in the middle of that leaves nothing that a child would wait for.
#[derive(Debug)]
pub(super) struct LazyMemory {
    secrets: Secrets,
    opened: ArcSwapOption<Memory>,
    failed: ArcSwapOption<(Instant, Error)>,
    pause: Duration,
}

impl LazyMemory {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self {
            secrets: Secrets::new(secret),
            opened: ArcSwapOption::empty(),
            failed: ArcSwapOption::empty(),
            pause: PAUSE,
        }
    }

    pub(super) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    fn get(&self, home: &Home) -> Result<arc_swap::Guard<Option<Arc<Memory>>>, Error> {
        let opened = self.opened.load();
        if opened.is_some() {
            return Ok(opened);
        }
        if let Some((at, error)) = self.failed.load().as_deref()
            && at.elapsed() < self.pause
        {
            return Err(error.clone());
        }
        let state = State::open(home, &Options::default()).map_err(Error::from).inspect_err(|error| {
            self.failed.store(Some(Arc::new((Instant::now(), error.clone()))));
        })?;
        let state = Arc::new(state);
        let sessions = Sessions::new(Arc::clone(&state), self.secrets);
        // of two threads that open it at once one keeps it
        self.opened.compare_and_swap(&opened, Some(Arc::new(Memory { state, sessions })));
        Ok(self.opened.load())
    }
}

/// What a call may know of its session: the memory, or why there is none.
pub(super) struct Recall<'g> {
    memory: Result<arc_swap::Guard<Option<Arc<Memory>>>, Error>,
    told: Option<arc_swap::Guard<Option<Arc<Told>>>>,
    context: &'g CallContext,
    now: UnixNanos,
    /// What the session holds of the call itself, which is met again and nobody runs.
    own: Option<&'g Items>,
}

/// A session that nothing is known of.
#[derive(Debug)]
struct Forgotten;

impl SessionView for Forgotten {
    fn saw(&self, _tag: &str) -> Result<bool, Unknown> {
        Err(Unknown)
    }

    fn calls(&self, _tool: Option<&str>) -> Result<u64, Unknown> {
        Err(Unknown)
    }

    fn said(&self, _text: &str) -> Result<bool, Unknown> {
        Err(Unknown)
    }

    fn known(&self, _text: &str) -> Result<bool, Unknown> {
        Err(Unknown)
    }
}

impl<'g> Recall<'g> {
    pub(super) fn memory(&self) -> Result<&Memory, &Error> {
        match &self.memory {
            Ok(memory) => memory.as_deref().ok_or(&UNREACHED),
            Err(error) => Err(error),
        }
    }

    /// Of whose call.
    pub(super) const fn context(&self) -> &CallContext {
        self.context
    }

    /// The session whose facts and limits the call has part in: the one at the top, of whose sub-agent it is.
    #[inline]
    pub(super) fn root(&self) -> &Arc<str> {
        let told = self.told.as_ref().and_then(|told| told.as_ref());
        told.and_then(|told| told.root.as_ref()).unwrap_or(&self.context.session)
    }

    fn view(&self) -> Option<View<'_>> {
        let view = self.memory().ok().map(|memory| memory.sessions.view(self.root(), self.now));
        match self.own {
            Some(own) => view.map(|view| view.before(own.tool, &own.tags)),
            None => view,
        }
    }

    /// Lets rules see the session as it was before a call that it remembers: one that was left to be entered again.
    #[inline]
    pub(super) fn look_before(&mut self, call: &Counted<'g>) {
        if call.context.call_id.is_some() && call.tool.plan().asks_session() {
            self.own = self.remembered(call).unwrap_or(false).then(|| call.tool.items());
        }
    }

    #[cold]
    fn remembered(&self, call: &Counted<'_>) -> Result<bool, StateError> {
        let Ok(memory) = self.memory() else { return Ok(false) };
        open_call::is_remembered(&memory.state, call)
    }

    /// Whether rules saw the session as it was before the call, and from now on do not.
    pub(super) const fn looked_before(&mut self) -> bool {
        self.own.take().is_some()
    }

    /// Whether rules see the session as it was before the call.
    pub(super) const fn looks_before(&self) -> bool {
        self.own.is_some()
    }

    /// Lends `work` the arguments together with the session.
    pub(super) fn with_facts<R>(&self, args: &Value<'_>, work: impl FnOnce(&Facts<'_>) -> R) -> R {
        let view = self.view();
        let session: &dyn SessionView = view.as_ref().map_or(&Forgotten, |view| view);
        work(&Facts { args, session: Some(session) })
    }
}

static UNREACHED: std::sync::LazyLock<Error> = std::sync::LazyLock::new(|| {
    Error::new(crate::error::ErrorCode::StateIo, "the shared state was closed while it was opened")
});

impl Guard {
    /// The shared state, opened if it is not; with it the session of `context` is begun, if it was not.
    pub(super) fn recall<'g>(&'g self, context: &'g CallContext, now: UnixNanos) -> Recall<'g> {
        let mut told = None;
        let memory = self.memory.get(self.ledger.home()).and_then(|memory| {
            if let (Some(beginning), Some(memory)) = (&context.beginning, memory.as_ref()) {
                told = Some(self.begin(beginning, &memory.sessions, &context.session, now)?);
            }
            Ok(memory)
        });
        Recall { memory, told, context, now, own: None }
    }

    /// Whether two sessions have their facts and limits together: one is the other's sub-agent's, or both are of a third.
    ///
    /// # Errors
    /// The shared state cannot be used, or one of them was several others'.
    pub fn are_together(&self, one: &CallContext, other: &CallContext) -> Result<bool, Error> {
        let now = self.clock.now();
        let (one, other) = (self.recall(one, now), self.recall(other, now));
        one.memory().and(other.memory()).map_err(Error::clone)?;
        Ok(one.root() == other.root())
    }

    /// The shared state and the sessions in it.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn memory(&self) -> Result<Arc<Memory>, Error> {
        let memory = self.memory.get(self.ledger.home())?;
        memory.clone().ok_or_else(|| UNREACHED.clone())
    }

    /// Remembers a call that is about to run. What cannot be remembered does not run where any rule asks sessions for it: later
    /// questions would be answered wrongly.
    pub(super) fn remember(
        &self,
        tool: &Tool,
        recall: &Recall<'_>,
        decision: &mut Cow<'_, Decision>,
        held: &mut Option<Box<Reservation>>,
    ) {
        if decision.effect != Effect::Run || held.as_ref().is_some_and(|held| held.remembered) {
            return;
        }
        let remembered = match recall.memory() {
            Ok(memory) => {
                let items = tool.items();
                memory.sessions.decided(recall.root(), items.tool, &items.tags, recall.now).map_err(Error::from)
            }
            Err(error) => Err(error.clone()),
        };
        if let (Some(_), Some(beginning)) = (held.as_ref(), &recall.context.beginning) {
            // its facts do not lie where its limits were taken from: it has become another's meanwhile
            beginning.untell();
        }
        let Err(error) = remembered else { return };
        count(&self.counters.forgotten);
        if self.layers.would_miss(tool.plan().tags()) && tool.plan().fail_mode() == FailMode::Closed {
            let why = Some(Arc::from(error.message()));
            *decision = Cow::Owned(tool.plan().refusal(ReasonCode::SessionUnknown, why));
            if let Some(held) = held.take() {
                self.settle(tool, &held, Settled::DENIED, recall.now);
            }
        }
    }
}

/// A session that learns from a result.
#[derive(Debug)]
pub(super) struct Learner {
    /// Whose facts it has.
    pub(super) session: Arc<str>,
    /// The texts that the call itself brought: a result that repeats them says nothing.
    pub(super) own: Vec<String>,
}

impl Guard {
    /// Who learns from the result of a call with these arguments, if its tool gives facts at all.
    #[inline]
    pub(super) fn learner(&self, tool: &Tool, root: &Arc<str>, value: Option<&Value<'_>>) -> Option<Box<Learner>> {
        let gives = !tool.plan().facts().is_empty();
        gives.then(|| Box::new(Learner { session: Arc::clone(root), own: value.map(texts).unwrap_or_default() }))
    }

    /// Lets the session know what its tool's policy looks for in a result, but what the call brought itself. What cannot be
    /// remembered is not known.
    pub(super) fn learn(&self, tool: &Tool, learner: &Learner, result: &Value<'_>, now: UnixNanos) {
        let found = crate::session::found(tool.plan().facts(), &learner.own, result);
        if found.is_empty() {
            return;
        }
        let learned = self.memory().and_then(|memory| {
            memory.sessions.learned(&learner.session, found.iter().map(String::as_str), now).map_err(Error::from)
        });
        if learned.is_err() {
            count(&self.counters.forgotten);
        }
    }
}

/// All texts of a value, keys among them.
pub(super) fn texts(value: &Value<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Str(text) => found.push(text.clone().into_owned()),
            Value::List(items) => open.extend(items.iter()),
            Value::Map(entries) => {
                for (key, item) in entries.iter() {
                    found.push(key.to_string());
                    open.push(item);
                }
            }
            _ => {}
        }
    }
    found
}

impl Guard {
    /// Tells the shared state once how a session began: what the user said, and whose sub-agent it is; that one's beginning first.
    #[inline]
    fn begin(
        &self,
        beginning: &Beginning,
        sessions: &Sessions,
        session: &str,
        now: UnixNanos,
    ) -> Result<arc_swap::Guard<Option<Arc<Told>>>, Error> {
        match beginning.told(self.id) {
            Some(told) => Ok(told),
            None => self.tell(beginning, sessions, session, now).map(|told| arc_swap::Guard::from_inner(Some(told))),
        }
    }

    #[cold]
    fn tell(
        &self,
        beginning: &Beginning,
        sessions: &Sessions,
        session: &str,
        now: UnixNanos,
    ) -> Result<Arc<Told>, Error> {
        let root = match (&beginning.parent, beginning.outer()) {
            (Some(parent), Some(outer)) => {
                let told = self.begin(outer, sessions, parent, now)?;
                let above = told.as_ref().and_then(|told| told.root.as_ref()).unwrap_or(parent);
                self.link(sessions, session, above, now)?
            }
            (Some(parent), None) => self.link(sessions, session, parent, now)?,
            (None, _) => sessions.root(session, now)?,
        };
        if let Some(text) = &beginning.user_text {
            sessions.heard(&root, text, now)?;
        }
        let root = (root != session).then(|| Arc::from(root));
        let told = Arc::new(Told { guard: self.id, root });
        beginning.tell(Arc::clone(&told));
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Entropy;

    #[test]
    fn a_state_that_could_not_be_opened_is_left_alone_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open_or_create(&folder.path().join("home"), &mut Entropy::system()).unwrap();
        let table = home.path().join("state/table");
        std::fs::create_dir_all(&table).unwrap();
        let mut memory = LazyMemory { pause: Duration::MAX, ..LazyMemory::new(&[7; 32]) };
        let first = memory.get(&home).map(drop).unwrap_err();
        std::fs::remove_dir(&table).unwrap();
        assert_eq!(memory.get(&home).map(drop).unwrap_err().message(), first.message());
        assert!(!table.exists(), "the disk was tried");
        memory.pause = Duration::ZERO;
        assert!(memory.get(&home).unwrap().is_some());
    }
}
