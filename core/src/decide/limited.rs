//! The limits that speak of one tool, and what they make of a decision.

use super::decision::{Decision, Effect, Enforcement, ReasonCode, Verdict};
use super::ladder::Tier;
use super::layers::{Layer, Layers};
use crate::call::ToolSpec;
use crate::condition::ArgumentTypes;
use crate::error::{Error, ErrorCode};
use crate::limits::{Meter, Unit, Usage, Window, fixed};
use crate::policy::{ArgumentPath, Known, Limit, LimitKind, Measure, Per};
use crate::value::Value;
use chrono::{DateTime, SecondsFormat};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// The most limits that may speak of one tool: all are taken from in one transaction, which holds two entries more, of the call and of
/// its session.
pub(crate) const MOST: usize = crate::state::MAX_KEYS - 2;

/// One limit that speaks of the tool.
#[derive(Debug)]
pub(crate) struct PlannedLimit {
    /// Layer first: `local/refunds-a-day`.
    pub(crate) id: Arc<str>,
    pub(crate) kind: LimitKind,
    pub(crate) per: Per,
    pub(crate) measure: Measure,
    pub(crate) meter: Meter,
    /// Whether it speaks of every tool.
    pub(crate) of_all_tools: bool,
    /// What its counters' keys are told from others' by: of the layer, the id and what is counted over which time. Another maximum goes on
    /// counting; another window or measure begins anew.
    pub(crate) purpose: [u64; 2],
    on_exceed: Verdict,
    mode: Enforcement,
}

impl PlannedLimit {
    pub(crate) fn new(layers: &Layers, layer: &Layer, limit: &Limit) -> Self {
        let shape = format!("{:?} {:?} {:?} {:?}", limit.kind, limit.per, limit.measure, limit.meter.window);
        let mut hash = Sha256::new();
        for part in [&*layer.name, limit.id(), &shape] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        Self {
            id: Arc::from(format!("{}/{}", layer.name, limit.id())),
            kind: limit.kind,
            per: limit.per.clone(),
            measure: limit.measure.clone(),
            meter: limit.meter,
            of_all_tools: limit.is_of_all_tools(),
            purpose: two_words(&hash),
            on_exceed: limit.on_exceed,
            mode: layers.mode(&layer.policy),
        }
    }

    /// How much of it a call takes that is said to cost so many millionths of a dollar.
    ///
    /// # Errors
    /// What is wrong with the argument it counts. Never contains its value.
    pub(crate) fn amount(&self, args: &Value<'_>, cost: Option<i64>) -> Result<i64, String> {
        match &self.measure {
            Measure::Usd => Ok(cost.unwrap_or(0).max(0)),
            // known only once a model has used them
            Measure::Tokens => Ok(0),
            Measure::Calls => Ok(1),
            Measure::Sum(path) => {
                let value = look_up(args, path).ok_or_else(|| format!("`{}` is missing", path.text()))?;
                fixed(value).map_err(|why| format!("`{}` {why}", path.text()))
            }
        }
    }

    /// The text that tells the values of an argument apart: a number and its text count as one.
    ///
    /// # Errors
    /// As [`PlannedLimit::amount`].
    pub(crate) fn apart<'v>(path: &ArgumentPath, args: &'v Value<'_>) -> Result<Cow<'v, str>, String> {
        match look_up(args, path) {
            Some(Value::Str(text) | Value::Decimal(text) | Value::Time(text) | Value::BigInt(text)) => {
                Ok(Cow::Borrowed(text))
            }
            Some(Value::Int(number)) => Ok(Cow::Owned(number.to_string())),
            Some(Value::Bool(truth)) => Ok(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Some(Value::Float(number)) if number.is_finite() => {
                Ok(Cow::Owned(ryu_js::Buffer::new().format_finite(*number).to_owned()))
            }
            None => Err(format!("`{}` is missing", path.text())),
            Some(Value::Null) => Err(format!("`{}` is null", path.text())),
            Some(_) => Err(format!("`{}` is no text and no number", path.text())),
        }
    }

    const fn kept(&self, asked: Option<Enforcement>) -> Enforcement {
        match asked {
            Some(asked) if asked as u8 > self.mode as u8 => asked,
            _ => self.mode,
        }
    }
}

/// The first half of a hash.
pub(crate) fn two_words(hash: &[u8; 32]) -> [u64; 2] {
    let mut words = hash.chunks_exact(8).map(|word| word.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)));
    [(); 2].map(|()| words.next().unwrap_or_default())
}

/// The value at `path`.
fn look_up<'v>(args: &'v Value<'_>, path: &ArgumentPath) -> Option<&'v Value<'v>> {
    path.names().try_fold(args, |value, name| match value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    })
}

/// A limit that does not let a call through, and why.
#[derive(Debug, Clone)]
pub(crate) struct Hit<'p> {
    pub(crate) limit: &'p PlannedLimit,
    pub(crate) why: Why,
}

/// Why a limit does not let a call through.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// Not enough is left for this amount.
    Exceeded(Usage, i64),
    /// Nobody knows how much is left, and why.
    Unknown(Arc<str>),
    /// The call's own argument cannot be counted.
    Failed(String),
}

/// How a limit stands, or stood when it did not let a call through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit, layer first: `local/refunds-a-day`.
    pub id: Arc<str>,
    /// What it counts.
    pub unit: Unit,
    /// The most that may be used.
    pub max: i64,
    /// How much was.
    pub used: i64,
    /// How much was left.
    pub left: i64,
    /// When such a call fits again if no other is made, in nanoseconds since 1970; `None` for never.
    pub resets_at: Option<i64>,
}

impl Hit<'_> {
    const fn rank(&self) -> u8 {
        match self.why {
            Why::Exceeded(..) => 0,
            Why::Failed(_) => 1,
            Why::Unknown(_) => 2,
        }
    }

    /// Whether people are asked about it. `asked` is the mode that the call asks for.
    pub(crate) fn asks(&self, asked: Option<Enforcement>) -> bool {
        self.limit.kept(asked).effect(self.limit.on_exceed) == Effect::Asked
    }

    /// Whether it asks people and they agreed to pass it.
    fn is_passed(&self, agreed: &[Arc<str>], asked: Option<Enforcement>) -> bool {
        self.asks(asked) && agreed.contains(&self.limit.id)
    }

    fn code(&self) -> ReasonCode {
        match (&self.why, self.limit.kind) {
            (Why::Exceeded(..), LimitKind::Budget) => ReasonCode::BudgetExceeded,
            (Why::Exceeded(..), LimitKind::Rate) => ReasonCode::RateLimited,
            (Why::Exceeded(..), LimitKind::Loop) => ReasonCode::LoopDetected,
            (Why::Unknown(_), _) => ReasonCode::LimitUnknown,
            (Why::Failed(_), _) => ReasonCode::LimitFailed,
        }
    }

    /// Why, for people: the limit, what is used of it, and when there is room again.
    fn reason(&self) -> String {
        let limit = self.limit;
        let (noun, id, unit) = (limit.kind.noun(), &limit.id, limit.measure.unit());
        let within = match limit.meter.window {
            Window::Ever => String::new(),
            Window::Rolling(length) => format!(" in {}", written(length)),
            Window::Calendar(calendar) => format!(" in this {}", calendar.as_str()),
        };
        match &self.why {
            Why::Failed(why) => format!("{noun} `{id}` cannot count the call: {why}"),
            Why::Unknown(why) => format!("nobody knows how much is left of {noun} `{id}`: {why}"),
            Why::Exceeded(usage, amount) => {
                let (used, max) = (unit.show(usage.used), unit.show(limit.meter.max));
                let of = match limit.kind {
                    LimitKind::Loop => format!("the same call was made {used} times{within}, of {max} allowed"),
                    _ => format!("{used} of {max}{} used{within}", unit.noun()),
                };
                let more = match limit.measure {
                    Measure::Usd | Measure::Sum(_) if *amount > 0 => {
                        format!(", this call needs {}", unit.show(*amount))
                    }
                    _ => String::new(),
                };
                let end = match usage.resets_at {
                    Some(at) => format!("; room again at {}", moment(at)),
                    None => "; it does not reset".to_owned(),
                };
                format!("{noun} `{id}`: {of}{more}{end}")
            }
        }
    }

    fn exceeded(&self) -> Option<Arc<Exceeded>> {
        let Why::Exceeded(usage, _) = self.why else { return None };
        Some(Arc::new(Exceeded {
            id: Arc::clone(&self.limit.id),
            unit: self.limit.measure.unit(),
            max: self.limit.meter.max,
            used: usage.used,
            left: usage.left,
            resets_at: usage.resets_at,
        }))
    }
}

/// A time as people read it, in whole seconds, rounded up.
fn moment(nanos: i64) -> String {
    DateTime::from_timestamp_nanos(nanos.saturating_add(999_999_999)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A window's length as a policy writes it.
fn written(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds % length == 0 {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

/// What a decision becomes with the limits that do not let its call through; the strictest wins, by effect, then by verdict.
/// `asked` is the mode that the call asks for.
pub(crate) fn limited<'d>(
    decision: Cow<'d, Decision>,
    hits: &[Hit<'_>],
    asked: Option<Enforcement>,
) -> Cow<'d, Decision> {
    let tier = |hit: &Hit<'_>| Tier::new(hit.limit.kept(asked).effect(hit.limit.on_exceed), hit.limit.on_exceed);
    let Some(strictest) = hits.iter().map(tier).max() else { return decision };
    let own = Tier::new(decision.effect, decision.verdict);
    if strictest < own {
        return decision;
    }
    let mut among: Vec<&Hit<'_>> = hits.iter().filter(|hit| tier(hit) == strictest).collect();
    among.sort_by(|one, two| one.rank().cmp(&two.rank()).then_with(|| one.limit.id.cmp(&two.limit.id)));
    let mut decision = decision.into_owned();
    let mut rules: Vec<Arc<str>> = among.iter().map(|hit| Arc::clone(&hit.limit.id)).collect();
    if strictest == own {
        rules.extend(decision.rules.iter().cloned());
    } else if let Some(first) = among.first() {
        let mode = first.limit.kept(asked);
        decision.verdict = first.limit.on_exceed;
        decision.effect = mode.effect(first.limit.on_exceed);
        decision.enforcement = mode;
        decision.reason_code = first.code();
        decision.reason = Some(Arc::from(first.reason()));
        decision.reason_for_agent = None;
        decision.detail = None;
        decision.limit = first.exceeded();
    }
    rules.sort();
    rules.dedup();
    decision.rules = rules.into();
    Cow::Owned(decision)
}

/// The same of a call that people let run, where they `agreed` to pass limits that ask: those stop nothing, and the decision is the one
/// that people were asked about.
pub(crate) fn passed<'d>(
    decision: Cow<'d, Decision>,
    hits: &[Hit<'_>],
    agreed: &[Arc<str>],
    asked: Option<Enforcement>,
) -> Cow<'d, Decision> {
    let (passed, others): (Vec<Hit<'_>>, Vec<Hit<'_>>) =
        hits.iter().cloned().partition(|hit| hit.is_passed(agreed, asked));
    let decision = limited(decision, &others, asked);
    // a draft that would have refused it says more than what only asked
    if decision.effect != Effect::Run || decision.verdict == Verdict::Deny || passed.is_empty() {
        return decision;
    }
    let mut decision = decision.into_owned();
    // beside a rule that asked they are what they were when it did: named with it
    decision.effect = decision.enforcement.effect(decision.verdict);
    let mut decision = limited(Cow::Owned(decision), &passed, asked).into_owned();
    decision.effect = Effect::Run;
    Cow::Owned(decision)
}

/// Whether these limits stop a call that would run; those that ask and were `agreed` to do not.
pub(crate) fn stop(hits: &[Hit<'_>], agreed: &[Arc<str>], asked: Option<Enforcement>) -> bool {
    let stops = |hit: &&Hit<'_>| hit.limit.kept(asked).effect(hit.limit.on_exceed) != Effect::Run;
    hits.iter().filter(stops).any(|hit| !hit.is_passed(agreed, asked))
}

/// The limits of one layer that speak of the tool.
pub(super) fn plan(
    layers: &Layers,
    layer: &Layer,
    spec: &ToolSpec,
    known: &Known,
    arguments: Option<&ArgumentTypes>,
    out: &mut Vec<PlannedLimit>,
) -> Result<(), Error> {
    for limit in layer.policy.limits_of(spec, known) {
        if let Some((why, suggestion)) = arguments.and_then(|arguments| limit.misfit(arguments)) {
            let id = format!("{}/{}", layer.name, limit.id());
            let message = format!("{} `{id}` does not fit the tool `{}`: {why}", limit.kind.noun(), spec.name);
            let error = Error::new(ErrorCode::PolicyInvalid, message).with("tool", &spec.name).with("rule", id);
            return Err(match suggestion {
                Some(suggestion) => error.with("suggestion", suggestion),
                None => error,
            });
        }
        out.push(PlannedLimit::new(layers, layer, limit));
    }
    if out.len() > MOST {
        let message = format!("{} limits speak of the tool `{}`, and {MOST} may", out.len(), spec.name);
        return Err(Error::new(ErrorCode::PolicyInvalid, message).with("tool", &spec.name));
    }
    Ok(())
}
