//! Reads records from their compact form; texts and bytes are lent from the slot.

use super::{NONE, VERSION, kind};
use crate::clock::UnixNanos;
use crate::decide::{Effect, Enforcement, Verdict};
use crate::error::Error;
use crate::ledger::entry::{ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, ToolEntry};
use crate::ledger::event::{ApprovalChange, Control, Erased, PolicyChange, PolicyLayer};
use crate::ledger::segment::SegmentAppender;

/// Why the bytes of a slot are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Written by a later version.
    #[error("a record in the spool has version {0}, which this product does not read")]
    Version(u8),
    /// No version writes such bytes.
    #[error("a record in the spool is damaged")]
    Damaged,
}

/// A record as it came out of the spool, with the lists that its entry will borrow.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time lives on the writer's stack; a box would cost each record more"
)]
pub(crate) enum Decoded<'a> {
    Decided { entry: Decided<'a, &'a str>, tags: Vec<&'a str>, rules: Vec<&'a str>, parts: Vec<Part<'a>> },
    Completed { entry: Completed<'a>, parts: Vec<Part<'a>> },
    Policy { time: UnixNanos, entry: PolicyChange<'a>, layers: Vec<PolicyLayer<'a>> },
    Approval { time: UnixNanos, entry: ApprovalChange<'a>, parts: Vec<Part<'a>> },
    Control { time: UnixNanos, entry: Control<'a>, parts: Vec<Part<'a>> },
    Erased { time: UnixNanos, action_ids: Vec<ActionId>, parts: Option<Vec<&'a str>>, reason: &'a str, by: &'a str },
}

impl Decoded<'_> {
    /// Appends the record to a segment.
    ///
    /// # Errors
    /// As [`SegmentAppender::decided`]; nothing is appended then.
    pub(crate) fn append_to(&self, segment: &mut SegmentAppender) -> Result<(), Error> {
        match self {
            Self::Decided { entry, tags, rules, parts } => {
                let tool = ToolEntry { tags: tags.as_slice(), ..entry.tool };
                segment.decided(&Decided { tool, rules: rules.as_slice(), parts, ..*entry })
            }
            Self::Completed { entry, parts } => segment.completed(&Completed { parts, ..*entry }),
            Self::Policy { time, entry, layers } => {
                segment.policy(*time, &PolicyChange { layers, ..*entry });
                Ok(())
            }
            Self::Approval { time, entry, parts } => segment.approval(*time, &ApprovalChange { parts, ..*entry }),
            Self::Control { time, entry, parts } => segment.control(*time, &Control { parts, ..*entry }),
            Self::Erased { time, action_ids, parts, reason, by } => {
                segment.erased(*time, &Erased { action_ids, parts: parts.as_deref(), reason, by });
                Ok(())
            }
        }
    }
}

/// Reads the record in a slot.
///
/// # Errors
/// [`Malformed`].
pub(crate) fn decode(kind: u8, bytes: &[u8]) -> Result<Decoded<'_>, Malformed> {
    match bytes.first() {
        Some(&VERSION) => {}
        Some(&later) if later > VERSION => return Err(Malformed::Version(later)),
        _ => return Err(Malformed::Damaged),
    }
    let mut from = Reader(bytes.get(1..).unwrap_or_default());
    let decoded = from.record(kind).ok_or(Malformed::Damaged)?;
    if from.0.is_empty() { Ok(decoded) } else { Err(Malformed::Damaged) }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn record(&mut self, kind: u8) -> Option<Decoded<'a>> {
        let time = UnixNanos(i64::from_le_bytes(self.array()?));
        Some(match kind {
            kind::DECIDED => self.decided(time)?,
            kind::COMPLETED => self.completed(time)?,
            kind::POLICY => {
                let policy = self.array()?;
                let layers = self.list(|from| {
                    Some(PolicyLayer { layer: from.text()?, version: from.array()?, name: from.optional()? })
                })?;
                let enforcement = self.text()?;
                let rules = u64::from_le_bytes(self.array()?);
                let previous = self.digest()?;
                Decoded::Policy {
                    time,
                    entry: PolicyChange { policy, layers: &[], enforcement, rules, previous },
                    layers,
                }
            }
            kind::APPROVAL => {
                let (approval, action_id) = (self.text()?, ActionId(self.array()?));
                let (state, decided_by) = (self.text()?, self.optional()?);
                let entry = ApprovalChange { approval, action_id, state, decided_by, parts: &[] };
                Decoded::Approval { time, entry, parts: self.parts()? }
            }
            kind::CONTROL => {
                let entry = Control { what: self.text()?, parts: &[] };
                Decoded::Control { time, entry, parts: self.parts()? }
            }
            kind::ERASED => Decoded::Erased {
                time,
                action_ids: self.list(|from| from.array().map(ActionId))?,
                parts: match self.length()? {
                    NONE => None,
                    count => Some(self.items(count, Self::text)?),
                },
                reason: self.text()?,
                by: self.text()?,
            },
            _ => return None,
        })
    }

    fn decided(&mut self, time: UnixNanos) -> Option<Decoded<'a>> {
        let action_id = ActionId(self.array()?);
        let [verdict, effect, enforcement, implicit] = self.array()?;
        let digest = self.digest()?;
        let (tool_digest, policy) = (self.array()?, self.array()?);
        let estimated_cost = self.number()?;
        let call_id = self.optional()?;
        let tool = ToolEntry {
            digest: tool_digest,
            tags: [].as_slice(),
            source: self.text()?,
            name: self.text()?,
            risk: self.optional()?,
            connector: self.optional()?,
            action: self.optional()?,
        };
        let context = ContextEntry {
            agent: self.optional()?,
            user: self.optional()?,
            user_verified_by: self.optional()?,
            session: self.text()?,
            implicit: implicit == 1,
            run: self.optional()?,
            parent: self.optional()?,
        };
        let entry = Decided {
            action_id,
            time,
            call_id,
            digest,
            tool,
            context,
            decision: [Verdict::Allow, Verdict::RequireApproval, Verdict::Deny].get(usize::from(verdict)).copied()?,
            effect: [Effect::Run, Effect::Refused, Effect::Asked].get(usize::from(effect)).copied()?,
            reason_code: self.text()?,
            rules: [].as_slice(),
            policy,
            enforcement: [Enforcement::Observe, Enforcement::StepUp, Enforcement::Progressive, Enforcement::Block]
                .get(usize::from(enforcement))
                .copied()?,
            estimated_cost,
            approval: self.optional()?,
            parts: &[],
            durable: false,
        };
        let (tags, rules) = (self.list(Self::text)?, self.list(Self::text)?);
        Some(Decoded::Decided { entry, tags, rules, parts: self.parts()? })
    }

    fn completed(&mut self, time: UnixNanos) -> Option<Decoded<'a>> {
        const OUTCOMES: [Outcome; 7] = [
            Outcome::Success,
            Outcome::Error,
            Outcome::Denied,
            Outcome::Expired,
            Outcome::Cancelled,
            Outcome::Interrupted,
            Outcome::Unknown,
        ];
        let action_id = ActionId(self.array()?);
        let outcome = OUTCOMES.get(usize::from(self.byte()?)).copied()?;
        let duration = u64::from_le_bytes(self.array()?);
        let result = match self.byte()? {
            0 => ResultEntry::None,
            1 => ResultEntry::Uncaptured,
            2 => ResultEntry::Digest(self.array()?, u64::from_le_bytes(self.array()?)),
            _ => return None,
        };
        let cost = self.number()?;
        let tokens = match self.byte()? {
            0 => None,
            1 => Some(u64::from_le_bytes(self.array()?)),
            _ => return None,
        };
        let entry = Completed { action_id, time, outcome, duration, result, cost, tokens, parts: &[] };
        Some(Decoded::Completed { entry, parts: self.parts()? })
    }

    #[inline]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn length(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        self.optional()?
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one is a malformed record, the inner one a text that is not there"
    )]
    fn optional(&mut self) -> Option<Option<&'a str>> {
        match self.length()? {
            NONE => Some(None),
            length => std::str::from_utf8(self.take(length as usize)?).ok().map(Some),
        }
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one is a malformed record, the inner one a digest that is not there"
    )]
    fn digest(&mut self) -> Option<Option<[u8; 32]>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.array().map(Some),
            _ => None,
        }
    }

    #[expect(
        clippy::option_option,
        reason = "the outer one is a malformed record, the inner one a number that is not there"
    )]
    fn number(&mut self) -> Option<Option<i64>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.array().map(i64::from_le_bytes).map(Some),
            _ => None,
        }
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.length()?;
        self.items(count, item)
    }

    fn items<T>(&mut self, count: u32, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // every item takes at least one byte, so a damaged count cannot ask for more memory than the slot has bytes
        if count as usize > self.0.len() {
            return None;
        }
        let mut items = Vec::with_capacity(count as usize);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn parts(&mut self) -> Option<Vec<Part<'a>>> {
        const NAMES: [&str; 5] = ["arguments", "result", "annotations", "error", "note"];
        self.list(|from| {
            let found = from.text()?;
            let name = NAMES.into_iter().find(|name| *name == found)?;
            let length = from.length()?;
            Some(Part { name, canonical: from.take(length as usize)? })
        })
    }
}
