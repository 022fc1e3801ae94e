//! Connections: how many there may be, and who is cut off.

use super::{Ailment, Diagnosis, evidence::Evidence};
use crate::monitor::Severity::{Critical, Warning};

pub(super) const REJECTED: Ailment = Ailment::new(
    "connections-rejected",
    Critical,
    "Programs could not connect: maxclients was reached.",
    "Raise maxclients and the limit on open files, or share connections.",
);

pub(super) const MANY: Ailment = Ailment::new(
    "many-clients",
    Warning,
    "When maxclients is reached, whoever connects is refused.",
    "Raise maxclients and the limit on open files, or share connections.",
);

pub(super) const KILLED: Ailment = Ailment::new(
    "subscribers-killed",
    Warning,
    "Clients that did not read fast enough were disconnected. What was published until they were back is lost to them.",
    "Read faster: do not handle messages on the task that reads. Or subscribe to less, or raise the limit.",
);

pub(super) const SLOW_SUBSCRIBER: Ailment = Ailment::new(
    "slow-subscriber",
    Warning,
    "When client-output-buffer-limit is reached, it is disconnected and loses what it has not read.",
    "Read faster: do not handle messages on the task that reads. Or subscribe to less, or raise the limit.",
);

pub(super) const UNBOUNDED_BUFFER: Ailment = Ailment::new(
    "subscriber-buffer-unbounded",
    Warning,
    "One subscriber that does not read can take all memory of the server.",
    "Limit what may wait for a subscriber.",
);

pub(super) const SMALL_BUFFER: Ailment = Ailment::new(
    "subscriber-buffer-small",
    Warning,
    "Subscribers are disconnected, and lose messages, at the first small burst.",
    "Allow some megabytes.",
);

pub(super) const IDLE_TIMEOUT: Ailment = Ailment::new(
    "idle-timeout",
    Warning,
    "The server closes connections that are quiet for so long; clients without a heartbeat notice it with their next command.",
    "Never close idle clients; tcp-keepalive finds those that are gone.",
);

pub(super) const NO_KEEPALIVE: Ailment = Ailment::new(
    "no-tcp-keepalive",
    Warning,
    "Clients that vanished without a word stay connected for ever, and count for maxclients; firewalls drop quiet subscribers.",
    "Probe connections after five quiet minutes.",
);

/// Less than this is not worth a word, whatever share of the limit it is.
const OUTPUT_MATTERS: u64 = 1 << 20;

/// What a burst may need.
const BUFFER_MIN: u64 = 1 << 20;

pub(super) fn check(node: &Evidence, diagnosis: &mut Diagnosis) {
    let (info, name) = (&node.info, &node.name);
    let many = |factor: u64| {
        let n = info.number("maxclients").unwrap_or(10_000).saturating_mul(factor);
        node.set("maxclients", &n.to_string())
    };
    if let Some(n) = info.number("rejected_connections").filter(|it| *it != 0) {
        let finding = REJECTED.found(name, format!("{n} connections were refused since the start"));
        diagnosis.add(finding.command(many(2)));
    }
    if let (Some(n), Some(most)) = (info.number("connected_clients"), info.number("maxclients"))
        && most.saturating_mul(4) < n.saturating_mul(5)
    {
        let finding = MANY.found(name, format!("{n} of at most {most} clients are connected"));
        diagnosis.add(finding.command(many(2)));
    }
    if let Some("0") = node.directive("tcp-keepalive") {
        let command = node.set("tcp-keepalive", "300");
        diagnosis.add(NO_KEEPALIVE.found(name, "tcp-keepalive is 0").command(command));
    }
    if let Some(seconds) = node.directive("timeout").filter(|it| *it != "0") {
        let command = node.set("timeout", "0");
        let evidence = format!("timeout is {seconds} seconds");
        diagnosis.add(IDLE_TIMEOUT.found(name, evidence).command(command));
    }
    subscribers(node, diagnosis);
}

fn subscribers(node: &Evidence, diagnosis: &mut Diagnosis) {
    let name = &node.name;
    let raise = || node.set("client-output-buffer-limit", "'pubsub 64mb 16mb 60'");
    let killed = node.info.number("client_output_buffer_limit_disconnections");
    if let Some(n) = killed.filter(|it| *it != 0) {
        let evidence = format!("{n} clients were disconnected at client-output-buffer-limit");
        diagnosis.add(KILLED.found(name, evidence).command(raise()));
    }
    let limits = node.directive("client-output-buffer-limit").and_then(pubsub_limits);
    match limits {
        Some((0, 0)) => {
            let command = node.set("client-output-buffer-limit", "'pubsub 32mb 8mb 60'");
            let evidence = "client-output-buffer-limit pubsub is 0 0 0";
            diagnosis.add(UNBOUNDED_BUFFER.found(name, evidence).command(command));
        }
        Some((hard, soft)) => {
            let least = [hard, soft].into_iter().filter(|it| *it != 0).min().unwrap_or(0);
            if least < BUFFER_MIN {
                let evidence = format!("client-output-buffer-limit pubsub is {least} bytes");
                let command = node.set("client-output-buffer-limit", "'pubsub 32mb 8mb 60'");
                diagnosis.add(SMALL_BUFFER.found(name, evidence).command(command));
            }
        }
        None => {}
    }
    let hard = limits.map_or(32 << 20, |it| it.0);
    for client in node.clients.iter().flatten() {
        let field = |name: &str| client.get(name).map_or("", String::as_str);
        let waiting = field("omem").parse::<u64>().unwrap_or(0);
        let is_much = OUTPUT_MATTERS <= waiting && (hard == 0 || hard / 8 <= waiting);
        if field("flags").contains('P') && is_much {
            let (address, called) = (field("addr"), field("name"));
            let evidence = format!("{waiting} bytes wait for the subscriber {address} {called:?}");
            diagnosis.add(SLOW_SUBSCRIBER.found(name, evidence).command(raise()));
        }
    }
}

/// The hard and the soft limit of `normal 0 0 0 slave … pubsub 33554432 8388608 60`.
fn pubsub_limits(value: &str) -> Option<(u64, u64)> {
    let mut words = value.split_whitespace().skip_while(|it| *it != "pubsub").skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_subscribers_are_found_among_the_others() {
        let value = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(pubsub_limits(value), Some((32 << 20, 8 << 20)));
        assert_eq!(pubsub_limits("normal 0 0 0"), None);
    }
}
