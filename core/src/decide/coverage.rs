//! What the rules in force ask of the tools of a program that none of them can answer.

use super::layers::Layers;
use super::tool;
use crate::call::ToolSpec;
use crate::condition::{ArgumentTypes, Path, lacks};
use crate::policy::{Known, did_you_mean};
use std::collections::{BTreeMap, BTreeSet};

/// A rule that asks for something with `has`, and the guarded tools that it speaks of.
struct Asked<'t> {
    optional: BTreeSet<Path>,
    /// By name; `None` where any argument is possible.
    tools: BTreeMap<&'t str, Option<ArgumentTypes>>,
}

impl Layers {
    /// For each rule over several tools: what it asks for with `has` and none of `guarded` has that it speaks of, one sentence each.
    /// A rule on one tool is refused for such a slip; here another tool may still come, so that it is only told.
    #[must_use]
    pub fn unanswered(&self, guarded: &[ToolSpec]) -> Vec<String> {
        let mut found: BTreeMap<String, Asked<'_>> = BTreeMap::new();
        for spec in guarded {
            for layer in self.layers.iter().filter(|layer| layer.policy.decides()) {
                let known = Known::new(&layer.policy, spec);
                for compiled in layer.policy.rules_of(spec, &known) {
                    let optional = compiled.rule.optional();
                    if optional.is_empty() {
                        continue;
                    }
                    let id = format!("{}/{}", layer.name, compiled.rule.id());
                    let asked = found.entry(id).or_insert_with(|| Asked { optional, tools: BTreeMap::new() });
                    asked.tools.insert(&spec.name, tool::arguments(&layer.policy, spec));
                }
            }
        }
        found.iter().flat_map(|(id, asked)| asked.sentences(id)).collect()
    }
}

impl Asked<'_> {
    fn sentences(&self, id: &str) -> Vec<String> {
        let nobody_has = |path: &&Path| {
            self.tools.values().all(|arguments| arguments.as_ref().is_some_and(|arguments| lacks(arguments, path)))
        };
        self.optional.iter().filter(nobody_has).map(|path| self.sentence(id, path)).collect()
    }

    fn sentence(&self, id: &str, path: &Path) -> String {
        let tools = self.tools.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let argument = path.join(".");
        let mut sentence =
            format!("rule `{id}` asks for `args.{argument}`, which no guarded tool that it speaks of has ({tools})");
        let names = self.tools.values().flatten().flat_map(ArgumentTypes::names);
        if let [name] = path.as_slice()
            && let Some(suggestion) = did_you_mean(name, names)
        {
            sentence.push_str("; ");
            sentence.push_str(&suggestion);
        }
        sentence
    }
}
