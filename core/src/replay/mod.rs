//! Replaying a recorded run: which recorded call one that is made now is, and what comes back in the place of its body.
//!
//! [`Replay::of_run`] reads a run and says at once what is missing of it; [`Replay::serve`] gives a call back, or tells how the
//! program went another way; [`Replay::left`] says at the end what it did not do. No clock, no engine and no tool is asked.
//!
//! What stays in each language: which call a task or thread was given last ([`Made::after`]), whether others of its tasks and
//! threads live ([`Made::alone`]), and how JSON texts become values and errors of its own.

mod call;
mod difference;
mod divergence;
mod given;
mod read;
mod serve;

pub use divergence::Divergence;
pub use given::{Given, Served};
pub use serve::{Made, Replay};

use crate::error::{Error, ErrorCode};

#[cold]
fn incomplete(why: String) -> Error {
    Error::new(ErrorCode::ReplayIncomplete, why)
}
