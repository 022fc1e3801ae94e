//! Whether it can be reached and lets us in.

use fanfare_client::{Error, ErrorKind};

use super::{Ailment, Finding};
use crate::monitor::{Severity::Critical, look::with_causes};

pub(super) const UNREACHABLE: Ailment = Ailment::new(
    "unreachable",
    Critical,
    "Nobody can publish, and nobody receives.",
    "Start the server, or correct host and port. If it runs, see whether it listens there (`bind`, `port`) and whether a firewall is in between.",
);

pub(super) const AUTHENTICATION: Ailment = Ailment::new(
    "authentication",
    Critical,
    "The server lets nobody in with this user and password.",
    "Put the right ones into the URL: redis://user:password@host:port, or redis://:password@host:port for the default user. `redis-cli ping` is no proof: it ends well although it is refused.",
);

pub(super) const NO_ANSWER: Ailment = Ailment::new(
    "no-answer",
    Critical,
    "Every command runs into its time limit.",
    "See what the process does: a long script or command, a stopped process, a machine that swaps. A longer time limit in clients hides it.",
);

pub(super) const NOT_READY: Ailment = Ailment::new(
    "not-ready",
    Critical,
    "The server refuses commands for the time being.",
    "Wait until it has loaded its data; end a script that runs too long.",
);

pub(super) const TLS: Ailment = Ailment::new(
    "tls",
    Critical,
    "No connection comes about.",
    "Use rediss:// for a port with TLS and redis:// for one without, and name the authority by ?ca_file=.",
);

pub(super) const NOT_REDIS: Ailment = Ailment::new(
    "not-redis",
    Critical,
    "What listens there does not speak Redis's protocol, or speaks TLS.",
    "Correct the port, or use rediss:// if it speaks TLS.",
);

pub(super) const REFUSED: Ailment = Ailment::new(
    "refused",
    Critical,
    "The server accepts the connection and then refuses to serve it.",
    "Do what its answer says. In protected mode it serves only its own machine, until it has a password.",
);

/// Why there is no connection to `at`.
pub(super) fn finding(at: &str, error: &Error) -> Finding {
    let said = with_causes(error);
    let code = error.server_code().unwrap_or_default();
    let lower = said.to_ascii_lowercase();
    let is_login = ["noauth", "wrongpass", "invalid username-password", "without any password"];
    if error.kind() == ErrorKind::Auth || is_login.iter().any(|it| lower.contains(it)) {
        return AUTHENTICATION
            .found(at, said)
            .command(format!("fanfare ping --url redis://:PASSWORD@{at}"));
    }
    if matches!(code, "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN") {
        let finding = NOT_READY.found(at, said);
        return if code == "BUSY" { finding.command("redis-cli SCRIPT KILL") } else { finding };
    }
    let is_silent = ["timed out", "not answer", "no answer", "in time"];
    let start = "redis-server --port 6379   # or: fanfare serve --port 6379";
    // Somebody listens there: it is of no use to start a server.
    let hangs_up = lower.contains("closed the connection during the handshake");
    match error.kind() {
        _ if hangs_up => NOT_REDIS.found(at, said),
        ErrorKind::Tls => TLS.found(at, said),
        ErrorKind::Protocol => NOT_REDIS.found(at, said),
        ErrorKind::Server => REFUSED.found(at, said),
        ErrorKind::Timeout => NO_ANSWER.found(at, said).command("redis-cli --latency"),
        _ if is_silent.iter().any(|it| lower.contains(it)) => {
            NO_ANSWER.found(at, said).command("redis-cli --latency")
        }
        _ => UNREACHABLE.found(at, said).command(start),
    }
}
