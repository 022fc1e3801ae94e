//! Whether messages get from those who publish to those who subscribe, and can be read there.

use std::collections::BTreeMap;

use fanfare_client::{Kind, Value};
use futures_util::TryStreamExt as _;

use super::{
    Ailment, Diagnosis,
    evidence::Evidence,
    heard::{KEY, Payloads},
    options::Doctor,
    streams::quoted,
};
use crate::{
    Fanfare,
    monitor::{
        Severity::{Critical, Info, Warning},
        Snapshot,
        look::with_causes,
    },
};

pub(super) const ROUND_TRIP: Ailment = Ailment::new(
    "round-trip",
    Critical,
    "A message that was published did not come back to a subscriber of the same program.",
    "See what the error says; subscribe before you publish, and wait for the confirmation.",
);

pub(super) const DATABASE_IN_URL: Ailment = Ailment::new(
    "database-in-url",
    Warning,
    "Channels know no databases: subscribers of all databases hear what is published.",
    "Leave the database out of the URL, and separate environments by the option `namespace`.",
);

pub(super) const KEYSPACE_EVENTS: Ailment = Ailment::new(
    "keyspace-events",
    Info,
    "Every write publishes a message that nobody hears, which costs time. It has nothing to do with ordinary channels: PUBLISH needs no setting.",
    "Switch the notifications off.",
);

pub(super) const NOBODY_SUBSCRIBED: Ailment = Ailment::new(
    "nobody-subscribed",
    Warning,
    "What is published there is heard by nobody, and kept nowhere.",
    "Use the same name on both sides, start subscribers first and wait for the confirmation; or use a stream, which keeps what nobody has read.",
);

pub(super) const NAMES_ALIKE: Ailment = Ailment::new(
    "channel-names-alike",
    Info,
    "Two names that look alike are two channels; one of them may be a typing error.",
    "Make names by one function (`Channel`), on both sides.",
);

pub(super) const NO_KEY: Ailment = Ailment::new(
    "no-key-in-data",
    Warning,
    "Publishers and subscribers that take the key from the record drop those without one.",
    "Put the key into each record, or better, give it as an argument (`KeyValuePublisher`).",
);

pub(super) const KEY_IN_DATA: Ailment = Ailment::new(
    "key-in-data",
    Info,
    "The control field is stored with the data, and whoever reads it must know of it; a wrong one overwrites another record.",
    "Give the key as an argument, and leave it out of the data.",
);

pub(super) const NOT_JSON: Ailment = Ailment::new(
    "not-json",
    Warning,
    "Subscribers that expect JSON fail on these payloads; some die of it.",
    "Publish one form on one channel, and count what can not be read instead of stopping.",
);

/// Keys whose values are looked at.
const KEYS_SAMPLED: usize = 200;

/// Longer values are not looked at.
const VALUE_MAX: u64 = 65_536;

/// Whether a message comes back.
pub(super) async fn round_trip(fanfare: &Fanfare, at: &str, diagnosis: &mut Diagnosis) {
    let db = fanfare.link().options().url().db();
    if db != 0 {
        diagnosis.add(DATABASE_IN_URL.found(at, format!("the URL names database {db}")));
        return;
    }
    if let Err(error) = fanfare.self_test().await {
        let said = with_causes(&error);
        if said.contains("NOPERM") {
            diagnosis.hidden("a round trip", said);
        } else {
            diagnosis.add(ROUND_TRIP.found(at, said).command("fanfare ping -c 5"));
        }
    }
}

/// Notifications that are on for nobody.
pub(super) fn keyspace_events(node: &Evidence, snapshot: &Snapshot, diagnosis: &mut Diagnosis) {
    let Some(classes) = node.directive("notify-keyspace-events").filter(|it| !it.is_empty()) else {
        return;
    };
    let has_patterns = snapshot.nodes.iter().any(|it| it.patterns != Some(0));
    let has_channels = snapshot.channels.iter().any(|it| it.name.starts_with("__key"));
    if !has_patterns && !has_channels {
        let evidence =
            format!("notify-keyspace-events is {classes:?}, and nobody subscribes to __key*");
        let command = node.set("notify-keyspace-events", "''");
        diagnosis.add(KEYSPACE_EVENTS.found(&node.name, evidence).command(command));
    }
}

/// Names that are almost those of others, and channels that should have subscribers.
pub(super) async fn names(
    fanfare: &Fanfare,
    doctor: &Doctor,
    snapshot: &Snapshot,
    heard: &BTreeMap<String, Payloads>,
    diagnosis: &mut Diagnosis,
) {
    let subscribed: Vec<&str> = snapshot
        .channels
        .iter()
        .filter(|it| it.subscribers.is_some_and(|n| n != 0))
        .map(|it| &*it.name)
        .collect();
    for (n, name) in subscribed.iter().enumerate() {
        let rest = subscribed.iter().skip(n + 1);
        for other in rest.filter(|it| are_alike(name, it)) {
            diagnosis
                .add(NAMES_ALIKE.found(*name, format!("{name:?} and {other:?} have subscribers")));
        }
    }
    let mut expected: Vec<&str> = doctor.channels.iter().map(String::as_str).collect();
    expected.extend(heard.keys().map(String::as_str));
    expected.sort_unstable();
    expected.dedup();
    let counts = match fanfare.count_subscribers(Kind::Channel, &expected).await {
        Ok(counts) => counts,
        Err(error) => {
            if !expected.is_empty() {
                diagnosis.hidden("the subscribers of channels", error);
            }
            return;
        }
    };
    // Who subscribes by a pattern is in no list.
    let n_patterns: u64 = snapshot.nodes.iter().filter_map(|it| it.patterns).sum();
    for (name, _) in expected.iter().zip(counts).filter(|it| it.1 == 0) {
        let what = if heard.contains_key(*name) {
            "messages are published"
        } else {
            "messages are expected"
        };
        let mut evidence = format!("{what} on {name:?}, and nobody subscribes to it by its name");
        if n_patterns != 0 {
            evidence
                .push_str(&format!(" ({n_patterns} patterns have subscribers, perhaps for it)"));
        }
        if let Some(other) = subscribed.iter().find(|it| are_alike(name, it)) {
            evidence.push_str(&format!("; {other:?} has subscribers: is that it?"));
        }
        let command = format!("fanfare sub {}", quoted(name));
        diagnosis.add(NOBODY_SUBSCRIBED.found(*name, evidence).command(command));
    }
}

/// Whether two different names are one but for case, punctuation and a plural.
fn are_alike(one: &str, other: &str) -> bool {
    let plain = |it: &str| {
        let letters: String = it.chars().filter(|it| it.is_alphanumeric()).collect();
        letters.to_lowercase().trim_end_matches('s').to_owned()
    };
    // Of numbers alone nothing can be said: `room:1` and `room1` may be, `a` and `as` need not be.
    one != other && 2 < plain(one).len() && plain(one) == plain(other)
}

/// Payloads that some of those who hear them can not read.
pub(super) fn payloads(heard: &BTreeMap<String, Payloads>, diagnosis: &mut Diagnosis) {
    for (channel, payloads) in heard {
        let n = payloads.n;
        if let Some(begin) = payloads.not_json.as_ref().filter(|_| payloads.n_json != 0) {
            let n_not = n - payloads.n_json;
            let evidence = format!(
                "{n_not} of {n} payloads are no JSON and the others are; one begins with {begin:?}"
            );
            let command = format!("fanfare sub {} --json", quoted(channel));
            diagnosis.add(NOT_JSON.found(channel, evidence).command(command));
        }
        let (n_objects, n_with) = (payloads.n_objects, payloads.n_with_key);
        if n_with != 0 && n_with < n_objects {
            let n_without = n_objects - n_with;
            let evidence = format!(
                "{n_without} of {n_objects} records have no {KEY}, and the others have one"
            );
            diagnosis.add(NO_KEY.found(channel, evidence));
        }
    }
}

/// Values that hold their own key.
pub(super) async fn stored(fanfare: &Fanfare, at: &str, diagnosis: &mut Diagnosis) {
    let client = fanfare.client();
    let mut keys = client.scan().of_type("string").count(KEYS_SAMPLED as u64).stream();
    let (mut n_seen, mut n_with, mut example) = (0, 0_u64, None);
    while n_seen < KEYS_SAMPLED {
        let key = match keys.try_next().await {
            Ok(Some(key)) => key,
            Ok(None) => break,
            Err(error) => return diagnosis.hidden("stored values", error),
        };
        n_seen += 1;
        let full = fanfare.link().options().names().full(key.clone());
        let length = fanfare.command([&b"STRLEN"[..], &full]).await;
        if !length.is_ok_and(|it| {
            it.as_int().is_some_and(|n| u64::try_from(n).is_ok_and(|n| n <= VALUE_MAX))
        }) {
            continue;
        }
        let value = fanfare.command([&b"GET"[..], &full]).await.unwrap_or(Value::Null);
        let mut payloads = Payloads::default();
        payloads.take_in(value.as_bytes().unwrap_or_default());
        if payloads.n_with_key != 0 {
            n_with += 1;
            example.get_or_insert_with(|| String::from_utf8_lossy(&key).into_owned());
        }
    }
    if let Some(key) = example {
        let evidence = format!(
            "{n_with} of {n_seen} values that were looked at hold {KEY}; one is at {key:?}"
        );
        diagnosis.add(KEY_IN_DATA.found(at, evidence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_but_for_what_people_mistype() {
        for (one, other) in
            [("alerts", "Alerts"), ("alert", "alerts"), ("news.sport", "news:sport")]
        {
            assert!(are_alike(one, other), "{one} {other}");
        }
        for (one, other) in
            [("alerts", "alerts"), ("orders", "returns"), ("a", "as"), ("room:1", "room:2")]
        {
            assert!(!are_alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn payloads_are_judged_by_what_their_channel_has() {
        let mut heard = BTreeMap::new();
        let mut say = |channel: &str, payload: &[u8]| {
            heard.entry(channel.to_owned()).or_insert_with(Payloads::default).take_in(payload);
        };
        say("mixed", b"{\"a\":1}");
        say("mixed", b"\xff\xfe");
        say("binary", b"\xff\xfe");
        say("records", b"{\"__dagserver_key\":\"k\"}");
        say("records", b"{\"value\":123}");
        say("plain", b"{\"value\":123}");
        let mut diagnosis = Diagnosis::default();
        payloads(&heard, &mut diagnosis);
        let told: Vec<_> = diagnosis.findings.iter().map(|it| (it.name, &*it.at)).collect();
        assert_eq!(told, [("not-json", "mixed"), ("no-key-in-data", "records")]);
    }
}
