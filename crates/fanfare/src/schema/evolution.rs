//! What a new version of a schema breaks.

mod form;
mod keyword;

use std::{collections::HashSet, fmt};

use serde_json::{Map, Value};

use self::{
    form::{Root, required, types, values},
    keyword::{BOUNDS, is_checked, is_known, not_followed, says_nothing},
};
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
/// It is careful: what it can not tell apart (`not`, `if`, `contains`, `patternProperties`, `prefixItems`, `oneOf` of
/// alternatives that may both fit, anchors and identifiers within the schema …) is a change in both directions, unless it
/// is the same in both. A member that only one of them names is not compared: by the other it is ignored, unless that
/// says something of members that it does not name (`additionalProperties`), or nothing at all. Titles, descriptions, defaults and
/// examples do not matter.
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
    let mut comparison = Comparison {
        from: Root::new(from),
        to: Root::new(to),
        changes: Vec::new(),
        seen: Vec::new(),
        failed: HashSet::new(),
        n_probes: 0,
        depth: 0,
    };
    let not_followed = not_followed(from).or_else(|| not_followed(to));
    if from == to {
        // Whatever is said there.
    } else if let Some(key) = not_followed {
        comparison.change("", &format!("it may be anything: {key} is not followed"));
    } else if comparison.from.is_draft_4() != comparison.to.is_draft_4() {
        comparison.change("", "it may be anything: draft 4 has other rules than later ones");
    } else {
        comparison.compare("", from, to);
    }
    comparison.changes
}

/// Deeper members are called changed.
const DEPTH_MAX: usize = 64;

/// What says nothing.
static ANYTHING: Value = Value::Bool(true);

struct Comparison<'a> {
    from: Root<'a>,
    to: Root<'a>,
    changes: Vec<Change>,
    /// What is being compared, and what was without a change since then: schemas may contain themselves.
    seen: Vec<(Value, Value)>,
    /// What was compared in vain.
    failed: HashSet<(Value, Value)>,
    /// How many alternatives are being tried: what changes within them is not told.
    n_probes: usize,
    depth: usize,
}

impl Comparison<'_> {
    fn compare(&mut self, path: &str, from: &Value, to: &Value) {
        if is_anything(to) || *from == Value::Bool(false) || self.are_same(from, to) {
            return;
        }
        if self.depth == DEPTH_MAX {
            return self.change(path, "it is too deep to be compared");
        }
        let pair = (from.clone(), to.clone());
        if self.seen.contains(&pair) {
            return;
        }
        if 0 < self.n_probes && self.failed.contains(&pair) {
            return self.change(path, "as before");
        }
        let (n_seen, n_before) = (self.seen.len(), self.changes.len());
        self.seen.push(pair);
        self.depth += 1;
        self.compare_parts(path, from, to);
        self.depth -= 1;
        if n_before < self.changes.len() {
            // What was found to be the same below may have been so only as long as this was.
            let found = self.seen.drain(n_seen..).next();
            self.failed.extend(found);
        }
    }

    /// As a whole, and if that is too much, each alternative that may be sent for itself.
    fn compare_parts(&mut self, path: &str, from: &Value, to: &Value) {
        let whole = self.from.widest(from);
        if whole == Value::Bool(false) {
            return;
        }
        let demands: Vec<Value> = self.to.demands(to).into_iter().cloned().collect();
        let n_before = self.changes.len();
        self.compare_all(path, &whole, &demands);
        let has_alternatives = ["anyOf", "oneOf"].iter().any(|it| whole.get(it).is_some());
        if n_before < self.changes.len() && has_alternatives {
            self.changes.truncate(n_before);
            for one in self.from.alternatives(&whole) {
                if one != Value::Bool(false) {
                    self.compare_all(path, &one, &demands);
                }
            }
        }
    }

    fn compare_all(&mut self, path: &str, from: &Value, demands: &[Value]) {
        let none = Map::new();
        let rules = from.as_object().unwrap_or(&none);
        for demand in demands {
            match demand {
                Value::Object(demand) => {
                    self.compare_rules(path, rules, demand);
                    self.compare_alternatives(path, from, demand);
                }
                Value::Bool(false) => self.change(path, "it may be there"),
                _ => {}
            }
        }
    }

    /// What is sent must be taken by one of the alternatives as a whole.
    fn compare_alternatives(&mut self, path: &str, from: &Value, demand: &Map<String, Value>) {
        for key in ["anyOf", "oneOf"] {
            let Some(taken) = demand.get(key) else { continue };
            let alternatives = taken.as_array().map(Vec::as_slice).unwrap_or_default();
            if key == "oneOf" && !self.to.are_apart(alternatives) {
                if !from.get(key).is_some_and(|it| self.are_same(it, taken)) {
                    self.change(path, "it may be what several of the alternatives take");
                }
                continue;
            }
            if let [one] = alternatives {
                self.compare(path, from, one);
                continue;
            }
            let n_before = self.changes.len();
            self.n_probes += 1;
            let is_taken = alternatives.iter().any(|to| {
                self.changes.truncate(n_before);
                self.compare(path, from, to);
                self.changes.len() == n_before
            });
            self.n_probes -= 1;
            self.changes.truncate(n_before);
            if !is_taken {
                self.change(path, "it may be what none of the alternatives takes");
            }
        }
    }

    fn compare_rules(&mut self, path: &str, from: &Map<String, Value>, to: &Map<String, Value>) {
        let sent = types(from);
        self.compare_types(path, &sent, to);
        self.compare_values(path, from, to);
        self.compare_bounds(path, &sent, from, to);
        self.compare_texts(path, &sent, from, to);
        if sent.contains(&"array")
            && let Some(items) = to.get("items").filter(|it| !it.is_array())
        {
            // Without the same first items, these are about others, too.
            let is_same = from.get("prefixItems") == to.get("prefixItems");
            let from = from.get("items").filter(|it| is_same && !it.is_array());
            self.compare(&format!("{path}/*"), from.unwrap_or(&ANYTHING), items);
        }
        if sent.contains(&"object") {
            self.compare_members(path, from, to);
        }
    }

    fn compare_types(&mut self, path: &str, sent: &[&str], to: &Map<String, Value>) {
        let taken = types(to);
        for one in sent {
            let is_taken = taken.contains(one) || (*one == "integer" && taken.contains(&"number"));
            if !is_taken {
                self.change(path, &format!("it may be of the type {one}"));
            }
        }
    }

    fn compare_values(&mut self, path: &str, from: &Map<String, Value>, to: &Map<String, Value>) {
        let listed = to.get("enum").and_then(Value::as_array).map(Vec::as_slice);
        for taken in listed.into_iter().chain(to.get("const").map(std::slice::from_ref)) {
            match values(from) {
                Some(sent) => {
                    for value in sent.iter().filter(|it| !taken.contains(it)) {
                        self.change(path, &format!("it may be {value}"));
                    }
                }
                None => self.change(path, "it may be another value than those that are listed"),
            }
        }
    }

    fn compare_bounds(
        &mut self,
        path: &str,
        sent: &[&str],
        from: &Map<String, Value>,
        to: &Map<String, Value>,
    ) {
        for bound in &BOUNDS {
            let Some(limit) = to.get(bound.key) else { continue };
            let limits = [from.get(bound.key), from.get(bound.other)];
            let is_within = limits.into_iter().flatten().any(|it| bound.is_within(it, limit))
                // In draft 4, some are true or false.
                || limit.is_boolean() && from.get(bound.key) == Some(limit);
            if !is_within && bound.about.iter().any(|it| sent.contains(it)) {
                self.change(path, &format!("it may be beyond {} {limit}", bound.key));
            }
        }
    }

    /// Rules that are not understood, but may be the same.
    fn compare_texts(
        &mut self,
        path: &str,
        sent: &[&str],
        from: &Map<String, Value>,
        to: &Map<String, Value>,
    ) {
        let is_number = sent.contains(&"number") || sent.contains(&"integer");
        for (key, value) in to {
            let matters = match key.as_str() {
                "pattern" => sent.contains(&"string"),
                "format" => sent.contains(&"string") && is_checked(value),
                "uniqueItems" => sent.contains(&"array") && *value == Value::Bool(true),
                "multipleOf" => is_number,
                "items" => sent.contains(&"array") && value.is_array(),
                "$ref" => self.to.find(value).is_none(),
                key => !is_known(key) && !self.has_same_unknown(from, to),
            };
            let is_same = |it: &Value| is_known(key) && self.are_same(it, value);
            if matters && !from.get(key).is_some_and(is_same) {
                self.change(path, &format!("it may be against {key}"));
            }
        }
    }

    /// Whether all keywords that are not known say the same: they may bear on each other, and some on everything else.
    fn has_same_unknown(&self, from: &Map<String, Value>, to: &Map<String, Value>) -> bool {
        let bears_on_all = to.keys().any(|it| it.starts_with("unevaluated"));
        let is_compared =
            |key: &str| if bears_on_all { !says_nothing(key) } else { !is_known(key) };
        let of = |rules: &Map<String, Value>| {
            let rules = rules.iter().filter(|(key, _)| is_compared(key));
            Value::Object(rules.map(|(key, value)| (key.clone(), value.clone())).collect())
        };
        self.are_same(&of(from), &of(to))
    }

    fn compare_members(&mut self, path: &str, from: &Map<String, Value>, to: &Map<String, Value>) {
        for name in required(to).filter(|name| required(from).all(|it| it != *name)) {
            self.change(&format!("{path}/{name}"), "it may be missing");
        }
        let members = |of: &Map<String, Value>| match of.get("properties") {
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        let (sent, taken) = (members(from), members(to));
        let rest = to.get("additionalProperties").unwrap_or(&ANYTHING);
        for (name, member) in &sent {
            self.compare(&format!("{path}/{name}"), member, taken.get(name).unwrap_or(rest));
        }
        // Patterns take names away from what else may be there.
        let is_same = from.get("patternProperties") == to.get("patternProperties");
        let other = from.get("additionalProperties");
        let is_any = !["type", "properties", "required"].iter().any(|it| from.contains_key(*it));
        let says_so = other.is_some_and(|it| *it != Value::Bool(false))
            || is_any
            || !is_same
            || values(from).is_some_and(|it| it.iter().any(Value::is_object));
        let other = other.filter(|_| is_same).unwrap_or(&ANYTHING);
        if says_so {
            for (name, member) in taken.iter().filter(|(name, _)| !sent.contains_key(*name)) {
                self.compare(&format!("{path}/{name}"), other, member);
            }
        }
        self.compare(&format!("{path}/*"), other, rest);
    }

    /// Whether two schemas, or parts of some, are the same text with the same meaning.
    fn are_same(&self, from: &Value, to: &Value) -> bool {
        if from != to {
            return false;
        }
        let (from_root, to_root) = (self.from.json(), self.to.json());
        if self.from.draft() != self.to.draft() {
            return false;
        }
        let mut references = Vec::new();
        gather_references(from, &mut references);
        if references.is_empty() {
            return true;
        }
        // A reference to definitions leads nowhere else if all that is in these does not.
        for key in ["$defs", "definitions"] {
            from_root.get(key).inspect(|it| gather_references(it, &mut references));
        }
        let are_definitions = references
            .iter()
            .all(|it| it.starts_with("#/$defs/") || it.starts_with("#/definitions/"));
        let is_same = |key: &str| from_root.get(key) == to_root.get(key);
        are_definitions && is_same("$defs") && is_same("definitions")
    }

    fn change(&mut self, path: &str, what: &str) {
        self.changes.push(Change { path: path.to_owned(), what: what.to_owned() });
    }
}

fn gather_references<'v>(value: &'v Value, references: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(reference) if key == "$ref" => references.push(reference),
                    member => gather_references(member, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|it| gather_references(it, references)),
        _ => {}
    }
}

fn is_anything(schema: &Value) -> bool {
    match schema {
        Value::Bool(is_anything) => *is_anything,
        Value::Object(keys) => keys.keys().all(|key| says_nothing(key)),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => true,
    }
}

#[cfg(test)]
mod tests;
