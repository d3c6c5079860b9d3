//! The ledger: hash-chained records in segments, sealed by signed checkpoints (`docs/formats.md`).

mod codec;
mod entropy;
mod entry;
mod event;
mod files;
mod hex;
pub mod home;
mod id;
pub mod index;
pub mod lock;
pub mod merkle;
pub mod note;
pub mod ratchet;
pub mod record;
pub mod segment;

pub use entropy::Entropy;
pub use entry::{ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, ToolEntry};
pub use event::{
    ApprovalChange, Closed, Control, Dropped, Erased, Opened, PolicyChange, PolicyLayer, Pruned, Recovered,
};
pub use home::{Home, HomeLock};
pub use id::{BadId, HomeId, StreamId};
