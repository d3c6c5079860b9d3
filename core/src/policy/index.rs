//! Rules by the tools they can speak of, so that planning a tool looks at few of them.

use super::compiled::CompiledRule;
use super::words::ToolWords;
use crate::call::Risk;
use std::collections::HashMap;
use std::sync::Arc;

/// Rules by their most telling selector: names before patterns before tags, risk, connectors, actions.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_name: HashMap<Box<str>, Vec<u32>>,
    by_pattern: Vec<u32>,
    by_tag: HashMap<Arc<str>, Vec<u32>>,
    by_risk: [Vec<u32>; 3],
    by_connector: HashMap<Arc<str>, Vec<u32>>,
    by_action: HashMap<Arc<str>, Vec<u32>>,
}

impl Index {
    /// The index of `rules`, by their places.
    pub(crate) fn new(rules: &[CompiledRule]) -> Self {
        let mut index = Self::default();
        for (place, rule) in (0_u32..).zip(rules) {
            let rule = &rule.rule;
            if let Some(tools) = &rule.tools {
                let mut patterns = false;
                for pattern in &tools.value {
                    match pattern.exact_name() {
                        Some(name) => index.by_name.entry(name.into()).or_default().push(place),
                        None => patterns = true,
                    }
                }
                if patterns {
                    index.by_pattern.push(place);
                }
            } else if let Some(tags) = &rule.tags {
                for tag in &tags.value {
                    index.by_tag.entry(Arc::clone(&tag.0)).or_default().push(place);
                }
            } else if let Some(risks) = &rule.risk {
                for risk in &risks.value {
                    index.by_risk_mut(*risk).push(place);
                }
            } else if let Some(connectors) = &rule.connectors {
                for name in &connectors.value {
                    index.by_connector.entry(Arc::clone(&name.0)).or_default().push(place);
                }
            } else if let Some(actions) = &rule.actions {
                for name in &actions.value {
                    index.by_action.entry(Arc::clone(&name.0)).or_default().push(place);
                }
            }
        }
        index
    }

    /// The places of all rules that can speak of a tool, in order, each once; some of them do not.
    pub(crate) fn candidates(&self, name: &str, words: &ToolWords) -> Vec<u32> {
        let mut places: Vec<u32> = self.by_pattern.clone();
        let mut add = |found: Option<&Vec<u32>>| places.extend(found.into_iter().flatten());
        add(self.by_name.get(name));
        words.tags.iter().for_each(|tag| add(self.by_tag.get(tag)));
        words.connectors.iter().for_each(|name| add(self.by_connector.get(name)));
        words.actions.iter().for_each(|name| add(self.by_action.get(name)));
        for risk in &words.risks {
            let [low, medium, high] = &self.by_risk;
            add(Some(match risk {
                Risk::Low => low,
                Risk::Medium => medium,
                Risk::High => high,
            }));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    const fn by_risk_mut(&mut self, risk: Risk) -> &mut Vec<u32> {
        let [low, medium, high] = &mut self.by_risk;
        match risk {
            Risk::Low => low,
            Risk::Medium => medium,
            Risk::High => high,
        }
    }
}
