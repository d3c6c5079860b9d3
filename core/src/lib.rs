//! Counterseal's engine: decides whether a tool call may run before it runs, and records what was decided.
//!
//! Data flows one way: capture ([`value`]) → decide ([`decide`], on a compiled [`policy`]) → record ([`ledger`]) → act
//! (the caller's binding) → complete. [`guard::Guard`] ties these together for one process.
//!
//! Half of the crate is pure: `value`, `policy`, `condition`, `redact`, `decide`, `call`, `plain` and the formats of `ledger` take
//! time as an argument, start nothing and touch no disk. Only `ledger`'s home, writer and recovery, `state`, `session` on it, `guard`,
//! `rehearsal` and `backtest` with it, and the reading of a run in `replay`, do I/O.

pub mod approval;
pub mod backtest;
pub mod call;
pub mod clock;
pub mod condition;
pub mod decide;
pub mod error;
pub mod guard;
pub mod ledger;
pub mod limits;
pub mod plain;
pub mod policy;
pub mod redact;
pub mod rehearsal;
pub mod replay;
pub mod session;
pub mod state;
pub mod value;

pub use error::{Error, ErrorCode, ErrorKind, Retry};
