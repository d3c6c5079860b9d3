//! The one call that is timed, the same as in `bench/peers/workload.py`: four arguments, 200 bytes.

use counterseal::call::{PROGRAM_SOURCE, ToolSpec};
use counterseal::decide::{Layer, Layers, Options, ToolPlan};
use counterseal::policy;
use counterseal::value::{Value, map};
use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

/// The policy that the targets of a call are measured with.
pub(crate) const STANDARD: &str = include_str!("../../policies/standard.yaml");
/// The same with a budget, a rate limit and a loop rule.
pub(crate) const WHOLE: &str = include_str!("../../policies/standard_whole.yaml");
/// One rule of one condition.
pub(crate) const ONE_RULE: &str = include_str!("../../policies/one_rule.yaml");

pub(crate) const CUSTOMER: &str = "3f1c9a52-77d0-4c1e-9b35-0d2f6a8e4b17";
pub(crate) const AMOUNT: f64 = 42.5;
const MEMO: &str = "returned one of two lamps, the second one arrived with a cracked shade and the customer sent three \
                    photographs; agreed on the phone to refund half of it, now";

/// The arguments, captured.
pub(crate) fn arguments() -> Result<Value<'static>, Box<dyn Error>> {
    let text = |text: &'static str| Value::Str(Cow::Borrowed(text));
    Ok(map(vec![
        (Cow::Borrowed("customer_id"), text(CUSTOMER)),
        (Cow::Borrowed("amount"), Value::Float(AMOUNT)),
        (Cow::Borrowed("currency"), text("EUR")),
        (Cow::Borrowed("memo"), text(MEMO)),
    ])?)
}

/// What the tool's body gives back.
pub(crate) const fn result() -> Value<'static> {
    Value::Str(Cow::Borrowed(CUSTOMER))
}

/// The tool, declared as the Python package declares a function of its own program.
pub(crate) fn tool() -> ToolSpec {
    ToolSpec {
        name: "issue_refund".to_owned(),
        source: PROGRAM_SOURCE.to_owned(),
        parameters: Some(["customer_id", "amount", "currency", "memo"].map(str::to_owned).to_vec()),
        ..ToolSpec::default()
    }
}

/// The policy in `text` as the only layer beside the built-in one.
pub(crate) fn layers(text: &str) -> Result<Layers, Box<dyn Error>> {
    let policy = Arc::new(policy::load("bench", text)?);
    Ok(Layers::new(vec![Layer { name: Arc::from("local"), policy }], Options::default())?)
}

/// What the policy in `text` says of the tool.
pub(crate) fn plan(text: &str) -> Result<ToolPlan, Box<dyn Error>> {
    Ok(layers(text)?.plan(&tool())?)
}
