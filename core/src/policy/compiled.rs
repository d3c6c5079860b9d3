//! A policy that was read and checked: what decisions are made on.

use super::conditions::{Asked, Conditions, compile_all};
use super::document::{Document, Record, Redact, Rule};
use super::index::Index;
use super::limiting::{self, Limit};
use super::node::Node;
use super::pattern::ToolPattern;
use super::problem::{At, PolicyErrors, Problems};
use super::read::{Placed, Read};
use super::tool_key::Tools;
use super::words::Known;
use super::{asking, reach, version, vocabulary};
use crate::call::ToolSpec;
use crate::condition::Lists;
use crate::decide::{Enforcement, FailMode, RecordLevel, Verdict};
use crate::error::ErrorCode;
use crate::redact::Redaction;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A policy, checked and compiled. Immutable; sharing one is cheap through [`Arc`].
#[derive(Debug)]
pub struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) version: [u8; 32],
    /// Whether the document gives a default; without one, rules, limits and a scope it decides nothing.
    pub(crate) default: Option<Verdict>,
    pub(crate) enforcement: Enforcement,
    pub(crate) may_loosen: bool,
    pub(crate) fail_mode: FailMode,
    pub(crate) scope: Option<Vec<Placed<ToolPattern>>>,
    pub(crate) tags: Option<BTreeSet<Arc<str>>>,
    pub(crate) tools: Tools,
    /// Sorted by id, so that nothing depends on the order of the document.
    pub(crate) rules: Vec<CompiledRule>,
    pub(crate) index: Index,
    /// Sorted by id.
    pub(crate) limits: Vec<Limit>,
    pub(crate) lists: Lists,
    pub(crate) redaction: Redaction,
    pub(crate) record: Option<Record>,
    pub(crate) asked: Asked,
}

/// A rule and its conditions.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) rule: Rule,
    pub(crate) at: At,
    /// Checked without knowing the tool's arguments; `None` where every tool of the rule has known ones.
    pub(crate) conditions: Option<Conditions>,
}

impl Policy {
    /// Builds the policy called `name` from its tree: all or nothing.
    pub(crate) fn build(name: &str, root: Option<Node<'_>>, mut out: Problems) -> Result<Self, PolicyErrors> {
        let Some(root) = root else {
            if out.is_empty() {
                let start = At::Text { line: 1, column: 1 };
                out.instead(&start, "the policy is empty", "write at least `version: 1`");
            }
            return Err(out.into_errors(name));
        };
        let version = version::version(&root).unwrap_or_else(|error| {
            out.instead(&root.at, error.message(), "write the value in another way");
            [0; 32]
        });
        let document = Document::read(&root, &mut out);
        let start = root.at.clone();
        // the tree lends nothing to the document and is larger than it
        drop(root);
        let Some(document) = document else {
            return Err(out.into_errors(name));
        };
        let mut policy = Self::from_document(name, version, document, &start, &mut out);
        vocabulary::check(&policy, &mut out);
        vocabulary::check_facts(&policy, &mut out);
        limiting::check_ids(&policy, &mut out);
        limiting::check_arguments(&policy, &mut out);
        compile_all(&mut policy, &mut out);
        if out.is_empty() {
            // what was refused above would be missing here and look like another mistake
            asking::check(&policy, &mut out);
            reach::check(&policy, &mut out);
        }
        if out.is_empty() { Ok(policy) } else { Err(out.into_errors(name)) }
    }

    fn from_document(name: &str, version: [u8; 32], document: Document, start: &At, out: &mut Problems) -> Self {
        let mut rules: Vec<CompiledRule> = document
            .rules
            .unwrap_or_default()
            .into_iter()
            .map(|rule| CompiledRule { rule: rule.value, at: rule.at, conditions: None })
            .collect();
        rules.sort_by(|one, two| one.rule.id().cmp(two.rule.id()));
        for pair in rules.windows(2) {
            if let [first, second] = pair
                && let (Some(_), Some(id)) = (&first.rule.id, &second.rule.id)
                && first.rule.id() == second.rule.id()
            {
                out.instead(
                    &id.at,
                    format!("the id `{}` is given to two rules", second.rule.id()),
                    "call one of them something else",
                );
            }
        }
        let limits = limiting::limits(
            &document.budgets.unwrap_or_default(),
            &document.rate_limits.unwrap_or_default(),
            document.loops.as_ref(),
            out,
        );
        let lists = document.lists.unwrap_or_default();
        let lists =
            lists.into_iter().map(|(name, items)| (name.0.to_string(), items.into_iter().map(|item| item.0).collect()));
        let lists = Lists::new(lists).unwrap_or_else(|error| {
            out.push(ErrorCode::PolicyInvalid, start, error.message, error.suggestion);
            Lists::default()
        });
        let redact = document.redact;
        if let (Some(redact), Some(record)) = (&redact, &document.record) {
            redacts_nothing(redact, record, out);
        }
        let (keys, detect) = redact.map_or((None, None), |redact| (redact.keys, redact.detect));
        let keys: Vec<String> = keys.unwrap_or_default().into_iter().map(|key| key.0.to_string()).collect();
        Self {
            name: document.name.map_or_else(|| Arc::from(name), |name| name.0),
            version,
            default: document.default,
            enforcement: document.enforcement.unwrap_or_default(),
            may_loosen: document.may_loosen.unwrap_or(false),
            fail_mode: document.fail_mode.unwrap_or_default(),
            scope: document.scope,
            tags: document.tags.map(|tags| tags.into_iter().map(|tag| tag.value.0).collect()),
            tools: document.tools.unwrap_or_default(),
            index: Index::new(&rules),
            limits,
            rules,
            lists,
            redaction: Redaction::new(&keys, &detect.unwrap_or_default()),
            record: document.record.map(|record| record.value),
            asked: Asked::default(),
        }
    }

    /// What the policy is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of its canonical form: the same for the same content, whatever its layout.
    #[must_use]
    pub const fn version(&self) -> [u8; 32] {
        self.version
    }

    /// How many rules it has.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The rules' ids, sorted.
    pub fn rule_ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.rule.id())
    }

    /// The mode it asks for.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    /// What holds where no rule matched.
    #[must_use]
    pub fn default_verdict(&self) -> Verdict {
        self.default.unwrap_or(Verdict::Allow)
    }

    /// Whether it decides anything: it has a default, a scope, a rule or a limit.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.default.is_some() || self.scope.is_some() || !self.rules.is_empty() || !self.limits.is_empty()
    }

    /// Whether it lets every call run: no scope, rule or limit, and a default of `allow` or none.
    #[must_use]
    pub fn refuses_nothing(&self) -> bool {
        self.default_verdict() == Verdict::Allow
            && self.scope.is_none()
            && self.rules.is_empty()
            && self.limits.is_empty()
    }

    /// How many budgets, rate limits and limits on loops it has.
    #[must_use]
    pub fn limit_count(&self) -> usize {
        self.limits.len()
    }

    /// The tools it names one by one, in scope, `tools` and rules: sorted, each once, as written.
    #[must_use]
    pub fn named_tools(&self) -> Vec<&str> {
        let scope = self.scope.iter().flatten().map(|pattern| &pattern.value);
        let tools = self.tools.entries().iter().map(|entry| &entry.pattern);
        let limits = self.limits.iter().map(|limit| &limit.rule);
        let rules = self.rules.iter().map(|rule| &rule.rule).chain(limits);
        let rules = rules.filter_map(|rule| rule.tools.as_ref()).flat_map(|list| &list.value);
        let rules = rules.map(|pattern| &pattern.value);
        let named = scope.chain(tools).chain(rules).filter(|pattern| pattern.is_exact());
        named.map(|pattern| &**pattern.text()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The rules that speak of `tool`, in order of their ids.
    pub(crate) fn rules_of(&self, tool: &ToolSpec, known: &Known) -> Vec<&CompiledRule> {
        let places = self.index.candidates(&tool.name, &known.all);
        let found = places.into_iter().filter_map(|place| self.rules.get(usize::try_from(place).ok()?));
        found.filter(|rule| rule.rule.selects(&tool.source, &tool.name, known)).collect()
    }
}

impl Policy {
    /// The limits that speak of `tool`, in order of their ids.
    pub(crate) fn limits_of<'p>(&'p self, tool: &'p ToolSpec, known: &'p Known) -> impl Iterator<Item = &'p Limit> {
        self.limits.iter().filter(|limit| limit.rule.selects(&tool.source, &tool.name, known))
    }
}

/// Notes a policy that says what to take out of its records and then keeps all of it: one of the two is a slip.
fn redacts_nothing(redact: &Redact, record: &Placed<Record>, out: &mut Problems) {
    let something = redact.keys.as_ref().is_some_and(|keys| !keys.is_empty())
        || redact.detect.as_ref().is_some_and(|detect| !detect.is_empty());
    let full = Some(RecordLevel::Full);
    if something && record.args == full && record.result == full {
        let message = "`redact` takes nothing out where arguments and results are recorded in full";
        out.instead(&record.at, message, "write `args: redacted`, and `full` for the tools that need it");
    }
}

impl Rule {
    /// The id; empty where it could not be read, which is then an error anyway.
    pub(crate) fn id(&self) -> &str {
        self.id.as_ref().map_or("", |id| &id.value.0)
    }
}
