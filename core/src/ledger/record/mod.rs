//! Records: one line of JSON each, rendered, read and described by a schema.

pub(crate) mod json;
mod render;
mod sidecar;
pub(crate) mod time;

pub use render::{PayloadHash, Position, Renderer};
pub use sidecar::{SidecarLine, payload_hash, push_sidecar_line};
