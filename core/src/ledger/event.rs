//! What the ledger says besides calls: about itself, its policy and its approvals. Borrowed, like [`super::Decided`].

use super::entry::{ActionId, Part};
use super::id::{HomeId, StreamId};

/// The first record of every segment.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    /// The stream.
    pub stream: StreamId,
    /// The segment's number in it, from 1.
    pub segment: u32,
    /// Name and version of the product that writes.
    pub product: (&'a str, &'a str),
    /// The home.
    pub home: HomeId,
    /// The check value of the key with which the segment's digests are made; `None` where the key is gone.
    pub digest_key: Option<[u8; 32]>,
}

/// A dead process's stream was taken over.
#[derive(Debug, Clone, Copy)]
pub struct Recovered {
    /// Records taken from its spool.
    pub records: u64,
    /// Uncommitted slots of its spool, which nobody can read.
    pub skipped: u64,
    /// Bytes cut from the segment's torn tail.
    pub torn: u64,
}

/// One document of the policy in force.
#[derive(Debug, Clone, Copy)]
pub struct PolicyLayer<'a> {
    /// Its layer: `builtin`, `local`.
    pub layer: &'a str,
    /// SHA-256 of its canonical form.
    pub version: [u8; 32],
    /// Its name, where it has one.
    pub name: Option<&'a str>,
}

/// A policy came into force.
#[derive(Debug, Clone, Copy)]
pub struct PolicyChange<'a> {
    /// The version that decisions name.
    pub policy: [u8; 32],
    /// What it is made of.
    pub layers: &'a [PolicyLayer<'a>],
    /// Its mode.
    pub enforcement: &'a str,
    /// How many rules it has.
    pub rules: u64,
    /// The version before; `None` at first.
    pub previous: Option<[u8; 32]>,
}

/// An approval changed its state.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalChange<'a> {
    /// The approval's id.
    pub approval: &'a str,
    /// The call it is about.
    pub action_id: ActionId,
    /// `pending`, `approved`, `denied`, `expired` or `cancelled`.
    pub state: &'a str,
    /// Who decided.
    pub decided_by: Option<&'a str>,
    /// Values for the sidecar.
    pub parts: &'a [Part<'a>],
}

/// Somebody steered the engine, such as by the kill switch.
#[derive(Debug, Clone, Copy)]
pub struct Control<'a> {
    /// What was done.
    pub what: &'a str,
    /// Values for the sidecar; they lie under the action id of 32 zeros.
    pub parts: &'a [Part<'a>],
}

/// Payloads were erased.
#[derive(Debug, Clone, Copy)]
pub struct Erased<'a> {
    /// Whose.
    pub action_ids: &'a [ActionId],
    /// Which parts; `None`: all.
    pub parts: Option<&'a [&'a str]>,
    /// Why.
    pub reason: &'a str,
    /// By whom.
    pub by: &'a str,
}

/// A closed segment was removed; what it held stays proved by what it leaves here.
#[derive(Debug, Clone, Copy)]
pub struct Pruned {
    /// Its stream.
    pub stream: StreamId,
    /// Its number.
    pub segment: u32,
    /// How many records it had.
    pub records: u64,
    /// Their Merkle root.
    pub root: [u8; 32],
    /// The hash of the last.
    pub last: [u8; 32],
}

/// Records that should have been written and could not.
#[derive(Debug, Clone, Copy)]
pub struct Dropped<'a> {
    /// How many.
    pub count: u64,
    /// Why.
    pub why: &'a str,
}

/// The last record of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Closed<'a> {
    /// Records in the stream so far, this one not counted.
    pub records: u64,
    /// Records dropped so far.
    pub dropped: u64,
    /// Counters by name, such as `condition_failed`.
    pub counted: &'a [(&'a str, u64)],
}
