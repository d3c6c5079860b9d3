//! A tool call as the engine sees it: which tool, on whose behalf, in which conversation.

use arc_swap::ArcSwapOption;
use std::borrow::Cow;
use std::sync::Arc;

/// How much harm a tool can do; absent means not said.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Reads, or can be undone by the caller.
    Low,
    /// Writes something that can be undone.
    Medium,
    /// Cannot be undone, or moves money or data out.
    High,
}

impl Risk {
    /// The text used in policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a program or a framework declares of a tool when it is guarded.
#[derive(Debug, Clone, Default)]
pub struct ToolSpec {
    /// The tool's own name, without prefix.
    pub name: String,
    /// Where it comes from: `program` for the program's own functions, else such as `mcp:server`.
    pub source: String,
    /// The description shown to the model, part of the definition's digest.
    pub description: String,
    /// JSON Schema of its arguments, when known.
    pub schema: Option<serde_json::Value>,
    /// Names of its parameters in order, when known; `None` where any name is taken (`**kwargs`).
    pub parameters: Option<Vec<String>>,
    /// Tags declared in code: they can select deny and require_approval rules, never allow rules.
    pub tags: Vec<String>,
    /// Risk declared in code.
    pub risk: Option<Risk>,
    /// The system it acts on, such as `salesforce`.
    pub connector: Option<String>,
    /// What it does there, such as `account.read`.
    pub action: Option<String>,
    /// What one call is expected to cost, in millionths of a US dollar.
    pub cost_micro_usd: Option<i64>,
    /// Whether a call that waits for people may be run by another process later: its arguments are kept whole beside the question
    /// until its outcome is known.
    pub keeps_arguments: bool,
}

/// The source of tools that are the program's own functions.
pub const PROGRAM_SOURCE: &str = "program";

/// A tool's name where others may have the same: alone of the program's own, else with its source.
#[must_use]
pub fn qualified<'a>(source: &str, name: &'a str) -> Cow<'a, str> {
    if source == PROGRAM_SOURCE { Cow::Borrowed(name) } else { Cow::Owned(format!("{source}/{name}")) }
}

/// A person on whose behalf the agent acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id, as the program knows it.
    pub id: Arc<str>,
    /// Who vouched for the id; `None` means nobody did.
    pub verified_by: Option<Arc<str>>,
}

/// How a session began, told to the shared state with its first call.
#[derive(Debug, Default)]
pub struct Beginning {
    /// The user's own text, which `session.said` is asked about.
    pub user_text: Option<Box<str>>,
    /// The session of which this one is a sub-agent's; they share their facts and the limits of a session.
    pub parent: Option<Arc<str>>,
    /// How that one began, where the program is within it.
    outer: Option<Arc<Self>>,
    /// What the shared state answered.
    told: ArcSwapOption<Told>,
}

/// Whose facts a session has, once its beginning was told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The guard that was told.
    pub(crate) guard: u64,
    /// The session at the top; `None`: its own.
    pub(crate) root: Option<Arc<str>>,
}

impl Beginning {
    /// A beginning that nobody was told of.
    #[must_use]
    pub const fn new(user_text: Option<Box<str>>, parent: Option<Arc<str>>) -> Self {
        Self { user_text, parent, outer: None, told: ArcSwapOption::const_empty() }
    }

    /// The same within that of its parent, which is told first.
    #[must_use]
    pub fn within(self, outer: Option<Arc<Self>>) -> Self {
        Self { outer, ..self }
    }

    /// How the session called `parent` began, where that is one of those around this one.
    #[must_use]
    pub fn of_parent(&self, parent: &str) -> Option<&Arc<Self>> {
        let mut named = self.parent.as_ref();
        let mut outer = self.outer.as_ref();
        while let (Some(name), Some(beginning)) = (named, outer) {
            if **name == *parent {
                return Some(beginning);
            }
            (named, outer) = (beginning.parent.as_ref(), beginning.outer.as_ref());
        }
        None
    }

    pub(crate) const fn outer(&self) -> Option<&Arc<Self>> {
        self.outer.as_ref()
    }

    /// What `guard` was answered, if it was told.
    pub(crate) fn told(&self, guard: u64) -> Option<arc_swap::Guard<Option<Arc<Told>>>> {
        let told = self.told.load();
        told.as_ref().is_some_and(|told| told.guard == guard).then_some(told)
    }

    pub(crate) fn tell(&self, told: Arc<Told>) {
        self.told.store(Some(told));
    }

    /// Lets it be told again with the next call: the session has become another's.
    pub(crate) fn untell(&self) {
        self.told.store(None);
    }
}

/// On whose behalf and in which conversation a call is made. Context variables of the host language carry it.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The agent's id, when configured.
    pub agent: Option<Arc<str>>,
    /// The user, when known.
    pub user: Option<User>,
    /// The conversation.
    pub session: Arc<str>,
    /// True where the program named no session and the process's own is used.
    pub implicit: bool,
    /// One execution in the session.
    pub run: Option<Arc<str>>,
    /// The call id of the call that made this one.
    pub parent: Option<Arc<str>>,
    /// The framework's tool-call id; `None` mints one.
    pub call_id: Option<Arc<str>>,
    /// Ids of the calls that the framework makes in one step with this one and would all make again: none that people are asked
    /// about runs before all of them are answered. Only where whoever waits stops that step when it is told to hold
    /// ([`Wait::is_held`](crate::approval::desk::Wait::is_held)): what is held ends for no other reason.
    pub turn: Option<Arc<[Arc<str>]>>,
    /// Canonical bytes of what `annotate` attached, recorded with the call.
    pub annotations: Option<Arc<[u8]>>,
    /// How the session began; without it the session counts as nobody's sub-agent in limits.
    pub beginning: Option<Arc<Beginning>>,
    /// A mode asked for by the call; it may only tighten.
    pub enforcement: Option<crate::decide::Enforcement>,
}

impl CallContext {
    /// The context of `session` within this one. Where its `parent` is the session in force or one around it, it is a sub-agent's
    /// and goes on in the same run and for the same user; any other is a conversation of its own.
    #[must_use]
    pub fn enter(&self, session: impl Into<Arc<str>>, user_text: Option<Box<str>>, parent: Option<Arc<str>>) -> Self {
        let around = parent.as_deref().and_then(|parent| self.beginning_of(parent));
        let (user, run) = match &around {
            Some(_) => (self.user.clone(), self.run.clone()),
            None => (None, None),
        };
        let beginning = Some(Arc::new(Beginning::new(user_text, parent).within(around)));
        Self { user, run, beginning, ..Self::new(session) }
    }

    /// How the session called `session` began, where it is the one in force or one around it.
    #[must_use]
    pub fn beginning_of(&self, session: &str) -> Option<Arc<Beginning>> {
        let beginning = self.beginning.as_ref()?;
        if *self.session == *session { Some(Arc::clone(beginning)) } else { beginning.of_parent(session).cloned() }
    }

    /// A call in `session`, of which nothing else is known.
    #[must_use]
    pub fn new(session: impl Into<Arc<str>>) -> Self {
        Self {
            agent: None,
            user: None,
            session: session.into(),
            implicit: false,
            run: None,
            parent: None,
            call_id: None,
            turn: None,
            annotations: None,
            beginning: None,
            enforcement: None,
        }
    }
}
