//! Compiling a condition, and what a compiled one tells of itself.

use super::bounds::{self, Bound};
use super::check::{Checker, Problem};
use super::lists::Lists;
use super::node::Node;
use super::scope::{Budget, Scope};
use super::types::ArgumentTypes;
use super::{Condition, ConditionError, Facts, Outcome, demands, fence, span};
use std::collections::BTreeSet;
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
    tags: Box<[Box<str>]>,
    asks_session: bool,
    asks_calls: bool,
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
    // a panic in the parser or here is a defect; it refuses the condition instead of taking the program down
    catch_unwind(AssertUnwindSafe(|| compile_unfenced(source, declared))).unwrap_or_else(|_| {
        Err(ConditionError { message: "the condition cannot be read".to_owned(), span: None, suggestion: None })
    })
}

fn compile_unfenced(source: &str, declared: &Declared<'_>) -> Result<Compiled, ConditionError> {
    let tree = fence::parse(source)?;
    let mut checker = Checker::new(declared.arguments.unwrap_or(&UNKNOWN), declared.lists);
    let checked = checker.condition(&tree).map_err(|problem| error(source, *problem))?;
    let names = |names: BTreeSet<String>| names.into_iter().map(Into::into).collect();
    let constant = checked.node.truth(&Scope::of(None, &Budget::default())).ok();
    Ok(Compiled {
        node: checked.node,
        source: source.into(),
        arguments: names(checker.names),
        lists: names(checker.list_names),
        tags: names(checker.tags),
        asks_session: checker.asks_session,
        asks_calls: checker.asks_calls,
        cost: checked.cost,
        constant,
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

    /// The tags it asks the session for, sorted.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(AsRef::as_ref)
    }

    /// Whether it asks the session for anything.
    #[must_use]
    pub const fn asks_session(&self) -> bool {
        self.asks_session
    }

    /// Whether it asks the session how many calls it made.
    #[must_use]
    pub const fn asks_calls(&self) -> bool {
        self.asks_calls
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
}

impl Compiled {
    /// Why it holds of no call, where that is certain.
    #[must_use]
    pub fn never_holds(&self) -> Option<String> {
        demands::never(&self.node)
    }

    /// Whether it is certain to hold, and not to fail, wherever `when` holds: as its `unless` it leaves nothing of it.
    #[must_use]
    pub fn covers(&self, when: &Self) -> bool {
        demands::covers(&self.node, &when.node)
    }
}

impl Condition for Compiled {
    fn evaluate(&self, facts: &Facts<'_>) -> Outcome {
        // a panic is a defect of ours; like every failure it can only tighten
        match catch_unwind(AssertUnwindSafe(|| self.node.truth(&Scope::of(Some(facts), &Budget::default())))) {
            Ok(Ok(true)) => Outcome::True,
            Ok(Ok(false)) => Outcome::False,
            Ok(Err(failure)) => Outcome::Failed(Arc::from(failure.to_string())),
            Err(_) => Outcome::Failed(Arc::from(format!("`{}` panicked", self.source))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{ArgumentType, Constant, Relation};
    use crate::value::Value;
    use serde_json::json;
    use std::borrow::Cow;

    fn lists() -> Lists {
        Lists::new([("own".to_owned(), vec![json!("example.com")]), ("ids".to_owned(), vec![json!(1), json!(2)])])
            .expect("scalars")
    }

    fn untyped(source: &str) -> Result<Compiled, ConditionError> {
        compile(source, &Declared { arguments: None, lists: &lists() })
    }

    fn typed(source: &str) -> Result<Compiled, ConditionError> {
        let arguments = ArgumentTypes::closed([
            ("amount", ArgumentType::Number),
            ("count", ArgumentType::Int),
            ("to", ArgumentType::String),
            ("cc", ArgumentType::List(Box::new(ArgumentType::String))),
        ]);
        compile(source, &Declared { arguments: Some(&arguments), lists: &lists() })
    }

    fn map(entries: Vec<(&'static str, Value<'static>)>) -> Value<'static> {
        Value::Map(entries.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
    }

    fn outcome(source: &str, args: Vec<(&'static str, Value<'static>)>) -> Outcome {
        untyped(source).expect("accepted").evaluate(&Facts::of_call(&map(args)))
    }

    #[test]
    fn an_untyped_number_compares_and_fails_on_text() {
        let source = "args.amount > 100.0";
        assert_eq!(outcome(source, vec![("amount", Value::Int(101))]), Outcome::True);
        assert_eq!(outcome(source, vec![("amount", Value::Float(99.5))]), Outcome::False);
        assert_eq!(outcome(source, vec![("amount", Value::Decimal("100.01".into()))]), Outcome::True);
        let failed = |why: &str| Outcome::Failed(Arc::from(why));
        assert_eq!(outcome(source, vec![]), failed("`args.amount` is missing"));
        assert_eq!(
            outcome(source, vec![("amount", Value::Str("1000".into()))]),
            failed("`args.amount > 100.0` compares text with a double")
        );
        assert_eq!(
            outcome(source, vec![("amount", Value::Float(f64::NAN))]),
            failed("`args.amount > 100.0` compares with a not-a-number")
        );
        assert_eq!(
            outcome(source, vec![("amount", Value::Opaque("socket".into()))]),
            failed("`args.amount` is opaque")
        );
    }

    #[test]
    fn a_typed_value_of_another_type_fails() {
        let condition = typed("args.count > 5").expect("accepted");
        let args = map(vec![("count", Value::Float(7.0))]);
        assert_eq!(
            condition.evaluate(&Facts::of_call(&args)),
            Outcome::Failed(Arc::from("`args.count` is a double, not an integer"))
        );
    }

    #[test]
    fn refusals_say_what_where_and_what_to_write() {
        for (source, message, part, suggestion) in [
            (
                "args.to == \"a\"",
                "the type of `args.to` is not known",
                "args.to == \"a\"",
                Some("write `string(args.to) == \"a\"`"),
            ),
            (
                "session.seen(\"x\")",
                "unknown function `session.seen`",
                "session.seen(\"x\")",
                Some("the session is asked by `saw`, `calls`, `said` and `known`"),
            ),
            (
                "email_domian(args.to) in lists.own",
                "unknown function `email_domian`",
                "email_domian(args.to)",
                Some("did you mean `email_domain`"),
            ),
            ("email_domain(args.to) in lists.won", "there is no list `won`", "lists.won", Some("did you mean `own`")),
            (
                "true && amount > 5",
                "unknown variable `amount`",
                "amount",
                Some("an argument is written `args.amount`, a text `\"amount\"`"),
            ),
            (
                "args.x.map(y, y)",
                "`map` and `filter` build lists, which conditions do not",
                "args.x.map(y, y)",
                Some("use `all`, `exists` or `exists_one`"),
            ),
            (
                "size(args.x)",
                "a condition is true or false, and `size(args.x)` is an integer",
                "size(args.x)",
                Some("compare it with something"),
            ),
        ] {
            let refused = untyped(source).expect_err(source);
            assert_eq!((refused.message.as_str(), refused.suggestion.as_deref()), (message, suggestion), "{source}");
            let span = refused.span.clone().expect(source);
            assert_eq!(source.get(span), Some(part), "{source}");
        }
    }

    #[test]
    fn a_known_tool_has_known_arguments() {
        let refused = typed("args.amout > 5").expect_err("refused");
        assert_eq!(refused.message, "the tool has no argument `amout`");
        assert_eq!(refused.suggestion.as_deref(), Some("did you mean `amount`"));
        assert!(typed("args.to > 5").is_err());
        assert!(typed("args.to == \"a\" && args.amount * 2.0 > 5 && args.cc.all(c, c.endsWith(\"x\"))").is_ok());
        let loose = untyped("args.amount > \"x\"").expect("accepted");
        let types = ArgumentTypes::closed([("amount", ArgumentType::Number)]);
        assert!(compile(loose.source(), &Declared { arguments: Some(&types), lists: &lists() }).is_err());
    }

    #[test]
    fn it_tells_what_it_names_and_demands() {
        let condition = untyped("args.amount > 5 && (10 >= args.amount) && email_domain(args.to.name) in lists.own")
            .expect("accepted");
        assert_eq!(condition.arguments().collect::<Vec<_>>(), ["amount", "to"]);
        assert_eq!(condition.lists().collect::<Vec<_>>(), ["own"]);
        assert_eq!(condition.constant(), None);
        let bounds = condition.bounds();
        assert_eq!(bounds.len(), 2);
        assert_eq!(
            bounds[1],
            Bound { path: "args.amount".to_owned(), relation: Relation::LessOrEqual, constant: Constant::Int(10) }
        );
        assert!(condition.contradiction().is_none());
        for impossible in [
            "args.a > 5 && args.a < 3",
            "args.a > 5 && !(args.a >= 5.0)",
            "args.a >= 5 && args.a < 5",
            "args.a == null && args.a > 1",
        ] {
            assert!(untyped(impossible).expect(impossible).contradiction().is_some(), "{impossible}");
        }
        for possible in [
            "args.a > 5 || args.a < 3",
            "args.a >= 5 && args.a <= 5",
            "args.a > 5 && args.b < 3",
            "args.a != null && args.a > 1",
        ] {
            assert!(untyped(possible).expect(possible).contradiction().is_none(), "{possible}");
        }
        let gap = typed("args.count > 5 && args.count != 7").expect("accepted");
        assert!(gap.contradiction().is_none());
        assert!(typed("args.count == 5 && args.count != 5").expect("accepted").contradiction().is_some());
    }

    #[test]
    fn constants_are_found() {
        for (source, expected) in [
            ("1 < 2", Some(true)),
            ("false && args.x", Some(false)),
            ("true || args.x", Some(true)),
            ("\"a\" in lists.own", Some(false)),
            ("[1, 2].exists(x, x > 1)", Some(true)),
            ("args.x > 1", None),
        ] {
            assert_eq!(untyped(source).expect(source).constant(), expected, "{source}");
        }
    }

    #[test]
    fn a_long_text_in_a_comprehension_costs_no_seconds() {
        let args = map(vec![
            ("l", Value::List(vec![Value::Str("b".into()); 1024])),
            ("s", Value::Str("a".repeat(1 << 20).into())),
        ]);
        for source in [
            "args.l.exists(x, args.s.contains(x))",
            "args.l.exists(x, args.s.matches(\"b$\"))",
            "args.l.exists(x, size(args.s) == 1)",
            "args.l.exists(x, string(args.s) in lists.own)",
        ] {
            let came_out = untyped(source).expect(source).evaluate(&Facts::of_call(&args));
            let Outcome::Failed(why) = came_out else { panic!("{source}: {came_out:?}") };
            assert!(why.ends_with("looks at too much text"), "{why}");
        }
        let once =
            untyped("args.s.contains(\"b\") || args.s.matches(\"b$\") || glob(\"*b\", args.s)").expect("accepted");
        assert_eq!(once.evaluate(&Facts::of_call(&args)), Outcome::False);
    }

    #[test]
    fn what_never_holds_is_known_and_nothing_else_is_refused() {
        for never in [
            "int(args.n) > 5 && int(args.n) < 3",
            "double(args.n) > 5.0 && double(args.n) < 5.0",
            "string(args.a) == \"a\" && string(args.a) == \"b\"",
            "timestamp(args.t) < timestamp(\"2026-01-01T00:00:00Z\") && timestamp(args.t) > timestamp(\"2026-01-02T00:00:00Z\")",
            "size(args.x) > 5 && size(args.x) < 2",
            "url_host(args.u) == \"a.com\" && url_host(args.u) == \"b.com\"",
            "size(args.x) < 0",
            "args.b && !args.b",
            "has(args.x) && !has(args.x)",
            "!(args.n <= 5 || args.n >= 3)",
            "int(args.n) in [1, 2] && int(args.n) == 3",
            "int(args.n) in [1, 2] && !(int(args.n) in [2, 1, 3])",
            "args.f ? false : false",
            "args.n > 5 && (args.n < 3 || args.n < 2)",
            "int(args.n) > 5 && int(args.n) < 6",
            "int(args.n) == 1.5",
            "int(args.n) > 9.3e18",
            "size(args.x) == 1.5",
            "int(args.n) in [1] && int(args.n) in [2]",
            "args.n < args.n",
            "string(args.a) != string(args.a)",
            "args.a < \"\"",
            "args.l.exists(x, x > 5 && x < 3)",
            "args.a == null && args.a > 5",
            "args.a > 5 && args.a > \"a\"",
            "(args.f || args.g) && !args.f && !args.g",
        ] {
            assert!(untyped(never).expect(never).never_holds().is_some(), "{never}");
        }
        for never in [
            "args.count == 1.5",
            "args.count > 9.3e18",
            "string(args.count) == \"01\"",
            "args.count > 5 && args.count < 6",
        ] {
            assert!(typed(never).expect(never).never_holds().is_some(), "{never}");
        }
        for possible in [
            "args.n > 5 && args.n < 6",
            "int(args.n) >= 5 && int(args.n) <= 5",
            "int(args.n) > 5 && int(args.n) < 7",
            "string(args.a) > \"a\" && string(args.a) < \"b\"",
            "string(args.a) != \"a\" && string(args.a) != \"b\"",
            "args.f && !args.g",
            "has(args.x) && !has(args.y)",
            "args.n > 5 || args.n < 3",
            "!(args.n <= 3 || args.n >= 5)",
            "int(args.n) in [1, 2] && int(args.n) == 2",
            "int(args.n) in [1, 2] && !(int(args.n) in [2])",
            "!(string(args.a) in lists.own) && string(args.a) == \"a\"",
            "args.f ? false : args.g",
            "args.a != null && args.a > 5",
            "size(args.x) == 0",
            "size(args.x) == 1.0",
            "args.n <= args.n",
            "args.a <= \"\"",
            "args.l.exists(x, x > 5) && args.l.exists(x, x < 3)",
            "args.l[0] > 5 && args.l[1] < 3",
            "args.f",
            "args.a.startsWith(\"a\") && !args.a.endsWith(\"a\")",
        ] {
            assert_eq!(untyped(possible).expect(possible).never_holds(), None, "{possible}");
        }
        assert_eq!(typed("args.amount > 5 && args.amount < 6").expect("accepted").never_holds(), None);
        assert_eq!(typed("string(args.count) == \"1\"").expect("accepted").never_holds(), None);
    }

    #[test]
    fn an_exception_that_leaves_nothing_is_known() {
        let covers = |when: &str, unless: &str| untyped(unless).expect(unless).covers(&untyped(when).expect(when));
        for (when, unless) in [
            ("args.n > 5", "args.n > 3"),
            ("args.n > 5", "args.n > 5"),
            ("args.n > 5 && args.f", "args.n > 9 || args.n < 10"),
            ("int(args.n) == 2", "int(args.n) in [1, 2]"),
            ("args.f", "args.f"),
        ] {
            assert!(covers(when, unless), "{when} unless {unless}");
        }
        for (when, unless) in [
            ("args.n > 3", "args.n > 5"),
            ("args.n > 5", "args.n > 3 && args.m > 3"),
            ("args.n > 5", "args.m > 3"),
            // where `args.m` is missing the exception fails, and the rule matches
            ("args.n > 5", "args.n > 3 && (args.m > 1 || args.m <= 1)"),
            ("args.n > 5 || args.f", "args.n > 3"),
            ("args.n != null", "args.n > 3 || args.n <= 3"),
        ] {
            assert!(!covers(when, unless), "{when} unless {unless}");
        }
    }
}
