//! Renders records as lines. Written by hand: it is on the way of every call's two records, so nothing here allocates
//! beyond the line's own bytes.

use super::json::{
    push_bool, push_hash, push_id, push_integer, push_list, push_optional, push_optional_hash, push_optional_integer,
    push_string,
};
use super::time::Stamp;
use crate::clock::UnixNanos;
use crate::ledger::entry::{Completed, Decided, ResultEntry};
use crate::ledger::event::{ApprovalChange, Closed, Control, Dropped, Erased, Opened, PolicyChange, Pruned, Recovered};
use crate::ledger::hex;
use sha2::{Digest, Sha256};

/// What every record's line begins with, up to its kind.
pub(crate) const PREFIX: &[u8] = b"{\"v\":1,\"kind\":\"";
/// Between kind and number.
pub(crate) const SEQ: &[u8] = b"\",\"seq\":";
/// Between number and time.
pub(crate) const TIME: &[u8] = b",\"time\":\"";
/// Between time and the hash of the record before.
pub(crate) const PREV: &[u8] = b"\",\"prev\":\"";
/// Between the last member and the hash.
pub(crate) const HASH: &[u8] = b",\"hash\":\"";
/// After the hash.
pub(crate) const END: &[u8] = b"\"}";

/// Where in a stream a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its number, from 1.
    pub seq: u64,
    /// The hash of the record before; zero for the first.
    pub prev: [u8; 32],
}

impl Position {
    /// The first of a stream.
    pub const START: Self = Self { seq: 1, prev: [0; 32] };
}

/// The hash of a part's salt and payload, by the part's name.
///
/// None where the part was left out because the record would have been too large.
pub type PayloadHash<'a> = (&'a str, Option<[u8; 32]>);

/// Renders records. Each method appends one line with its newline and returns the record's hash.
#[derive(Debug, Clone)]
pub struct Renderer {
    stamp: Stamp,
}

impl Default for Renderer {
    fn default() -> Self {
        Self { stamp: Stamp::new() }
    }
}

impl Renderer {
    fn begin(&mut self, out: &mut Vec<u8>, kind: &str, at: Position, time: UnixNanos) -> usize {
        out.reserve(1024);
        let start = out.len();
        out.extend_from_slice(PREFIX);
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(SEQ);
        push_integer(out, at.seq);
        out.extend_from_slice(TIME);
        out.extend_from_slice(self.stamp.text(time));
        out.extend_from_slice(PREV);
        out.extend_from_slice(&hex::digits64(&at.prev));
        out.push(b'"');
        start
    }

    /// A `decided` record.
    pub fn decided<S: AsRef<str>>(
        &mut self,
        out: &mut Vec<u8>,
        at: Position,
        decided: &Decided<'_, S>,
        payload: &[PayloadHash<'_>],
    ) -> [u8; 32] {
        let start = self.begin(out, "decided", at, decided.time);
        let (tool, context) = (&decided.tool, &decided.context);
        out.extend_from_slice(b",\"action_id\":");
        push_id(out, &decided.action_id.0);
        out.extend_from_slice(b",\"call_id\":");
        match decided.call_id {
            Some(id) => push_string(out, id),
            None => push_id(out, &decided.action_id.0),
        }
        out.extend_from_slice(b",\"digest\":");
        push_optional_hash(out, decided.digest.as_ref());
        out.extend_from_slice(b",\"tool\":{\"source\":");
        push_string(out, tool.source);
        out.extend_from_slice(b",\"name\":");
        push_string(out, tool.name);
        out.extend_from_slice(b",\"digest\":");
        push_hash(out, &tool.digest);
        out.extend_from_slice(b"},\"agent\":");
        push_optional(out, context.agent);
        match context.user {
            Some(user) => {
                out.extend_from_slice(b",\"user\":{\"id\":");
                push_string(out, user);
                out.extend_from_slice(b",\"verified_by\":");
                push_optional(out, context.user_verified_by);
                out.extend_from_slice(b"},\"session\":");
            }
            None => out.extend_from_slice(b",\"user\":null,\"session\":"),
        }
        push_string(out, context.session);
        out.extend_from_slice(b",\"implicit\":");
        push_bool(out, context.implicit);
        out.extend_from_slice(b",\"run\":");
        push_optional(out, context.run);
        out.extend_from_slice(b",\"parent\":");
        push_optional(out, context.parent);
        out.extend_from_slice(b",\"tags\":");
        push_list(out, tool.tags, |out, tag| push_string(out, tag.as_ref()));
        out.extend_from_slice(b",\"risk\":");
        push_optional(out, tool.risk);
        out.extend_from_slice(b",\"connector\":");
        push_optional(out, tool.connector);
        out.extend_from_slice(b",\"action\":");
        push_optional(out, tool.action);
        out.extend_from_slice(b",\"decision\":\"");
        out.extend_from_slice(decided.decision.as_str().as_bytes());
        out.extend_from_slice(b"\",\"effect\":\"");
        out.extend_from_slice(decided.effect.as_str().as_bytes());
        out.extend_from_slice(b"\",\"reason_code\":");
        push_string(out, decided.reason_code);
        out.extend_from_slice(b",\"rules\":");
        push_list(out, decided.rules, |out, rule| push_string(out, rule.as_ref()));
        out.extend_from_slice(b",\"policy\":");
        push_hash(out, &decided.policy);
        out.extend_from_slice(b",\"enforcement\":\"");
        out.extend_from_slice(decided.enforcement.as_str().as_bytes());
        out.extend_from_slice(b"\",\"obligations\":[],\"estimated_cost\":");
        push_optional_integer(out, decided.estimated_cost);
        out.extend_from_slice(b",\"approval\":");
        push_optional(out, decided.approval);
        push_payload(out, payload);
        finish(out, start)
    }

    /// A `completed` record.
    pub fn completed(
        &mut self,
        out: &mut Vec<u8>,
        at: Position,
        completed: &Completed<'_>,
        payload: &[PayloadHash<'_>],
    ) -> [u8; 32] {
        let start = self.begin(out, "completed", at, completed.time);
        out.extend_from_slice(b",\"action_id\":");
        push_id(out, &completed.action_id.0);
        out.extend_from_slice(b",\"outcome\":\"");
        out.extend_from_slice(completed.outcome.as_str().as_bytes());
        out.extend_from_slice(b"\",\"duration\":");
        push_integer(out, completed.duration);
        out.extend_from_slice(b",\"result\":");
        match &completed.result {
            ResultEntry::None => out.extend_from_slice(b"null"),
            ResultEntry::Uncaptured => out.extend_from_slice(b"\"uncaptured\""),
            ResultEntry::Digest(digest, bytes) => {
                out.extend_from_slice(b"{\"digest\":");
                push_hash(out, digest);
                out.extend_from_slice(b",\"bytes\":");
                push_integer(out, *bytes);
                out.push(b'}');
            }
        }
        out.extend_from_slice(b",\"cost\":");
        push_optional_integer(out, completed.cost);
        out.extend_from_slice(b",\"tokens\":");
        push_optional_integer(out, completed.tokens);
        push_payload(out, payload);
        finish(out, start)
    }

    /// An `opened` record.
    pub fn opened(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, opened: &Opened<'_>) -> [u8; 32] {
        let start = self.begin(out, "opened", at, time);
        out.extend_from_slice(b",\"stream\":");
        push_id(out, &opened.stream.0);
        out.extend_from_slice(b",\"segment\":");
        push_integer(out, opened.segment);
        out.extend_from_slice(b",\"product\":{\"name\":");
        push_string(out, opened.product.0);
        out.extend_from_slice(b",\"version\":");
        push_string(out, opened.product.1);
        out.extend_from_slice(b"},\"home\":");
        push_id(out, &opened.home.0);
        if let Some(check) = &opened.digest_key {
            out.extend_from_slice(b",\"digest_key\":");
            push_hash(out, check);
        }
        finish(out, start)
    }

    /// A `recovered` record.
    pub fn recovered(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, recovered: &Recovered) -> [u8; 32] {
        let start = self.begin(out, "recovered", at, time);
        out.extend_from_slice(b",\"records\":");
        push_integer(out, recovered.records);
        out.extend_from_slice(b",\"skipped\":");
        push_integer(out, recovered.skipped);
        out.extend_from_slice(b",\"torn\":");
        push_integer(out, recovered.torn);
        finish(out, start)
    }

    /// A `policy` record.
    pub fn policy(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, policy: &PolicyChange<'_>) -> [u8; 32] {
        let start = self.begin(out, "policy", at, time);
        out.extend_from_slice(b",\"policy\":");
        push_hash(out, &policy.policy);
        out.extend_from_slice(b",\"layers\":");
        push_list(out, policy.layers, |out, layer| {
            out.extend_from_slice(b"{\"layer\":");
            push_string(out, layer.layer);
            out.extend_from_slice(b",\"version\":");
            push_hash(out, &layer.version);
            out.extend_from_slice(b",\"name\":");
            push_optional(out, layer.name);
            out.push(b'}');
        });
        out.extend_from_slice(b",\"enforcement\":");
        push_string(out, policy.enforcement);
        out.extend_from_slice(b",\"rules\":");
        push_integer(out, policy.rules);
        out.extend_from_slice(b",\"previous\":");
        push_optional_hash(out, policy.previous.as_ref());
        finish(out, start)
    }

    /// An `approval` record.
    pub fn approval(
        &mut self,
        out: &mut Vec<u8>,
        at: Position,
        time: UnixNanos,
        approval: &ApprovalChange<'_>,
        payload: &[PayloadHash<'_>],
    ) -> [u8; 32] {
        let start = self.begin(out, "approval", at, time);
        out.extend_from_slice(b",\"approval\":");
        push_string(out, approval.approval);
        out.extend_from_slice(b",\"action_id\":");
        push_id(out, &approval.action_id.0);
        out.extend_from_slice(b",\"state\":");
        push_string(out, approval.state);
        out.extend_from_slice(b",\"decided_by\":");
        push_optional(out, approval.decided_by);
        push_payload(out, payload);
        finish(out, start)
    }

    /// A `control` record.
    pub fn control(
        &mut self,
        out: &mut Vec<u8>,
        at: Position,
        time: UnixNanos,
        control: &Control<'_>,
        payload: &[PayloadHash<'_>],
    ) -> [u8; 32] {
        let start = self.begin(out, "control", at, time);
        out.extend_from_slice(b",\"what\":");
        push_string(out, control.what);
        push_payload(out, payload);
        finish(out, start)
    }

    /// An `erased` record.
    pub fn erased(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, erased: &Erased<'_>) -> [u8; 32] {
        let start = self.begin(out, "erased", at, time);
        out.extend_from_slice(b",\"action_ids\":");
        push_list(out, erased.action_ids, |out, id| push_id(out, &id.0));
        out.extend_from_slice(b",\"parts\":");
        match erased.parts {
            Some(parts) => push_list(out, parts, |out, part| push_string(out, part)),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"reason\":");
        push_string(out, erased.reason);
        out.extend_from_slice(b",\"by\":");
        push_string(out, erased.by);
        finish(out, start)
    }

    /// A `pruned` record.
    pub fn pruned(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, pruned: &Pruned) -> [u8; 32] {
        let start = self.begin(out, "pruned", at, time);
        out.extend_from_slice(b",\"stream\":");
        push_id(out, &pruned.stream.0);
        out.extend_from_slice(b",\"segment\":");
        push_integer(out, pruned.segment);
        out.extend_from_slice(b",\"records\":");
        push_integer(out, pruned.records);
        out.extend_from_slice(b",\"root\":");
        push_hash(out, &pruned.root);
        out.extend_from_slice(b",\"last\":");
        push_hash(out, &pruned.last);
        finish(out, start)
    }

    /// A `dropped` record.
    pub fn dropped(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, dropped: &Dropped<'_>) -> [u8; 32] {
        let start = self.begin(out, "dropped", at, time);
        out.extend_from_slice(b",\"count\":");
        push_integer(out, dropped.count);
        out.extend_from_slice(b",\"why\":");
        push_string(out, dropped.why);
        finish(out, start)
    }

    /// A `closed` record.
    pub fn closed(&mut self, out: &mut Vec<u8>, at: Position, time: UnixNanos, closed: &Closed<'_>) -> [u8; 32] {
        let start = self.begin(out, "closed", at, time);
        out.extend_from_slice(b",\"records\":");
        push_integer(out, closed.records);
        out.extend_from_slice(b",\"dropped\":");
        push_integer(out, closed.dropped);
        out.extend_from_slice(b",\"counted\":{");
        for (nth, (name, count)) in closed.counted.iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            push_string(out, name);
            out.push(b':');
            push_integer(out, *count);
        }
        out.push(b'}');
        finish(out, start)
    }
}

fn push_payload(out: &mut Vec<u8>, payload: &[PayloadHash<'_>]) {
    if payload.is_empty() {
        out.extend_from_slice(b",\"payload\":null");
        return;
    }
    out.extend_from_slice(b",\"payload\":{");
    for (nth, (part, hash)) in payload.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        push_string(out, part);
        out.push(b':');
        push_optional_hash(out, hash.as_ref());
    }
    out.push(b'}');
}

fn finish(out: &mut Vec<u8>, start: usize) -> [u8; 32] {
    let hash: [u8; 32] = Sha256::digest(out.get(start..).unwrap_or_default()).into();
    out.extend_from_slice(HASH);
    out.extend_from_slice(&hex::digits64(&hash));
    out.extend_from_slice(b"\"}\n");
    hash
}
