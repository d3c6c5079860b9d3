//! Replays `tests/vectors/conditions.json`: every operator on every pair of types, and the functions' edges.
//!
//! `COUNTERSEAL_BLESS=1` writes what came out into the file instead; the difference is then reviewed by hand.

#![cfg(test)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterseal::condition::{
    ArgumentType, ArgumentTypes, Compiled, Condition, ConditionError, Declared, Facts, Lists, Outcome, compile,
};
use counterseal::value::{Value, map};
use serde_json::{Map, Value as Json, json};
use std::borrow::Cow;
use std::fmt::Write as _;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/conditions.json");

/// A value as the vectors write it: JSON, and the tagged objects of `docs/formats.md` for the rest.
fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().expect("a double")),
        },
        Json::String(text) => Value::Str(Cow::Borrowed(text)),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(members) => match members.iter().next() {
            Some((tag, Json::String(text))) if tag.starts_with('$') => tagged(tag, text),
            _ => map(members.iter().map(|(name, of)| (Cow::Borrowed(name.as_str()), value(of))).collect())
                .expect("a map"),
        },
    }
}

fn tagged<'a>(tag: &str, text: &'a str) -> Value<'a> {
    match tag {
        "$int" => Value::BigInt(Cow::Borrowed(text)),
        "$float" => Value::Float(text.parse().expect("a double")),
        "$bytes" => Value::Bytes(Cow::Owned(BASE64.decode(text).expect("base64"))),
        "$decimal" => Value::Decimal(Cow::Borrowed(text)),
        "$time" => Value::Time(Cow::Borrowed(text)),
        "$opaque" => Value::Opaque(Cow::Borrowed(text)),
        other => panic!("unknown tag {other}"),
    }
}

fn declared(types: &Json) -> ArgumentTypes {
    let Json::Object(types) = types else { panic!("types by name") };
    ArgumentTypes::closed(
        types.iter().map(|(name, of)| (name.clone(), argument_type(of.as_str().expect("a type's name")))),
    )
}

fn argument_type(name: &str) -> ArgumentType {
    match name {
        "bool" => ArgumentType::Bool,
        "int" => ArgumentType::Int,
        "double" => ArgumentType::Number,
        "string" => ArgumentType::String,
        "bytes" => ArgumentType::Bytes,
        "decimal" => ArgumentType::Decimal,
        "time" => ArgumentType::Time,
        "list" => ArgumentType::List(Box::new(ArgumentType::Int)),
        "texts" => ArgumentType::List(Box::new(ArgumentType::String)),
        "map" => ArgumentType::Map(ArgumentTypes::closed([("b", ArgumentType::Int)])),
        // nothing is declared null or opaque: such an argument is declared without a type
        "any" | "null" | "opaque" => ArgumentType::Any,
        other => panic!("unknown type {other}"),
    }
}

fn lists(setup: &Json) -> Lists {
    let Some(Json::Object(lists)) = setup.get("lists") else { panic!("lists") };
    Lists::new(lists.iter().map(|(name, items)| (name.clone(), items.as_array().expect("items").clone())))
        .expect("scalars")
}

fn load(when: &str, types: Option<&ArgumentTypes>, lists: &Lists) -> Result<Compiled, ConditionError> {
    compile(when, &Declared { arguments: types, lists })
}

fn error(source: &str, refused: &ConditionError) -> Json {
    let mut told = Map::from_iter([
        ("code".to_owned(), json!("policy_condition")),
        ("message".to_owned(), json!(refused.message)),
    ]);
    if let Some(span) = refused.span.clone() {
        told.insert("at".to_owned(), json!(source.get(span).expect("on character boundaries")));
    }
    if let Some(suggestion) = &refused.suggestion {
        told.insert("suggestion".to_owned(), json!(suggestion));
    }
    Json::Object(told)
}

fn evaluate(case: &mut Map<String, Json>, lists: &Lists) {
    let when = case["when"].as_str().expect("a condition").to_owned();
    let types = case.get("types").map(declared);
    match load(&when, types.as_ref(), lists) {
        Err(refused) => {
            case.remove("expect");
            case.insert("error".to_owned(), error(&when, &refused));
        }
        Ok(condition) => {
            let empty = json!({});
            let args = value(case.get("args").unwrap_or(&empty));
            let came_out = match condition.evaluate(&Facts::of_call(&args)) {
                Outcome::True => json!(true),
                Outcome::False => json!(false),
                Outcome::Failed(why) => json!({"failed": why.as_ref()}),
            };
            case.remove("error");
            case.insert("expect".to_owned(), came_out);
        }
    }
}

/// `T`rue, `F`alse, failed (`X`), or refused at load (`E`).
fn letter(when: &str, arguments: &[(&str, &str, &Json)], typed: bool, lists: &Lists) -> char {
    let types = ArgumentTypes::closed(arguments.iter().map(|(name, of, _)| (*name, argument_type(of))));
    let Ok(condition) = load(when, typed.then_some(&types), lists) else { return 'E' };
    let args = map(arguments.iter().map(|(name, _, of)| (Cow::Borrowed(*name), value(of))).collect()).expect("a map");
    match condition.evaluate(&Facts::of_call(&args)) {
        Outcome::True => 'T',
        Outcome::False => 'F',
        Outcome::Failed(_) => 'X',
    }
}

fn table(case: &mut Map<String, Json>, setup: &Json, lists: &Lists, pairs: bool) {
    let when = case["when"].as_str().expect("a condition").to_owned();
    let typed = case["typed"].as_bool().expect("typed or not");
    let types: Vec<&str> =
        setup["types"].as_array().expect("types").iter().map(|name| name.as_str().expect("a name")).collect();
    let row = |left: &str| {
        types
            .iter()
            .map(|right| {
                letter(&when, &[("a", left, &setup["left"][left]), ("b", right, &setup["right"][*right])], typed, lists)
            })
            .collect::<String>()
    };
    let came_out = if pairs {
        Json::Object(types.iter().map(|left| ((*left).to_owned(), json!(row(left)))).collect())
    } else {
        let letters = types.iter().map(|left| letter(&when, &[("a", left, &setup["left"][*left])], typed, lists));
        json!(letters.collect::<String>())
    };
    case.insert("expect".to_owned(), came_out);
}

#[test]
fn conditions_come_out_as_the_vectors_say() {
    let text = std::fs::read_to_string(FILE).expect("the vectors");
    let whole: Json = serde_json::from_str(&text).expect("json");
    let setup = &whole["setup"];
    let lists = lists(setup);
    let mut cases = Vec::new();
    let mut differ = String::new();
    for case in whole["cases"].as_array().expect("cases") {
        let Json::Object(given) = case else { panic!("a case is an object") };
        let mut case = given.clone();
        match case["op"].as_str() {
            Some("evaluate") => evaluate(&mut case, &lists),
            Some("pairs") => table(&mut case, setup, &lists, true),
            Some("types") => table(&mut case, setup, &lists, false),
            other => panic!("unknown op {other:?}"),
        }
        if case != *given {
            writeln!(differ, "expected {}\ncame out {}\n", Json::Object(given.clone()), Json::Object(case.clone()))
                .expect("a string");
        }
        cases.push(case);
    }
    if std::env::var_os("COUNTERSEAL_BLESS").is_some() {
        let lines: Vec<String> = cases.into_iter().map(|case| Json::Object(case).to_string()).collect();
        let (name, since) = (&whole["name"], &whole["since"]);
        let text =
            format!("{{\"name\":{name},\"since\":{since},\"setup\":{setup},\"cases\":[\n{}\n]}}\n", lines.join(",\n"));
        std::fs::write(FILE, text).expect("written");
    } else {
        assert!(differ.is_empty(), "{differ}");
    }
}
