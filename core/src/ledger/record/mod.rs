//! Records: one line of JSON each, rendered, read and described by a schema.

pub(crate) mod json;
pub(crate) mod line;
mod parse;
pub mod payloads;
mod render;
pub mod scalar;
mod schema;
mod sidecar;
pub(crate) mod time;
pub mod typed;

pub use render::{PayloadHash, Position, Renderer};
pub use schema::record_schema;
pub use sidecar::{SidecarLine, payload_hash, push_sidecar_line};
pub use typed::{Kind, Record};
