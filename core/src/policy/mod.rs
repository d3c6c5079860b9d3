//! The policy document: strict loading with positions, checks at load, and its compiled form.
//!
//! Text or value → tree with places ([`yaml`], [`from_value`]) → typed document ([`document`]) → checks ([`vocabulary`],
//! [`conditions`], [`reach`]) → [`Policy`]. All or nothing: every problem found is told, and none is only a warning.

mod argument_schema;
mod asking;
pub mod cases;
mod compiled;
mod conditions;
mod document;
mod from_value;
mod index;
mod later;
mod limiting;
mod node;
mod overlap;
mod pattern;
mod problem;
mod quantity;
mod reach;
mod read;
pub mod reload;
mod schema;
mod suggest;
mod text;
mod tool_key;
mod version;
mod vocabulary;
mod words;
mod yaml;

pub use compiled::Policy;
pub use problem::{At, PolicyError, PolicyErrors};
pub use schema::schema;

pub(crate) use compiled::CompiledRule;
pub(crate) use conditions::{Conditions, Refused, compile_rule};
pub(crate) use document::Record;
pub(crate) use limiting::{Limit, LimitKind, Measure};
pub(crate) use pattern::Bare;
pub(crate) use quantity::{ArgumentPath, Per};
pub(crate) use suggest::did_you_mean;
pub(crate) use version::{hex, of_layers};
pub(crate) use vocabulary::UNTRUSTED;
pub(crate) use words::Known;

use crate::error::ErrorCode;
use crate::value::Value;

/// Loads a policy from YAML or JSON text; `name` is what messages call it, such as its file's name.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load(name: &str, text: &str) -> Result<Policy, PolicyErrors> {
    let mut out = problem::Problems::default();
    let prepared = yaml::join_surrogates(text);
    let root = yaml::parse(&prepared, &mut out);
    Policy::build(name, root, out)
}

/// Loads a policy from the bytes of a file.
///
/// # Errors
/// As [`load`]; and bytes that are not UTF-8.
pub fn load_bytes(name: &str, bytes: &[u8]) -> Result<Policy, PolicyErrors> {
    load(name, utf8(name, "the policy", bytes)?)
}

/// The text of a file; `what` is what its first words say it is.
fn utf8<'b>(name: &str, what: &str, bytes: &'b [u8]) -> Result<&'b str, PolicyErrors> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let before = String::from_utf8_lossy(valid);
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let line = narrow(before.bytes().filter(|byte| *byte == b'\n').count() + 1);
        let column = narrow(before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
        let mut out = problem::Problems::default();
        let suggestion = Some("save the file as utf-8".to_owned());
        out.push(ErrorCode::PolicySyntax, &At::Text { line, column }, format!("{what} is not utf-8 text"), suggestion);
        out.into_errors(name)
    })
}

/// Loads a policy from a value that a program built, such as a Python dictionary; places are paths in it.
///
/// # Errors
/// As [`load`].
pub fn load_value(name: &str, value: &Value<'_>) -> Result<Policy, PolicyErrors> {
    let mut out = problem::Problems::default();
    let root = from_value::tree(value, &mut out);
    Policy::build(name, root, out)
}
