//! The ledger: hash-chained records in segments, sealed by signed checkpoints (`docs/formats.md`).

mod entry;

pub use entry::{ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, ToolEntry};
