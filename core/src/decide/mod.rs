//! Decides one call on the compiled policy: pure, no clock, no I/O.

mod decision;

pub use decision::{Decision, Effect, Enforcement, ReasonCode, Verdict};
