//! What DUMP answers and RESTORE takes: a type, a value, and a footer of version and checksum.
//!
//! The version is the oldest that knows the type, but not older than [`VERSION`].

use super::{ReadError, ReadErrorKind, VERSION, VERSION_7_4, VERSION_MAX, crc64};

const VERSION_LEN: usize = 2;
const CHECKSUM_LEN: usize = 8;

/// The types of values, which stand before them. What has no version beside it is written by Redis 7.0.
pub mod kind {
    /// A string.
    pub const STRING: u8 = 0;
    /// A list, element by element (before 3.2).
    pub const LIST: u8 = 1;
    /// A set of strings.
    pub const SET: u8 = 2;
    /// A sorted set whose scores are spelled out (before 4.0).
    pub const ZSET: u8 = 3;
    /// A hash of strings.
    pub const HASH: u8 = 4;
    /// A sorted set whose scores are doubles of 64 bits.
    pub const ZSET_2: u8 = 5;
    /// A hash that is a zipmap (before 2.6).
    pub const HASH_ZIPMAP: u8 = 9;
    /// A list that is a ziplist (before 3.2).
    pub const LIST_ZIPLIST: u8 = 10;
    /// A set that is an intset.
    pub const SET_INTSET: u8 = 11;
    /// A sorted set that is a ziplist (before 7.0).
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A hash that is a ziplist (before 7.0).
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list: a count of ziplists (before 7.0).
    pub const LIST_QUICKLIST: u8 = 14;
    /// A hash that is a listpack.
    pub const HASH_LISTPACK: u8 = 16;
    /// A sorted set that is a listpack.
    pub const ZSET_LISTPACK: u8 = 17;
    /// A list: a count of nodes, and for each what it is ([`NODE_PLAIN`], [`NODE_PACKED`]) and a string.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream as Redis 5.0 writes it: what is below without the marks and the counts of entries read.
    pub const STREAM_LISTPACKS: u8 = 15;
    /// A stream: blocks, marks, and groups with what is pending.
    pub const STREAM_LISTPACKS_2: u8 = 19;
    /// The same, with the time at which each consumer was given something last (from 7.2 on).
    pub const STREAM_LISTPACKS_3: u8 = 21;
    /// A set that is a listpack (from 7.2 on).
    pub const SET_LISTPACK: u8 = 20;
    /// The same, with what producers call their entries (from 8.6 on).
    pub const STREAM_LISTPACKS_4: u8 = 26;
    /// The same, with what was given back and has no owner (from 8.8 on).
    pub const STREAM_LISTPACKS_5: u8 = 27;
    /// A hash with a field that expires (from 7.4 on): when the first one does (eight bytes, milliseconds), a count, and
    /// for each field how much later it does plus 1 (0: never), its name and its value.
    pub const HASH_METADATA: u8 = 24;
    /// A hash with a field that expires, as a listpack (from 7.4 on), after the same eight bytes.
    pub const HASH_LISTPACK_EX: u8 = 25;

    /// A node of a list that is one element.
    pub const NODE_PLAIN: u64 = 1;
    /// A node of a list that is a listpack.
    pub const NODE_PACKED: u64 = 2;
}

/// Adds the footer to a type and a value.
#[must_use]
pub fn seal(mut payload: Vec<u8>) -> Vec<u8> {
    let version = match payload.first() {
        Some(&(kind::HASH_METADATA | kind::HASH_LISTPACK_EX)) => VERSION_7_4,
        Some(&(kind::STREAM_LISTPACKS_4 | kind::STREAM_LISTPACKS_5)) => VERSION_MAX,
        Some(_) | None => VERSION,
    };
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = crc64(0, &payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// Checks the footer and returns the type and the value without it.
///
/// # Errors
/// If there is no footer, if it is that of other bytes, or if its version is newer than [`VERSION_MAX`].
pub fn open(payload: &[u8]) -> Result<&[u8], ReadError> {
    let error = |offset, kind| ReadError { offset, kind };
    let truncated = error(0, ReadErrorKind::Truncated);
    let (signed, checksum) = payload.split_last_chunk::<CHECKSUM_LEN>().ok_or(truncated)?;
    let (value, version) = signed.split_last_chunk::<VERSION_LEN>().ok_or(truncated)?;
    if VERSION_MAX < u16::from_le_bytes(*version) {
        return Err(error(value.len(), ReadErrorKind::NewerVersion));
    }
    if crc64(0, signed) != u64::from_le_bytes(*checksum) {
        return Err(error(signed.len(), ReadErrorKind::BadChecksum));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{ReadErrorKind, open, seal};

    #[test]
    fn a_footer_belongs_to_its_bytes() {
        let sealed = seal(b"\0\x01a".to_vec());
        assert_eq!(open(&sealed), Ok(&b"\0\x01a"[..]));
        let kind = |bytes: &[u8]| open(bytes).unwrap_err().kind;
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 0x10;
            let expected = match at {
                3 | 4 => ReadErrorKind::NewerVersion,
                _ => ReadErrorKind::BadChecksum,
            };
            assert_eq!(kind(&changed), expected, "{at}");
        }
        assert_eq!(kind(&sealed[..9]), ReadErrorKind::Truncated);
    }
}
