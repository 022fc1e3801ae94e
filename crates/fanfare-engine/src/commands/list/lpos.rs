//! LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]: where an element is in a list.
//!
//! Source: <https://redis.io/docs/latest/commands/lpos/>. A negative rank begins at the end; a count or length of 0 means all.

use crate::number;
use crate::packed::Element;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::value::List;
use crate::{Ctx, Reply, Request, Spec, WireError, wire_error};

pub(crate) static LPOS: Spec = Spec {
    name: "lpos",
    arity: Arity::AtLeast(3),
    flags: &[Flag::ReadOnly],
    keys: Keys::Range { first: 1, last: 1, step: 1, flags: &["RO", "access"] },
    group: Group::List,
    categories: &[],
    tips: &[],
    docs: Docs::new(
        "Return the index of matching elements on a list",
        "6.0.6",
        "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
    )
    .args(&[
        Arg::key("key"),
        Arg::new("element", "string"),
        Arg::new("rank", "integer").token("RANK").flags(&["optional"]),
        Arg::new("num-matches", "integer").token("COUNT").flags(&["optional"]),
        Arg::new("len", "integer").token("MAXLEN").flags(&["optional"]),
    ]),
    subcommands: &[],
    run: lpos,
};

fn lpos(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let (key, element) = (request.get(1).unwrap_or_default(), request.get(2).unwrap_or_default());
    let options = Options::parse(request)?;
    let list = ctx.read::<List>(key)?;
    let found = list.map(|it| options.find(it, Element::new(element))).unwrap_or_default();
    let mut found = found.into_iter().map(Reply::count);
    Ok(match options.count {
        Some(_) => Reply::Array(found.collect()),
        None => found.next().unwrap_or(Reply::Null),
    })
}

struct Options {
    from_end: bool,
    n_skipped: usize,
    /// 0: all.
    count: Option<usize>,
    /// 0: all.
    n_compared_max: usize,
}

impl Options {
    fn parse(request: Request<'_>) -> Result<Self, WireError> {
        let mut options = Self { from_end: false, n_skipped: 0, count: None, n_compared_max: 0 };
        let mut rank_is_lowest = false;
        let mut args = request.iter().skip(3);
        while let Some(word) = args.next() {
            let raw = args.next().ok_or(wire_error::SYNTAX)?;
            let count = || number::parse_int(raw).and_then(|it| usize::try_from(it).ok());
            match word.to_ascii_lowercase().as_slice() {
                b"rank" => {
                    let rank = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
                    rank_is_lowest = rank == i64::MIN;
                    let nth = if rank_is_lowest { 1 } else { rank.unsigned_abs() };
                    let n_skipped = nth.checked_sub(1);
                    let n_skipped = n_skipped.ok_or(wire_error::RANK_IS_ZERO)?;
                    options.from_end = rank < 0;
                    options.n_skipped = usize::try_from(n_skipped).unwrap_or(usize::MAX);
                }
                b"count" => options.count = Some(count().ok_or(wire_error::COUNT_NEGATIVE)?),
                b"maxlen" => {
                    options.n_compared_max = count().ok_or(wire_error::MAXLEN_NEGATIVE)?;
                }
                _ => return Err(wire_error::SYNTAX),
            }
        }
        // The lowest number has no counterpart above zero: redis-server 7.0.15 counts from the end, and never far enough.
        options.count = options.count.map(|it| if rank_is_lowest { 0 } else { it });
        Ok(options)
    }

    fn find(&self, list: &List, element: Element<'_>) -> Vec<usize> {
        let unless_all = |n: usize| if n == 0 { usize::MAX } else { n };
        let n_compared_max = unless_all(self.n_compared_max);
        let n_found_max = unless_all(self.count.unwrap_or(1));
        let is_wanted = |it: &(usize, Element<'_>)| it.1 == element;
        let (n_skipped, len) = (self.n_skipped, list.len());
        if self.from_end {
            let elements = list.iter().rev().enumerate().take(n_compared_max).filter(is_wanted);
            let found = elements.skip(n_skipped).take(n_found_max);
            found.map(|(index, _)| len - 1 - index).collect()
        } else {
            let elements = list.iter().enumerate().take(n_compared_max).filter(is_wanted);
            elements.skip(n_skipped).take(n_found_max).map(|it| it.0).collect()
        }
    }
}
