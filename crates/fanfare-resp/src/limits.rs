//! Bounds on what the peer may make a decoder hold.

/// Upper bounds on everything whose size the peer declares.
///
/// A decoder never allocates by a declared size: memory grows with the bytes that really arrived.
/// The limits bound those too, so that a peer cannot fill the memory by keeping on sending.
///
/// ```
/// use fanfare_resp::Limits;
///
/// let limits = Limits { bulk_len_max: 1024 * 1024, ..Limits::default() };
/// assert_eq!(limits.depth_max, 32);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Aggregates within aggregates; an attribute counts as one level. Values are dropped and
    /// compared recursively, so this also bounds the stack: keep it in the low hundreds.
    pub depth_max: usize,
    /// Bytes of one bulk string (Redis: `proto-max-bulk-len`), streamed or not.
    pub bulk_len_max: usize,
    /// Elements of one aggregate; for maps and attributes, pairs.
    pub array_len_max: usize,
    /// Bytes of one line: an inline command, a simple string, an error, a number.
    pub inline_len_max: usize,
    /// Bytes of one whole request or reply on the wire.
    pub total_len_max: usize,
}

impl Default for Limits {
    /// The limits of redis-server, and 32 levels.
    fn default() -> Self {
        Self {
            depth_max: 32,
            bulk_len_max: 512 * 1024 * 1024,
            array_len_max: 1024 * 1024,
            inline_len_max: 64 * 1024,
            total_len_max: 1024 * 1024 * 1024,
        }
    }
}
