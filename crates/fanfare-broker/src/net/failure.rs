//! Why a connection was not accepted, and what that means for the next one.

use std::io;

/// What a failed `accept` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The one connection, or a signal: the next one may be accepted at once.
    Passing,
    /// Something that every connection needs is used up. Trying again at once would only burn the processor.
    Exhausted {
        /// What.
        what: &'static str,
        /// What the operator can do about it.
        cure: &'static str,
    },
    /// Nothing that `accept` is known for, so perhaps it lasts.
    Unknown,
}

impl Failure {
    /// Sorts the error of an `accept`.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE) => Self::Exhausted {
                what: "the limit on open files of this process",
                cure: "raise it with `ulimit -n` or LimitNOFILE, or lower maxclients",
            },
            Some(libc::ENFILE) => Self::Exhausted {
                what: "the limit on open files of the whole system",
                cure: "raise it with `sysctl fs.file-max`, or close programs",
            },
            Some(libc::ENOBUFS | libc::ENOMEM) => Self::Exhausted {
                what: "the system's memory for sockets",
                cure: "free memory, or raise `sysctl net.ipv4.tcp_mem`",
            },
            // accept(2): errors of the network that were pending on the new connection, and the refusal of a firewall.
            Some(
                libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::EAGAIN
                | libc::EPROTO
                | libc::EPERM
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::ENETRESET
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::ETIMEDOUT,
            ) => Self::Passing,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// How long a further outage is not worth a line in the log.
const SILENCE_MS: u64 = 10_000;

/// A time in which nobody is accepted. It tells the log once, however often `accept` fails meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    is_on: bool,
    told_at_ms: Option<u64>,
}

impl Outage {
    /// `accept` failed for a reason that lasts. Whether the log should be told.
    pub(crate) fn begin(&mut self, now_ms: u64) -> bool {
        let was_on = std::mem::replace(&mut self.is_on, true);
        let told_lately = self.told_at_ms.is_some_and(|it| now_ms.saturating_sub(it) < SILENCE_MS);
        let tells = !was_on && !told_lately;
        if tells {
            self.told_at_ms = Some(now_ms);
        }
        tells
    }

    /// A connection was accepted.
    pub(crate) fn end(&mut self) {
        self.is_on = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_stops_accepting() {
        let of = |errno: i32| Failure::of(&io::Error::from_raw_os_error(errno));
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert!(matches!(of(errno), Failure::Exhausted { .. }), "{errno}");
        }
        let passing = [
            libc::ECONNABORTED,
            libc::EINTR,
            libc::EPROTO,
            libc::EPERM,
            libc::ENETDOWN,
            libc::EHOSTUNREACH,
            libc::ETIMEDOUT,
        ];
        for errno in passing {
            assert_eq!(of(errno), Failure::Passing, "{errno}");
        }
        for errno in [libc::EBADF, libc::EINVAL, libc::ENOTSOCK] {
            assert_eq!(of(errno), Failure::Unknown, "{errno}");
        }
        assert_eq!(Failure::of(&io::Error::other("not from the system")), Failure::Unknown);
    }

    #[test]
    fn the_limit_is_named_with_its_cure() {
        let of = |errno: i32| match Failure::of(&io::Error::from_raw_os_error(errno)) {
            Failure::Exhausted { what, cure } => format!("{what}: {cure}"),
            other => format!("{other:?}"),
        };
        assert!(of(libc::EMFILE).contains("ulimit -n"), "{}", of(libc::EMFILE));
        assert!(of(libc::ENFILE).contains("fs.file-max"), "{}", of(libc::ENFILE));
        assert_eq!(of(libc::ENOBUFS), of(libc::ENOMEM));
    }

    #[test]
    fn an_outage_is_told_once_and_the_next_one_not_too_soon() {
        let mut outage = Outage::default();
        assert!(outage.begin(1000));
        assert!(!outage.begin(1100));
        assert!(!outage.begin(1000 + 2 * SILENCE_MS), "it has not ended yet");
        outage.end();
        assert!(outage.begin(1100 + 2 * SILENCE_MS));
        outage.end();
        assert!(!outage.begin(1200 + 2 * SILENCE_MS), "that was a moment ago");
        outage.end();
        assert!(outage.begin(1100 + 3 * SILENCE_MS));
    }
}
