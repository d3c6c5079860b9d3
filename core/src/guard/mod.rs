//! One process's guard: decides a captured call, records it before the body runs, and completes it afterwards.
//!
//! Invariants:
//! - A body runs only after its `decided` record is in the spool, unless the policy's fail mode says `open`.
//! - Whatever goes wrong in here, a panic included, ends in a refusal.
//! - A guard starts nothing until its first call: no thread, no file but the home it was given.

mod admission;
mod asking;
mod completion;
mod config;
mod counter;
mod health;
mod hindsight;
mod ids;
mod left;
mod limits;
mod memory;
mod open_call;
mod pending_sync;
mod policy_record;
mod scratch;
mod spending;
mod sub_agents;
mod summary;
mod ticket;
mod tool;

pub use admission::{Admission, Observer, Refusal};
pub use asking::{Asking, Resumed};
pub use completion::Captured;
pub use config::Config;
pub use health::Health;
pub use hindsight::{Hindsight, Recorded, Second, Undecidable};
pub use memory::Memory;
pub use pending_sync::PendingSync;
pub use spending::Standing;
pub use sub_agents::SubAgents;
pub use summary::Summary;
pub use ticket::Ticket;
pub use tool::Tool;

use crate::approval::desk::Desk;
use crate::call::{CallContext, ToolSpec};
use crate::clock::Clock;
use crate::decide::{Decision, Layers, PlannedLimit};
use crate::error::Error;
use crate::ledger::{FlushReport, Ledger};
use crate::value::Value;
use crate::value::digest::DigestKey;
use arc_swap::ArcSwap;
use health::Counters;
use memory::LazyMemory;
use policy_record::PolicyRecord;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Decides and records the calls of one process.
#[derive(Debug)]
pub struct Guard {
    layers: Arc<Layers>,
    ledger: Ledger,
    key: DigestKey,
    clock: Clock,
    agent: Option<Arc<str>>,
    observer: Option<Arc<dyn Observer>>,
    counters: Counters,
    closed: AtomicBool,
    policy_record: PolicyRecord,
    /// Tells this guard from others of the process.
    id: u64,
    memory: LazyMemory,
    /// The budgets in force.
    standing: Box<[PlannedLimit]>,
    /// Tags by name, for those who look at a session.
    named_tags: ArcSwap<BTreeSet<Arc<str>>>,
    /// Whether anybody can be asked.
    asks: bool,
    desk: Desk,
}

impl Guard {
    /// The compiled policy.
    #[must_use]
    pub const fn layers(&self) -> &Arc<Layers> {
        &self.layers
    }

    /// The agent's id, as configured.
    #[must_use]
    pub const fn agent(&self) -> Option<&Arc<str>> {
        self.agent.as_ref()
    }

    /// The directory that the agent's processes share.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.ledger.home().path()
    }

    /// The clock that decisions are stamped with.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Prepares a tool: what the policy says of it is looked up once, here.
    ///
    /// # Errors
    /// `tool_invalid` or `policy_invalid` where the declaration and the policy contradict each other: a tag outside the
    /// vocabulary, a rule that names an argument the tool cannot have, a comparison its schema rules out.
    pub fn tool(&self, spec: ToolSpec) -> Result<Arc<Tool>, Error> {
        let tool = Tool::prepare(spec, &self.layers, self.memory.secrets())?;
        self.name_tags(tool.plan().tags().iter());
        Ok(Arc::new(tool))
    }

    /// Decides without recording, counting or running anything.
    #[must_use]
    pub fn check(&self, tool: &Tool, arguments: Result<&Value<'_>, &Error>, context: &CallContext) -> Decision {
        self.decide_contained(tool, arguments, context)
    }

    /// Waits until everything recorded so far is on the disk.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        self.ledger.flush(timeout)
    }

    /// Refuses every further call and closes the ledger: what is recorded is written, sealed and signed. Does nothing the
    /// second time.
    ///
    /// # Errors
    /// `ledger_io` where the ledger was not closed within `timeout`; what is not written then is recovered by the next process.
    pub fn close(&self, timeout: Duration) -> Result<(), Error> {
        self.closed.store(true, Ordering::Release);
        self.desk.close(timeout);
        self.ledger.close_counting(timeout, &self.counted())
    }
}
