//! What a guard is started with.

use super::memory::LazyMemory;
use super::{Counters, Guard, Observer, PolicyRecord};
use crate::approval::desk::Desk;
use crate::approval::store::Store;
use crate::clock::Clock;
use crate::decide::Layers;
use crate::error::Error;
use crate::ledger::{self, Ledger};
use crate::value::digest::DigestKey;
use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Everything a guard needs to know; nothing is taken from the environment or the working directory unasked.
#[derive(Debug)]
pub struct Config {
    /// The compiled policy of all layers.
    pub layers: Layers,
    /// The directory that the agent's processes share.
    pub home: PathBuf,
    /// The agent's id.
    pub agent: Option<Arc<str>>,
    /// Time, injected.
    pub clock: Clock,
    /// The policy that was in force in this process before, for the record of the change.
    pub previous: Option<[u8; 32]>,
    /// What sees every decision.
    pub observer: Option<Arc<dyn Observer>>,
    /// Whether anybody can be asked; otherwise what needs people is refused as `no_approver`.
    pub asks: bool,
    /// How the ledger writes.
    pub ledger: ledger::Options,
}

/// Guards of this process are counted from 1, so that 0 is none.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Guard {
    /// Makes a guard. Creates the home if it is not there; starts no thread and writes no record.
    ///
    /// # Errors
    /// `home_unusable` where the home cannot be created or trusted.
    pub fn start(config: Config) -> Result<Arc<Self>, Error> {
        let ledger = Ledger::open(&config.home, config.ledger)?;
        let mut key = *ledger.home().digest_key()?;
        let named_tags = config.layers.vocabulary().cloned().collect();
        let standing = config.layers.budgets();
        let memory = LazyMemory::new(&key);
        let desk = Desk::new(Store::new(ledger.home()));
        Ok(Arc::new(Self {
            asks: config.asks,
            desk,
            layers: Arc::new(config.layers),
            key: DigestKey::new(&mut key),
            ledger,
            clock: config.clock,
            agent: config.agent,
            observer: config.observer,
            counters: Counters::default(),
            closed: AtomicBool::new(false),
            policy_record: PolicyRecord::new(config.previous),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            memory,
            standing,
            named_tags: ArcSwap::from_pointee(named_tags),
        }))
    }
}
