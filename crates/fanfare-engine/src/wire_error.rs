//! Errors as they appear on the wire, with Redis's exact words: here those that show what was sent, in `fixed` those
//! that are always the same. Only these two files hold their text.

mod fixed;

use std::borrow::Cow;

use fanfare_resp::Writer;

pub use fixed::*;

/// An error reply: a code such as `ERR` or `WRONGTYPE`, and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    code: &'static str,
    text: Cow<'static, [u8]>,
}

/// Codes that scripts hand on.
const SCRIPT_CODES: &[&str] = &[
    "ERR",
    "WRONGTYPE",
    "NOSCRIPT",
    "OOM",
    "BUSY",
    "NOAUTH",
    "NOPERM",
    "EXECABORT",
    "BUSYKEY",
    "NOTBUSY",
    "UNKILLABLE",
    "READONLY",
    "NOGROUP",
    "BUSYGROUP",
    "UNBLOCKED",
    "NOPROTO",
    "WRONGPASS",
    "MISCONF",
];

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

    /// As [`Self::showing`], with another code.
    fn coded(code: &'static str, parts: &[&[u8]]) -> Self {
        Self { code, ..Self::showing(parts) }
    }

    /// The code; empty for a line that a client dictated (`DEBUG ERROR`).
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The name under which `INFO errorstats` counts it: of a line that a client dictated, the first word, if that is
    /// short, as in Redis.
    #[must_use]
    pub fn counted_as(&self) -> Cow<'static, str> {
        if !self.code.is_empty() {
            return Cow::Borrowed(self.code);
        }
        let mut words =
            self.text.get(..self.text.len().min(31)).unwrap_or_default().split(|it| *it == b' ');
        match (words.next(), words.next()) {
            (Some(word), Some(_)) => {
                let word = String::from_utf8_lossy(word);
                Cow::Owned(word.replace(['#', ':', '\n', '\r'], "_"))
            }
            _ => Cow::Borrowed("ERR"),
        }
    }

    /// The text after the code.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// The code and the text, as they are on the wire.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let code = self.code.as_bytes();
        if code.is_empty() { self.text.to_vec() } else { [code, b" ", &self.text].concat() }
    }

    /// The error of a line that a script ended with. Codes that Redis does not know are not counted.
    #[must_use]
    pub fn from_line(line: &[u8]) -> Self {
        let mut words = line.splitn(2, |it| *it == b' ');
        let (word, text) = (words.next().unwrap_or_default(), words.next());
        match (SCRIPT_CODES.iter().find(|it| it.as_bytes() == word), text) {
            (Some(code), Some(text)) => Self { code, text: Cow::Owned(text.to_vec()) },
            (_, _) => Self::dictated(line),
        }
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

    /// A script that wants to wait; `name` is the command as it was spelled.
    #[must_use]
    pub fn block_in_script(name: &[u8]) -> Self {
        let text: &[u8] = b" command is not allowed with BLOCK option from scripts";
        Self::showing(&[cut(name, usize::MAX), text])
    }

    /// `XREAD` with what only `XREADGROUP` has.
    #[must_use]
    pub fn only_for_xreadgroup(option: &str) -> Self {
        Self::err(format!(
            "The {option} option is only supported by XREADGROUP. You called XREAD instead."
        ))
    }

    /// `XREADGROUP` of a group that is not there.
    #[must_use]
    pub fn no_group_to_read(key: &[u8], group: &[u8]) -> Self {
        let text = [
            b"No such key '",
            cut(key, usize::MAX),
            b"' or consumer group '",
            cut(group, usize::MAX),
            b"' in XREADGROUP with GROUP option",
        ];
        Self::coded("NOGROUP", &text)
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

    /// A command on several keys of which there are none.
    #[must_use]
    pub fn no_input_key(command: &str) -> Self {
        Self::err(format!("at least 1 input key is needed for '{command}' command"))
    }

    /// An option that the command does not have.
    #[must_use]
    pub fn unsupported_option(option: &[u8]) -> Self {
        Self::showing(&[b"Unsupported option ", cut(option, usize::MAX)])
    }

    /// `FUNCTION LOAD` with an option that does not exist.
    #[must_use]
    pub fn unknown_option_given(option: &[u8]) -> Self {
        Self::showing(&[b"Unknown option given: ", cut(option, usize::MAX)])
    }

    /// `FUNCTION LIST` with a word that does not belong there.
    #[must_use]
    pub fn unknown_word(argument: &[u8]) -> Self {
        Self::showing(&[b"Unknown argument ", cut(argument, usize::MAX)])
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

    /// `CLIENT TRACKING` with prefixes of which one begins the other; `which` is what the other one is.
    #[must_use]
    pub fn prefix_overlaps(prefix: &[u8], which: &str, other: &[u8]) -> Self {
        Self::showing(&[
            b"Prefix '",
            cut(prefix, usize::MAX),
            b"' overlaps with ",
            which.as_bytes(),
            b" prefix '",
            cut(other, usize::MAX),
            b"'. Prefixes for a single client must not overlap.",
        ])
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

    /// `BITOP` of one key with an operation that compares two.
    #[must_use]
    pub fn bitop_sources(operation: &str) -> Self {
        Self::err(format!("BITOP {operation} must be called with at least two source keys."))
    }

    /// `LATENCY GRAPH` of an event without samples.
    #[must_use]
    pub fn no_latency_samples(event: &[u8]) -> Self {
        Self::showing(&[b"No samples available for event '", cut(event, usize::MAX), b"'"])
    }

    /// No such stream, or no such group of it.
    #[must_use]
    pub fn no_key_or_group(key: &[u8], group: &[u8]) -> Self {
        let (key, group) = (cut(key, usize::MAX), cut(group, usize::MAX));
        Self::coded("NOGROUP", &[b"No such key '", key, b"' or consumer group '", group, b"'"])
    }

    /// No such group of a stream.
    #[must_use]
    pub fn no_group(group: &[u8], key: &[u8]) -> Self {
        let (key, group) = (cut(key, usize::MAX), cut(group, usize::MAX));
        Self::coded(
            "NOGROUP",
            &[b"No such consumer group '", group, b"' for key name '", key, b"'"],
        )
    }

    /// `XCLAIM` or `XAUTOCLAIM` with something that is no number.
    #[must_use]
    pub fn not_an_integer_for(what: &str, command: &str) -> Self {
        Self::err(format!("Invalid {what} argument for {command}"))
    }

    /// `XCLAIM` or `XNACK` with a word that it does not know.
    #[must_use]
    pub fn unrecognized_option_of(command: &str, option: &[u8]) -> Self {
        let option = cut(option, usize::MAX);
        Self::showing(&[b"Unrecognized ", command.as_bytes(), b" option '", option, b"'"])
    }

    /// `HSETEX` with a word that it does not know.
    #[must_use]
    pub fn unknown_argument(word: &[u8]) -> Self {
        Self::showing(&[b"unknown argument: ", cut(word, usize::MAX)])
    }
}

/// What redis-server shows of an argument: at most `bytes_max` bytes, and nothing behind a zero byte.
fn cut(bytes: &[u8], bytes_max: usize) -> &[u8] {
    let shown = bytes.get(..bytes_max).unwrap_or(bytes);
    shown.split(|it| *it == 0).next().unwrap_or_default()
}
