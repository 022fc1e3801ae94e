//! Making data smaller, and bounded when it grows again.

use std::fmt;
#[cfg(any(feature = "zstd", feature = "lz4", feature = "gzip"))]
use std::io::Read;
#[cfg(any(feature = "lz4", feature = "gzip"))]
use std::io::Write;

use fanfare_client::{Error, ErrorKind};

use crate::Sealed;

/// How data is compressed: the name of it is the envelope's
/// [`content_encoding`](crate::Head::content_encoding).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Zstandard ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878)), `zstd`: smallest. Feature `zstd`.
    Zstd,
    /// LZ4 in its frame format, `lz4`: quickest. Feature `lz4`.
    Lz4,
    /// Gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)), `gzip`: known everywhere. Feature
    /// `gzip`.
    Gzip,
}

impl Algorithm {
    /// Its name in an envelope.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Gzip => "gzip",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Zstd, Self::Lz4, Self::Gzip]
            .into_iter()
            .find(|it| name.eq_ignore_ascii_case(it.name()))
    }

    /// Whether this program was built with it.
    pub const fn is_built(self) -> bool {
        match self {
            Self::Zstd => cfg!(feature = "zstd"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Gzip => cfg!(feature = "gzip"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is compressed, and how.
///
/// Data below the [`threshold`](Self::threshold) stays as it is, and so does what would not become
/// smaller; its envelope says which. Data that is compressed already is not compressed again. A checksum
/// goes along, so that damage is noticed.
///
/// # Example: a long text
#[cfg_attr(feature = "gzip", doc = "```")]
#[cfg_attr(not(feature = "gzip"), doc = "```no_run")]
/// use fanfare::{Algorithm, Compression, Envelope, Sealed};
///
/// let compression = Compression::new(Algorithm::Gzip)?;
/// let text = "many words ".repeat(1_000);
/// let sealed = Envelope::new("said", &text).seal()?.compress(&compression)?;
/// let payload = sealed.to_payload()?;
/// assert!(payload.len() < text.len() / 10);
///
/// let sealed = Sealed::from_payload(&payload)?.decompress(1 << 20)?;
/// assert_eq!(sealed.open::<String>()?.data, text);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Compression {
    algorithm: Algorithm,
    threshold: usize,
    level: Option<u8>,
}

impl Compression {
    /// Compresses data of 512 bytes and more, at the algorithm's usual level.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the program was built without the algorithm's feature.
    pub fn new(algorithm: Algorithm) -> Result<Self, Error> {
        if !algorithm.is_built() {
            return Err(not_built(algorithm));
        }
        Ok(Self { algorithm, threshold: 512, level: None })
    }

    /// Data of fewer bytes stays as it is.
    pub fn threshold(self, n_bytes: usize) -> Self {
        Self { threshold: n_bytes, ..self }
    }

    /// How hard to try: 1 to 22 for zstd (usually 3), 1 to 9 for gzip (usually 6); more is set to the
    /// highest. LZ4 has no levels.
    pub fn level(self, level: u8) -> Self {
        Self { level: Some(level.max(1)), ..self }
    }
}

impl Sealed {
    /// Compresses the data, unless it is small, compressed already, or would not become smaller.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if the algorithm fails.
    ///
    /// # Example: many numbers
    #[cfg_attr(all(feature = "zstd", feature = "msgpack"), doc = "```")]
    #[cfg_attr(not(all(feature = "zstd", feature = "msgpack")), doc = "```text")]
    /// use fanfare::{Algorithm, Compression, Envelope, MsgPack, Sealed};
    ///
    /// # fn main() -> Result<(), fanfare::Error> {
    /// let compression = Compression::new(Algorithm::Zstd)?.threshold(1_024);
    /// let sealed = Envelope::new("measured", vec![21.5; 1_000]).seal_as::<MsgPack<Vec<f64>>>()?;
    /// let payload = sealed.compress(&compression)?.to_payload()?;
    /// assert!(payload.len() < 1_000);
    ///
    /// let sealed = Sealed::from_payload(&payload)?.decompress(1 << 20)?;
    /// assert_eq!(sealed.head().content_type(), "application/msgpack");
    /// # Ok(()) }
    /// ```
    pub fn compress(mut self, compression: &Compression) -> Result<Self, Error> {
        let is_small = self.body.len() < compression.threshold;
        if is_small || self.head.content_encoding.is_some() {
            return Ok(self);
        }
        let compressed = compress(compression, &self.body).map_err(|source| {
            let message = format!("{} can not compress this", compression.algorithm);
            Error::new(ErrorKind::Encode, message).with_source(source)
        })?;
        if compressed.len() < self.body.len() {
            self.body = compressed.into();
            self.head.content_encoding = Some(compression.algorithm.name().to_owned());
        }
        Ok(self)
    }

    /// Expands the data, if it is compressed, to at most so many bytes: what claims to be small and is
    /// not (a *bomb*) is given up at the limit, before it takes more memory. What has to be kept at hand
    /// to expand it (zstd's window) may take as much again, and 8 MiB at least.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if there would be more bytes, or the data is damaged;
    /// [`ErrorKind::Unsupported`] if the encoding is not known, or the program was built without its
    /// feature.
    pub fn decompress(mut self, bytes_max: usize) -> Result<Self, Error> {
        let Some(encoding) = &self.head.content_encoding else { return Ok(self) };
        let Some(algorithm) = Algorithm::of(encoding) else {
            let message = format!(
                "the data of event {} ({}) is compressed by {encoding:?}, which is not known",
                self.head.id, self.head.kind
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        if !algorithm.is_built() {
            return Err(not_built(algorithm));
        }
        let undecodable = |what: String| {
            let Self { head, .. } = &self;
            let message = format!("the data of event {} ({}) {what}", head.id, head.kind);
            Error::new(ErrorKind::Decode, message)
        };
        // One byte more tells whether there is more.
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        let expanded = expand(algorithm, &self.body, limit)
            .map_err(|source| undecodable(format!("is not {algorithm}")).with_source(source))?;
        if bytes_max < expanded.len() {
            return Err(undecodable(format!(
                "expands from {} to more than the {bytes_max} bytes that are allowed",
                self.body.len()
            )));
        }
        self.body = expanded.into();
        self.head.content_encoding = None;
        Ok(self)
    }
}

fn not_built(algorithm: Algorithm) -> Error {
    let message = format!("fanfare was built without the feature `{algorithm}`");
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg_attr(
    not(any(feature = "zstd", feature = "lz4", feature = "gzip")),
    expect(unused_variables, reason = "no algorithm is built")
)]
fn compress(compression: &Compression, data: &[u8]) -> std::io::Result<Vec<u8>> {
    match compression.algorithm {
        #[cfg(feature = "zstd")]
        Algorithm::Zstd => {
            let level = compression.level.map_or(0, |it| it.min(22).into());
            super::zstd::compress(level, data)
        }
        #[cfg(feature = "lz4")]
        Algorithm::Lz4 => {
            let n_bytes = u64::try_from(data.len()).ok();
            let frame =
                lz4_flex::frame::FrameInfo::new().content_size(n_bytes).content_checksum(true);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(frame, Vec::new());
            encoder.write_all(data)?;
            encoder.finish().map_err(std::io::Error::other)
        }
        #[cfg(feature = "gzip")]
        Algorithm::Gzip => {
            let level = compression.level.map_or(flate2::Compression::default(), |it| {
                flate2::Compression::new(it.min(9).into())
            });
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(data)?;
            encoder.finish()
        }
        #[cfg(not(all(feature = "zstd", feature = "lz4", feature = "gzip")))]
        _ => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

/// At most `limit` bytes of what was compressed. Memory grows with what comes out.
#[cfg_attr(
    not(any(feature = "zstd", feature = "lz4", feature = "gzip")),
    expect(unused_variables, reason = "no algorithm is built")
)]
fn expand(algorithm: Algorithm, compressed: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
    match algorithm {
        #[cfg(feature = "zstd")]
        Algorithm::Zstd => super::zstd::expand(compressed, limit),
        #[cfg(feature = "lz4")]
        Algorithm::Lz4 => {
            let expanded = read(lz4_flex::frame::FrameDecoder::new(compressed), limit)?;
            let n_bytes = u64::try_from(expanded.len()).unwrap_or(u64::MAX);
            if limit <= n_bytes || lz4_is_whole(compressed, n_bytes) {
                return Ok(expanded);
            }
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
        #[cfg(feature = "gzip")]
        Algorithm::Gzip => read(flate2::bufread::MultiGzDecoder::new(compressed), limit),
        #[cfg(not(all(feature = "zstd", feature = "lz4", feature = "gzip")))]
        _ => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(any(feature = "zstd", feature = "lz4", feature = "gzip"))]
pub(super) fn read(decoder: impl Read, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut expanded = Vec::new();
    decoder.take(limit).read_to_end(&mut expanded)?;
    Ok(expanded)
}

/// Whether a frame has its end, and as many bytes as it says: the decoder takes one that was cut between
/// two blocks for a shorter one. See the
/// [frame format](https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
#[cfg(feature = "lz4")]
fn lz4_is_whole(frame: &[u8], n_expanded: u64) -> bool {
    const HAS_CHECKSUM: u8 = 1 << 2;
    const HAS_SIZE: u8 = 1 << 3;
    let Some(flags) = frame.get(4) else { return false };
    let n_behind_end = if flags & HAS_CHECKSUM == 0 { 0 } else { 4 };
    let end = frame.len().checked_sub(n_behind_end).and_then(|n| frame.get(..n));
    let size = frame.get(6..).and_then(|it| it.first_chunk()).map(|it| u64::from_le_bytes(*it));
    end.is_some_and(|it| it.ends_with(&[0; 4]))
        && (flags & HAS_SIZE == 0 || size == Some(n_expanded))
}
