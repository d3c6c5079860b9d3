//! The ledger: hash-chained records in segments, sealed by signed checkpoints (`docs/formats.md`).

mod adopt;
mod codec;
mod direct;
mod entropy;
mod entry;
pub mod erase;
mod event;
pub(crate) mod files;
mod health;
mod hex;
pub mod home;
mod id;
pub mod index;
mod lines;
mod live;
pub mod lock;
pub mod merkle;
pub mod note;
mod options;
mod process;
pub mod ratchet;
pub mod read;
pub mod record;
pub mod segment;
mod sink;
pub mod verify;
mod writer;

pub(crate) use direct::write_stream;
pub use entropy::Entropy;
pub use entry::{ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, ToolEntry};
pub use event::{
    ApprovalChange, Closed, Control, Dropped, Erased, Opened, PolicyChange, PolicyLayer, Pruned, Recovered,
};
pub use health::{FlushReport, Health};
pub(crate) use hex::text as hex_text;
pub use home::{Home, HomeLock};
pub use id::{BadId, HomeId, StreamId};
pub use live::SyncTicket;
pub(crate) use live::boot_id;
pub use options::Options;
pub use process::Ledger;
pub use sink::Sink;
