//! Errors as they appear on the wire, with Redis's exact words. Only this file holds their text.

use std::borrow::Cow;

use fanfare_resp::Writer;

/// An error reply: a code such as `ERR` or `WRONGTYPE`, and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    code: &'static str,
    text: Cow<'static, [u8]>,
}

/// What an argument may be at most in an error text; longer ones are cut, as Redis does.
const ARGS_IN_ERROR_MAX: usize = 128;

impl WireError {
    /// An error with literal text.
    #[must_use]
    pub const fn new(code: &'static str, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text.as_bytes()) }
    }

    /// A generic error (`ERR`) with computed text.
    #[must_use]
    pub fn err(text: String) -> Self {
        Self { code: "ERR", text: Cow::Owned(text.into_bytes()) }
    }

    /// An error with computed text.
    #[must_use]
    pub fn with_code(code: &'static str, text: String) -> Self {
        Self { code, text: Cow::Owned(text.into_bytes()) }
    }

    /// A generic error (`ERR`) whose text shows bytes that a client sent, as they are.
    fn showing(parts: &[&[u8]]) -> Self {
        Self { code: "ERR", text: Cow::Owned(parts.concat()) }
    }

    /// The code: counted by `INFO errorstats`; empty for a line that a client dictated (`DEBUG ERROR`).
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text after the code.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// Appends the wire form; line breaks become spaces, so that an argument can not forge a reply.
    pub fn write(&self, out: &mut Writer<'_>) {
        let mut line = Vec::with_capacity(self.code.len() + 1 + self.text.len());
        if !self.code.is_empty() {
            line.extend_from_slice(self.code.as_bytes());
            line.push(b' ');
        }
        line.extend(self.text.iter().map(|&it| if it == b'\r' || it == b'\n' { b' ' } else { it }));
        out.error(&line);
    }

    /// Wrong number of arguments.
    #[must_use]
    pub fn wrong_arity(name: &str) -> Self {
        Self::err(format!("wrong number of arguments for '{name}' command"))
    }

    /// No such command.
    #[must_use]
    pub fn unknown_command<'a>(name: &[u8], args: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut shown: Vec<u8> = Vec::new();
        for arg in args {
            if ARGS_IN_ERROR_MAX <= shown.len() {
                break;
            }
            let room = ARGS_IN_ERROR_MAX - shown.len();
            shown.extend_from_slice(&[b"'", cut(arg, room), b"' "].concat());
        }
        Self::showing(&[
            b"unknown command '",
            cut(name, ARGS_IN_ERROR_MAX),
            b"', with args beginning with: ",
            &shown,
        ])
    }

    /// No such subcommand.
    #[must_use]
    pub fn unknown_subcommand(container: &str, name: &[u8]) -> Self {
        let name = cut(name, ARGS_IN_ERROR_MAX);
        let container = container.to_ascii_uppercase();
        Self::showing(&[b"unknown subcommand '", name, b"'. Try ", container.as_bytes(), b" HELP."])
    }

    /// A command that the subscribed RESP2 mode does not allow.
    #[must_use]
    pub fn in_subscribed_mode(name: &str) -> Self {
        Self::err(format!(
            "Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
        ))
    }

    /// An `EXEC` that was refused: the transaction is over.
    #[must_use]
    pub fn exec_aborted(cause: &Self) -> Self {
        let code = if cause.code == "ERR" { String::new() } else { format!("{} ", cause.code) };
        let head = format!("Transaction discarded because of: {code}");
        Self { code: "EXECABORT", text: Cow::Owned([head.as_bytes(), &cause.text].concat()) }
    }

    /// An expiry that can not be.
    #[must_use]
    pub fn invalid_expire(command: &str) -> Self {
        Self::err(format!("invalid expire time in '{command}' command"))
    }

    /// An option that the command does not have.
    #[must_use]
    pub fn unsupported_option(option: &[u8]) -> Self {
        Self::showing(&[b"Unsupported option ", cut(option, usize::MAX)])
    }

    /// Runs a container without its subcommand's arity being right.
    #[must_use]
    pub fn wrong_subcommand_arity(container: &str, name: &[u8]) -> Self {
        let name = cut(name, ARGS_IN_ERROR_MAX);
        let container = container.to_ascii_uppercase();
        let what: &[u8] = b"unknown subcommand or wrong number of arguments for '";
        Self::showing(&[what, name, b"'. Try ", container.as_bytes(), b" HELP."])
    }
}

/// Errors that show an argument.
impl WireError {
    /// A line that a client dictated (`DEBUG ERROR`).
    #[must_use]
    pub fn dictated(line: &[u8]) -> Self {
        Self { code: "", text: Cow::Owned(line.to_vec()) }
    }

    /// `HELLO` with an option that does not exist or lacks its value.
    #[must_use]
    pub fn hello_option(option: &[u8]) -> Self {
        Self::showing(&[b"Syntax error in HELLO option '", cut(option, usize::MAX), b"'"])
    }

    /// No such type of client.
    #[must_use]
    pub fn unknown_client_type(name: &[u8]) -> Self {
        Self::showing(&[b"Unknown client type '", cut(name, usize::MAX), b"'"])
    }

    /// No such user.
    #[must_use]
    pub fn no_such_user(name: &[u8]) -> Self {
        Self::showing(&[b"No such user '", cut(name, usize::MAX), b"'"])
    }

    /// `CLIENT SETINFO` of an attribute that does not exist.
    #[must_use]
    pub fn unrecognized_option(name: &[u8]) -> Self {
        Self::showing(&[b"Unrecognized option '", cut(name, usize::MAX), b"'"])
    }

    /// `CLIENT SETINFO` to something that would break the lines of `CLIENT LIST`.
    #[must_use]
    pub fn bad_client_attribute(name: &[u8]) -> Self {
        Self::showing(&[
            cut(name, usize::MAX),
            b" cannot contain spaces, newlines or special characters.",
        ])
    }

    /// `LATENCY GRAPH` of an event without samples.
    #[must_use]
    pub fn no_latency_samples(event: &[u8]) -> Self {
        Self::showing(&[b"No samples available for event '", cut(event, usize::MAX), b"'"])
    }
}

/// What redis-server shows of an argument: at most `bytes_max` bytes, and nothing behind a zero byte.
fn cut(bytes: &[u8], bytes_max: usize) -> &[u8] {
    let shown = bytes.get(..bytes_max).unwrap_or(bytes);
    shown.split(|it| *it == 0).next().unwrap_or_default()
}

/// A value of another type.
pub const WRONG_TYPE: WireError =
    WireError::new("WRONGTYPE", "Operation against a key holding the wrong kind of value");
/// Words in the wrong place.
pub const SYNTAX: WireError = WireError::new("ERR", "syntax error");
/// Not a 64-bit integer.
pub const NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "value is not an integer or out of range");
/// Not a floating-point number.
pub const NOT_A_FLOAT: WireError = WireError::new("ERR", "value is not a valid float");
/// The counter would leave 64 bits.
pub const OVERFLOW: WireError = WireError::new("ERR", "increment or decrement would overflow");
/// `DECRBY` by a number that has no opposite.
pub const DECREMENT_OVERFLOW: WireError = WireError::new("ERR", "decrement would overflow");
/// The counter would leave the floats.
pub const NAN_OR_INFINITY: WireError =
    WireError::new("ERR", "increment would produce NaN or Infinity");
/// Not authenticated.
pub const NO_AUTH: WireError = WireError::new("NOAUTH", "Authentication required.");
/// Wrong password.
pub const WRONG_PASS: WireError =
    WireError::new("WRONGPASS", "invalid username-password pair or user is disabled.");
/// A password although none is set.
pub const NO_PASSWORD_SET: WireError = WireError::new(
    "ERR",
    "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
/// `EXEC` outside a transaction.
pub const EXEC_WITHOUT_MULTI: WireError = WireError::new("ERR", "EXEC without MULTI");
/// `DISCARD` outside a transaction.
pub const DISCARD_WITHOUT_MULTI: WireError = WireError::new("ERR", "DISCARD without MULTI");
/// `MULTI` inside a transaction.
pub const NESTED_MULTI: WireError = WireError::new("ERR", "MULTI calls can not be nested");
/// `WATCH` inside a transaction.
pub const WATCH_IN_MULTI: WireError = WireError::new("ERR", "WATCH inside MULTI is not allowed");
/// A command was refused while queueing.
pub const EXEC_ABORT: WireError =
    WireError::new("EXECABORT", "Transaction discarded because of previous errors.");
/// A command that can not be queued.
pub const NOT_IN_MULTI: WireError =
    WireError::new("ERR", "Command not allowed inside a transaction");
/// `HELLO` with a version that does not exist.
pub const NO_PROTO: WireError = WireError::new("NOPROTO", "unsupported protocol version");
/// `EXPIRE` with `NX` and another condition.
pub const EXPIRE_NX_AND_OTHERS: WireError =
    WireError::new("ERR", "NX and XX, GT or LT options at the same time are not compatible");
/// `EXPIRE` with `GT` and `LT`.
pub const EXPIRE_GT_AND_LT: WireError =
    WireError::new("ERR", "GT and LT options at the same time are not compatible");
/// `SSUBSCRIBE` inside a transaction.
pub const SSUBSCRIBE_IN_EXEC: WireError =
    WireError::new("ERR", "SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
/// No such database.
pub const DB_OUT_OF_RANGE: WireError = WireError::new("ERR", "DB index is out of range");
/// An index that does not even fit 32 bits.
pub const NOT_A_32_BIT_INTEGER: WireError =
    WireError::new("ERR", "value is out of range, value must between -2147483648 and 2147483647");
/// `HELLO` with a version that is no number.
pub const PROTO_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "Protocol version is not an integer or out of range");
/// `HELLO` without credentials where they are needed.
pub const HELLO_NO_AUTH: WireError = WireError::new(
    "NOAUTH",
    "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);
/// A client's name that would break the lines of `CLIENT LIST`.
pub const BAD_CLIENT_NAME: WireError =
    WireError::new("ERR", "Client names cannot contain spaces, newlines or special characters.");
/// `CLIENT LIST ID` with something that is no number.
pub const INVALID_CLIENT_ID: WireError = WireError::new("ERR", "Invalid client ID");
/// `CLIENT KILL ID` with something that can not be an id.
pub const CLIENT_ID_NOT_POSITIVE: WireError =
    WireError::new("ERR", "client-id should be greater than 0");
/// `CLIENT KILL MAXAGE` with something that is no number.
pub const MAXAGE_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "maxage is not an integer or out of range");
/// `CLIENT KILL MAXAGE` with no age.
pub const MAXAGE_NOT_POSITIVE: WireError = WireError::new("ERR", "maxage should be greater than 0");
/// `CLIENT KILL` of an address that nobody has.
pub const NO_SUCH_CLIENT: WireError = WireError::new("ERR", "No such client");
/// A timeout that is no number.
pub const TIMEOUT_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "timeout is not an integer or out of range");
/// A timeout before now.
pub const TIMEOUT_NEGATIVE: WireError = WireError::new("ERR", "timeout is negative");
/// `CLIENT PAUSE` with a mode that does not exist.
pub const BAD_PAUSE_MODE: WireError =
    WireError::new("ERR", "CLIENT PAUSE mode must be WRITE or ALL");
/// `COMMAND GETKEYS` of something that is no command.
pub const INVALID_COMMAND: WireError = WireError::new("ERR", "Invalid command specified");
/// `COMMAND GETKEYS` of a command without keys.
pub const NO_KEY_ARGUMENTS: WireError = WireError::new("ERR", "The command has no key arguments");
/// `COMMAND GETKEYS` of a command with too few or too many arguments.
pub const INVALID_NUMBER_OF_ARGUMENTS: WireError =
    WireError::new("ERR", "Invalid number of arguments specified for command");
/// `COMMAND GETKEYS` of a request whose keys can not be told.
pub const INVALID_ARGUMENTS: WireError =
    WireError::new("ERR", "Invalid arguments specified for command");
/// `MONITOR` inside a transaction.
pub const MONITOR_IN_EXEC: WireError =
    WireError::new("ERR", "MONITOR isn't allowed for DENY BLOCKING client");
/// A command on keys from a client that monitors.
pub const MONITOR_AND_KEYSPACE: WireError =
    WireError::new("ERR", "Replica can't interact with the keyspace");
/// `SHUTDOWN ABORT` without a shutdown.
pub const NO_SHUTDOWN: WireError = WireError::new("ERR", "No shutdown in progress.");
/// `SLOWLOG GET` with an impossible count.
pub const SLOWLOG_COUNT: WireError =
    WireError::new("ERR", "count should be greater than or equal to -1");
/// `DEBUG` where it is not allowed.
pub const DEBUG_NOT_ALLOWED: WireError = WireError::new(
    "ERR",
    "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);
/// `DEBUG PROTOCOL` with a type that does not exist.
pub const BAD_PROTOCOL_TYPE: WireError = WireError::new(
    "ERR",
    "Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
/// Something that only RESP3 can say.
pub const RESP2_NOT_SUPPORTED: WireError =
    WireError::new("ERR", "RESP2 is not supported by this command");
/// What a blocked client is told by `CLIENT UNBLOCK … ERROR`.
pub const UNBLOCKED: WireError =
    WireError::new("UNBLOCKED", "client unblocked via CLIENT UNBLOCK");
/// A key that is not there, where one is needed.
pub const NO_SUCH_KEY: WireError = WireError::new("ERR", "no such key");
