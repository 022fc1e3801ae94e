//! SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination], SORT_RO: the
//! elements of a list, a set or a sorted set in another order.
//!
//! Sources: <https://redis.io/docs/latest/commands/sort/>, <https://redis.io/docs/latest/commands/sort_ro/> and
//! redis-server 7.0.15's sort.c. The keys that a pattern names are known only from the elements: with one, the whole
//! database is locked.

use std::cmp::Ordering;

use crate::notify::Classes;
use crate::packed::Fill;
use crate::spec::{
    Arg, Arity, Begin, Category, Docs, Find, Flag, Group, KeyArg, KeySpec, Keys, Lock, Place,
};
use crate::tree::Name;
use crate::value::list::Side;
use crate::value::{Hash, List, Text, Typed, Value};
use crate::{Ctx, Reply, Request, Spec, WireError, double, number, wire_error};

const SORTED: KeySpec = KeySpec {
    begin: Begin::Index(1),
    find: Find::Range { last: 0, step: 1, limit: 0 },
    flags: &["RO", "access"],
    notes: None,
};
const LOOKED_UP: KeySpec = KeySpec {
    begin: Begin::Unknown,
    find: Find::Unknown,
    flags: &["RO", "access"],
    notes: Some(
        "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
    ),
};

const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).";

const BY: Arg = Arg::new("pattern", "pattern").key_spec(1).token("BY").flags(&["optional"]);
const LIMIT: Arg = Arg::new("offset_count", "block")
    .token("LIMIT")
    .flags(&["optional"])
    .args(&[Arg::new("offset", "integer"), Arg::new("count", "integer")]);
const GET: Arg = Arg::new("pattern", "pattern").key_spec(1).token("GET").flags(&[
    "optional",
    "multiple",
    "multiple_token",
]);
const ORDER: Arg = Arg::new("order", "oneof")
    .flags(&["optional"])
    .args(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")]);
const ALPHA: Arg = Arg::word("sorting", "ALPHA").flags(&["optional"]);

pub(crate) static SORT: Spec = Spec {
    name: "sort",
    arity: Arity::AtLeast(2),
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::Planned {
        specs: &[
            SORTED,
            LOOKED_UP,
            KeySpec {
                begin: Begin::Unknown,
                find: Find::Unknown,
                flags: &["OW", "update"],
                notes: Some(
                    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
                ),
            },
        ],
        lock: Lock::Custom(places),
    },
    group: Group::Generic,
    categories: &[Category::Set, Category::SortedSet, Category::List, Category::Dangerous],
    tips: &[],
    docs: Docs::new("Sort the elements in a list, set or sorted set", "1.0.0", COMPLEXITY).args(&[
        Arg::key("key"),
        BY,
        LIMIT,
        GET,
        ORDER,
        ALPHA,
        Arg::key("destination").key_spec(2).token("STORE").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: |ctx, request| Sort::parse(request, true)?.apply(ctx),
};

pub(crate) static SORT_RO: Spec = Spec {
    name: "sort_ro",
    arity: Arity::AtLeast(2),
    flags: &[Flag::ReadOnly],
    keys: Keys::Planned { specs: &[SORTED, LOOKED_UP], lock: Lock::Custom(places_to_read) },
    group: Group::Generic,
    categories: &[Category::Set, Category::SortedSet, Category::List, Category::Dangerous],
    tips: &[],
    docs: Docs::new(
        "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
        "7.0.0",
        COMPLEXITY,
    )
    .args(&[Arg::key("key"), BY, LIMIT, GET, ORDER, ALPHA]),
    subcommands: &[],
    run: |ctx, request| Sort::parse(request, false)?.apply(ctx),
};

/// What a request touches. What clients are told is what Redis finds by a glance at the words, also in requests that are
/// answered with an error; what is locked is what the request really means.
fn places<'a>(request: Request<'a>, touch: &mut dyn FnMut(Place<'a>)) {
    let told = destination_at_a_glance(request);
    if let Some(name) = told {
        touch(Place::Key(KeyArg { name: source(request), flags: &["RO", "access"] }));
        touch(Place::Key(KeyArg { name, flags: &["OW", "update"] }));
    } else {
        places_to_read(request, touch);
    }
    if Sort::parse(request, true).is_ok_and(|it| it.names_others() || it.destination != told) {
        touch(Place::Database);
    }
}

/// What a request touches that keeps nothing.
fn places_to_read<'a>(request: Request<'a>, touch: &mut dyn FnMut(Place<'a>)) {
    touch(Place::Key(KeyArg { name: source(request), flags: &["RO", "access"] }));
    if Sort::parse(request, false).is_ok_and(|it| it.names_others()) {
        touch(Place::Database);
    }
}

fn source(request: Request<'_>) -> &[u8] {
    request.get(1).unwrap_or_default()
}

/// The word behind the last `STORE`.
fn destination_at_a_glance(request: Request<'_>) -> Option<&[u8]> {
    let mut found = None;
    let mut at = 2;
    while let Some(word) = request.get(at) {
        at += match &*word.to_ascii_lowercase() {
            b"limit" => 3,
            b"get" | b"by" => 2,
            b"store" => {
                found = request.get(at + 1).or(found);
                1
            }
            _ => 1,
        };
    }
    found
}

/// A request.
#[derive(Default)]
struct Sort<'a> {
    key: &'a [u8],
    by: Option<&'a [u8]>,
    /// `BY` a pattern without `*`: the elements keep their order.
    as_it_is: bool,
    /// Offset and count; a negative count is all.
    limit: Option<(i64, i64)>,
    gets: Vec<&'a [u8]>,
    descends: bool,
    alpha: bool,
    destination: Option<&'a [u8]>,
}

/// An element with what it is compared by.
struct Item {
    element: Name,
    by: By,
}

enum By {
    Score(f64),
    /// Nothing: there is no such key.
    Text(Option<Name>),
}

impl<'a> Sort<'a> {
    fn parse(request: Request<'a>, may_store: bool) -> Result<Self, WireError> {
        let mut sort = Self { key: request.get(1).unwrap_or_default(), ..Self::default() };
        let mut words = request.iter().skip(2);
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"asc" => sort.descends = false,
                b"desc" => sort.descends = true,
                b"alpha" => sort.alpha = true,
                b"limit" => {
                    let (Some(offset), Some(count)) = (words.next(), words.next()) else {
                        return Err(wire_error::SYNTAX);
                    };
                    let int = |raw| number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER);
                    sort.limit = Some((int(offset)?, int(count)?));
                }
                b"store" if may_store => {
                    sort.destination = Some(words.next().ok_or(wire_error::SYNTAX)?);
                }
                b"by" => {
                    let pattern = words.next().ok_or(wire_error::SYNTAX)?;
                    sort.by = Some(pattern);
                    // As in Redis, a later pattern does not take it back.
                    sort.as_it_is |= !pattern.contains(&b'*');
                }
                b"get" => sort.gets.push(words.next().ok_or(wire_error::SYNTAX)?),
                _ => return Err(wire_error::SYNTAX),
            }
        }
        Ok(sort)
    }

    /// Whether patterns name keys that only the elements tell.
    fn names_others(&self) -> bool {
        let by = self.by.filter(|_| !self.as_it_is);
        by.iter().chain(&self.gets).any(|it| it.contains(&b'*'))
    }

    fn apply(mut self, ctx: &mut Ctx<'_>) -> Result<Reply, WireError> {
        let value = ctx.lookup(self.key).map(|it| it.value().clone());
        let is_set = matches!(value, Some(Value::Set(_)));
        if self.as_it_is && is_set && (self.destination.is_some() || ctx.client.in_script) {
            // A set has no order; what is kept or told to a script must have one.
            (self.as_it_is, self.alpha, self.by) = (false, true, None);
        }
        let elements = self.elements(value)?;
        let (start, n) = self.range(elements.len());
        let chosen = if self.as_it_is { elements } else { self.sorted(ctx, elements)? };
        let chosen: Vec<Name> = chosen.into_iter().skip(start).take(n).collect();
        let answers = self.answers(ctx, chosen);
        match self.destination {
            None => Ok(Reply::Array(answers.into_iter().map(to_reply).collect())),
            Some(destination) => Ok(store(ctx, destination, &answers)),
        }
    }

    /// The elements in the order that they have.
    fn elements(&self, value: Option<Value>) -> Result<Vec<Name>, WireError> {
        let backwards = self.as_it_is && self.descends;
        let mut elements: Vec<Name> = match value {
            None => Vec::new(),
            Some(Value::List(list)) => {
                let mut digits = itoa::Buffer::new();
                list.iter().map(|it| Name::from(it.spelled(&mut digits))).collect()
            }
            Some(Value::Set(set)) => return Ok(set.iter().map(|it| it.to_name()).collect()),
            Some(Value::SortedSet(set)) => set.iter().map(|it| it.name).collect(),
            Some(Value::Text(_) | Value::Hash(_) | Value::Stream(_)) => {
                return Err(wire_error::WRONG_TYPE);
            }
        };
        if backwards {
            elements.reverse();
        }
        Ok(elements)
    }

    /// Which of the elements are answered: the first, and how many.
    fn range(&self, n_elements: usize) -> (usize, usize) {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(n_elements);
        let n_left = n_elements - start;
        (start, usize::try_from(count).map_or(n_left, |it| it.min(n_left)))
    }

    fn sorted(&self, ctx: &mut Ctx<'_>, elements: Vec<Name>) -> Result<Vec<Name>, WireError> {
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            let by = self.by_of(ctx, &element)?;
            items.push(Item { element, by });
        }
        let in_order = |a: &Item, b: &Item| {
            let order = a.cmp(b);
            if self.descends { order.reverse() } else { order }
        };
        items.sort_by(in_order);
        Ok(items.into_iter().map(|it| it.element).collect())
    }

    fn by_of(&self, ctx: &mut Ctx<'_>, element: &Name) -> Result<By, WireError> {
        let text = match self.by {
            None => Some(element.clone()),
            Some(pattern) => look_up(ctx, pattern, element),
        };
        if self.alpha {
            return Ok(By::Text(text));
        }
        let score = text.map_or(Some(0.0), |it| double::parse_loosely(&it));
        score.map(By::Score).ok_or(wire_error::SCORES_NOT_DOUBLES)
    }

    /// What is answered for each element.
    fn answers(&self, ctx: &mut Ctx<'_>, elements: Vec<Name>) -> Vec<Option<Name>> {
        if self.gets.is_empty() {
            return elements.into_iter().map(Some).collect();
        }
        let mut answers = Vec::with_capacity(elements.len() * self.gets.len());
        for element in &elements {
            answers.extend(self.gets.iter().map(|pattern| look_up(ctx, pattern, element)));
        }
        answers
    }
}

impl Item {
    /// Elements that count the same are in the order of their bytes.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_element = || self.element.cmp(&other.element);
        match (&self.by, &other.by) {
            (By::Score(a), By::Score(b)) => {
                a.partial_cmp(b).unwrap_or(Ordering::Equal).then_with(by_element)
            }
            (By::Text(a), By::Text(b)) => a.cmp(b),
            // All of a request are of one kind.
            (By::Score(_), By::Text(_)) | (By::Text(_), By::Score(_)) => Ordering::Equal,
        }
    }
}

/// The string at the key, or in the field of the hash, that a pattern names for an element; `#` is the element itself.
fn look_up(ctx: &mut Ctx<'_>, pattern: &[u8], element: &Name) -> Option<Name> {
    if pattern == b"#" {
        return Some(element.clone());
    }
    let star = pattern.iter().position(|it| *it == b'*')?;
    let (before, after) = (pattern.get(..star)?, pattern.get(star + 1..)?);
    // An arrow at the very end is part of the name.
    let arrow = memchr::memmem::find(after, b"->").filter(|at| at + 2 < after.len());
    let (after, field) = match arrow {
        Some(at) => (after.get(..at)?, after.get(at + 2..)),
        None => (after, None),
    };
    let key = [before, element, after].concat();
    let value = ctx.lookup(&key)?.value();
    match field {
        Some(field) => Hash::of(value)?.get(field).map(|it| it.value.to_name()),
        None => Text::of(value).map(|it| Name::from(it.bytes(&mut itoa::Buffer::new()))),
    }
}

fn to_reply(answer: Option<Name>) -> Reply {
    answer.map_or(Reply::Null, |it| Reply::Bulk(it.to_blob()))
}

/// Keeps the answers as a list; nothing is the empty string.
fn store(ctx: &mut Ctx<'_>, destination: &[u8], answers: &[Option<Name>]) -> Reply {
    if answers.is_empty() {
        if ctx.delete(destination) {
            ctx.changed(Classes::GENERIC, "del", destination);
        }
        return Reply::Int(0);
    }
    let fill = Fill::new(ctx.tuning().list_fill());
    let mut list = List::default();
    for answer in answers {
        list.push(Side::Right, answer.as_deref().unwrap_or_default(), fill);
    }
    ctx.put(destination, list.into_value(), None);
    ctx.changed(Classes::LIST, "sortstore", destination);
    Reply::count(answers.len())
}
