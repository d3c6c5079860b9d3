//! The end of a call: what came back is digested or redacted, and recorded.

use super::health::count;
use super::scratch::with_buffer;
use super::{Guard, Tool};
use crate::clock::UnixNanos;
use crate::decide::RecordLevel;
use crate::ledger::{ActionId, Completed, Outcome, Part, ResultEntry};
use crate::value::{self, Value};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came back from a body.
#[derive(Debug)]
pub enum Captured<'a> {
    /// Nothing to say of it.
    Nothing,
    /// It cannot be captured: a generator, a stream, something opaque.
    Uncaptured,
    /// The value that was returned.
    Value(&'a Value<'a>),
    /// The text of what was raised: its type, then `: ` and its message where that is plain text. A message can hold what a
    /// result does, so it is kept as results are: where of those only the digest is, only the type is of this.
    Error(&'a str),
}

impl Guard {
    pub(super) fn record_completion(&self, tool: &Tool, end: &End, result: &Captured<'_>) {
        let recorded =
            catch_unwind(AssertUnwindSafe(|| with_buffer(|buffer| self.completion(tool, end, result, buffer))));
        match recorded {
            Ok(true) => {}
            Ok(false) => count(&self.counters.incomplete),
            Err(_) => {
                count(&self.counters.panics);
                count(&self.counters.incomplete);
            }
        }
    }

    /// Whether the end is in the spool.
    fn completion(&self, tool: &Tool, end: &End, captured: &Captured<'_>, buffer: &mut Vec<u8>) -> bool {
        let plan = tool.plan();
        match captured {
            Captured::Nothing => self.complete(end, ResultEntry::None, &[]),
            Captured::Uncaptured => self.complete(end, ResultEntry::Uncaptured, &[]),
            Captured::Error(text) => {
                let text = match end.level {
                    RecordLevel::Digest => text.split_once(": ").map_or(*text, |(kind, _)| kind),
                    RecordLevel::Redacted | RecordLevel::Full => text,
                };
                let error = Value::Str(Cow::Borrowed(text));
                if value::encode(&error, buffer).is_err() {
                    return self.complete(end, ResultEntry::None, &[]);
                }
                let kept = match end.level {
                    RecordLevel::Full => Cow::Borrowed(&buffer[..]),
                    RecordLevel::Redacted | RecordLevel::Digest => plan.redaction().apply(&error, buffer),
                };
                self.complete(end, ResultEntry::None, &[Part { name: "error", canonical: &kept }])
            }
            Captured::Value(result) => {
                if value::encode(result, buffer).is_err() {
                    return self.complete(end, ResultEntry::Uncaptured, &[]);
                }
                let (digest, bytes) = self.key.result(buffer);
                let entry = ResultEntry::Digest(digest, bytes);
                match end.level {
                    RecordLevel::Digest => self.complete(end, entry, &[]),
                    RecordLevel::Full => self.complete(end, entry, &[Part { name: "result", canonical: buffer }]),
                    RecordLevel::Redacted => {
                        let redacted = plan.redaction().apply(result, buffer);
                        self.complete(end, entry, &[Part { name: "result", canonical: &redacted }])
                    }
                }
            }
        }
    }

    fn complete(&self, end: &End, result: ResultEntry, parts: &[Part<'_>]) -> bool {
        let completed = Completed {
            action_id: end.action_id,
            time: end.ended,
            outcome: end.outcome,
            duration: end.duration,
            result,
            cost: end.cost,
            tokens: None,
            parts,
        };
        self.ledger.completed(&completed).is_ok()
    }
}

/// When and how a call ended, and how much of its result is kept.
pub(super) struct End {
    pub(super) action_id: ActionId,
    pub(super) ended: UnixNanos,
    pub(super) duration: u64,
    pub(super) outcome: Outcome,
    pub(super) level: RecordLevel,
    /// In millionths of a US dollar, where somebody said so.
    pub(super) cost: Option<i64>,
}
