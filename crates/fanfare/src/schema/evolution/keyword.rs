//! The keywords of JSON Schema that are compared, and those that say nothing about what is valid.

use serde_json::Value;

const ANNOTATIONS: [&str; 14] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "contentMediaType",
    "contentEncoding",
];

/// Those with a meaning of their own here. What is none of these is compared as text.
const COMPARED: [&str; 25] = [
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "format",
    "pattern",
    "uniqueItems",
    "multipleOf",
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
];

/// Those that bear on names and references in ways that are not followed.
const NOT_FOLLOWED: [&str; 6] =
    ["$id", "id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"];

pub(super) const TYPES: [&str; 7] =
    ["null", "boolean", "integer", "number", "string", "array", "object"];

/// A bound on data of some types.
pub(super) struct Bound {
    pub(super) key: &'static str,
    /// What else bounds as much.
    pub(super) other: &'static str,
    pub(super) is_lower: bool,
    pub(super) about: &'static [&'static str],
}

const fn bound(
    key: &'static str,
    other: &'static str,
    is_lower: bool,
    about: &'static [&'static str],
) -> Bound {
    Bound { key, other, is_lower, about }
}

const NUMBERS: &[&str] = &["integer", "number"];

pub(super) const BOUNDS: [Bound; 10] = [
    bound("minimum", "exclusiveMinimum", true, NUMBERS),
    bound("exclusiveMinimum", "exclusiveMinimum", true, NUMBERS),
    bound("maximum", "exclusiveMaximum", false, NUMBERS),
    bound("exclusiveMaximum", "exclusiveMaximum", false, NUMBERS),
    bound("minLength", "minLength", true, &["string"]),
    bound("maxLength", "maxLength", false, &["string"]),
    bound("minItems", "minItems", true, &["array"]),
    bound("maxItems", "maxItems", false, &["array"]),
    bound("minProperties", "minProperties", true, &["object"]),
    bound("maxProperties", "maxProperties", false, &["object"]),
];

impl Bound {
    /// Whether what is within the first is within the second, too.
    pub(super) fn is_within(&self, first: &Value, second: &Value) -> bool {
        let (low, high) = if self.is_lower { (second, first) } else { (first, second) };
        match (whole_number(low), whole_number(high)) {
            (Some(low), Some(high)) => low <= high,
            _ => matches!((low.as_f64(), high.as_f64()), (Some(low), Some(high)) if low <= high),
        }
    }
}

fn whole_number(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

pub(super) fn is_known(key: &str) -> bool {
    COMPARED.contains(&key) || says_nothing(key)
}

pub(super) fn says_nothing(key: &str) -> bool {
    ANNOTATIONS.contains(&key)
}

/// The first keyword below the top that makes names mean something else than is followed here.
pub(super) fn not_followed(schema: &Value) -> Option<&str> {
    let at_top = |key: &str| matches!(key, "$id" | "id");
    let mut open: Vec<(&Value, bool)> = vec![(schema, true)];
    while let Some((value, is_top)) = open.pop() {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let is_text = member.is_string() && NOT_FOLLOWED.contains(&key.as_str());
                    if is_text && !(is_top && at_top(key)) {
                        return Some(key);
                    }
                    open.push((member, false));
                }
            }
            Value::Array(items) => open.extend(items.iter().map(|it| (it, false))),
            _ => {}
        }
    }
    None
}

/// Whether a format is more than a hint.
pub(super) fn is_checked(format: &Value) -> bool {
    let format = format.as_str().unwrap_or_default();
    !(format.starts_with("int")
        || format.starts_with("uint")
        || matches!(format, "float" | "double"))
}
