//! The ledger: hash-chained records in segments, sealed by signed checkpoints (`docs/formats.md`).

mod entropy;
mod entry;
mod event;
mod hex;
mod id;
pub mod merkle;
pub mod record;

pub use entropy::Entropy;
pub use entry::{ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, ToolEntry};
pub use event::{
    ApprovalChange, Closed, Control, Dropped, Erased, Opened, PolicyChange, PolicyLayer, Pruned, Recovered,
};
pub use id::{BadId, HomeId, StreamId};
