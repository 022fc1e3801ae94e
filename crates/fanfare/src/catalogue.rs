//! Every error code with its meaning, likely cause and cure: what `fanfare explain` prints and
//! `docs/generated/errors.md` lists.
//!
//! A code never changes its meaning and is never used again; texts may change. First digit: 1 the
//! connection and its subscriptions, 3 configuration and start of a broker, 6 the toolkit.

/// What is known about one error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `FF-1105`.
    pub code: &'static str,
    /// The kind's name in the API.
    pub kind: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What most often is behind it.
    pub cause: &'static str,
    /// What to do.
    pub cure: &'static str,
}

/// The entry of a code, in any case, with or without `FF` and the dash.
///
/// # Example: what to do about it
/// ```
/// let entry = fanfare::catalogue::explain("ff-1106").expect("it is listed");
/// assert_eq!(entry.kind, "Timeout");
/// assert_eq!(fanfare::catalogue::explain("1106"), Some(entry));
/// assert_eq!(fanfare::catalogue::explain("FF-9999"), None);
/// ```
#[must_use]
pub fn explain(code: &str) -> Option<&'static Entry> {
    let digits = code.trim().trim_start_matches(['F', 'f']).trim_start_matches('-');
    CATALOGUE.iter().find(|it| it.code.strip_prefix("FF-") == Some(digits))
}

/// All codes, in their order.
pub static CATALOGUE: &[Entry] = &[
    // The connection and its subscriptions.
    Entry {
        code: "FF-1001",
        kind: "InvalidUrl",
        name: "invalid URL",
        meaning: "The URL can not be understood.",
        cause: "A typing error, a port beyond 65535, or a character in the password that needs percent-encoding.",
        cure: "Correct the part that the message names. The form is redis://user:password@host:port/db; encode @ / : # in a password as %40 %2F %3A %23.",
    },
    Entry {
        code: "FF-1002",
        kind: "InvalidOption",
        name: "invalid option",
        meaning: "An option has a value that can not work.",
        cause: "A typing error in a name, a zero where at least one is needed, two options that exclude each other, or channels together with a database other than 0.",
        cure: "Give the option a value within the range that the message names. Separate channels by a namespace instead of a database.",
    },
    Entry {
        code: "FF-1003",
        kind: "Unsupported",
        name: "unsupported",
        meaning: "The URL or command is right but needs something that this build or the server does not have.",
        cause: "rediss:// or embedded: in a build without the feature `tls` or `embedded`, or a command of a newer Redis.",
        cure: "Build with the feature that the message names, or use a server of the version that it names.",
    },
    Entry {
        code: "FF-1101",
        kind: "Connect",
        name: "can not connect",
        meaning: "The server could not be reached.",
        cause: "It does not run, listens elsewhere, the name does not resolve, or a firewall is in between.",
        cure: "Check with `fanfare ping --url URL` or redis-cli from the same machine. A link that was connected once keeps trying by itself.",
    },
    Entry {
        code: "FF-1102",
        kind: "Tls",
        name: "TLS failed",
        meaning: "The encrypted session could not be set up.",
        cause: "An unknown certificate authority, a certificate for another name, a port without TLS, or a server that asks for a client certificate.",
        cure: "Name the authority with ?ca_file=…, the certificate's name with ?server_name=…, your own certificate with ?cert_file=… and ?key_file=…, or use redis:// if the port does not speak TLS.",
    },
    Entry {
        code: "FF-1103",
        kind: "Auth",
        name: "not authenticated",
        meaning: "The server refused the user or password, or asks for one.",
        cause: "No password in the URL, or a wrong one.",
        cure: "Put them into the URL: redis://:password@host or redis://user:password@host.",
    },
    Entry {
        code: "FF-1104",
        kind: "NotConnected",
        name: "not connected",
        meaning: "There was no connection and nothing was sent.",
        cause: "The server is away or restarting.",
        cure: "Retry: it is harmless, since nothing was sent. By default commands wait for the connection until their deadline.",
    },
    Entry {
        code: "FF-1105",
        kind: "Disconnected",
        name: "disconnected",
        meaning: "The connection broke after the request was sent, at least in part.",
        cause: "The server stopped, closed the client, or the network failed.",
        cure: "The request may have taken effect. Retry only what may happen twice, or check first.",
    },
    Entry {
        code: "FF-1106",
        kind: "Timeout",
        name: "timeout",
        meaning: "There was no answer within the deadline.",
        cause: "A slow or hung server, a long command in front, or a deadline that is too short.",
        cure: "Look at SLOWLOG and the server's load; raise `request_timeout` if the command may take so long. It may have taken effect.",
    },
    Entry {
        code: "FF-1107",
        kind: "Overloaded",
        name: "overloaded",
        meaning: "Too many requests were in flight, and it stayed so until the deadline.",
        cause: "The program sends faster than the server answers.",
        cure: "Send less at the same time, or raise `Options::in_flight_max` (`in_flight_max` and `in_flight_bytes_max` in a configuration).",
    },
    Entry {
        code: "FF-1201",
        kind: "Server",
        name: "the server's error",
        meaning: "The server answered with an error.",
        cause: "Its text says it; the first word (WRONGTYPE, NOPERM, …) is the server's own code.",
        cure: "Act on the text. `server_code()` gives the first word to programs.",
    },
    Entry {
        code: "FF-1202",
        kind: "Protocol",
        name: "protocol error",
        meaning: "The peer sent something that is not RESP, or no answer to the question.",
        cause: "It is no Redis server, or one side speaks TLS and the other does not.",
        cure: "Check host and port, and redis:// against rediss://.",
    },
    Entry {
        code: "FF-1203",
        kind: "TooLarge",
        name: "request too large",
        meaning: "The request is larger than a limit of this link.",
        cause: "One message or pipeline beyond the bytes of `Options::in_flight_max`.",
        cure: "Send less at once, or raise them (`in_flight_bytes_max` in a configuration).",
    },
    Entry {
        code: "FF-1204",
        kind: "InvalidRequest",
        name: "invalid request",
        meaning: "The command can not be sent on a connection that many callers share.",
        cause: "SUBSCRIBE, MULTI, SELECT, a blocking read or another command that changes the connection; in a cluster, keys of several slots where one is needed.",
        cure: "Use the method made for it: `subscribe` for SUBSCRIBE, `transaction` and `watch` for MULTI and WATCH, `blpop` and its like, a stream's `tail` for XSUBSCRIBE and XREAD BLOCK, the URL's database for SELECT. Put keys into one slot by a common part in braces.",
    },
    Entry {
        code: "FF-1301",
        kind: "SlowConsumer",
        name: "slow consumer",
        meaning: "The subscription was ended because its queue was full and its policy is to disconnect.",
        cause: "The program reads more slowly than messages arrive.",
        cure: "Read faster, give the queue more room, or choose another policy: drop oldest, drop newest, block.",
    },
    Entry {
        code: "FF-1302",
        kind: "Closed",
        name: "closed",
        meaning: "The link or subscription was closed by this program.",
        cause: "`close()` was called while somebody still used it.",
        cure: "Nothing, if the program is ending; otherwise connect again.",
    },
    // Configuration of a broker.
    Entry {
        code: "FF-3001",
        kind: "Unreadable",
        name: "unreadable configuration",
        meaning: "A configuration file could not be read.",
        cause: "It does not exist or its permissions forbid it.",
        cure: "Check the path and the permissions that the message names.",
    },
    Entry {
        code: "FF-3002",
        kind: "Syntax",
        name: "configuration syntax",
        meaning: "A line or flag could not be taken apart.",
        cause: "Quotes that do not close, or a flag that is not of the form --name value.",
        cure: "Correct the line that the message names.",
    },
    Entry {
        code: "FF-3003",
        kind: "Unknown",
        name: "unknown directive",
        meaning: "There is no such directive.",
        cause: "A typing error.",
        cure: "Take the name that the message suggests; `fanfare config` lists them all.",
    },
    Entry {
        code: "FF-3004",
        kind: "Value",
        name: "wrong value",
        meaning: "The directive does not take this value, or not so many values.",
        cause: "A number out of range, a word that is none of the choices, a missing unit.",
        cure: "Write one of the values that the message lists; `fanfare config NAME` shows them too.",
    },
    Entry {
        code: "FF-3005",
        kind: "NotBuilt",
        name: "not built",
        meaning: "Redis has this, this release has not, and to start without it would be unsafe.",
        cause: "tls-port, aclfile, user, cluster-enabled or daemonize.",
        cure: "Remove the directive and do what the message says instead.",
    },
    // Start of a broker.
    Entry {
        code: "FF-3101",
        kind: "Bind",
        name: "can not listen",
        meaning: "An address or socket path can not be listened on.",
        cause: "Another server listens there (often a redis-server on 6379), or the address is not this machine's.",
        cure: "Stop the other one, or choose another with --port, --bind or --unixsocket.",
    },
    Entry {
        code: "FF-3102",
        kind: "NoListener",
        name: "nothing to listen on",
        meaning: "There is nothing to listen on.",
        cause: "`port 0` without a Unix socket.",
        cure: "Set `port` or `unixsocket`.",
    },
    Entry {
        code: "FF-3103",
        kind: "Rename",
        name: "wrong rename-command",
        meaning: "rename-command does not fit the commands.",
        cause: "It names a command that does not exist, or a new name that is taken.",
        cure: "Correct the directive; the message says which. `redis-cli COMMAND LIST` shows the commands.",
    },
    Entry {
        code: "FF-3104",
        kind: "Thread",
        name: "no thread",
        meaning: "A reactor's thread or event loop could not be made.",
        cause: "A limit on processes, threads or open files.",
        cure: "Raise the limit (ulimit -u, ulimit -n), or ask for fewer with --reactors.",
    },
    // The toolkit.
    Entry {
        code: "FF-6001",
        kind: "Encode",
        name: "can not encode",
        meaning: "A value could not be turned into a payload.",
        cause: "A type that JSON can not hold, such as a map whose keys are no strings.",
        cure: "Change the type, or publish bytes.",
    },
    Entry {
        code: "FF-6002",
        kind: "Decode",
        name: "can not decode",
        meaning: "A payload could not be turned into the type that the program asked for.",
        cause: "Somebody publishes another format on this channel, or adds other fields to this stream.",
        cure: "Look at what is there (`fanfare sub CHANNEL --raw`, `fanfare stream tail KEY --from 0`). The subscription or tail goes on.",
    },
    Entry {
        code: "FF-6003",
        kind: "Embedded",
        name: "embedded broker failed",
        meaning: "The embedded broker could not be started.",
        cause: "No free port on the loopback interface, or a limit on threads or open files.",
        cure: "The error's source says which; raise the limit.",
    },
    Entry {
        code: "FF-6101",
        kind: "InvalidRecord",
        name: "invalid record",
        meaning: "A record can not be published to its destination, and nothing was written.",
        cause: "Its key is missing, empty or no text; a key where the destination has none; in a cluster, a key in another slot than what is written with it.",
        cure: "Give the key as an argument, name the member that has it, or give names a common part in braces; the message says which.",
    },
    Entry {
        code: "FF-6201",
        kind: "NoResponders",
        name: "no responders",
        meaning: "A request was published and nobody was subscribed to its channel: it was not handled.",
        cause: "The service that answers does not run, listens on another channel, or has another namespace.",
        cure: "Start it, and compare the channels and namespaces. `PUBSUB NUMSUB` tells who is subscribed.",
    },
    Entry {
        code: "FF-6202",
        kind: "AnswerLost",
        name: "answer lost",
        meaning: "The inbox lost its connection while a request was on its way; its answer may have been lost.",
        cause: "The server stopped, closed the client, or the network failed.",
        cure: "The request may have been handled. Ask again only what may be asked twice.",
    },
    Entry {
        code: "FF-6203",
        kind: "Refused",
        name: "refused",
        meaning: "A request was answered with an error.",
        cause: "Its text says it: the handler failed or panicked, or could not decode the request.",
        cure: "Act on the text; the responder's log has more.",
    },
    Entry {
        code: "FF-6401",
        kind: "SpoolFull",
        name: "spool full",
        meaning: "A message can not be kept while the broker is away: a limit of the spool is reached. Nothing was taken.",
        cause: "The broker has been away for longer than the limits were made for, or does not take messages: the spool's last error says why.",
        cure: "Bring the broker back; what waits is sent by itself. Or raise `messages_max` or `bytes_max`, or let the oldest be dropped (`WhenFull::DropOldest`).",
    },
    Entry {
        code: "FF-6402",
        kind: "Storage",
        name: "storage failed",
        meaning: "A file could not be written, read or locked.",
        cause: "The disk is full or fails, the program may not write there, or another process has the directory.",
        cure: "Free space, correct the permissions, or give each process a directory of its own; the message names the file. A spool takes messages again as soon as the disk does.",
    },
    Entry {
        code: "FF-6403",
        kind: "Database",
        name: "database failed",
        meaning: "The database of an outbox failed. What was to be written is not there.",
        cause: "It can not be reached, is locked or full, or refuses the statement: the message has what it said.",
        cure: "Roll the transaction back and try it again. A relay asks again by itself, and sends what waits.",
    },
];

#[cfg(test)]
mod tests {
    use super::CATALOGUE;
    use crate::ErrorKind;

    #[test]
    fn codes_are_in_order_and_every_kind_of_the_link_is_listed() {
        assert!(CATALOGUE.is_sorted_by_key(|it| it.code));
        for kind in ErrorKind::ALL {
            let entry = super::explain(kind.code()).unwrap();
            assert_eq!(entry.kind, format!("{kind:?}"));
        }
        for entry in CATALOGUE {
            for text in [entry.meaning, entry.cause, entry.cure] {
                assert!(text.ends_with('.'), "{}: {text}", entry.code);
            }
        }
    }
}
