//! Raw bytes, mutated conditions and garbage of the right words: nothing panics, overflows a small stack, or takes long.
//!
//! Runs `COUNTERSEAL_FUZZ_SECONDS` (2); `COUNTERSEAL_FUZZ_SEED` repeats a run.

#![cfg(test)]

use counterseal::condition::{ArgumentType, ArgumentTypes, Condition, Declared, Facts, Lists, Outcome, compile};
use counterseal::value::Value;
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A quarter of what a thread gets by default: the host's threads may be small.
const STACK: usize = 512 << 10;

/// Far more than any input takes; a runaway takes minutes.
const LONGEST: Duration = Duration::from_secs(5);

/// More than the whole run needs; a runaway takes gigabytes.
const MOST_MEMORY: u64 = 512 << 20;

/// SplitMix64: small, seeded, good enough to stir bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

const WORDS: [&str; 62] = [
    "args",
    "lists",
    "args.x",
    "args.s",
    "args.l",
    "args.m.b",
    "lists.own",
    "lists.ids",
    "lists.set",
    "x",
    "y",
    "session",
    ".",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "&&",
    "||",
    "true",
    "null",
    "1",
    "0x7f",
    "1u",
    "1.5",
    "1e999",
    "\"a\"",
    "'b'",
    "r\"\\(\"",
    "b\"c\"",
    "\"\"\"q\"\"\"",
    "size(",
    "has(",
    ".all(x,",
    ".exists(x,",
    ".map(x,",
    "string(",
    "int(",
    ".matches(\"(a|b)*\")",
    "glob(\"*\",",
    "//c\n",
    "`q`",
    "?.",
    "\u{1F980}",
];

fn garbage(random: &mut Random) -> String {
    (0..random.below(120)).map(|_| *random.of(&WORDS)).collect::<Vec<_>>().join(*random.of(&["", " "]))
}

fn bytes(random: &mut Random) -> String {
    let raw: Vec<u8> = (0..random.below(300)).map(|_| u8::try_from(random.below(256)).expect("a byte")).collect();
    String::from_utf8_lossy(&raw).into_owned()
}

fn mutated(random: &mut Random, seeds: &[String]) -> String {
    let mut text = random.of(seeds).clone().into_bytes();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len().saturating_add(1));
        match random.below(5) {
            0 if at < text.len() => drop(text.remove(at)),
            1 => text.insert(at, u8::try_from(random.below(256)).expect("a byte")),
            2 => drop(text.splice(at..at, random.of(&WORDS).bytes())),
            3 => {
                let part = text[at..].to_vec();
                text.extend(part);
            }
            _ => {
                let other = random.of(seeds).clone();
                text.truncate(at);
                text.extend(other.into_bytes());
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// One construct inside itself, hundreds of times.
fn nested(random: &mut Random) -> String {
    const LAYERS: [(&str, &str, &str); 12] = [
        ("(", "true", ")"),
        ("[", "1", "]"),
        ("!", "args.x", ""),
        ("-", "1", ""),
        ("", "1", "+1"),
        ("", "args", ".x"),
        ("", "args.l", "[0]"),
        ("true?", "true", ":false"),
        ("size(", "args", ")"),
        ("{1:", "1", "}"),
        ("args.l.all(x,", "true", ")"),
        ("", "true", "&&true"),
    ];
    let (before, middle, after) = random.of(&LAYERS);
    let times = random.below(700);
    format!("{}{middle}{}", before.repeat(times), after.repeat(random.below(2) * times))
}

fn seeds() -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/conditions.json"))
        .expect("vectors");
    let vectors: Json = serde_json::from_str(&text).expect("json");
    vectors["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| case["when"].as_str().expect("text").to_owned())
        .collect()
}

fn arguments() -> Value<'static> {
    let text = |text: &'static str| Value::Str(Cow::Borrowed(text));
    let named = |entries: Vec<(&'static str, Value<'static>)>| {
        Value::Map(entries.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect())
    };
    named(vec![
        ("a", Value::Float(f64::NAN)),
        ("b", Value::Opaque(Cow::Borrowed("socket"))),
        (
            "l",
            Value::List(vec![
                Value::Int(1),
                text("two"),
                Value::Null,
                Value::BigInt(Cow::Borrowed("99999999999999999999")),
            ]),
        ),
        ("m", named(vec![("b", Value::Decimal(Cow::Borrowed("1e+400")))])),
        ("n", Value::Int(i64::MIN)),
        ("s", text("https://ann@example.com/%2e\u{1F980}")),
        ("t", Value::Time(Cow::Borrowed("9999-12-31T23:59:59.999999999Z"))),
        ("x", Value::Int(0)),
    ])
}

fn check(source: &str, lists: &Lists, types: &ArgumentTypes, args: &Value<'_>) -> bool {
    let mut accepted = false;
    for arguments in [None, Some(types)] {
        match compile(source, &Declared { arguments, lists }) {
            Err(refused) => {
                assert!(!refused.message.contains("cannot be read"), "panicked: {}", refused.message);
                if let Some(span) = refused.span {
                    assert!(source.get(span).is_some(), "a span that is not in the source");
                }
            }
            Ok(condition) => {
                accepted = true;
                if let Outcome::Failed(why) = condition.evaluate(&Facts::of_call(args)) {
                    assert!(!why.ends_with("panicked"), "panicked: {why}");
                }
                let _ = (condition.contradiction(), condition.never_holds(), condition.covers(&condition));
            }
        }
    }
    accepted
}

/// The most memory this process ever held, in bytes, where the system says.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.split_whitespace().next().and_then(|size| size.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[test]
fn anything_is_refused_or_evaluated_and_nothing_panics() {
    let seconds = std::env::var("COUNTERSEAL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.subsec_nanos());
    let seed = std::env::var("COUNTERSEAL_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(u64::from(now));
    let run = move || {
        let (mut random, seeds) = (Random(seed), seeds());
        let lists =
            [("own", vec![json!("a"), json!("b")]), ("ids", vec![json!(1), json!(0.5)]), ("set", vec![json!(true)])];
        let lists = Lists::new(lists.map(|(name, items)| (name.to_owned(), items))).expect("scalars");
        let types =
            ArgumentTypes::open([("x", ArgumentType::Int), ("s", ArgumentType::String), ("n", ArgumentType::Int)]);
        let args = arguments();
        let (start, mut inputs, mut accepted) = (Instant::now(), 0_u64, 0_u64);
        while start.elapsed() < Duration::from_secs(seconds) {
            let source = match random.below(10) {
                0 => bytes(&mut random),
                1 => nested(&mut random),
                2..=4 => garbage(&mut random),
                _ => mutated(&mut random, &seeds),
            };
            let before = Instant::now();
            let outcome = std::panic::catch_unwind(|| check(&source, &lists, &types, &args));
            let accepted_now = outcome.unwrap_or_else(|_| panic!("seed {seed}, input {source:?}"));
            assert!(before.elapsed() < LONGEST, "seed {seed}, slow input {source:?}");
            inputs += 1;
            accepted += u64::from(accepted_now);
        }
        (inputs, accepted)
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread");
    let (inputs, accepted) = thread.join().expect("no panic");
    println!("seed {seed}: {inputs} inputs, {accepted} accepted, peak {} MiB", peak() >> 20);
    assert!(accepted > 0, "no input was accepted: the mutations miss the language");
    assert!(peak() < MOST_MEMORY, "seed {seed}: {} bytes of memory", peak());
}
