//! Where the keys of a command are, and what it locks.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/key-specs/>, and how redis-server 7.0.15 follows it.

use fanfare_resp::Request;
use smallvec::SmallVec;

use super::Spec;
use crate::number;

/// What a command locks and where it names it.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// No key.
    None,
    /// Arguments `first`, `first + step`, … up to `last` (negative: counted from the end).
    Range {
        /// Index of the first key; the command's name is 0.
        first: u8,
        /// Index of the last key; -1 is the last argument.
        last: i8,
        /// Distance between keys.
        step: u8,
        /// What happens to them, in the words of `COMMAND INFO` (`RW`, `access`, `update` …).
        flags: &'static [&'static str],
    },
    /// Channels in a key's position: they decide the slot in a cluster but lock nothing.
    ShardChannels {
        /// Index of the first channel.
        first: u8,
        /// Index of the last channel; -1 is the last argument.
        last: i8,
    },
    /// Keys in several places, or in a place that the arguments tell.
    Specs(&'static [KeySpec]),
    /// Keys that `COMMAND INFO` tells of, of a command that locks something else.
    Planned {
        /// What clients are told.
        specs: &'static [KeySpec],
        /// What is locked.
        lock: Lock,
    },
    /// The keys of every queued command and the watched keys (`EXEC`).
    Queued,
    /// The whole selected database.
    Database,
    /// All databases.
    Everything,
}

/// One place where a command has keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: Begin,
    /// Which of the arguments from there on are keys.
    pub find: Find,
    /// What happens to them, in the words of `COMMAND INFO` (`RW`, `access`, `update` …).
    pub flags: &'static [&'static str],
    /// A remark; `COMMAND INFO` prints it.
    pub notes: Option<&'static str>,
}

/// Where keys begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At an index; the command's name is 0.
    Index(u8),
    /// Behind a word; nowhere if it is missing.
    Keyword {
        /// The word.
        word: &'static str,
        /// Index where the search begins; negative: counted from the end, to be searched backwards.
        from: i8,
    },
    /// Nothing simple can tell.
    Unknown,
}

/// Which arguments are keys, counted from where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Every `step`-th up to `last`.
    Range {
        /// The last key; negative: counted from the end of the request.
        last: i8,
        /// Distance between keys.
        step: u8,
        /// If `last` is -1, only the first of so many equal parts are keys; 0 and 1 mean all.
        limit: u8,
    },
    /// As many as an argument says.
    KeyNum {
        /// The argument with the number.
        number: u8,
        /// The first key.
        first: u8,
        /// Distance between keys.
        step: u8,
    },
    /// Nothing simple can tell.
    Unknown,
}

/// What a command locks whose key specifications do not tell.
#[derive(Clone, Copy, Debug)]
pub enum Lock {
    /// The selected database.
    Database,
    /// All databases.
    Everything,
    /// What a look at the arguments tells (`SORT`).
    Custom(Places),
    /// One stripe of the selected database after another, from the one that a look at the arguments tells; in a
    /// transaction all of them at once (`SCAN`).
    Steps(fn(Request<'_>) -> u16),
}

/// Tells what a request is about to touch.
pub type Places = for<'a> fn(Request<'a>, &mut dyn FnMut(Place<'a>));

/// Something that a command touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A key of the selected database. `COMMAND GETKEYS` tells of it where the key specifications can not.
    Key(KeyArg<'a>),
    /// A key of another database (`COPY`, `MOVE`).
    Elsewhere {
        /// Number of the database.
        db: u16,
        /// The key.
        name: &'a [u8],
    },
    /// The whole selected database.
    Database,
}

/// A key among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyArg<'a> {
    /// The key.
    pub name: &'a [u8],
    /// What happens to it, in the words of `COMMAND INFO`.
    pub flags: &'static [&'static str],
}

/// First key, last key and step: all that clients of old Redis are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// Index of the first key; 0: there is none.
    pub first: i64,
    /// Index of the last key; negative: counted from the end.
    pub last: i64,
    /// Distance between keys.
    pub step: i64,
}

const CHANNEL_FLAGS: &[&str] = &["not_key"];

impl Spec {
    /// Where clients are told that the keys are.
    pub fn key_specs(&self) -> impl Iterator<Item = KeySpec> + use<> {
        let (range, specs) = match self.keys {
            Keys::Range { first, last, step, flags } => {
                (Some(self.range_spec(first, last, step, flags)), &[][..])
            }
            Keys::ShardChannels { first, last } => {
                (Some(self.range_spec(first, last, 1, CHANNEL_FLAGS)), &[][..])
            }
            Keys::Specs(specs) | Keys::Planned { specs, .. } => (None, specs),
            Keys::None | Keys::Queued | Keys::Database | Keys::Everything => (None, &[][..]),
        };
        range.into_iter().chain(specs.iter().copied())
    }

    /// A key specification counts the last key from the first.
    fn range_spec(&self, first: u8, last: i8, step: u8, flags: &'static [&'static str]) -> KeySpec {
        let last = if last < 0 { last } else { last.saturating_sub_unsigned(first) };
        KeySpec {
            begin: Begin::Index(first),
            find: Find::Range { last, step, limit: 0 },
            flags,
            notes: self.docs.key_notes,
        }
    }

    /// Whether a client could be told any key of the command.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.key_specs().any(|it| !it.flags.contains(&"not_key"))
    }

    /// Whether clients have to ask `COMMAND GETKEYS`, or understand key specifications.
    #[must_use]
    pub fn has_movable_keys(&self) -> bool {
        self.key_specs().any(|it| it.range().is_none())
    }

    /// The range of keys for clients of old Redis: the key specifications with fixed places, glued together.
    #[must_use]
    pub fn key_range(&self) -> KeyRange {
        let mut ranges = self.key_specs().filter_map(|it| it.range());
        let Some(mut glued) = ranges.next() else { return KeyRange::default() };
        let is_one = self.key_specs().nth(1).is_none();
        if !is_one && glued.step != 1 {
            return KeyRange::default();
        }
        for range in ranges {
            if range.step != 1 {
                return KeyRange::default();
            }
            glued.first = glued.first.min(range.first);
            // Up to the end, or almost, is more than any number.
            glued.last = match (glued.last < 0, range.last < 0) {
                (true, false) => glued.last,
                (false, true) => range.last,
                (true, true) | (false, false) => glued.last.max(range.last),
            };
        }
        glued
    }

    /// The key of a request, if the command has only one, in a fixed place; most have.
    #[inline]
    #[must_use]
    pub(crate) fn only_key<'a>(&self, request: Request<'a>) -> Option<&'a [u8]> {
        match self.keys {
            Keys::Range { first, last, .. } if u8::try_from(last) == Ok(first) => {
                request.get(usize::from(first))
            }
            Keys::None
            | Keys::ShardChannels { .. }
            | Keys::Range { .. }
            | Keys::Specs(_)
            | Keys::Planned { .. }
            | Keys::Database
            | Keys::Everything
            | Keys::Queued => None,
        }
    }

    /// The key arguments of `request`. None if it has not the form that the command wants.
    pub fn keys_of<'a>(&self, request: Request<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.key_args_of(request).map(|it| it.name)
    }

    /// The key arguments of `request`, and what happens to them.
    pub fn key_args_of<'a>(
        &self,
        request: Request<'a>,
    ) -> impl Iterator<Item = KeyArg<'a>> + use<'a> {
        let mut custom = SmallVec::<[KeyArg<'a>; 2]>::new();
        let strides = match self.keys {
            Keys::None
            | Keys::ShardChannels { .. }
            | Keys::Queued
            | Keys::Database
            | Keys::Everything => Strides::new(),
            Keys::Range { first, last, step, flags } => {
                Strides::from_iter([Stride::of_range((first, last, step), flags, request.len())])
            }
            Keys::Specs(specs) => strides(specs, request).unwrap_or_default(),
            Keys::Planned { specs, lock: Lock::Custom(places) } => {
                let strides = strides(specs, request).filter(|it| it.iter().all(Stride::is_plain));
                strides.unwrap_or_else(|| {
                    places(request, &mut |place| custom.extend(place.as_key_arg()));
                    Strides::new()
                })
            }
            Keys::Planned { specs, lock: Lock::Database | Lock::Everything | Lock::Steps(_) } => {
                strides(specs, request).unwrap_or_default()
            }
        };
        strides.into_iter().flat_map(move |it| it.args(request)).chain(custom)
    }
}

impl<'a> Place<'a> {
    fn as_key_arg(self) -> Option<KeyArg<'a>> {
        match self {
            Self::Key(key) => Some(key),
            Self::Elsewhere { .. } | Self::Database => None,
        }
    }
}

impl KeySpec {
    /// The fixed places, if they are fixed.
    fn range(&self) -> Option<KeyRange> {
        let Begin::Index(first) = self.begin else { return None };
        let Find::Range { last, step, .. } = self.find else { return None };
        let (first, last) = (i64::from(first), i64::from(last));
        let last = if last < 0 { last } else { first + last };
        Some(KeyRange { first, last, step: i64::from(step) })
    }

    /// The keys in `request`; empty if they are behind a word that is missing. `None`: the request is not in order, or
    /// nobody knows.
    fn stride(&self, request: Request<'_>) -> Option<Stride> {
        let n_args = request.len();
        let first = match self.begin {
            Begin::Index(index) => usize::from(index),
            Begin::Keyword { word, from } => match behind(word, from, request) {
                Some(first) => first,
                None => return Some(Stride { first: 1, last: 0, step: 1, flags: self.flags }),
            },
            Begin::Unknown => return None,
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let n_left = n_args.checked_sub(first)?;
                let from_end = usize::from(last.unsigned_abs());
                let last = match (0 <= last, limit) {
                    (true, _) => first + from_end,
                    (false, 0) => n_args.checked_sub(from_end)?,
                    (false, limit) => {
                        (first + n_left / usize::from(limit)).checked_sub(from_end)?
                    }
                };
                (first, last, step)
            }
            Find::KeyNum { number, first: offset, step } => {
                let number = number::parse_int(request.get(first + usize::from(number))?)?;
                let first = first + usize::from(offset);
                let last = first.checked_add(usize::try_from(number).ok()?)?.checked_sub(1)?;
                (first, last, step)
            }
            Find::Unknown => return None,
        };
        let is_in_order =
            first <= last && last < n_args && !self.flags.contains(&"incomplete") && step != 0;
        is_in_order.then_some(Stride { first, last, step: usize::from(step), flags: self.flags })
    }
}

/// The index behind `word`, which is never the last argument.
fn behind(word: &str, from: i8, request: Request<'_>) -> Option<usize> {
    let is_word =
        |at: &usize| request.get(*at).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()));
    let from_index = usize::from(from.unsigned_abs());
    let found = if 0 < from {
        (from_index..request.len().saturating_sub(1)).find(is_word)
    } else {
        (2..=request.len().checked_sub(from_index)?).rev().find(is_word)
    };
    Some(found? + 1)
}

/// Keys at equal distances.
#[derive(Clone, Copy, Debug)]
struct Stride {
    first: usize,
    /// Less than `first`: there are no keys.
    last: usize,
    step: usize,
    flags: &'static [&'static str],
}

type Strides = SmallVec<[Stride; 2]>;

impl Stride {
    fn of_range(
        (first, last, step): (u8, i8, u8),
        flags: &'static [&'static str],
        n_args: usize,
    ) -> Self {
        let last = match usize::try_from(last) {
            Ok(index) => index.min(n_args.saturating_sub(1)),
            Err(_) => n_args.saturating_sub(usize::from(last.unsigned_abs())),
        };
        Self { first: usize::from(first), last, step: usize::from(step.max(1)), flags }
    }

    /// Whether what happens to the keys is certain.
    fn is_plain(&self) -> bool {
        !self.flags.contains(&"variable_flags")
    }

    fn args<'a>(self, request: Request<'a>) -> impl Iterator<Item = KeyArg<'a>> + use<'a> {
        let places = (self.first..self.last.saturating_add(1)).step_by(self.step);
        places.filter_map(move |it| Some(KeyArg { name: request.get(it)?, flags: self.flags }))
    }
}

/// The keys that `specs` tell of; `None` if one of them can not tell, since a part would mislead.
fn strides(specs: &[KeySpec], request: Request<'_>) -> Option<Strides> {
    let real = specs.iter().filter(|it| !it.flags.contains(&"not_key"));
    real.map(|it| it.stride(request)).collect()
}
