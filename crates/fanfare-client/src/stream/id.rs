//! The ID of a stream's entry.

use std::{fmt, str::FromStr};

use crate::{Error, ErrorKind};

/// The ID of a stream's entry: milliseconds since 1970, and a number for entries of the same
/// millisecond. IDs grow along the stream.
///
/// ```
/// use fanfare_client::stream::StreamId;
///
/// let id: StreamId = "1700000000000-3".parse()?;
/// assert_eq!((id.ms, id.seq), (1_700_000_000_000, 3));
/// assert!(StreamId::MIN < id && id < StreamId::MAX);
/// assert_eq!(id.to_string(), "1700000000000-3");
/// assert_eq!("7".parse::<StreamId>()?, StreamId::new(7, 0));
/// # Ok::<_, fanfare_client::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(into = "String", try_from = "String"))]
pub struct StreamId {
    /// Milliseconds.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// `0-0`, which no entry has: all come after it.
    pub const MIN: Self = Self::new(0, 0);

    /// The largest ID.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// An ID of these parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The largest ID below this one; `0-0` has none but itself.
    pub(crate) fn before(self) -> Self {
        match (self.ms, self.seq) {
            (0, 0) => self,
            (ms, 0) => Self::new(ms - 1, u64::MAX),
            (ms, seq) => Self::new(ms, seq - 1),
        }
    }

    /// The ID that the server wrote, if it is one.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        // `u64::from_str` allows a plus sign.
        let number =
            |part: &str| part.bytes().all(|it| it.is_ascii_digit()).then(|| part.parse().ok())?;
        Some(Self::new(number(ms)?, number(seq)?))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text.as_bytes()).ok_or_else(|| {
            let message = format!("{text:?} is not the ID of a stream's entry, such as 1700000-0");
            Error::new(ErrorKind::Decode, message)
        })
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for StreamId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::StreamId;

    #[test]
    fn ids_are_read_strictly_and_written_back() {
        for text in ["0-0", "1-2", "18446744073709551615-18446744073709551615"] {
            assert_eq!(text.parse::<StreamId>().unwrap().to_string(), text);
        }
        for wrong in ["", "-", "1-", "-1", "+1-0", "1-+1", "1-2-3", "x", "18446744073709551616-0"] {
            assert!(wrong.parse::<StreamId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_id_before() {
        let before = |ms, seq| StreamId::new(ms, seq).before();
        assert_eq!(before(5, 3), StreamId::new(5, 2));
        assert_eq!(before(5, 0), StreamId::new(4, u64::MAX));
        assert_eq!(before(0, 0), StreamId::MIN);
    }
}
