//! What `XREAD` and `XREADGROUP` have in common: their options, where their keys are, and what they answer.

use fanfare_resp::{Version, Writer};

use crate::spec::{Begin, Find, KeyArg, KeySpec, Place};
use crate::value::stream::{Entry, Slice};
use crate::{Ctx, Reply, Request, WireError, number, wire_error};

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// Group and consumer (`XREADGROUP`).
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    /// So many entries of each stream.
    pub(super) count: Option<u64>,
    /// So many entries in all.
    pub(super) n_max: Option<u64>,
    /// No further entry once the answer is so long.
    pub(super) bytes_max: Option<u64>,
    /// Wait until then at most; `Some(None)`: for ever.
    pub(super) block: Option<Option<u64>>,
    /// What is given is not pending.
    pub(super) noack: bool,
    /// Take over what was given to somebody so long ago.
    pub(super) claim_idle_ms: Option<u64>,
    /// The index of the first key; IDs are behind the keys.
    keys_at: usize,
    n_streams: usize,
    request: Request<'a>,
}

impl<'a> Reading<'a> {
    pub(super) fn parse(
        ctx: &Ctx<'_>,
        request: Request<'a>,
        for_group: bool,
    ) -> Result<Self, WireError> {
        let mut it = Self {
            group: None,
            count: None,
            n_max: None,
            bytes_max: None,
            block: None,
            noack: false,
            claim_idle_ms: None,
            keys_at: 0,
            n_streams: 0,
            request,
        };
        let mut at = 1;
        while it.keys_at == 0 {
            let word = request.get(at).ok_or(wire_error::SYNTAX)?;
            at += it.option(ctx, (word, at), for_group)?;
        }
        if for_group && it.group.is_none() {
            return Err(wire_error::NO_GROUP_OPTION);
        }
        match (it.count, it.n_max) {
            (Some(count), Some(n_max)) if n_max < count => Err(wire_error::MAXCOUNT_BELOW_COUNT),
            _ => Ok(it),
        }
    }

    /// Reads the option at an argument; returns how many arguments it takes.
    fn option(
        &mut self,
        ctx: &Ctx<'_>,
        (word, at): (&[u8], usize),
        for_group: bool,
    ) -> Result<usize, WireError> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let value = self.request.get(at + 1);
        match (value, self.request.get(at + 2)) {
            (Some(raw), _) if is("BLOCK") => {
                let name = self.request.get(0).unwrap_or_default();
                self.block = Some(parse_timeout(ctx, name, raw)?);
            }
            (Some(raw), _) if is("COUNT") => {
                let n = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
                self.count = u64::try_from(n).ok().filter(|it| *it != 0);
            }
            (Some(raw), _) if is("MAXCOUNT") => {
                self.n_max = Some(parse_positive(raw, wire_error::MAXCOUNT_NOT_POSITIVE)?);
            }
            (Some(raw), _) if is("MAXSIZE") => {
                self.bytes_max = Some(parse_positive(raw, wire_error::MAXSIZE_NOT_POSITIVE)?);
            }
            (Some(_), _) if is("STREAMS") => {
                let n_words = self.request.len() - at - 1;
                if !n_words.is_multiple_of(2) {
                    return Err(wire_error::UNBALANCED_STREAMS);
                }
                (self.keys_at, self.n_streams) = (at + 1, n_words / 2);
            }
            (Some(group), Some(consumer)) if is("GROUP") => {
                only_for_group(for_group, "GROUP")?;
                self.group = Some((group, consumer));
                return Ok(3);
            }
            _ if is("NOACK") => {
                only_for_group(for_group, "NOACK")?;
                self.noack = true;
                return Ok(1);
            }
            (Some(raw), _) if is("CLAIM") => {
                only_for_group(for_group, "CLAIM")?;
                let idle_ms = number::parse_int(raw).ok_or(wire_error::MIN_IDLE_NOT_AN_INTEGER)?;
                let idle_ms = u64::try_from(idle_ms);
                self.claim_idle_ms = Some(idle_ms.map_err(|_| wire_error::MIN_IDLE_NEGATIVE)?);
            }
            _ => return Err(wire_error::SYNTAX),
        }
        Ok(2)
    }

    /// Keys and IDs.
    pub(super) fn streams(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (request, n_streams) = (self.request, self.n_streams);
        (self.keys_at..)
            .take(n_streams)
            .filter_map(move |at| Some((request.get(at)?, request.get(at + n_streams)?)))
    }

    /// The index of the first ID.
    pub(super) fn ids_at(&self) -> usize {
        self.keys_at + self.n_streams
    }
}

fn only_for_group(for_group: bool, option: &str) -> Result<(), WireError> {
    if for_group { Ok(()) } else { Err(WireError::only_for_xreadgroup(option)) }
}

fn parse_positive(raw: &[u8], not_positive: WireError) -> Result<u64, WireError> {
    let n = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    u64::try_from(n).ok().filter(|it| *it != 0).ok_or(not_positive)
}

/// When the request `name` stops waiting.
fn parse_timeout(ctx: &Ctx<'_>, name: &[u8], raw: &[u8]) -> Result<Option<u64>, WireError> {
    if ctx.client.in_script {
        return Err(WireError::block_in_script(name));
    }
    let timeout_ms = number::parse_int(raw).ok_or(wire_error::TIMEOUT_NOT_AN_INTEGER)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| wire_error::TIMEOUT_NEGATIVE)?;
    if timeout_ms == 0 {
        return Ok(None);
    }
    Ok(Some(ctx.now.unix_ms().saturating_add(timeout_ms)))
}

/// Where the keys are, as clients are told.
pub(super) const fn key_spec(from: i8) -> KeySpec {
    let begin = Begin::Keyword { word: "STREAMS", from };
    let find = Find::Range { last: -1, step: 1, limit: 2 };
    KeySpec { begin, find, flags: &["RO", "access"], notes: None }
}

/// Words with an argument behind them.
const WITH_ARGUMENT: [&str; 5] = ["BLOCK", "CLAIM", "COUNT", "MAXCOUNT", "MAXSIZE"];

/// Where the keys really are: a group may be called STREAMS. A request that is not in order has none.
pub(super) fn places<'a>(request: Request<'a>, tell: &mut dyn FnMut(Place<'a>)) {
    let mut at = 1;
    while let Some(word) = request.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        at += match word {
            _ if is("STREAMS") => break,
            _ if is("NOACK") => 1,
            _ if is("GROUP") => 3,
            _ if WITH_ARGUMENT.iter().any(|it| is(it)) => 2,
            _ => return,
        };
    }
    let n_words = request.len().saturating_sub(at + 1);
    if n_words.is_multiple_of(2) {
        let keys = request.iter().skip(at + 1).take(n_words / 2);
        keys.for_each(|name| tell(Place::Key(KeyArg { name, flags: &["RO", "access"] })));
    }
}

/// How much of an answer there may still be.
#[derive(Debug)]
pub(super) struct Budget {
    version: Version,
    count: Option<u64>,
    /// For all streams together.
    n_left: Option<u64>,
    bytes_max: Option<u64>,
    n_entries: u64,
    n_bytes: u64,
    /// For the present stream.
    n_left_here: u64,
}

impl Budget {
    pub(super) fn new(ctx: &Ctx<'_>, reading: &Reading<'_>) -> Self {
        Self {
            version: ctx.client.version,
            count: reading.count,
            n_left: reading.n_max,
            bytes_max: reading.bytes_max,
            n_entries: 0,
            n_bytes: 0,
            n_left_here: 0,
        }
    }

    /// Whether no further stream is looked at.
    pub(super) fn is_used_up(&self) -> bool {
        self.n_left == Some(0) || self.is_large()
    }

    fn is_large(&self) -> bool {
        self.n_entries != 0 && self.bytes_max.is_some_and(|max| max <= self.n_bytes)
    }

    /// Entries of the stream at `key` are taken from now on.
    pub(super) fn begin(&mut self, key: &[u8]) {
        let count = self.count.unwrap_or(u64::MAX);
        self.n_left_here = count.min(self.n_left.unwrap_or(u64::MAX));
        if self.bytes_max.is_some() {
            let mut wire = Vec::new();
            let mut out = Writer::new(&mut wire, self.version);
            if !self.version.nests_pairs() {
                out.array(2);
            }
            out.bulk(key);
            self.n_bytes += wire.len() as u64;
        }
    }

    /// Takes an entry, if there is room for one more; `measure` is asked for what it takes on the wire.
    pub(super) fn take(&mut self, measure: impl FnOnce(&mut Writer<'_>)) -> bool {
        if self.n_left_here == 0 || self.is_large() {
            return false;
        }
        self.n_left_here -= 1;
        self.n_left = self.n_left.map(|it| it.saturating_sub(1));
        self.n_entries += 1;
        if self.bytes_max.is_some() {
            let mut wire = Vec::new();
            measure(&mut Writer::new(&mut wire, self.version));
            self.n_bytes += wire.len() as u64;
        }
        true
    }

    /// Takes an entry as it is shown to who reads it for the first time.
    pub(super) fn take_entry(&mut self, entry: &Entry<'_>) -> bool {
        self.take(|out| {
            out.array(2);
            entry.write(out);
        })
    }
}

/// The answer with these streams.
pub(super) fn reply(ctx: &Ctx<'_>, streams: Vec<(&[u8], Slice)>) -> Reply {
    let streams = streams.into_iter().map(|(key, slice)| (Reply::bulk(key), Reply::Entries(slice)));
    if ctx.client.version.nests_pairs() {
        Reply::Map(streams.collect())
    } else {
        Reply::Array(streams.map(|(key, slice)| Reply::Array(vec![key, slice])).collect())
    }
}
