//! A sorted set as a listpack: a member and its score, and so on, in order.

use std::ops::Range;

use fanfare_resp::DoubleText;

use super::{LexRange, Member, ScoreRange};
use crate::double;
use crate::packed::listpack::Iter;
use crate::packed::{Element, Full, Listpack, Position};

/// Bytes that a member with a short name takes, about.
const MEMBER_LEN: usize = 16;

/// A member where it lies.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    name: Element<'a>,
    score: Element<'a>,
}

impl Pair<'_> {
    #[inline]
    pub(super) fn score(self) -> f64 {
        score_of(self.score)
    }

    #[inline]
    pub(super) fn to_member(self) -> Member {
        let name = self.name.spelled(&mut itoa::Buffer::new()).into();
        Member { score: self.score(), name }
    }
}

/// Members one after the other, from either end.
#[derive(Clone)]
pub(super) struct Pairs<'a>(Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        let name = self.0.next()?;
        Some(Pair { name, score: self.0.next()? })
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let score = self.0.next_back()?;
        Some(Pair { name: self.0.next_back()?, score })
    }
}

/// All members.
pub(super) fn pairs(pack: &Listpack) -> Pairs<'_> {
    Pairs(pack.iter())
}

/// The members with these ranks.
pub(super) fn range(pack: &Listpack, ranks: Range<usize>) -> Pairs<'_> {
    let place = |rank: usize| pack.seek(rank.saturating_mul(2)).unwrap_or_else(|| pack.end());
    Pairs(pack.range(place(ranks.start), place(ranks.end)))
}

/// Where a member is, and its score.
#[inline]
pub(super) fn find(pack: &Listpack, name: &[u8]) -> Option<(Position, f64)> {
    let at = pack.find(name, pack.start(), 1)?;
    let score = pack.at(pack.next(at)?)?;
    Some((at, score_of(score)))
}

/// How many members are before one, and its score.
pub(super) fn rank(pack: &Listpack, name: &[u8]) -> Option<(usize, f64)> {
    let (at, score) = find(pack, name)?;
    Some((pack.range(pack.start(), at).count() / 2, score))
}

/// The ranks of the members whose scores are in a range.
pub(super) fn ranks_by_score(pack: &Listpack, range: &ScoreRange) -> Range<usize> {
    let mut scores = pairs(pack).map(Pair::score).peekable();
    let mut start = 0;
    while scores.next_if(|it| range.is_after(*it)).is_some() {
        start += 1;
    }
    start..start + scores.take_while(|it| range.reaches(*it)).count()
}

/// The ranks of the members whose names are in a range.
pub(super) fn ranks_by_lex(pack: &Listpack, range: &LexRange<'_>) -> Range<usize> {
    let mut pairs = pairs(pack).peekable();
    let mut digits = itoa::Buffer::new();
    let mut start = 0;
    while pairs.next_if(|it| range.is_after(it.name.spelled(&mut digits))).is_some() {
        start += 1;
    }
    start..start + pairs.take_while(|it| range.reaches(it.name.spelled(&mut digits))).count()
}

/// How many bytes a member takes.
pub(super) fn len_of(name: &[u8], score: f64) -> usize {
    Element::Bytes(name).packed_len() + with_score(score, |it| it.packed_len())
}

/// Puts a member in its place; it is not there yet.
///
/// # Errors
/// If it would be too large; it is as it was.
pub(super) fn insert(pack: &mut Listpack, name: &[u8], score: f64) -> Result<(), Full> {
    let at = place(pack, name, score);
    with_score(score, |element| pack.insert(at, element))?;
    pack.insert(at, name).inspect_err(|_| {
        pack.remove(at, 1);
    })
}

/// Takes out the member at a position.
pub(super) fn remove(pack: &mut Listpack, at: Position) {
    pack.remove(at, 2);
}

/// Packs members that are in order.
///
/// # Errors
/// If they are too many.
pub(super) fn build(members: &[Member]) -> Result<Listpack, Full> {
    let mut pack = Listpack::with_capacity(members.len().saturating_mul(MEMBER_LEN));
    for member in members {
        pack.push_back(&*member.name)?;
        with_score(member.score, |element| pack.push_back(element))?;
    }
    pack.shrink_to_fit();
    Ok(pack)
}

/// Where a member belongs.
fn place(pack: &Listpack, name: &[u8], score: f64) -> Position {
    let last = pack.prev(pack.end()).and_then(|it| pack.at(it)).map(score_of);
    if last.is_none_or(|it| it < score) {
        return pack.end();
    }
    let mut at = pack.start();
    let mut digits = itoa::Buffer::new();
    while let (Some(there), Some(score_at)) = (pack.at(at), pack.next(at)) {
        let score_there = pack.at(score_at).map_or(0.0, score_of);
        let is_behind =
            score < score_there || (score_there == score && name < there.spelled(&mut digits));
        if is_behind {
            break;
        }
        at = pack.next(score_at).unwrap_or_else(|| pack.end());
    }
    at
}

/// What was not written here may be anything: as for Redis, what is no number is 0.
#[inline]
fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Int(number) => number as f64,
        Element::Bytes(text) => double::parse_bound(text).unwrap_or_default(),
    }
}

/// Hands over a score as it is written.
fn with_score<R>(score: f64, write: impl FnOnce(Element<'_>) -> R) -> R {
    match double::to_int(score) {
        Some(number) => write(Element::Int(number)),
        None => write(Element::Bytes(DoubleText::new(score).as_bytes())),
    }
}
