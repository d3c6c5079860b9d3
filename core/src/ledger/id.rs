//! The random 128-bit names of homes, streams and calls, written as 32 hex characters.

use super::entry::ActionId;
use super::hex;
use std::fmt;
use std::str::FromStr;

/// Names a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HomeId(pub [u8; 16]);

/// Names the stream of one writing process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub [u8; 16]);

/// The text was not 32 lower-case hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 lower-case hex characters")]
pub struct BadId;

macro_rules! id_text {
    ($($id:ident)*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::text(&self.0))
            }
        }

        impl FromStr for $id {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                hex::parse(text.as_bytes()).map(Self).ok_or(BadId)
            }
        }
    )*};
}

id_text! { HomeId StreamId ActionId }
