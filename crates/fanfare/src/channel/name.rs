//! The name of a channel.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use fanfare_client::Error;

use super::segment;

/// The name of a channel: one that a handler's message came by, or one built of segments.
///
/// [`segment`](Self::segment) joins with colons and escapes with `%`, as in a URL, what would not stay
/// one segment: the colon, `%`, white space and control characters. So no two lists of segments have the
/// same name, whatever users call themselves.
///
/// It is taken wherever a channel's name is. As an argument of a handler it is the
/// [extracted](crate::Extract) channel.
///
/// # Example: ids that would collide, and do not
/// ```
/// use fanfare::Channel;
///
/// let one = Channel::new("private").segment("a:b")?.segment("c")?;
/// let other = Channel::new("private").segment("a")?.segment("b:c")?;
/// assert_eq!(one.name(), "private:a%3Ab:c");
/// assert_ne!(one, other);
/// assert_eq!(one.segments().nth(1).as_deref(), Some(&b"a:b"[..]));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(pub Bytes);

impl Channel {
    /// A name as it is: `events:user`. What comes from outside belongs into a
    /// [`segment`](Self::segment).
    pub fn new(name: impl Into<Bytes>) -> Self {
        Self(name.into())
    }

    /// Adds a segment.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if it is empty.
    pub fn segment(self, segment: impl AsRef<[u8]>) -> Result<Self, Error> {
        let mut name = Vec::from(self.0);
        segment::push(&mut name, segment.as_ref())?;
        Ok(Self(name.into()))
    }

    /// Its name as text; bytes that are not UTF-8 are replaced.
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Its segments, as they were before they were escaped.
    pub fn segments(&self) -> impl Iterator<Item = Vec<u8>> {
        self.0.split(|byte| *byte == segment::SEPARATOR).map(segment::decode)
    }
}

impl AsRef<[u8]> for Channel {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}
