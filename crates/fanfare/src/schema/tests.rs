//! What fits and what does not; what a change breaks; what a document says.

use serde_json::{Value, json};

use super::{Contract, JsonSchema, Schema, Schemas, compare};
use crate::{Envelope, Sealed};

#[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
struct Order {
    #[schemars(length(min = 1))]
    item: String,
    #[serde(default)]
    amount: u32,
    note: Option<Note>,
}

#[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
struct Note {
    text: String,
    answers: Vec<Note>,
}

fn schema(json: Value) -> Schema {
    Schema::new(json).unwrap()
}

fn refusal(contract: &Contract, sealed: &Sealed) -> String {
    let error = contract.check(sealed).unwrap_err();
    assert_eq!(error.kind(), fanfare_client::ErrorKind::InvalidRecord);
    error.to_string()
}

/// Lessons 1.13: unknown members are ignored, missing ones have defaults.
#[test]
fn a_type_says_what_it_can_be_read_from() {
    let orders = Schema::of::<Order>().unwrap();
    for good in [
        json!({"item": "tea"}),
        json!({"item": "tea", "amount": 7, "note": null, "unknown": [1]}),
        json!({"item": "tea", "note": {"text": "x", "answers": [{"text": "y", "answers": []}]}}),
    ] {
        assert_eq!(orders.check(&good), Ok(()), "{good}");
        assert!(serde_json::from_value::<Order>(good).is_ok());
    }
    for (bad, path) in [
        (json!({}), ""),
        (json!({"item": ""}), "/item"),
        (json!({"item": "tea", "amount": -1}), "/amount"),
        (json!({"item": "tea", "amount": "secret"}), "/amount"),
        (json!({"item": "tea", "note": {"text": "x", "answers": [{}]}}), "/note"),
        (json!("secret"), ""),
    ] {
        let violation = orders.check(&bad).unwrap_err();
        assert!(violation.path().starts_with(path), "{violation}");
        // What it says may be logged.
        assert!(!violation.to_string().contains("secret"), "{violation}");
    }
}

#[test]
fn a_schema_that_is_none_is_refused_with_the_place() {
    for (json, place) in [
        (json!({"type": "strin"}), "/type"),
        (json!({"properties": {"a": {"minimum": "x"}}}), "/properties/a/minimum"),
        (json!({"$ref": "#/nowhere"}), ""),
        (json!({"$ref": "https://example.com/other.json"}), ""),
        (json!({"pattern": "("}), "/pattern"),
    ] {
        let error = Schema::new(json.clone()).unwrap_err();
        assert!(error.to_string().contains(place), "{json}: {error}");
    }
    assert!(Schema::from_json("{").is_err());
}

/// Lessons 1.13: `event_id=1`, `event_type=None`, `data='x'` passed, and a timestamp that is a number raised.
#[test]
fn what_the_sketch_let_pass_or_fell_over_is_refused_with_a_reason() {
    let good = json!({
        "event_id": "1", "event_type": "user.login", "timestamp": "2026-11-22T15:04:05Z",
        "data": {"item": "tea"},
    });
    let schemas = Schemas::new().with("user.login", "1.0", Schema::of::<Order>().unwrap()).unwrap();
    let contract = Contract::from(schemas);
    let check =
        |json: &Value| contract.check_payload("application/json", json.to_string().as_bytes());
    check(&good).unwrap();
    for (member, wrong) in [
        ("event_id", json!(1)),
        ("event_type", json!(null)),
        ("data", json!("x")),
        ("timestamp", json!(7)),
        ("timestamp", json!("yesterday")),
    ] {
        let mut bad = good.clone();
        bad[member] = wrong;
        assert!(check(&bad).is_err(), "{bad}");
    }
}

#[test]
fn an_unknown_major_version_is_refused_and_an_unknown_minor_one_is_not() {
    let schemas = Schemas::new()
        .with("t", "1.0", schema(json!({"maximum": 1})))
        .and_then(|it| it.with_uncompared("t", "1.2", schema(json!({"maximum": 2}))))
        .and_then(|it| it.with("t", "2", schema(json!({"maximum": 3}))))
        .unwrap();
    let contract = Contract::from(schemas);
    let sealed = |version: &str, n: u8| Envelope::new("t", n).version(version).seal().unwrap();
    for (version, maximum) in
        [("1.0", 1), ("1.1", 2), ("1.2", 2), ("1.9.9", 2), ("1", 2), ("2.5", 3)]
    {
        contract.check(&sealed(version, maximum)).unwrap();
        assert!(refusal(&contract, &sealed(version, maximum + 1)).contains("maximum"), "{version}");
    }
    for version in ["3.0", "0.9", "", "x", "1.x", "-1"] {
        assert!(
            refusal(&contract, &sealed(version, 0)).contains("known are 1.0, 1.2, 2"),
            "{version}"
        );
    }
    let other = Envelope::new("other", 0).seal().unwrap();
    assert!(refusal(&contract, &other).contains("no schema"));
    assert!(Schemas::new().with("t", "v1", schema(json!({}))).is_err());
}

#[test]
fn a_minor_version_that_breaks_something_is_refused() {
    let object = |members: Value, required: Value| {
        schema(json!({"type": "object", "properties": members, "required": required}))
    };
    let int = json!({"type": "integer"});
    let of_two = |first: (&str, Schema), second: (&str, Schema)| {
        let schemas = Schemas::new().with("order", first.0, first.1).unwrap();
        schemas.with("order", second.0, second.1)
    };
    let old = || object(json!({"a": int}), json!(["a"]));
    let more = || object(json!({"a": int, "b": int}), json!(["a"]));
    let all = || object(json!({"a": int, "b": int}), json!(["a", "b"]));
    of_two(("1.0", old()), ("1.1", more())).unwrap();
    of_two(("1.1", more()), ("1.0", old())).unwrap();
    of_two(("1.0", old()), ("1.0", all())).unwrap();
    of_two(("1.0", old()), ("2.0", all())).unwrap();
    for (first, second) in [(("1.0", old()), ("1.1", all())), (("1.1", all()), ("1.0", old()))] {
        let versions = [second.0, first.0];
        let error = of_two(first, second).unwrap_err();
        let [this, other] = versions;
        assert_eq!(error.kind(), fanfare_client::ErrorKind::InvalidOption);
        let message = error.to_string();
        assert!(
            message.contains(&format!("order {this} and order {other} can not be used side by side"))
                && message.contains(r#"read by the higher one must refuse data of the lower one, since at "/b": it may be missing"#),
            "{message}"
        );
    }
    let error =
        of_two(("1.0", schema(json!({"enum": [1]}))), ("1.1", schema(json!({"enum": [1, 2]}))))
            .unwrap_err();
    assert!(error.to_string().contains("read by the lower one"), "{error}");
}

#[test]
fn what_can_not_be_read_does_not_pass() {
    let contract = Contract::from(Schema::of::<u32>().unwrap());
    let mut packed = Envelope::new("t", 7).seal().unwrap();
    packed.head.content_encoding = Some("zstd".to_owned());
    assert!(refusal(&contract, &packed).contains("can not be read"));
    let other = Sealed::new(crate::Head::new("t"), "image/png", "x");
    refusal(&contract, &other);
    assert!(contract.check_payload("application/json", b"{").is_err());
    assert!(contract.check_payload("application/octet-stream", b"7").is_ok());
    #[cfg(all(feature = "msgpack", feature = "cbor"))]
    for n in [7_i32, -7] {
        let envelope = Envelope::new("t", n);
        let forms = [
            envelope.seal_as::<crate::MsgPack<i32>>().unwrap(),
            envelope.seal_as::<crate::Cbor<i32>>().unwrap(),
        ];
        for sealed in forms {
            assert_eq!(contract.check(&sealed).is_ok(), 0 < n);
        }
    }
}

/// From old to new: what breaks readers, and what writers.
#[test]
fn changes_are_told_with_whom_they_break() {
    let object = |members: Value, required: Value| json!({"type": "object", "properties": members, "required": required});
    let int = json!({"type": "integer"});
    let cases: Vec<(Value, Value, &[&str], &[&str])> = vec![
        (int.clone(), json!({"type": "integer", "title": "n", "default": 7}), &[], &[]),
        (int.clone(), json!({"type": "number"}), &["type number"], &[]),
        (int.clone(), json!({"type": ["integer", "null"]}), &["type null"], &[]),
        (int.clone(), json!({"anyOf": [int, {"type": "null"}]}), &["type null"], &[]),
        (int.clone(), json!({"type": "string"}), &["type string"], &["type integer"]),
        (int.clone(), json!({"type": "integer", "maximum": 9}), &[], &["maximum 9"]),
        (
            json!({"type": "integer", "exclusiveMinimum": 0}),
            json!({"minimum": 0, "type": "integer"}),
            &["exclusiveMinimum"],
            &[],
        ),
        (
            json!({"enum": ["a", "b"]}),
            json!({"enum": ["a", "c"]}),
            &["it may be \"c\""],
            &["it may be \"b\""],
        ),
        (json!({"enum": ["a"]}), json!({"type": "string"}), &["another value"], &[]),
        (object(json!({}), json!([])), object(json!({"a": int}), json!([])), &[], &[]),
        (
            object(json!({}), json!([])),
            object(json!({"a": int}), json!(["a"])),
            &[],
            &["/a\": it may be missing"],
        ),
        (
            object(json!({"a": int}), json!(["a"])),
            object(json!({}), json!([])),
            &["/a\": it may be missing"],
            &[],
        ),
        (
            object(json!({"a": int}), json!([])),
            object(json!({"a": {"type": "string"}}), json!([])),
            &["/a\": it may be of the type string"],
            &["/a\": it may be of the type integer"],
        ),
        (
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": false}),
            &[],
            &["/*"],
        ),
        (
            json!({"type": "object", "additionalProperties": int}),
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
            &["/*"],
            &["/*"],
        ),
        (
            json!({"type": "array", "items": int}),
            json!({"type": "array", "items": {"type": "number"}}),
            &["/*"],
            &[],
        ),
        (json!({"not": int}), json!({"not": {"type": "null"}}), &["against not"], &["against not"]),
        (json!({"not": int}), json!({"not": int}), &[], &[]),
        (
            json!({"type": "string"}),
            json!({"type": "string", "format": "date-time"}),
            &[],
            &["format"],
        ),
        (
            json!({"type": "integer", "format": "uint32"}),
            json!({"type": "integer", "format": "uint64"}),
            &[],
            &[],
        ),
        (
            json!(true),
            int.clone(),
            &[],
            &[
                "type string",
                "type null",
                "type object",
                "type array",
                "type boolean",
                "type number",
            ],
        ),
        (int.clone(), json!(false), &[], &["it may be there"]),
    ];
    for (old, new, readers, writers) in cases {
        let evolution = compare(&schema(old.clone()), &schema(new.clone()));
        for (found, expected) in
            [(&evolution.breaks_readers, readers), (&evolution.breaks_writers, writers)]
        {
            assert_eq!(found.len(), expected.len(), "{old} to {new}: {evolution:?}");
            for expected in expected {
                assert!(
                    found.iter().any(|it| it.to_string().contains(expected)),
                    "{old} to {new}: {evolution:?}"
                );
            }
        }
        assert_eq!(evolution.is_compatible(), readers.is_empty() && writers.is_empty());
    }
    // One that contains itself, and has definitions, is the same as itself.
    let orders = Schema::of::<Order>().unwrap();
    assert!(compare(&orders, &orders).is_compatible());
    let mut json = orders.json().clone();
    json["$defs"]["Note"]["properties"]["text"] = json!({"type": "integer"});
    let evolution = compare(&orders, &schema(json));
    assert_eq!(
        (evolution.breaks_readers.len(), evolution.breaks_writers.len()),
        (1, 1),
        "{evolution:?}"
    );
    assert!(evolution.breaks_readers[0].path.starts_with("/note"), "{evolution:?}");
}
