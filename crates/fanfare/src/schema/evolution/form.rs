//! Schemas in the form in which they are compared: without references, with the rules of all parts in one place.

use serde_json::{Map, Value};

use super::keyword::{TYPES, says_nothing};

/// More alternatives than these are not told apart.
const ALTERNATIVES_MAX: usize = 256;

/// That of schemas that name none.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// How deep two alternatives are looked at for what tells them apart.
const DEPTH_MAX: usize = 8;

/// A whole schema, in which references are looked up.
#[derive(Clone, Copy)]
pub(super) struct Root<'a> {
    json: &'a Value,
    draft: &'a str,
    /// Whether what stands beside a `$ref` means nothing: so it was before draft 2019-09.
    ignores_besides: bool,
}

impl<'a> Root<'a> {
    pub(super) fn new(json: &'a Value) -> Self {
        let draft = json.get("$schema").and_then(Value::as_str).unwrap_or(DRAFT);
        let draft = draft.trim_end_matches('#');
        Self { json, draft, ignores_besides: draft.contains("json-schema.org/draft-0") }
    }

    /// Whose rules it is read by.
    pub(super) fn draft(self) -> &'a str {
        self.draft
    }

    pub(super) fn is_draft_4(self) -> bool {
        self.draft.contains("json-schema.org/draft-04")
    }

    pub(super) fn json(self) -> &'a Value {
        self.json
    }

    /// What a reference leads to, unless that is elsewhere.
    pub(super) fn find(self, reference: &Value) -> Option<&'a Value> {
        self.json.pointer(reference.as_str()?.strip_prefix('#')?)
    }

    /// All parts that data must fit, with `allOf` and references followed: each is to be read without these two.
    pub(super) fn demands<'s>(self, schema: &'s Value) -> Vec<&'s Value>
    where
        'a: 's,
    {
        let mut parts = Vec::new();
        self.gather(schema, false, &mut Vec::new(), &mut parts);
        parts
    }

    fn gather<'s>(
        self,
        schema: &'s Value,
        ignores_besides: bool,
        open: &mut Vec<&'s Value>,
        parts: &mut Vec<&'s Value>,
    ) where
        'a: 's,
    {
        let reference = schema.get("$ref").filter(|it| it.is_string());
        if reference.is_none() || !ignores_besides {
            parts.push(schema);
            for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                self.gather(part, ignores_besides, open, parts);
            }
        }
        // One that leads back to itself says nothing more.
        if let Some(reference) = reference
            && !open.contains(&reference)
            && let Some(found) = self.find(reference)
        {
            open.push(reference);
            self.gather(found, ignores_besides, open, parts);
            open.pop();
        }
    }

    /// One schema in place of all parts of this one, that takes at least what they take together.
    pub(super) fn widest(self, schema: &Value) -> Value {
        let mut parts = Vec::new();
        self.gather(schema, self.ignores_besides, &mut Vec::new(), &mut parts);
        if parts.contains(&&Value::Bool(false)) {
            return Value::Bool(false);
        }
        let mut whole = Map::new();
        for part in parts.iter().filter_map(|it| it.as_object()) {
            self.add(part, &mut whole);
        }
        Value::Object(whole)
    }

    /// Adds a part to others. Where both say something and only one can be kept, it is one of them: the whole takes
    /// more than both together, and never less.
    fn add(self, part: &Map<String, Value>, whole: &mut Map<String, Value>) {
        let has_unknown = whole.keys().any(|it| !super::keyword::is_known(it));
        for (key, value) in part {
            match (key.as_str(), whole.get_mut(key)) {
                ("allOf", _) => {}
                ("$ref", _) if self.find(value).is_some() => {}
                ("const", _) if self.is_draft_4() => {}
                (key, _) if says_nothing(key) => {}
                // They may bear on each other: those of one part are kept together.
                (key, _) if has_unknown && !super::keyword::is_known(key) => {}
                ("required", Some(Value::Array(names))) => {
                    let more = value.as_array().into_iter().flatten();
                    let more: Vec<Value> = more.filter(|it| !names.contains(it)).cloned().collect();
                    names.extend(more);
                }
                ("properties" | "patternProperties", Some(Value::Object(members))) => {
                    for (name, member) in value.as_object().into_iter().flatten() {
                        match members.get_mut(name) {
                            Some(other) => both(other, member),
                            None => drop(members.insert(name.clone(), member.clone())),
                        }
                    }
                }
                ("prefixItems", Some(Value::Array(items))) => {
                    let others = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    for (item, other) in items.iter_mut().zip(others) {
                        both(item, other);
                    }
                    items.extend(others.iter().skip(items.len()).cloned());
                }
                (_, Some(_)) => {}
                (_, None) => drop(whole.insert(key.clone(), value.clone())),
            }
        }
    }

    /// What a [`widest`](Self::widest) one takes is taken by one of these.
    pub(super) fn alternatives(self, whole: &Value) -> Vec<Value> {
        let mut done = Vec::new();
        let mut open = vec![whole.clone()];
        while let Some(mut one) = open.pop() {
            let branches = ["oneOf", "anyOf"].into_iter().find_map(|key| {
                let branches = one.as_object_mut()?.remove(key)?;
                branches.as_array().cloned()
            });
            let Some(branches) = branches else {
                done.push(one);
                continue;
            };
            if ALTERNATIVES_MAX < done.len() + open.len() + branches.len() {
                return vec![whole.clone()];
            }
            for branch in branches.iter().rev() {
                let mut joined = self.widest(branch);
                if let (Value::Object(joined), Value::Object(beside)) = (&mut joined, &one) {
                    self.add(beside, joined);
                }
                open.push(joined);
            }
        }
        done
    }

    /// Whether no data fits two of these.
    pub(super) fn are_apart(self, schemas: &[Value]) -> bool {
        schemas.iter().enumerate().all(|(n, one)| {
            schemas.iter().skip(n + 1).all(|other| self.is_apart(one, other, DEPTH_MAX))
        })
    }

    fn is_apart(self, one: &Value, other: &Value, depth: usize) -> bool {
        let (one, other) = (self.widest(one), self.widest(other));
        let (Value::Object(one), Value::Object(other)) = (&one, &other) else {
            return one == Value::Bool(false) || other == Value::Bool(false);
        };
        let common: Vec<&str> = types(one).into_iter().filter(|it| is_of(it, other)).collect();
        if common.is_empty() {
            return true;
        }
        if let (Some(one), Some(other)) = (values(one), values(other))
            && one.iter().all(|it| other.iter().all(|that| !is_same(it, that)))
        {
            return true;
        }
        common == ["object"]
            && depth != 0
            && (self.differs(one, other, depth - 1) || self.differs(other, one, depth - 1))
    }

    /// Whether a member that `one` requires can not be in the other.
    fn differs(self, one: &Map<String, Value>, other: &Map<String, Value>, depth: usize) -> bool {
        let member = |of: &Map<String, Value>, name: &str| of.get("properties")?.get(name).cloned();
        let is_closed = other.get("additionalProperties") == Some(&Value::Bool(false))
            && !other.contains_key("patternProperties");
        required(one).any(|name| match (member(one, name), member(other, name)) {
            (_, None) => is_closed,
            (Some(one), Some(other)) => self.is_apart(&one, &other, depth),
            (None, Some(other)) => other == Value::Bool(false),
        })
    }
}

/// Makes one schema of two that both hold.
fn both(one: &mut Value, other: &Value) {
    if one == other {
        return;
    }
    let says_no_more = one.as_object().is_some_and(|it| it.len() == 1);
    match one.get_mut("allOf") {
        Some(Value::Array(all)) if says_no_more => {
            if !all.contains(other) {
                all.push(other.clone());
            }
        }
        _ => *one = serde_json::json!({ "allOf": [one.take(), other] }),
    }
}

/// Names of members that must be there.
pub(super) fn required(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// The values that a schema lists, if it does.
pub(super) fn values(schema: &Map<String, Value>) -> Option<&[Value]> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), _) => Some(values),
        (_, Some(value)) => Some(std::slice::from_ref(value)),
        (_, None) => None,
    }
}

/// The types that a schema allows, by what it says of them or of values.
pub(super) fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => return vec![one],
        Some(Value::Array(several)) => return several.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    let Some(values) = values(schema) else { return TYPES.to_vec() };
    let mut types: Vec<&str> = values.iter().map(type_of).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// Whether what is of the type may be in the other.
fn is_of(of: &str, schema: &Map<String, Value>) -> bool {
    let is_number = |it: &str| matches!(it, "integer" | "number");
    types(schema).into_iter().any(|it| it == of || (is_number(it) && is_number(of)))
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

/// Whether two values may be the same to a schema: 1 and 1.0 are.
fn is_same(one: &Value, other: &Value) -> bool {
    let may_hold_numbers = |it: &Value| it.is_array() || it.is_object();
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq() || (one == 0.0 && other == 0.0),
        _ => one == other || (may_hold_numbers(one) && may_hold_numbers(other)),
    }
}
