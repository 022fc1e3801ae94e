//! What is called compatible is: by hand, and by data made at random.

use fanfare_testkit::Rng;
use serde_json::{Map, Value, json};

use super::{super::Schema, changes};

fn breaks(from: &Value, to: &Value) -> bool {
    // Both are schemas.
    for schema in [from, to] {
        Schema::new(schema.clone()).unwrap();
    }
    !changes(from, to).is_empty()
}

/// Each was called compatible, and the value fits the first and not the second.
#[test]
fn what_only_seems_to_be_the_same_is_a_change() {
    let string = json!({"type": "string"});
    let cases = [
        // What stands beside a reference holds, too.
        (
            json!({"$defs": {"a": true}, "$ref": "#/$defs/a"}),
            json!({"$defs": {"a": true}, "$ref": "#/$defs/a", "maxLength": 1}),
            json!("long"),
        ),
        // The same reference to something else, below a keyword that is not understood.
        (
            json!({"$defs": {"a": {"type": "null"}}, "not": {"$ref": "#/$defs/a"}}),
            json!({"$defs": {"a": string}, "not": {"$ref": "#/$defs/a"}}),
            json!("x"),
        ),
        // An anchor.
        (
            json!({}),
            json!({"$defs": {"a": {"$anchor": "here", "type": "null"}}, "$ref": "#here"}),
            json!(1),
        ),
        // Only one of several may fit.
        (
            json!({"type": "integer"}),
            json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
            json!(1),
        ),
        // A map of anything, and a member of some type.
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"type": "object", "properties": {"a": string}}),
            json!({"a": 1}),
        ),
        (json!({"const": {"a": 1}}), json!({"properties": {"a": string}}), json!({"a": 1})),
        // What patterns and first items take is nothing that `additionalProperties` and `items` are about.
        (
            json!({"patternProperties": {"^a": true}, "additionalProperties": false}),
            json!({"additionalProperties": {"type": "integer"}}),
            json!({"a": "x"}),
        ),
        (json!({"prefixItems": [true], "items": false}), json!({"items": string}), json!([1])),
        // None need be there.
        (
            json!({"contains": {"type": "integer"}, "minContains": 0}),
            json!({"contains": {"type": "integer"}}),
            json!([]),
        ),
        // The same keyword, about other members.
        (
            json!({"properties": {"a": true, "b": true}, "unevaluatedProperties": false}),
            json!({"properties": {"a": true}, "unevaluatedProperties": false}),
            json!({"b": 1}),
        ),
        // One of these, and this one.
        (json!({"enum": [1, 2]}), json!({"enum": [1, 2], "const": 1}), json!(2)),
        // Beyond what a float can tell apart.
        (
            json!({"maximum": 9_007_199_254_740_993_u64}),
            json!({"maximum": 9_007_199_254_740_992_u64}),
            json!(9_007_199_254_740_993_u64),
        ),
    ];
    for (from, to, value) in cases {
        seems_to_be_the_same(&from, &to, &value);
    }
}

#[test]
fn drafts_have_rules_of_their_own() {
    let of = |draft: u8, mut schema: Value| {
        schema["$schema"] = format!("http://json-schema.org/draft-0{draft}/schema#").into();
        schema
    };
    let cases = [
        // What stands beside a reference says nothing.
        (
            of(7, json!({"definitions": {"a": true}, "$ref": "#/definitions/a", "type": "null"})),
            of(7, json!({"type": "null"})),
            json!(1),
        ),
        (of(7, json!({})), of(7, json!({"items": [{"type": "string"}]})), json!([1])),
        (
            of(4, json!({"minimum": 1})),
            of(4, json!({"minimum": 1, "exclusiveMinimum": true})),
            json!(1),
        ),
        (of(4, json!({"const": 1})), of(4, json!({"enum": [1]})), json!(2)),
        (of(6, json!({"type": "integer"})), of(4, json!({"type": "integer"})), json!(1.0)),
    ];
    for (from, to, value) in cases {
        seems_to_be_the_same(&from, &to, &value);
    }
}

/// The value fits the first and not the second, which is told.
fn seems_to_be_the_same(from: &Value, to: &Value, value: &Value) {
    let check = |schema: &Value| Schema::new(schema.clone()).unwrap().check(value);
    assert!(check(from).is_ok() && check(to).is_err(), "{value}: {from} to {to}");
    assert!(breaks(from, to), "{from} to {to}");
}

/// One that refers to itself: what was found to be the same while a rejected alternative was tried is looked at again.
#[test]
fn what_was_tried_in_vain_is_forgotten() {
    let node = |leaf: &str| {
        json!({
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/node"}, "leaf": {"type": leaf}},
            "required": ["leaf"],
        })
    };
    let from = json!({"$defs": {"node": node("integer")}, "$ref": "#/$defs/node"});
    // The first does not fit because of the leaf, after `next` was thought to.
    let to = json!({
        "$defs": {"node": node("string")},
        "anyOf": [{"$ref": "#/$defs/node"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}],
    });
    assert!(breaks(&from, &to));
    assert!(!breaks(&from, &from));
}

/// What people write, and what their types become.
#[test]
fn what_is_the_same_in_other_words_is_no_change() {
    let a = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let defs = json!({"A": a});
    let mut with_defs = a.clone();
    with_defs["$defs"] = defs.clone();
    let tagged = |kind: &str, more: Value| {
        json!({
            "type": "object",
            "properties": {"kind": {"type": "string", "const": kind}, "value": more},
            "required": ["kind", "value"],
        })
    };
    let (one, two) =
        (tagged("one", json!({"type": "integer"})), tagged("two", json!({"type": "string"})));
    let outside = |name: &str| {
        json!({
            "type": "object", "properties": {name: {"type": "integer"}}, "required": [name],
            "additionalProperties": false,
        })
    };
    let cases = [
        (a.clone(), json!({"$defs": defs, "$ref": "#/$defs/A"})),
        (json!({"$defs": defs, "$ref": "#/$defs/A", "description": "It is A."}), a.clone()),
        (with_defs, json!({"$defs": defs, "allOf": [{"$ref": "#/$defs/A"}, {"type": "object"}]})),
        (json!({"oneOf": [one, two]}), json!({"oneOf": [two, one]})),
        (json!({"anyOf": [one, two]}), json!({"oneOf": [two, one]})),
        (
            json!({"oneOf": [outside("a"), outside("b")]}),
            json!({"anyOf": [outside("b"), outside("a")]}),
        ),
        (
            json!({"type": "object", "properties": {"id": {"type": "integer"}}, "oneOf": [one, two]}),
            json!({"oneOf": [two, one], "type": "object", "properties": {"id": {"type": "integer"}}}),
        ),
        (
            json!({"anyOf": [{"type": "null"}, {"anyOf": [a, {"type": "string"}]}]}),
            json!({"anyOf": [a, {"type": "string"}, {"type": "null"}]}),
        ),
        (
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "not": a}),
            json!({"not": a}),
        ),
    ];
    for (from, to) in cases {
        for (from, to) in [(&from, &to), (&to, &from)] {
            assert_eq!(changes(from, to), [], "{from} to {to}");
        }
    }
    // Members that are of types that are many, and of many.
    let mut deep = json!({"type": "integer"});
    for n in 0..40 {
        deep = json!({"oneOf": [tagged("one", deep.clone()), tagged(&n.to_string(), deep)]});
        if 8 < n {
            deep = json!({"type": "object", "properties": {"a": deep["oneOf"][0].clone()}});
        }
    }
    let mut other = deep.clone();
    other["description"] = json!("the same");
    other["properties"]["a"]["title"] = json!("the same");
    assert!(!breaks(&deep, &other));
}

const N_PAIRS: u32 = 3_000;
const N_VALUES: u32 = 60;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Whatever schemas are like: if one is said to change nothing, all that fits the old fits the new.
#[test]
fn what_is_called_compatible_takes_all_that_was_taken() {
    let mut rng = Rng::new(fanfare_testkit::seed());
    let (mut n_compatible, mut n_checked) = (0, 0);
    for _ in 0..N_PAIRS {
        let from = whole(&mut rng);
        let to = if chance(&mut rng, 1, 4) { whole(&mut rng) } else { changed(&from, &mut rng) };
        let (Ok(old), Ok(new)) = (Schema::new(from.clone()), Schema::new(to.clone())) else {
            panic!("one is no schema: {from}, {to}");
        };
        if from == to || !changes(&from, &to).is_empty() {
            continue;
        }
        n_compatible += 1;
        for _ in 0..N_VALUES {
            let value = value(&mut rng, 3);
            if old.check(&value).is_ok() {
                n_checked += 1;
                assert_eq!(new.check(&value), Ok(()), "{value} of {from} is refused by {to}");
            }
        }
    }
    println!("{n_compatible} of {N_PAIRS} pairs are compatible, {n_checked} values were checked");
    assert!(N_PAIRS / 10 < n_compatible && 5 * N_PAIRS < n_checked);
}

fn pick<'a, T>(of: &'a [T], rng: &mut Rng) -> &'a T {
    &of[usize::try_from(rng.below(of.len() as u64)).unwrap()]
}

fn chance(rng: &mut Rng, n: u64, of: u64) -> bool {
    rng.below(of) < n
}

fn whole(rng: &mut Rng) -> Value {
    let mut schema = schema(rng, 3);
    if let Value::Object(rules) = &mut schema {
        let definitions = json!({"x": self::schema(rng, 2), "y": self::schema(rng, 1)});
        rules.insert("$defs".to_owned(), definitions);
    } else {
        schema = json!({"$defs": {"x": schema.clone(), "y": true}, "$ref": "#/$defs/x"});
    }
    schema
}

fn schema(rng: &mut Rng, depth: u32) -> Value {
    if chance(rng, 1, 12) {
        return (!chance(rng, 1, 4)).into();
    }
    let mut rules = Map::new();
    if chance(rng, 2, 3) {
        let types = ["null", "integer", "number", "string", "array", "object", "boolean"];
        let mut several = vec![*pick(&types, rng), *pick(&types, rng)];
        several.dedup();
        let types = if chance(rng, 1, 3) { json!(several) } else { several[0].into() };
        rules.insert("type".to_owned(), types);
    }
    // What only one of two schemas names is ignored by the other, unless it says something of what it does not name.
    rules.insert("additionalProperties".to_owned(), json!(true));
    if depth != 0 && chance(rng, 1, 2) {
        let names = NAMES.iter().filter(|_| chance(rng, 2, 3)).collect::<Vec<_>>();
        let members = names.into_iter().map(|it| ((*it).to_owned(), self::schema(rng, depth - 1)));
        rules.insert("properties".to_owned(), Value::Object(members.collect()));
    }
    for _ in 0..rng.below(3) {
        let (key, value) = rule(rng, depth);
        rules.insert(key.to_owned(), value);
    }
    Value::Object(rules)
}

fn rule(rng: &mut Rng, depth: u32) -> (&'static str, Value) {
    let small = rng.below(3);
    let one = |rng: &mut Rng| if depth == 0 { json!(true) } else { schema(rng, depth - 1) };
    match rng.below(24) {
        0 => ("minimum", small.into()),
        1 => ("exclusiveMinimum", small.into()),
        2 => ("maximum", small.into()),
        3 => ("exclusiveMaximum", small.into()),
        4 => ("minLength", small.into()),
        5 => ("maxLength", small.into()),
        6 => ("minItems", small.into()),
        7 => ("maxProperties", small.into()),
        8 => ("required", json!([pick(&NAMES, rng)])),
        9 => ("additionalProperties", one(rng)),
        10 => ("items", one(rng)),
        11 => ("prefixItems", json!([one(rng)])),
        12 => ("uniqueItems", (small != 0).into()),
        13 => ("pattern", json!("^x")),
        14 => ("multipleOf", 2.into()),
        15 => ("enum", json!([value(rng, 1), value(rng, 1)])),
        16 => ("const", value(rng, 1)),
        17 => ("not", one(rng)),
        18 => ("contains", one(rng)),
        19 => ("patternProperties", json!({"^(a|z)": one(rng)})),
        20 => ("anyOf", json!([one(rng), one(rng)])),
        21 => ("oneOf", json!([one(rng), one(rng)])),
        22 => ("allOf", json!([one(rng), one(rng)])),
        _ => ("$ref", json!(pick(&["#/$defs/x", "#/$defs/y"], rng))),
    }
}

/// The same with a rule more, less or changed somewhere, or said in other words.
fn changed(schema: &Value, rng: &mut Rng) -> Value {
    let mut changed = schema.clone();
    let mut at = &mut changed;
    // Somewhere below.
    while chance(rng, 1, 2) {
        let name = *pick(&NAMES, rng);
        let inner = at.get("properties").and_then(|it| it.get(name)).is_some_and(Value::is_object);
        if !inner {
            break;
        }
        at = &mut at["properties"][name];
    }
    let Some(rules) = at.as_object_mut() else { return changed };
    match rng.below(5) {
        0 | 1 => {
            let may_go = |it: &&String| *it != "$defs";
            let keys: Vec<String> = rules.keys().filter(may_go).cloned().collect();
            if !keys.is_empty() && rules.remove(pick(&keys, rng)).is_some() {
                rules.entry("additionalProperties").or_insert(json!(true));
            }
        }
        2 => {
            let (key, value) = rule(rng, 1);
            rules.insert(key.to_owned(), value);
        }
        3 => {
            let definitions = rules.remove("$defs");
            let other = self::schema(rng, 1);
            let parts = json!([*at, other]);
            let key = *pick(&["anyOf", "oneOf", "allOf"], rng);
            *at = json!({key: parts, "additionalProperties": true});
            if let Some(definitions) = definitions {
                at["$defs"] = definitions;
            }
        }
        _ => {
            rules.insert("description".to_owned(), json!("the same in other words"));
            if let Some(x) = rules.get_mut("$defs").and_then(|it| it.get_mut("x")) {
                *x = self::schema(rng, 1);
            }
        }
    }
    changed
}

fn value(rng: &mut Rng, depth: u32) -> Value {
    match rng.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => chance(rng, 1, 2).into(),
        2 => rng.below(4).into(),
        3 => json!(*pick(&[0.5, 1.0, 2.5], rng)),
        4 => json!(*pick(&["", "x", "y", "xy"], rng)),
        5 => {
            let n = rng.below(3);
            (0..n).map(|_| value(rng, depth - 1)).collect()
        }
        _ => {
            let names = ["a", "b", "c", "z"];
            let kept = names.iter().filter(|_| chance(rng, 1, 2)).collect::<Vec<_>>();
            let members = kept.into_iter().map(|it| ((*it).to_owned(), value(rng, depth - 1)));
            Value::Object(members.collect())
        }
    }
}
