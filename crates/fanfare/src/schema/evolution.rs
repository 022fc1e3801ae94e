//! What a new version of a schema breaks.

use std::{collections::HashSet, fmt};

use serde_json::{Map, Value};

use super::Schema;

/// What changes from one version of a schema to the next, for those who know only one of them.
///
/// Neither list has anything if the new version needs no new major number, as long as readers ignore the members that
/// they do not know, and take defaults for those that are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evolution {
    /// What those who read by the old version may get from those who write by the new one, and must refuse. Where there
    /// is something, readers must be upgraded first.
    pub breaks_readers: Vec<Change>,
    /// What those who write by the old version may send, and those who read by the new one must refuse; old messages of
    /// a stream, too. Where there is something, writers must be upgraded first, and streams be read to their end.
    pub breaks_writers: Vec<Change>,
}

impl Evolution {
    /// Whether both versions may be read and written side by side.
    pub fn is_compatible(&self) -> bool {
        self.breaks_readers.is_empty() && self.breaks_writers.is_empty()
    }
}

/// One thing that is allowed by the one who writes, and not by the one who reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Where in the data: names of members with `/` before them, `/*` for any element or member.
    pub path: String,
    /// What may be there.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:?}: {}", self.path, self.what)
    }
}

/// Compares two versions of a schema.
///
/// It is careful: what it can not tell apart (`not`, `if`, `patternProperties`, `prefixItems`, references to elsewhere
/// …) is a change in both directions, unless it is the same in both. A member that only one of them names is not
/// compared: by the other it is ignored. Titles, descriptions, defaults and examples do not matter.
///
/// # Example: a member that may be missing, and one that may not
/// ```
/// use fanfare::schema::{Schema, compare};
/// use serde_json::json;
///
/// let schema = |members, required| {
///     Schema::new(json!({"type": "object", "properties": members, "required": required}))
/// };
/// let old = schema(json!({"item": {"type": "string"}}), json!(["item"]))?;
/// let members = json!({"item": {"type": "string"}, "amount": {"type": "integer"}});
/// assert!(compare(&old, &schema(members.clone(), json!(["item"]))?).is_compatible());
///
/// let evolution = compare(&old, &schema(members, json!(["item", "amount"]))?);
/// assert!(evolution.breaks_readers.is_empty());
/// assert_eq!(evolution.breaks_writers[0].to_string(), r#"at "/amount": it may be missing"#);
/// # Ok::<_, fanfare::Error>(())
/// ```
pub fn compare(old: &Schema, new: &Schema) -> Evolution {
    Evolution {
        breaks_readers: changes(new.json(), old.json()),
        breaks_writers: changes(old.json(), new.json()),
    }
}

/// What one who writes by `from` may send and one who reads by `to` must refuse.
fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let mut comparison =
        Comparison { from_root: from, to_root: to, changes: Vec::new(), seen: HashSet::new() };
    comparison.compare("", from, to);
    comparison.changes
}

struct Comparison<'a> {
    from_root: &'a Value,
    to_root: &'a Value,
    changes: Vec<Change>,
    /// What is being compared, or was: schemas may contain themselves.
    seen: HashSet<(*const Value, *const Value)>,
}

/// Keywords that say nothing about what is valid.
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

/// Keywords that are compared.
const COMPARED: [&str; 22] = [
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
];

/// Lower and upper bounds, with what else bounds as much, and the types that they are about.
const BOUNDS: [(&str, &str, bool, &[&str]); 10] = [
    ("minimum", "exclusiveMinimum", true, &["integer", "number"]),
    ("exclusiveMinimum", "exclusiveMinimum", true, &["integer", "number"]),
    ("maximum", "exclusiveMaximum", false, &["integer", "number"]),
    ("exclusiveMaximum", "exclusiveMaximum", false, &["integer", "number"]),
    ("minLength", "minLength", true, &["string"]),
    ("maxLength", "maxLength", false, &["string"]),
    ("minItems", "minItems", true, &["array"]),
    ("maxItems", "maxItems", false, &["array"]),
    ("minProperties", "minProperties", true, &["object"]),
    ("maxProperties", "maxProperties", false, &["object"]),
];

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// What says nothing.
static ANYTHING: Value = Value::Bool(true);

impl<'a> Comparison<'a> {
    fn compare(&mut self, path: &str, from: &'a Value, to: &'a Value) {
        let (from, to) = (resolved(self.from_root, from), resolved(self.to_root, to));
        if is_anything(to) || *from == Value::Bool(false) {
            return;
        }
        if !self.seen.insert((from, to)) {
            return;
        }
        let alternatives = alternatives(to);
        for from in self::alternatives(from) {
            let from = resolved(self.from_root, from);
            let n_before = self.changes.len();
            for to in &alternatives {
                self.changes.truncate(n_before);
                self.compare_one(path, from, resolved(self.to_root, to));
                if self.changes.len() == n_before {
                    break;
                }
            }
            if n_before < self.changes.len() && 1 < alternatives.len() {
                self.changes.truncate(n_before);
                self.change(path, "it may be what none of the alternatives takes");
            }
        }
    }

    fn compare_one(&mut self, path: &str, from: &'a Value, to: &'a Value) {
        let none = Map::new();
        let Some(to) = to.as_object() else {
            if *to == Value::Bool(false) {
                self.change(path, "it may be there");
            }
            return;
        };
        // The keys are looked up, and none of them is in this one.
        let empty: &Map<String, Value> = &none;
        let from_map = from.as_object();
        let of = |key: &str| from_map.unwrap_or(empty).get(key).cloned();
        let types = types(from_map.unwrap_or(empty));
        self.compare_types(path, &types, to);
        self.compare_values(path, of("enum").or_else(|| of("const").map(|it| vec![it].into())), to);
        for (key, other, is_lower, about) in BOUNDS {
            let Some(bound) = to.get(key).and_then(Value::as_f64) else { continue };
            let bounds = [of(key), of(other)].into_iter().flatten();
            let is_within = bounds
                .filter_map(|it| it.as_f64())
                .any(|it| if is_lower { bound <= it } else { it <= bound });
            if !is_within && about.iter().any(|it| types.contains(it)) {
                self.change(path, &format!("it may be beyond {key} {bound}"));
            }
        }
        for (key, value) in to {
            let is_known = COMPARED.contains(&key.as_str()) || ANNOTATIONS.contains(&key.as_str());
            let is_exact = match key.as_str() {
                "pattern" => types.contains(&"string"),
                "format" => types.contains(&"string") && is_checked(value),
                "uniqueItems" => types.contains(&"array") && *value == Value::Bool(true),
                "multipleOf" => types.contains(&"number") || types.contains(&"integer"),
                _ => !is_known,
            };
            if is_exact && of(key).as_ref() != Some(value) {
                self.change(path, &format!("it may be against {key}"));
            }
        }
        if types.contains(&"array")
            && let Some(items) = to.get("items")
        {
            let from = from.get("items").unwrap_or(&ANYTHING);
            self.compare(&format!("{path}/*"), from, items);
        }
        if types.contains(&"object") {
            self.compare_members(path, from, to);
        }
    }

    fn compare_types(&mut self, path: &str, types: &[&str], to: &Map<String, Value>) {
        let taken = self::types(to);
        for one in types {
            let is_taken = taken.contains(one) || (*one == "integer" && taken.contains(&"number"));
            if !is_taken {
                self.change(path, &format!("it may be of the type {one}"));
            }
        }
    }

    fn compare_values(&mut self, path: &str, values: Option<Value>, to: &Map<String, Value>) {
        let taken = match (to.get("enum"), to.get("const")) {
            (Some(Value::Array(values)), _) => values.clone(),
            (_, Some(value)) => vec![value.clone()],
            (_, None) => return,
        };
        match values {
            Some(Value::Array(values)) => {
                for value in values.iter().filter(|it| !taken.contains(it)) {
                    self.change(path, &format!("it may be {value}"));
                }
            }
            _ => self.change(path, "it may be another value than those that are listed"),
        }
    }

    fn compare_members(&mut self, path: &str, from: &'a Value, to: &'a Map<String, Value>) {
        let members = |schema: Option<&'a Value>| schema.and_then(Value::as_object);
        let (from_members, to_members) =
            (members(from.get("properties")), members(to.get("properties")));
        let is_required = |schema: Option<&Value>, name: &str| {
            let required = schema.and_then(Value::as_array);
            required.is_some_and(|it| it.iter().any(|it| it == name))
        };
        for name in to.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !is_required(from.get("required"), name) {
                self.change(&format!("{path}/{name}"), "it may be missing");
            }
        }
        let rest = to.get("additionalProperties").unwrap_or(&ANYTHING);
        for (name, member) in from_members.into_iter().flatten() {
            let taken = to_members.and_then(|it| it.get(name)).unwrap_or(rest);
            self.compare(&format!("{path}/{name}"), member, taken);
        }
        // What neither of them names.
        let other = from.get("additionalProperties").unwrap_or(&ANYTHING);
        if !is_anything(rest) {
            self.compare(&format!("{path}/*"), other, rest);
        }
    }

    fn change(&mut self, path: &str, what: &str) {
        self.changes.push(Change { path: path.to_owned(), what: what.to_owned() });
    }
}

/// What a reference within the schema means; itself if it is none, or one to elsewhere.
fn resolved<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    // A reference may be to itself.
    for _ in 0..64 {
        let pointer =
            schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#'));
        match pointer.and_then(|pointer| root.pointer(pointer)) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema
}

/// The alternatives of a schema that says nothing else; or it alone.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let branches = ["anyOf", "oneOf"].iter().find_map(|key| Some((*key, schema.get(key)?)));
    let Some((key, Value::Array(branches))) = branches else { return vec![schema] };
    let says_more = schema.as_object().is_some_and(|it| {
        it.keys().any(|other| other != key && !ANNOTATIONS.contains(&other.as_str()))
    });
    if says_more { vec![schema] } else { branches.iter().collect() }
}

/// The types that a schema allows, by what it says of them or of values.
fn types(schema: &Map<String, Value>) -> Vec<&str> {
    let values = match (schema.get("type"), schema.get("enum"), schema.get("const")) {
        (Some(Value::String(one)), ..) => return vec![one],
        (Some(Value::Array(several)), ..) => {
            return several.iter().filter_map(Value::as_str).collect();
        }
        (_, Some(Value::Array(values)), _) => values.as_slice(),
        (.., Some(value)) => std::slice::from_ref(value),
        (.., None) => return TYPES.to_vec(),
    };
    let mut types: Vec<&str> = values.iter().map(type_of).collect();
    types.sort_unstable();
    types.dedup();
    types
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_anything(schema: &Value) -> bool {
    match schema {
        Value::Bool(is_anything) => *is_anything,
        Value::Object(keys) => keys.keys().all(|key| ANNOTATIONS.contains(&key.as_str())),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => true,
    }
}

/// Whether a format is more than a hint.
fn is_checked(format: &Value) -> bool {
    let format = format.as_str().unwrap_or_default();
    !(format.starts_with("int")
        || format.starts_with("uint")
        || matches!(format, "float" | "double"))
}
