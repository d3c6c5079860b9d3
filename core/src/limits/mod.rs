//! Limits: how much of something may be used within a window. One pure state machine, on words that somebody else stores.
//!
//! [`Meter`] is the machine: `reserve` takes an amount or says why not, `settle` puts the actual amount in its place, and
//! `refund` gives it back. What is reserved counts as spent until then, so a holder that dies has spent it without anybody
//! keeping books. Who stores the [`Words`] and keeps others out meanwhile is the authority: the home's state file, or the
//! server; the machine is the same.
//!
//! Every method leaves words that read as at least what was spent wherever between two of its stores its process is killed.

mod amount;
mod meter;
mod rolling;
mod window;
mod words;

pub use amount::{Unit, fixed, fixed_decimal};
pub use meter::{Answer, Held, Meter, Unreadable, Usage};
pub use window::{Calendar, Window};
pub use words::Words;
