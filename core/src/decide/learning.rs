//! What a session learns from a tool's results.

use super::layers::Layers;
use crate::call::ToolSpec;
use crate::error::{Error, ErrorCode};
use crate::policy::{Bare, UNTRUSTED};
use crate::session::FactDetector;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is looked for in the results of a tool that has `tags`: only what each layer whose rules ask the session says, so that one
/// layer never makes known what another's rules hold back.
///
/// # Errors
/// `policy_invalid` where a layer learns from a tool that any layer or the code calls untrusted.
pub(super) fn facts(layers: &Layers, spec: &ToolSpec, tags: &[Arc<str>]) -> Result<Box<[FactDetector]>, Error> {
    let mut learned: Option<BTreeSet<FactDetector>> = None;
    for layer in &layers.layers {
        let entries = layer.policy.tools.of(Bare::Any, &spec.source, &spec.name);
        let said: BTreeSet<FactDetector> =
            entries.flat_map(|entry| &entry.tool.facts_from_result).flatten().map(|kind| kind.value).collect();
        if !said.is_empty() && tags.iter().any(|tag| &**tag == UNTRUSTED) {
            let message = format!(
                "the policy `{}` takes facts from results of the tool `{}`, which is tagged `{UNTRUSTED}`: whoever writes what it \
                 reads would say what is known",
                layer.policy.name, spec.name
            );
            return Err(Error::new(ErrorCode::PolicyInvalid, message).with("tool", &spec.name));
        }
        if layer.policy.asked.anything {
            learned = Some(match learned {
                Some(others) => others.intersection(&said).copied().collect(),
                None => said,
            });
        }
    }
    Ok(learned.unwrap_or_default().into_iter().collect())
}
