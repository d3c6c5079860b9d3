//! Builds values from the typed trees in which the vectors write them down (`tests/vectors/README.md`).

use counterseal::Error;
use counterseal::value::{Value, decimal, integer, key_text, map, sort_as_set, time};
use serde_json::Value as Json;
use std::borrow::Cow;

pub(crate) fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

pub(crate) fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn build(tree: &Json) -> Result<Value<'_>, Error> {
    match tree {
        Json::Null => return Ok(Value::Null),
        Json::Bool(truth) => return Ok(Value::Bool(*truth)),
        Json::String(text) => return Ok(Value::Str(text.into())),
        _ => {}
    }
    let (kind, inside) = tree.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "int" => integer::canonical(text(inside)),
        "bits" => Ok(Value::Float(f64::from_bits(u64::from_str_radix(text(inside), 16).unwrap()))),
        "decimal" => Ok(Value::Decimal(Cow::Owned(decimal::parse(text(inside))?))),
        "bytes" => Ok(Value::Bytes(Cow::Owned(unhex(text(inside))))),
        "time" => Ok(Value::Time(Cow::Owned(build_time(inside)?))),
        "opaque" => Ok(Value::Opaque(text(inside).into())),
        "list" => Ok(Value::List(list(inside).iter().map(build).collect::<Result<_, _>>()?)),
        "set" => sort_as_set(list(inside).iter().map(build).collect::<Result<_, _>>()?),
        "map" => map(list(inside)
            .iter()
            .map(|pair| Ok((key_text(&build(&pair[0])?)?.into_owned().into(), build(&pair[1])?)))
            .collect::<Result<_, Error>>()?),
        _ => Ok(repeated(kind, inside)),
    }
}

fn repeated<'a>(kind: &str, inside: &'a Json) -> Value<'a> {
    let times = usize::try_from(inside["times"].as_u64().unwrap()).unwrap();
    match kind {
        "fill" => Value::Str(Cow::Owned(text(&inside["text"]).repeat(times))),
        "repeat" => Value::List(vec![build(&inside["of"]).unwrap(); times]),
        "nest" => (0..times).fold(build(&inside["of"]).unwrap(), |value, _| Value::List(vec![value])),
        unknown => panic!("unknown kind {unknown}"),
    }
}

fn build_time(parts: &Json) -> Result<String, Error> {
    let numbers = |name: &str| -> Option<Vec<u32>> {
        Some(parts.get(name)?.as_array()?.iter().map(|part| u32::try_from(part.as_u64().unwrap()).unwrap()).collect())
    };
    let day = numbers("date").map(|date| time::Day { year: date[0].try_into().unwrap(), month: date[1], day: date[2] });
    let moment = numbers("time").map(|moment| time::Moment {
        hour: moment[0],
        minute: moment[1],
        second: moment[2],
        nanosecond: moment[3],
    });
    match (day, moment, parts.get("offset_micros").map(|offset| offset.as_i64().unwrap())) {
        (Some(day), Some(moment), Some(offset)) => time::instant(day, moment, offset),
        (Some(day), Some(moment), None) => time::local(day, moment),
        (Some(day), None, None) => time::date(day),
        (None, Some(moment), None) => time::time_of_day(moment),
        _ => panic!("no such time: {parts}"),
    }
}
