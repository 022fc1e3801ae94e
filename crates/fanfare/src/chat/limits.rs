//! What a chat allows, and how it refuses.

use std::{fmt, time::Duration};

use fanfare_client::Error;

/// What a chat allows. All programs of a chat should have the same; each goes by its own.
///
/// | | default |
/// |---|---|
/// | [`text_max`](Self::text_max) | 4,000 bytes |
/// | [`per_second`](Self::per_second), [`burst`](Self::burst) | 5 messages of one user, 20 at once |
/// | [`rooms_max`](Self::rooms_max) | 100 rooms of one user |
/// | [`members_max`](Self::members_max) | 1,000 users in one room |
/// | [`history_max`](Self::history_max), [`history_age`](Self::history_age) | 10,000 entries, 30 days |
/// | [`presence_ttl`](Self::presence_ttl) | 30 s |
///
/// # Example: who is killed is gone after ten seconds
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// # use std::time::Duration;
/// # use fanfare::{Fanfare, chat::{Chat, ChatLimits}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// # let fanfare = Fanfare::connect("embedded:").await?;
/// let mut limits = ChatLimits::default();
/// limits.presence_ttl = Duration::from_secs(10);
/// let chat = Chat::new(&fanfare).limits(limits);
/// # let _ = chat;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChatLimits {
    /// The longest text, in bytes.
    pub text_max: usize,
    /// How many messages a user may send per second, in the long run, over all connections and
    /// processes.
    pub per_second: f64,
    /// How many at once after a quiet time. 0 counts as 1.
    pub burst: u32,
    /// How many rooms a user may be in, over all connections and processes.
    pub rooms_max: usize,
    /// How many users may be in a room.
    pub members_max: usize,
    /// How many entries the history of a room, and an inbox, keep: messages, and who came and went. What
    /// is older goes. At least 1.
    pub history_max: u64,
    /// For how long. At least a second.
    pub history_age: Duration,
    /// After how long without a sign of life a connection counts as gone. It gives three in that time. At
    /// least a second, at most a day.
    pub presence_ttl: Duration,
}

impl Default for ChatLimits {
    fn default() -> Self {
        Self {
            text_max: 4_000,
            per_second: 5.0,
            burst: 20,
            rooms_max: 100,
            members_max: 1_000,
            history_max: 10_000,
            history_age: Duration::from_secs(30 * 86_400),
            presence_ttl: Duration::from_secs(30),
        }
    }
}

/// The longest name of a user, a connection or a room, in bytes.
const NAME_MAX: usize = 128;

impl ChatLimits {
    /// Those that can work, nearest to these.
    pub(super) fn sane(self) -> Self {
        let second = Duration::from_secs(1);
        Self {
            burst: self.burst.max(1),
            per_second: if self.per_second > 0.0 { self.per_second } else { 1.0 / 86_400.0 },
            history_max: self.history_max.max(1),
            history_age: self.history_age.clamp(second, Duration::from_secs(100 * 365 * 86_400)),
            presence_ttl: self.presence_ttl.clamp(second, Duration::from_secs(86_400)),
            ..self
        }
    }

    /// Whether this may be said. Line feeds and tabs may be, other control characters may not: they
    /// change what a terminal shows.
    pub(super) fn check_text(&self, text: &str) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::Empty);
        }
        if self.text_max < text.len() {
            return Err(Refusal::TooLong { bytes: text.len(), bytes_max: self.text_max });
        }
        check_characters(text)
    }
}

/// Whether this is a name.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::Empty);
    }
    if NAME_MAX < name.len() {
        return Err(Refusal::TooLong { bytes: name.len(), bytes_max: NAME_MAX });
    }
    check_characters(name)
}

fn check_characters(text: &str) -> Result<(), Refusal> {
    let mut controls = text.char_indices().filter(|(_, it)| it.is_control());
    match controls.find(|(_, it)| !matches!(it, '\n' | '\t')) {
        Some((at, character)) => Err(Refusal::ControlCharacter { at, character }),
        None => Ok(()),
    }
}

/// Why a chat refuses. Its text names the value, the limit and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A text or a name is empty, or nothing but white space.
    Empty,
    /// A text or a name is too long.
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A text or a name has a control character.
    ControlCharacter {
        /// Where, in bytes.
        at: usize,
        /// Which.
        character: char,
    },
    /// The user sends too fast.
    TooFast {
        /// When it will be allowed.
        retry_after: Duration,
    },
    /// The user is in too many rooms.
    TooManyRooms {
        /// In how many.
        n: usize,
        /// In how many one may be.
        n_max: usize,
    },
    /// There are too many users in the room.
    RoomFull {
        /// The room.
        room: String,
        /// How many.
        n: usize,
        /// How many there may be.
        n_max: usize,
    },
    /// The member is not in the room.
    NotInRoom {
        /// The room.
        room: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a text or a name is empty: it needs a visible character"),
            Self::TooLong { bytes, bytes_max } => write!(
                f,
                "a text or a name has {bytes} bytes, and may have {bytes_max}: shorten it, or send it \
                 in parts"
            ),
            Self::ControlCharacter { at, character } => write!(
                f,
                "a text or a name has the control character {character:?} at byte {at}: take it out; \
                 only line feeds and tabs are allowed"
            ),
            Self::TooFast { retry_after } => {
                write!(f, "the user sends too fast: send it again after {retry_after:.1?}")
            }
            Self::TooManyRooms { n, n_max } => write!(
                f,
                "the user is in {n} rooms, and may be in {n_max}: leave one before joining another"
            ),
            Self::RoomFull { room, n, n_max } => write!(
                f,
                "there are {n} users in room {room:?}, and there may be {n_max}: wait until one \
                 leaves, or allow more"
            ),
            Self::NotInRoom { room } => {
                write!(f, "the member is not in room {room:?}: join it first")
            }
        }
    }
}

/// Why something of a chat did not happen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChatError {
    /// The chat refuses it.
    Refused(Refusal),
    /// The broker could not do it.
    Failed(Error),
}

impl ChatError {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(_) => None,
        }
    }

    /// Whether the same may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                matches!(refusal, Refusal::TooFast { .. } | Refusal::RoomFull { .. })
            }
            Self::Failed(error) => error.is_retryable(),
        }
    }
}

impl From<Refusal> for ChatError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for ChatError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for ChatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChatError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Failed(error) => std::error::Error::source(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_said_is_refused_with_value_limit_and_cure() {
        let limits = ChatLimits { text_max: 10, ..ChatLimits::default() };
        for (text, told) in [
            ("", "empty"),
            (" \n\t", "empty"),
            ("01234567890", "has 11 bytes, and may have 10"),
            ("a\u{1b}[2J", "'\\u{1b}' at byte 1"),
            ("a\rb", "'\\r' at byte 1"),
        ] {
            let refusal = limits.check_text(text).unwrap_err().to_string();
            assert!(refusal.contains(told), "{text:?}: {refusal}");
        }
        assert_eq!(limits.check_text("é\tü\nok"), Ok(()));
        assert_eq!(check_name("a:b {c}"), Ok(()));
        assert!(check_name(&"x".repeat(129)).is_err() && check_name("\0").is_err());
    }
}
