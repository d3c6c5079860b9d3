//! Writes records in their compact form, without allocating.

use super::{NONE, VERSION, kind};
use crate::clock::UnixNanos;
use crate::decide::{Effect, Enforcement, Verdict};
use crate::ledger::entry::{Completed, Decided, Outcome, Part, ResultEntry};
use crate::ledger::event::{ApprovalChange, Control, Erased, PolicyChange};

/// Takes bytes: counts them or places them.
pub(crate) trait Out {
    fn put(&mut self, bytes: &[u8]);
}

/// Counts.
#[derive(Debug, Default)]
pub(crate) struct Measure(pub(crate) usize);

impl Out for Measure {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Writes from the start of a slot.
#[derive(Debug)]
pub(crate) struct Place<'a>(pub(crate) &'a mut [u8]);

impl Out for Place<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        // `Measure` ran over the same description, so the slot is exactly as long as what is put
        if let Some((here, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            here.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

/// Which parts are left out because the record would be too large, a bit for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Omitted(pub(crate) u64);

impl Omitted {
    /// Leaves out the largest part that is still in; whether there was one.
    pub(crate) fn largest(&mut self, parts: &[Part<'_>]) -> bool {
        let left = parts.iter().enumerate().filter(|(index, _)| !self.has(*index));
        let largest = left.max_by_key(|(_, part)| part.canonical.len()).map(|(index, _)| index);
        match largest.filter(|index| *index < 64) {
            Some(index) => {
                self.0 |= 1 << index;
                true
            }
            None => false,
        }
    }

    const fn has(self, index: usize) -> bool {
        index < 64 && self.0 >> index & 1 == 1
    }
}

/// Anything that goes through the spool.
pub(crate) trait Record {
    /// The slot's kind.
    const KIND: u8;
    /// The parts that may be left out.
    fn parts(&self) -> &[Part<'_>];
    /// Describes every byte, version first.
    fn write(&self, omitted: Omitted, out: &mut impl Out);
}

impl<S: AsRef<str>> Record for Decided<'_, S> {
    const KIND: u8 = kind::DECIDED;

    fn parts(&self) -> &[Part<'_>] {
        self.parts
    }

    #[inline]
    fn write(&self, omitted: Omitted, out: &mut impl Out) {
        let (tool, context) = (&self.tool, &self.context);
        begin(out, self.time);
        out.put(&self.action_id.0);
        out.put(&[verdict(self.decision), effect(self.effect), enforcement(self.enforcement), context.implicit.into()]);
        digest(out, self.digest.as_ref());
        out.put(&tool.digest);
        out.put(&self.policy);
        number(out, self.estimated_cost);
        optional(out, self.call_id);
        text(out, tool.source);
        text(out, tool.name);
        optional(out, tool.risk);
        optional(out, tool.connector);
        optional(out, tool.action);
        optional(out, context.agent);
        optional(out, context.user);
        optional(out, context.user_verified_by);
        text(out, context.session);
        optional(out, context.run);
        optional(out, context.parent);
        text(out, self.reason_code);
        optional(out, self.approval);
        list(out, tool.tags, |out, tag| text(out, tag.as_ref()));
        list(out, self.rules, |out, rule| text(out, rule.as_ref()));
        parts(out, self.parts, omitted);
    }
}

impl Record for Completed<'_> {
    const KIND: u8 = kind::COMPLETED;

    fn parts(&self) -> &[Part<'_>] {
        self.parts
    }

    #[inline]
    fn write(&self, omitted: Omitted, out: &mut impl Out) {
        begin(out, self.time);
        out.put(&self.action_id.0);
        out.put(&[outcome(self.outcome)]);
        out.put(&self.duration.to_le_bytes());
        match &self.result {
            ResultEntry::None => out.put(&[0]),
            ResultEntry::Uncaptured => out.put(&[1]),
            ResultEntry::Digest(digest, bytes) => {
                out.put(&[2]);
                out.put(digest);
                out.put(&bytes.to_le_bytes());
            }
        }
        number(out, self.cost);
        match self.tokens {
            Some(tokens) => {
                out.put(&[1]);
                out.put(&tokens.to_le_bytes());
            }
            None => out.put(&[0]),
        }
        parts(out, self.parts, omitted);
    }
}

/// An entry that has no time of its own, with the time it is recorded at.
#[derive(Debug)]
pub(crate) struct Timed<'a, E>(pub(crate) UnixNanos, pub(crate) &'a E);

impl Record for Timed<'_, PolicyChange<'_>> {
    const KIND: u8 = kind::POLICY;

    fn parts(&self) -> &[Part<'_>] {
        &[]
    }

    fn write(&self, _omitted: Omitted, out: &mut impl Out) {
        let Self(time, policy) = self;
        begin(out, *time);
        out.put(&policy.policy);
        list(out, policy.layers, |out, layer| {
            text(out, layer.layer);
            out.put(&layer.version);
            optional(out, layer.name);
        });
        text(out, policy.enforcement);
        out.put(&policy.rules.to_le_bytes());
        digest(out, policy.previous.as_ref());
    }
}

impl Record for Timed<'_, ApprovalChange<'_>> {
    const KIND: u8 = kind::APPROVAL;

    fn parts(&self) -> &[Part<'_>] {
        self.1.parts
    }

    fn write(&self, omitted: Omitted, out: &mut impl Out) {
        let Self(time, approval) = self;
        begin(out, *time);
        text(out, approval.approval);
        out.put(&approval.action_id.0);
        text(out, approval.state);
        optional(out, approval.decided_by);
        parts(out, approval.parts, omitted);
    }
}

impl Record for Timed<'_, Control<'_>> {
    const KIND: u8 = kind::CONTROL;

    fn parts(&self) -> &[Part<'_>] {
        self.1.parts
    }

    fn write(&self, omitted: Omitted, out: &mut impl Out) {
        let Self(time, control) = self;
        begin(out, *time);
        text(out, control.what);
        parts(out, control.parts, omitted);
    }
}

impl Record for Timed<'_, Erased<'_>> {
    const KIND: u8 = kind::ERASED;

    fn parts(&self) -> &[Part<'_>] {
        &[]
    }

    fn write(&self, _omitted: Omitted, out: &mut impl Out) {
        let Self(time, erased) = self;
        begin(out, *time);
        list(out, erased.action_ids, |out, action| out.put(&action.0));
        match erased.parts {
            Some(parts) => list(out, parts, |out, part| text(out, part)),
            None => out.put(&NONE.to_le_bytes()),
        }
        text(out, erased.reason);
        text(out, erased.by);
    }
}

#[inline]
fn begin(out: &mut impl Out, time: UnixNanos) {
    out.put(&[VERSION]);
    out.put(&time.0.to_le_bytes());
}

/// Lengths fit 32 bits: a record is at most a quarter of a spool, which is at most a gigabyte.
#[inline]
fn length(out: &mut impl Out, length: usize) {
    out.put(&(length as u32).to_le_bytes());
}

#[inline]
fn text(out: &mut impl Out, text: &str) {
    length(out, text.len());
    out.put(text.as_bytes());
}

#[inline]
fn optional(out: &mut impl Out, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => out.put(&NONE.to_le_bytes()),
    }
}

#[inline]
fn digest(out: &mut impl Out, digest: Option<&[u8; 32]>) {
    match digest {
        Some(digest) => {
            out.put(&[1]);
            out.put(digest);
        }
        None => out.put(&[0]),
    }
}

#[inline]
fn number(out: &mut impl Out, number: Option<i64>) {
    match number {
        Some(number) => {
            out.put(&[1]);
            out.put(&number.to_le_bytes());
        }
        None => out.put(&[0]),
    }
}

#[inline]
fn list<T, O: Out>(out: &mut O, items: &[T], write: impl Fn(&mut O, &T)) {
    length(out, items.len());
    for item in items {
        write(out, item);
    }
}

#[inline]
fn parts(out: &mut impl Out, parts: &[Part<'_>], omitted: Omitted) {
    length(out, parts.len());
    for (index, part) in parts.iter().enumerate() {
        text(out, part.name);
        let canonical = if omitted.has(index) { &[] } else { part.canonical };
        length(out, canonical.len());
        out.put(canonical);
    }
}

const fn verdict(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::RequireApproval => 1,
        Verdict::Deny => 2,
    }
}

const fn effect(effect: Effect) -> u8 {
    match effect {
        Effect::Run => 0,
        Effect::Refused => 1,
        Effect::Asked => 2,
    }
}

const fn enforcement(enforcement: Enforcement) -> u8 {
    match enforcement {
        Enforcement::Observe => 0,
        Enforcement::StepUp => 1,
        Enforcement::Progressive => 2,
        Enforcement::Block => 3,
    }
}

const fn outcome(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Success => 0,
        Outcome::Error => 1,
        Outcome::Denied => 2,
        Outcome::Expired => 3,
        Outcome::Cancelled => 4,
        Outcome::Interrupted => 5,
        Outcome::Unknown => 6,
    }
}
