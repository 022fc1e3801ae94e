//! Entries of a stream, for a reply.

use fanfare_resp::Writer;

use super::block::{Block, Entry, Found};
use super::chain::Chain;
use super::id::StreamId;
use crate::packed::Position;

/// Entries of a stream as it was when they were taken. They share the stream's memory: a reply of many entries needs
/// little of its own, and is written when the stream is no longer locked.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    parts: Vec<Part>,
    n: usize,
}

#[derive(Clone, Debug)]
enum Part {
    /// Live entries of a block from a position on.
    Run { block: Block, at: Position, n: usize, order: Order },
    /// An entry that is no longer there.
    Gone(StreamId),
    /// An entry that was delivered before.
    Again { block: Block, at: Position, delivery: Delivery },
}

/// What a reader is told of an entry that was delivered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Milliseconds since then.
    pub idle_ms: u64,
    /// How often.
    pub n: u64,
}

/// Which entries are taken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first one first.
    Forward,
    /// The last one first.
    Backward,
}

/// What an item of a slice is.
#[derive(Clone, Debug)]
pub(crate) enum Shown<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// An entry that is no longer there.
    Gone(StreamId),
    /// An entry that was delivered before.
    Again(Entry<'a>, Delivery),
}

impl Slice {
    /// Those of `chain` with IDs from `first` to `last`, as long as `take` is true.
    pub(super) fn new(
        chain: &Chain,
        (first, last): (StreamId, StreamId),
        order: Order,
        mut take: impl FnMut(&Entry<'_>) -> bool,
    ) -> Self {
        let mut slice = Self::default();
        let mut is_taken = |entry: &Entry<'_>| (first..=last).contains(&entry.id) && take(entry);
        match order {
            Order::Forward => {
                for (block, entries) in chain.parts_from(first) {
                    let at = entries.position();
                    if !slice.add_while((block, at), entries, order, &mut is_taken) {
                        break;
                    }
                }
            }
            Order::Backward => {
                for (block, entries) in chain.parts_back_from(last) {
                    let at = entries.position();
                    if !slice.add_while((block, at), entries, order, &mut is_taken) {
                        break;
                    }
                }
            }
        }
        slice
    }

    /// Adds entries of a block, the first of which is at a position, as long as `is_taken` is true; whether it was for
    /// all of them.
    #[inline]
    fn add_while<'a>(
        &mut self,
        (block, at): (&Block, Option<Position>),
        mut entries: impl Iterator<Item = Found<'a>>,
        order: Order,
        is_taken: &mut impl FnMut(&Entry<'_>) -> bool,
    ) -> bool {
        let Some(at) = at else { return false };
        let mut n = 0;
        let were_all = entries.all(|it| {
            let is_taken = is_taken(&it.entry);
            n += usize::from(is_taken);
            is_taken
        });
        self.add_run(block, (at, n), order);
        were_all
    }

    fn add_run(&mut self, block: &Block, (at, n): (Position, usize), order: Order) {
        if n != 0 {
            self.n += n;
            self.parts.push(Part::Run { block: block.clone(), at, n, order });
        }
    }

    /// Adds one entry.
    pub(super) fn add_entry(&mut self, (block, at): (&Block, Position)) {
        self.add_run(block, (at, 1), Order::Forward);
    }

    /// Adds one entry that was delivered before.
    pub(super) fn add_again(&mut self, (block, at): (&Block, Position), delivery: Delivery) {
        self.n += 1;
        self.parts.push(Part::Again { block: block.clone(), at, delivery });
    }

    /// Adds one entry that is no longer there.
    pub fn add_gone(&mut self, id: StreamId) {
        self.n += 1;
        self.parts.push(Part::Gone(id));
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Each of them.
    pub(crate) fn for_each(&self, mut show: impl FnMut(Shown<'_>)) {
        for part in &self.parts {
            match part {
                Part::Run { block, at, n, order: Order::Forward } => {
                    block.forward_at(*at).take(*n).for_each(|it| show(Shown::Entry(it.entry)));
                }
                Part::Run { block, at, n, order: Order::Backward } => {
                    block.backward_at(*at).take(*n).for_each(|it| show(Shown::Entry(it.entry)));
                }
                Part::Gone(id) => show(Shown::Gone(*id)),
                Part::Again { block, at, delivery } => {
                    let entry = block.forward_at(*at).next();
                    entry.into_iter().for_each(|it| show(Shown::Again(it.entry, *delivery)));
                }
            }
        }
    }

    /// Appends the wire form: an array of entries.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.array(self.n);
        self.for_each(|shown| match shown {
            Shown::Entry(entry) => {
                out.array(2);
                entry.write(out);
            }
            Shown::Gone(id) => {
                out.array(2);
                out.bulk(&id.spelled());
                out.null_array();
            }
            Shown::Again(entry, delivery) => entry.write_again(delivery, out),
        });
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The wire form.
impl Entry<'_> {
    /// Appends its ID, and its fields and values.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.bulk(&self.id.spelled());
        out.array(2 * self.n_fields());
        let mut digits = itoa::Buffer::new();
        for (name, value) in self.fields() {
            out.bulk(name.spelled(&mut digits));
            out.bulk(value.spelled(&mut digits));
        }
    }

    /// Appends it as it is shown to who is told of deliveries.
    pub(crate) fn write_again(&self, delivery: Delivery, out: &mut Writer<'_>) {
        out.array(4);
        self.write(out);
        out.int(signed(delivery.idle_ms));
        out.int(signed(delivery.n));
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Self) -> bool {
        let listed = |it: &Self| {
            let mut items = Vec::with_capacity(it.n);
            it.for_each(|shown| items.push(format!("{shown:?}")));
            items
        };
        self.n == other.n && listed(self) == listed(other)
    }
}
