//! A pattern of channels, by segments.

use std::fmt;

use fanfare_client::Error;

use super::segment::{SEPARATOR, push};

/// A pattern of channels whose names have [segments](crate::Channel): each is given, or any; and there may be
/// any number of them.
///
/// A server's glob knows no segments: its `alerts:*:high` has `alerts:a:b:high` too. So a pattern is
/// two things: the [`glob`](Self::glob) to subscribe to, which may have more, and
/// [`matches`](Self::matches), which is exact. [`Router::matching`](crate::Router::matching) uses both.
///
/// A given segment is escaped, for names and for globs: `*` as the id of a user has that user's channels
/// and no one else's.
///
/// # Example: one user's events, whatever the user is called
/// ```
/// use fanfare::{Channel, Pattern};
///
/// let star = Pattern::new("events:user").segment("*")?.any();
/// assert_eq!(star.glob(), br"events:user:\*:*");
/// assert!(star.matches(Channel::new("events:user:*:login")));
/// assert!(!star.matches(Channel::new("events:user:victim:login")));
/// assert!(!star.matches(Channel::new("events:user:*:login:twice")));
/// assert!(Pattern::new("events").rest().matches(Channel::new("events:user:*:login:twice")));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[must_use]
pub struct Pattern {
    parts: Vec<Part>,
    glob: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// This segment, as it is written.
    Given(Vec<u8>),
    /// One segment.
    Any,
    /// One segment or more.
    Rest,
}

impl Pattern {
    /// Begins with the segments of a name as it is, such as `events:user`. None of its characters means
    /// anything. What comes from outside belongs into a [`segment`](Self::segment).
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        let segments = name.as_ref().split(|byte| *byte == SEPARATOR);
        let empty = Self { parts: Vec::new(), glob: Vec::new() };
        segments.fold(empty, |pattern, segment| pattern.with(Part::Given(segment.to_vec())))
    }

    /// Then this segment.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if it is empty.
    pub fn segment(self, segment: impl AsRef<[u8]>) -> Result<Self, Error> {
        let mut written = Vec::new();
        push(&mut written, segment.as_ref())?;
        Ok(self.with(Part::Given(written)))
    }

    /// Then any one segment.
    pub fn any(self) -> Self {
        self.with(Part::Any)
    }

    /// Then one segment or more.
    pub fn rest(self) -> Self {
        self.with(Part::Rest)
    }

    /// The glob to subscribe to. All channels that [match](Self::matches) match it, and maybe others.
    pub fn glob(&self) -> &[u8] {
        &self.glob
    }

    /// Whether a channel's name has these segments.
    pub fn matches(&self, channel: impl AsRef<[u8]>) -> bool {
        let segments: Vec<_> = channel.as_ref().split(|byte| *byte == SEPARATOR).collect();
        // As far as the parts before the last `Rest` that was passed are concerned, the shortest
        // way through is as good as any.
        let (mut part_idx, mut segment_idx) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while let Some(segment) = segments.get(segment_idx) {
            match self.parts.get(part_idx) {
                Some(Part::Rest) => retry = Some((part_idx, segment_idx)),
                Some(Part::Any) => {}
                Some(Part::Given(given)) if given == segment => {}
                Some(Part::Given(_)) | None => {
                    let Some((rest_idx, taken_idx)) = &mut retry else { return false };
                    // It takes one more.
                    *taken_idx += 1;
                    (part_idx, segment_idx) = (*rest_idx, *taken_idx);
                }
            }
            (part_idx, segment_idx) = (part_idx + 1, segment_idx + 1);
        }
        part_idx == self.parts.len()
    }

    fn with(mut self, part: Part) -> Self {
        if !self.parts.is_empty() {
            self.glob.push(SEPARATOR);
        }
        match &part {
            Part::Given(segment) => {
                for &byte in segment {
                    // What means something to a glob: <https://redis.io/docs/latest/commands/psubscribe/>.
                    if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
                        self.glob.push(b'\\');
                    }
                    self.glob.push(byte);
                }
            }
            Part::Any | Part::Rest => self.glob.push(b'*'),
        }
        self.parts.push(part);
        self
    }
}

/// Its glob, for wherever a pattern is taken.
impl AsRef<[u8]> for Pattern {
    fn as_ref(&self) -> &[u8] {
        &self.glob
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.glob))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.parts).finish()
    }
}
