//! MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]: what `XADD` and `XTRIM` cut off.
//!
//! Source: <https://redis.io/docs/latest/commands/xtrim/>. `~` cuts whole blocks only, and not more than it takes to
//! free a hundred of them. With DELREF or ACKED every entry is looked at, and `~` only limits how many.

use crate::spec::Arg;
use crate::tuning::Tuning;
use crate::value::Stream;
use crate::value::stream::{Keep, StreamId, Trim};
use crate::{Request, WireError, number, wire_error};

/// What becomes of an entry that groups still have to do with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum References {
    /// It goes; that it is pending stays.
    #[default]
    Keep,
    /// It goes, and is pending no longer.
    Delete,
    /// It stays until every group was given it and acknowledged it.
    Acked,
}

impl References {
    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            _ if word.eq_ignore_ascii_case(b"keepref") => Self::Keep,
            _ if word.eq_ignore_ascii_case(b"delref") => Self::Delete,
            _ if word.eq_ignore_ascii_case(b"acked") => Self::Acked,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Keep => "KEEPREF",
            Self::Delete => "DELREF",
            Self::Acked => "ACKED",
        }
    }
}

/// The options about trimming of a request, while they are read and after.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trimming {
    keep: Option<Keep>,
    approximately: bool,
    limit: Option<u64>,
    references: Option<References>,
}

impl Trimming {
    /// Reads the option at argument `at`, if it is about trimming; returns how many arguments it takes.
    pub(super) fn parse(
        &mut self,
        request: Request<'_>,
        at: usize,
    ) -> Result<Option<usize>, WireError> {
        let word = request.get(at).unwrap_or_default();
        let value = request.get(at + 1);
        if let (true, Some(value)) = (word.eq_ignore_ascii_case(b"limit"), value) {
            let limit = number::parse_int(value).ok_or(wire_error::NOT_AN_INTEGER)?;
            self.limit = Some(u64::try_from(limit).map_err(|_| wire_error::TRIM_LIMIT_NEGATIVE)?);
            return Ok(Some(2));
        }
        let by_length = word.eq_ignore_ascii_case(b"maxlen");
        if let (true, Some(value)) = (by_length || word.eq_ignore_ascii_case(b"minid"), value) {
            if self.keep.is_some() {
                return Err(wire_error::MAXLEN_AND_MINID);
            }
            let operator = Some(value).filter(|it| matches!(*it, b"~" | b"="));
            let threshold = operator.and(request.get(at + 2)).unwrap_or(value);
            let n_args = if operator.is_some() && request.get(at + 2).is_some() { 3 } else { 2 };
            self.approximately = n_args == 3 && operator == Some(b"~");
            self.keep = Some(parse_threshold(by_length, threshold)?);
            return Ok(Some(n_args));
        }
        match References::parse(word).filter(|_| self.references.is_none()) {
            Some(references) => {
                self.references = Some(references);
                Ok(Some(1))
            }
            None => Ok(None),
        }
    }

    /// What is to be cut off, once all options are read; whether it `must` be something.
    pub(super) fn finish(self, must: bool, tuning: &Tuning) -> Result<Option<Cut>, WireError> {
        let Some(keep) = self.keep else {
            return match self.limit {
                Some(1..) => Err(wire_error::LIMIT_WITHOUT_STRATEGY),
                Some(0) | None if must => Err(wire_error::NO_TRIMMING_STRATEGY),
                Some(0) => Err(wire_error::LIMIT_WITHOUT_TILDE),
                None => Ok(None),
            };
        };
        let n_max = match self.limit {
            Some(_) if !self.approximately => return Err(wire_error::LIMIT_WITHOUT_TILDE),
            Some(limit) => limit,
            None if self.approximately => default_limit(tuning),
            None => 0,
        };
        let trim = Trim { keep, approximately: self.approximately, n_max };
        Ok(Some(Cut { trim, references: self.references.unwrap_or_default() }))
    }
}

fn parse_threshold(by_length: bool, raw: &[u8]) -> Result<Keep, WireError> {
    if by_length {
        let n = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
        let n = u64::try_from(n).map_err(|_| wire_error::TRIM_LENGTH_NEGATIVE)?;
        return Ok(Keep::Last(n));
    }
    super::parse_id(raw, 0).map(Keep::From)
}

/// As many as a hundred blocks have.
fn default_limit(tuning: &Tuning) -> u64 {
    match tuning.stream_entries_max().saturating_mul(100) {
        0 => 10_000,
        n => n.min(1_000_000),
    }
}

/// What is to be cut off a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    trim: Trim,
    references: References,
}

/// What was cut off a stream.
#[derive(Debug)]
pub(super) struct CutOff {
    pub(super) n: u64,
    /// The options that cut the same off a stream that is as this one was, in whatever blocks its entries lie: what was
    /// cut approximately is cut exactly.
    pub(super) words: [Vec<u8>; 4],
}

impl Cut {
    /// Cuts; `None`: nothing went.
    pub(super) fn apply(self, stream: &mut Stream) -> Option<CutOff> {
        let removed = match self.references {
            References::Keep => {
                let n = stream.trim(self.trim);
                return (n != 0).then(|| CutOff { n, words: self.words(self.exactly(stream)) });
            }
            References::Delete => {
                let removed = stream.trim_unless((self.trim, StreamId::MAX), |_, _| false);
                for &id in &removed {
                    stream.forget_pending(id);
                }
                removed
            }
            References::Acked => {
                // Where a group never reads, the rest is not looked at for each entry that is added.
                let last = stream.given_to_all();
                stream.trim_unless((self.trim, last), Stream::is_wanted)
            }
        };
        // Of those that groups still want some are left, which count, and one may be the first; those that nobody wants
        // are gone up to the last one.
        let keep = removed.last()?.next().map_or(Keep::Last(0), Keep::From);
        Some(CutOff { n: removed.len() as u64, words: self.words(keep) })
    }

    /// What was cut of entries that nobody is asked about: `stream` is what is left.
    fn exactly(self, stream: &Stream) -> Keep {
        match self.trim.keep {
            keep if !self.trim.approximately => keep,
            Keep::Last(_) => Keep::Last(stream.len() as u64),
            Keep::From(_) if stream.is_empty() => Keep::From(StreamId::MAX),
            Keep::From(_) => Keep::From(stream.first_id()),
        }
    }

    fn words(self, keep: Keep) -> [Vec<u8>; 4] {
        let (option, threshold) = match keep {
            Keep::Last(n) => ("MAXLEN", itoa::Buffer::new().format(n).as_bytes().to_vec()),
            Keep::From(id) => ("MINID", id.spelled().to_vec()),
        };
        [option.into(), b"=".to_vec(), threshold, self.references.word().into()]
    }
}

/// How the reference shows it.
pub(super) const TRIM_ARGS: &[Arg] = &[
    Arg::new("strategy", "oneof")
        .args(&[Arg::word("maxlen", "MAXLEN"), Arg::word("minid", "MINID").since("6.2.0")]),
    Arg::new("operator", "oneof")
        .flags(&["optional"])
        .args(&[Arg::word("equal", "="), Arg::word("approximately", "~")]),
    Arg::new("threshold", "string"),
    Arg::new("count", "integer").token("LIMIT").since("6.2.0").flags(&["optional"]),
];

/// KEEPREF | DELREF | ACKED in the reference.
pub(super) const REFERENCES: Arg =
    Arg::new("condition", "oneof").since("8.2.0").flags(&["optional"]).args(&[
        Arg::word("keepref", "KEEPREF"),
        Arg::word("delref", "DELREF"),
        Arg::word("acked", "ACKED"),
    ]);
