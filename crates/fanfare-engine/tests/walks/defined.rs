//! How much of a reply is defined: sets and large hashes answer in any order, and some commands by chance.
//!
//! docs/differences.md: D44

use fanfare_testkit::split_frames;

use crate::streams::Told;

/// What of a reply must be the same on both sides.
#[derive(Clone, Debug)]
pub(crate) enum Defined {
    All,
    /// Its elements, in any order.
    Elements,
    /// Its pairs of elements, in any order.
    Pairs,
    /// How many elements it has.
    Length,
    /// Whether it is a number above zero.
    Sign,
    /// All but which of two texts redis-server has for a full millisecond ([`one_reason`]).
    Reason,
    /// What is told of streams, but for times and for what later versions tell.
    Stream(Told),
    /// The same of each element.
    Each(Vec<Defined>),
}

impl Defined {
    /// Of the reply to a command.
    pub(crate) fn of(words: &[String]) -> Self {
        let name = words[0].to_ascii_uppercase();
        match &*name {
            "SMEMBERS" | "SINTER" | "SUNION" | "SDIFF" | "SPOP" | "HKEYS" | "HVALS" => {
                Self::Elements
            }
            "HGETALL" => Self::Pairs,
            "XADD" if words.iter().any(|it| it.ends_with("-*")) => Self::Reason,
            "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" => Self::Length,
            "TTL" | "PTTL" => Self::Sign,
            "EVAL" if words[1].starts_with("return") => words
                .get(3 + crate::words::KEYS.len()..)
                .filter(|it| !it.is_empty())
                .map_or(Self::All, Self::of),
            // What the command inside failed with is the script's error.
            "EVAL" if words.iter().any(|it| it.ends_with("-*")) => Self::Reason,
            _ => Told::by(&name, words).map_or(Self::All, Self::Stream),
        }
    }

    /// The reply without what is not defined.
    pub(crate) fn part(&self, reply: &[u8]) -> Vec<u8> {
        let (head, body) = head_and_body(reply);
        let is_list = matches!(head.first(), Some(b'*' | b'~' | b'%'));
        match self {
            Self::Sign if reply.starts_with(b":") && !reply.starts_with(b":-") => b":+".to_vec(),
            Self::Length if is_list => head.to_vec(),
            Self::Length if reply.starts_with(b"$") && !reply.starts_with(b"$-1") => b"$".to_vec(),
            Self::Elements if is_list => in_order(head, body, 1),
            Self::Pairs if is_list => in_order(head, body, 2),
            Self::Stream(told) => told.part(reply),
            Self::Reason if reply.starts_with(b"-") => one_reason(reply),
            Self::Each(parts) if is_list => {
                let (frames, _) = split_frames(body);
                let frames = frames.iter().zip(parts).map(|(frame, part)| part.part(frame));
                [head.to_vec()].into_iter().chain(frames).collect::<Vec<_>>().concat()
            }
            _ => reply.to_vec(),
        }
    }
}

/// The bulk strings of a reply: the reply itself, or its elements.
pub(crate) fn bulks(reply: &[u8]) -> Vec<Vec<u8>> {
    let (head, body) = head_and_body(reply);
    match head.first() {
        Some(b'$') if head != b"$-1\r\n" => vec![body[..body.len() - 2].to_vec()],
        Some(b'*' | b'~') => split_frames(body).0.into_iter().flat_map(bulks).collect(),
        _ => Vec::new(),
    }
}

fn head_and_body(reply: &[u8]) -> (&[u8], &[u8]) {
    let head_len = reply.iter().position(|it| *it == b'\n').map_or(0, |it| it + 1);
    reply.split_at(head_len)
}

fn in_order(head: &[u8], body: &[u8], n_together: usize) -> Vec<u8> {
    let (frames, _) = split_frames(body);
    let mut together: Vec<_> = frames.chunks(n_together).map(<[_]>::concat).collect();
    together.sort_unstable();
    [head, &together.concat()].concat()
}

/// Whether the elements of `XADD k 5-* ...` are too large or its ID is too small, where 5-18446744073709551615 is the last
/// one, redis-server 7.0.15 decides by chance: `streamAppendItem` returns without setting `errno` then, and `xaddCommand`
/// reads what some call before it has left there: `EDOM`, if that was an `XADD` with too small an ID, and nothing of the
/// kernel failed since. Elements that really are too large do not occur here, so who says that they are means this, and
/// Fanfare must have said that the ID is too small.
fn one_reason(error: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(error)
        .replace(
            "Elements are too large to be stored",
            "The ID specified in XADD is equal or smaller than the target stream top item",
        )
        .into_bytes()
}
