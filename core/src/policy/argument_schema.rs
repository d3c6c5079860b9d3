//! What a policy's schema of a tool's arguments may say: types, by name. A keyword that nothing would act on is refused.

use super::node::{Key, Kind, Node};
use super::problem::Problems;
use super::read::wrong;
use super::text::shown;
use crate::condition::MAX_SCHEMA_DEPTH;

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// What is read.
const READ: [&str; 4] = ["type", "properties", "items", "additionalProperties"];

/// What is for people and promises nothing.
const ANNOTATIONS: [&str; 10] = [
    "$comment",
    "$schema",
    "default",
    "deprecated",
    "description",
    "examples",
    "format",
    "readOnly",
    "title",
    "writeOnly",
];

/// What JSON Schema would hold values against, and this version does not.
const CONSTRAINTS: [&str; 42] = [
    "$anchor",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$ref",
    "$vocabulary",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "required",
    "uniqueItems",
];

/// Notes all that is wrong with the schema of a tool's arguments.
pub(super) fn check_arguments(entries: &[(Key<'_>, Node<'_>)], out: &mut Problems) {
    if let Some((_, of)) = entries.iter().find(|(key, _)| key.text == "type")
        && !matches!(&of.kind, Kind::Str(name, _) if name == "object")
    {
        out.instead(&of.at, "a tool's arguments are an object, by name", "write `type: object`, or leave it out");
        return;
    }
    check_entries(entries, Some("object"), 0, out);
}

/// What is wrong has been noted and nothing is made of it.
const fn note(_: Option<()>) {}

fn check(node: &Node<'_>, depth: usize, out: &mut Problems) {
    if depth > MAX_SCHEMA_DEPTH {
        let message = format!("a schema that lies more than {MAX_SCHEMA_DEPTH} deep is not read");
        return out.instead(&node.at, message, "leave out what is inside");
    }
    let Kind::Map(entries) = &node.kind else {
        return note(wrong(node, "a json schema, as a map", out));
    };
    let named = entries.iter().find(|(key, _)| key.text == "type").map(|(_, of)| &of.kind);
    let named = match named {
        Some(Kind::Str(name, _)) => Some(&**name),
        _ => None,
    };
    check_entries(entries, named, depth, out);
}

fn check_entries(entries: &[(Key<'_>, Node<'_>)], named: Option<&str>, depth: usize, out: &mut Problems) {
    let mut only_of = |key: &Key<'_>, of: &str| {
        if named != Some(of) {
            let message = format!("`{}` is read of a schema with `type: {of}` only", key.text);
            out.instead(&key.at, message, format!("write `type: {of}` beside it"));
        }
    };
    for (key, _) in entries {
        match &*key.text {
            "properties" | "additionalProperties" => only_of(key, "object"),
            "items" => only_of(key, "array"),
            _ => {}
        }
    }
    for (key, inner) in entries {
        match &*key.text {
            "type" => check_type(inner, out),
            "properties" => match &inner.kind {
                Kind::Map(properties) => {
                    properties.iter().for_each(|(_, property)| check(property, depth.saturating_add(1), out));
                }
                _ => note(wrong(inner, "a map from arguments to their schemas", out)),
            },
            "items" => check(inner, depth.saturating_add(1), out),
            "additionalProperties" => {
                if !matches!(inner.kind, Kind::Bool(_)) {
                    let message = "of `additionalProperties`, only `true` and `false` are read";
                    out.instead(&inner.at, message, "write `true` where conditions may name other arguments");
                }
            }
            annotation if ANNOTATIONS.contains(&annotation) => {}
            other => refuse(other, key, out),
        }
    }
}

fn refuse(keyword: &str, key: &Key<'_>, out: &mut Problems) {
    if CONSTRAINTS.contains(&keyword) {
        let message = format!(
            "`{keyword}` of `args` would not be enforced: this version reads types only (`type`, `properties`, `items`, `additionalProperties`)"
        );
        return out.instead(&key.at, message, "remove it, and write a rule that denies with `when`");
    }
    let message = format!("`{}` is no keyword of `args`, of which types only are read", shown(keyword));
    out.unknown(&key.at, message, keyword, READ.iter().chain(&ANNOTATIONS).copied(), "remove it");
}

fn check_type(node: &Node<'_>, out: &mut Problems) {
    match &node.kind {
        Kind::Str(name, _) if TYPES.contains(&&**name) => {}
        Kind::Str(name, _) => {
            let listed = TYPES.map(|name| format!("`{name}`")).join(", ");
            let message = format!("the type `{}` is none of {listed}", shown(name));
            let near = super::suggest::did_you_mean(name, TYPES.iter().copied()).or_else(|| known_as(name));
            out.instead(&node.at, message, near.unwrap_or_else(|| "write one of them".to_owned()));
        }
        Kind::List(items) if !items.is_empty() => {
            for item in items {
                match &item.kind {
                    Kind::Str(..) => check_type(item, out),
                    _ => note(wrong(item, "the name of a type", out)),
                }
            }
        }
        _ => note(wrong(node, "the name of a type, or a list of them", out)),
    }
}

/// The type that another language calls this.
fn known_as(name: &str) -> Option<String> {
    let meant = match name.to_ascii_lowercase().as_str() {
        "int" | "long" => "integer",
        "float" | "double" | "decimal" => "number",
        "str" | "text" => "string",
        "bool" => "boolean",
        "list" | "tuple" | "set" => "array",
        "dict" | "map" => "object",
        "none" => "null",
        _ => return None,
    };
    Some(format!("did you mean `{meant}`"))
}

#[cfg(test)]
mod tests {
    use crate::policy::load;

    fn said(args: &str) -> String {
        let text = format!("version: 1\ntools: {{a: {{args: {args}}}}}\n");
        load("p", &text).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn types_and_annotations_are_taken() {
        for args in [
            "{properties: {n: {type: integer, description: how many, format: int32, default: 3}}}",
            "{type: object, properties: {n: {type: [string, 'null']}, any: {}}, additionalProperties: true}",
            "{properties: {l: {type: array, items: {type: object, properties: {x: {type: number}}}}}}",
        ] {
            assert_eq!(said(args), "", "{args}");
        }
    }

    #[test]
    fn what_nothing_would_act_on_is_refused() {
        for (args, part) in [
            ("{properties: {n: {type: interger}}}", "did you mean `integer`"),
            ("{properties: {n: {type: int}}}", "did you mean `integer`"),
            ("{properties: {n: {type: [string, nul]}}}", "did you mean `null`"),
            ("{properties: {n: {type: []}}}", "the name of a type"),
            ("{properties: {n: {tpye: string}}}", "did you mean `type`"),
            ("{properties: {n: {type: number, minimum: 3}}}", "`minimum` of `args` would not be enforced"),
            ("{properties: {}, required: [n]}", "`required` of `args` would not be enforced"),
            ("{properties: {n: {enum: [a]}}}", "`enum` of `args` would not be enforced"),
            ("{properties: {n: {type: string, pattern: a}}}", "`pattern` of `args` would not be enforced"),
            ("{properties: {}, additionalProperties: {type: string}}", "only `true` and `false` are read"),
            ("{properties: {n: {properties: {x: {}}}}}", "write `type: object` beside it"),
            ("{properties: {n: {type: string, items: {}}}}", "write `type: array` beside it"),
            ("{properties: {n: integer}}", "expected a json schema, as a map"),
            ("{properties: [n]}", "a map from arguments to their schemas"),
            ("{type: array, properties: {}}", "write `type: object`"),
        ] {
            assert!(said(args).contains(part), "{args}: {}", said(args));
        }
    }
}
