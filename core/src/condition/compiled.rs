//! Compiling a condition, and what a compiled one tells of itself.

use super::bounds::{self, Bound};
use super::check::{Checker, Problem};
use super::evaluate::Scope;
use super::lists::Lists;
use super::node::Node;
use super::types::ArgumentTypes;
use super::{Condition, ConditionError, Facts, Outcome, fence, span};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

/// What a condition may name.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    /// The arguments of the tools it speaks of, where they are known and the same.
    pub arguments: Option<&'a ArgumentTypes>,
    /// The lists of its policy. The compiled condition shares those it names.
    pub lists: &'a Lists,
}

/// A condition ready to be evaluated, by any number of threads.
#[derive(Debug)]
pub struct Compiled {
    node: Node,
    source: Box<str>,
    arguments: Box<[Box<str>]>,
    lists: Box<[Box<str>]>,
    cost: u64,
    constant: Option<bool>,
}

/// Arguments of which nothing is known.
static UNKNOWN: LazyLock<ArgumentTypes> = LazyLock::new(|| ArgumentTypes::open::<String>([]));

/// Parses and checks a condition.
///
/// # Errors
/// It is too large, not well-formed, names what is not declared, compares what never compares, is no truth value, or can
/// take too long; the error says where and what to write.
pub fn compile(source: &str, declared: &Declared<'_>) -> Result<Compiled, ConditionError> {
    let tree = fence::parse(source)?;
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let mut checker = Checker::new(declared.arguments.unwrap_or(&UNKNOWN), declared.lists);
        let checked = checker.condition(&tree).map_err(|problem| error(source, *problem))?;
        let names = |names: std::collections::BTreeSet<String>| names.into_iter().map(Into::into).collect();
        let constant = checked.node.truth(&Scope::of(None)).ok();
        Ok(Compiled {
            node: checked.node,
            source: source.into(),
            arguments: names(checker.names),
            lists: names(checker.list_names),
            cost: checked.cost,
            constant,
        })
    }));
    checked.unwrap_or_else(|_| {
        Err(ConditionError { message: "the condition cannot be checked".to_owned(), span: None, suggestion: None })
    })
}

fn error(source: &str, problem: Problem<'_>) -> ConditionError {
    ConditionError { message: problem.message, span: span::of(source, problem.at), suggestion: problem.suggestion }
}

impl Compiled {
    /// The source it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The arguments it names, sorted: `amount` for `args.amount` and for `args.amount.cents`.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(AsRef::as_ref)
    }

    /// The lists it names, sorted.
    pub fn lists(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().map(AsRef::as_ref)
    }

    /// Node visits of one evaluation in the worst case.
    #[must_use]
    pub const fn cost(&self) -> u64 {
        self.cost
    }

    /// What it always is, whatever the call: found by evaluating it while every argument fails.
    #[must_use]
    pub const fn constant(&self) -> Option<bool> {
        self.constant
    }

    /// The comparisons of an argument with a constant that all have to hold for it to hold.
    #[must_use]
    pub fn bounds(&self) -> Vec<Bound> {
        bounds::of(&self.node)
    }

    /// Two demands on one argument that no value meets both, such as `args.n > 5` and `args.n < 3`: it never holds.
    #[must_use]
    pub fn contradiction(&self) -> Option<(Bound, Bound)> {
        let bounds = self.bounds();
        bounds::contradiction(&bounds).map(|(one, other)| (one.clone(), other.clone()))
    }

    /// Checks it again once a tool's arguments are known. What it returns is checked with their types and fails on a
    /// value of another; use it for that tool in this one's place.
    ///
    /// # Errors
    /// It names an argument that the tool cannot have, or compares one with what it never equals.
    pub fn recheck(&self, arguments: &ArgumentTypes, lists: &Lists) -> Result<Self, ConditionError> {
        compile(&self.source, &Declared { arguments: Some(arguments), lists })
    }
}

impl Condition for Compiled {
    fn evaluate(&self, facts: &Facts<'_>) -> Outcome {
        // a panic is a defect of ours; like every failure it can only tighten
        match catch_unwind(AssertUnwindSafe(|| self.node.truth(&Scope::of(Some(facts.args))))) {
            Ok(Ok(true)) => Outcome::True,
            Ok(Ok(false)) => Outcome::False,
            Ok(Err(failure)) => Outcome::Failed(Arc::from(failure.to_string())),
            Err(_) => Outcome::Failed(Arc::from(format!("`{}` panicked", self.source))),
        }
    }
}
