//! What conditions can call. Everything that could be read in two ways fails, and a failing condition can only tighten.

pub(super) mod arithmetic;
pub(super) mod cidr;
pub(super) mod convert;
pub(super) mod email;
pub(super) mod path;
pub(super) mod url;
