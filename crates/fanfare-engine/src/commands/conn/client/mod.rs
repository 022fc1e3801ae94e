//! CLIENT: what the server knows of its connections, and what they may ask of it.
//!
//! Source: <https://redis.io/docs/latest/commands/client/> and the pages of the subcommands.

mod kill;
mod list;
mod mode;
pub(super) mod name;
mod pause;
mod tracking;
mod unblock;

use crate::host::ClientKind;
use crate::spec::{Arity, Docs, Flag, Group, Keys};
use crate::{Reply, Spec, WireError};

pub(crate) static CLIENT: Spec = Spec::container(
    Group::Connection,
    "client",
    Docs::new("A container for client connection commands", "2.4.0", "Depends on subcommand."),
    &[
        &tracking::CACHING,
        &name::GETNAME,
        &tracking::GETREDIR,
        &HELP,
        &ID,
        &list::INFO,
        &kill::KILL,
        &list::LIST,
        &mode::NO_EVICT,
        &mode::NO_TOUCH,
        &pause::PAUSE,
        &mode::REPLY,
        &name::SETINFO,
        &name::SETNAME,
        &tracking::TRACKING,
        &tracking::TRACKINGINFO,
        &unblock::UNBLOCK,
        &pause::UNPAUSE,
    ],
);

static HELP: Spec = Spec::help(
    Group::Connection,
    "client|help",
    Docs::new("Show helpful text about the different subcommands", "5.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static ID: Spec = Spec {
    name: "client|id",
    arity: Arity::Exactly(2),
    flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Returns the client ID for the current connection", "5.0.0", "O(1)"),
    subcommands: &[],
    run: |ctx, _| Ok(Reply::uint(ctx.client.id)),
};

/// The words of redis-server 7.0 for what there is, and of 7.2 and 7.4 for what came later.
const HELP_LINES: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "HELP",
    "    Prints this help.",
];

/// The type of client that `raw` names.
fn parse_kind(raw: &[u8]) -> Result<ClientKind, WireError> {
    match raw.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(ClientKind::Normal),
        b"master" => Ok(ClientKind::Master),
        b"replica" | b"slave" => Ok(ClientKind::Replica),
        b"pubsub" => Ok(ClientKind::PubSub),
        _ => Err(WireError::unknown_client_type(raw)),
    }
}
