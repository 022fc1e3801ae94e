//! Streams that grow, groups that nobody serves, consumers that are gone.

use std::time::Duration;

use super::{Ailment, Diagnosis, options::Doctor};
use crate::{
    Fanfare,
    monitor::{Severity::Warning, Snapshot, StreamLook},
};

pub(super) const UNBOUNDED: Ailment = Ailment::new(
    "stream-unbounded",
    Warning,
    "It grows until the memory is full.",
    "Trim it with every XADD (MAXLEN ~ n, or MINID), or now and then by XTRIM.",
);

pub(super) const UNCONSUMED: Ailment = Ailment::new(
    "group-unconsumed",
    Warning,
    "Entries wait for somebody who does not come; trimming deletes them unread.",
    "Start workers of the group, or delete it if nobody needs it any more.",
);

pub(super) const DEAD_CONSUMER: Ailment = Ailment::new(
    "dead-consumer",
    Warning,
    "What it had is not handled by anybody, unless somebody claims it: reading with `>` never brings it again.",
    "Claim it (workers of this library do so by themselves), and remove the consumer. Give every process a name of its own.",
);

pub(super) const DEAD_LETTERS: Ailment = Ailment::new(
    "dead-letters",
    Warning,
    "They are handled by nobody until somebody looks.",
    "See why they failed, then send them back or throw them away.",
);

/// Groups whose consumers are asked for.
const GROUPS_MAX: usize = 200;

pub(super) async fn check(
    fanfare: &Fanfare,
    doctor: &Doctor,
    snapshot: &Snapshot,
    cli: &str,
    diagnosis: &mut Diagnosis,
) {
    for stream in &snapshot.streams {
        unbounded(stream, doctor.stream_length_max, cli, diagnosis);
    }
    let groups =
        snapshot.streams.iter().flat_map(|it| it.groups.iter().map(move |group| (it, group)));
    for (stream, group) in groups.take(GROUPS_MAX) {
        let at = format!("{}/{}", stream.name, group.name);
        if let Some(n) = group.dead_letters.filter(|it| *it != 0) {
            let command =
                format!("fanfare dlq ls {} {}", quoted(&stream.name), quoted(&group.name));
            diagnosis.add(DEAD_LETTERS.found(&at, format!("{n} dead letters")).command(command));
        }
        let handle = fanfare.stream(&stream.name).group(&group.name);
        let consumers = match tokio::time::timeout(doctor.deadline, handle.consumers()).await {
            Ok(Ok(consumers)) => consumers,
            Ok(Err(error)) => {
                diagnosis.hidden(format!("the consumers of {at}"), error);
                continue;
            }
            Err(_) => {
                diagnosis.hidden(format!("the consumers of {at}"), "no answer in time");
                continue;
            }
        };
        let (key, name) = (quoted(&stream.name), quoted(&group.name));
        for consumer in &consumers {
            if 0 < consumer.pending && doctor.idle_max <= consumer.idle {
                let called = String::from_utf8_lossy(&consumer.name);
                let (n, idle) = (consumer.pending, shown(consumer.idle));
                let evidence = format!(
                    "the consumer {called} has {n} pending entries and asked for nothing for {idle}"
                );
                let ms = doctor.idle_max.as_millis();
                let command =
                    format!("{cli} XAUTOCLAIM {key} {name} NEW-CONSUMER {ms} 0 COUNT 100");
                diagnosis.add(DEAD_CONSUMER.found(&at, evidence).command(command));
            }
        }
        let serves = consumers.iter().any(|it| it.idle < doctor.idle_max);
        let waiting = group.lag.unwrap_or(0);
        if waiting != 0 && !serves {
            let who = if consumers.is_empty() {
                "it has no consumers"
            } else {
                "none of its consumers asked lately"
            };
            let command = format!("{cli} XGROUP DESTROY {key} {name}   # if nobody needs it");
            let evidence = format!("{waiting} entries wait and {who}");
            diagnosis.add(UNCONSUMED.found(&at, evidence).command(command));
        }
    }
}

fn unbounded(stream: &StreamLook, length_max: u64, cli: &str, diagnosis: &mut Diagnosis) {
    let (Some(length), Some(added)) = (stream.length, stream.entries_added) else { return };
    if length_max <= length && added == length {
        let evidence = format!("it has {length} entries, and none was ever trimmed or deleted");
        let keep = (length_max / 2).max(1);
        let command = format!("{cli} XTRIM {} MAXLEN '~' {keep}", quoted(&stream.name));
        diagnosis.add(UNBOUNDED.found(&stream.name, evidence).command(command));
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// A word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.:/@%+=".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_whatever_the_names_are() {
        assert_eq!(quoted("orders:eu"), "orders:eu");
        assert_eq!(quoted("{orders}; rm -rf ~"), "'{orders}; rm -rf ~'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
