//! [`Producers`]: what was added by whom, so that what is sent again is not added again.
//!
//! A producer names itself and each entry (`IDMP`), or lets the entry's fields be its name (`IDMPAUTO`). Of each producer
//! the last so many names are known, for so long. Source:
//! <https://redis.io/docs/latest/develop/data-types/streams/idempotency/>.

use triomphe::Arc;

use super::group::hint_of;
use super::id::StreamId;
use crate::tree::Name;
use crate::tree::rank::{Item, RankTree};

/// The producers of a stream.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    settings: Settings,
    /// In the order of their names.
    list: RankTree<Producer>,
    /// The same, whoever has the entry that is to be forgotten first being the first.
    by_first: RankTree<First>,
    n_bytes: usize,
    n_known: usize,
    n_added: u64,
    n_duplicates: u64,
}

/// How long and how much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For so many seconds.
    pub duration_s: u32,
    /// So many entries of each producer.
    pub n_max: u32,
}

impl Settings {
    /// The longest time: a day.
    pub const DURATION_S_MAX: u32 = 86_400;
    /// The most entries.
    pub const N_MAX_MAX: u32 = 10_000;
}

impl Default for Settings {
    /// Redis's.
    fn default() -> Self {
        Self { duration_s: 100, n_max: 100 }
    }
}

#[derive(Clone, Debug)]
struct Producer(Arc<Known>);

/// What is known of one producer.
#[derive(Clone, Debug)]
struct Known {
    pid: Name,
    by_iid: RankTree<Named>,
    /// The first to be forgotten first.
    line: RankTree<Named>,
    n_name_bytes: usize,
}

/// An entry and what its producer calls it.
#[derive(Clone, Debug)]
struct Named {
    iid: Name,
    id: StreamId,
}

/// The entry of a producer that is to be forgotten first.
#[derive(Clone, Debug)]
struct First {
    id: StreamId,
    pid: Name,
}

impl Item for First {
    type Hint = StreamId;

    fn hint(&self) -> StreamId {
        self.id
    }
}

impl Item for Named {
    type Hint = u64;

    fn hint(&self) -> u64 {
        hint_of(&self.iid)
    }
}

impl Item for Producer {
    type Hint = u64;
    const LEAF_MAX: usize = 32;

    fn hint(&self) -> u64 {
        hint_of(&self.0.pid)
    }
}

impl Producers {
    /// What was set for this stream.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Sets how long and how much is remembered from now on. What was known is forgotten.
    pub fn set(&mut self, settings: Settings) {
        let Self { n_added, n_duplicates, .. } = *self;
        *self = Self { settings, n_added, n_duplicates, ..Self::default() };
    }

    /// Whether there is anything to be told of them.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.settings != Settings::default() || self.counts() != (0, 0) || !self.is_empty()
    }

    /// How many producers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many entries are known by their names.
    #[must_use]
    pub fn n_known(&self) -> usize {
        self.n_known
    }

    /// How many entries were added with a name, and how many of those were sent that had been added before.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.n_added, self.n_duplicates)
    }

    /// Sets what [`Self::counts`] returns.
    pub fn set_counts(&mut self, (n_added, n_duplicates): (u64, u64)) {
        (self.n_added, self.n_duplicates) = (n_added, n_duplicates);
    }

    /// Bytes on the heap.
    pub(super) fn n_bytes(&self) -> usize {
        self.list.n_bytes() + self.by_first.n_bytes() + self.n_bytes
    }

    pub(super) fn effort(&self) -> usize {
        self.list.len() + self.n_known / 32
    }

    fn search(&self, pid: &[u8]) -> Result<usize, usize> {
        self.list.search(hint_of(pid), |it| (*it.0.pid).cmp(pid))
    }

    /// What a producer calls an entry: the ID of the entry that has this name, if one is known.
    #[must_use]
    pub fn find(&self, pid: &[u8], iid: &[u8]) -> Option<StreamId> {
        let known = &self.list.get(self.search(pid).ok()?)?.0;
        let at = known.search(iid).ok()?;
        known.by_iid.get(at).map(|it| it.id)
    }

    /// An entry was sent that had been added before.
    pub fn note_duplicate(&mut self) {
        self.n_duplicates = self.n_duplicates.saturating_add(1);
    }

    /// An entry was added, whose name was not known.
    pub fn add(&mut self, (pid, iid): (&[u8], &[u8]), id: StreamId) {
        let n_max = self.settings.n_max as usize;
        let at = match self.search(pid) {
            Ok(at) => at,
            Err(at) => {
                let producer = Known::new(pid);
                self.n_bytes += producer.n_bytes();
                self.list.insert(at, Producer(Arc::new(producer)));
                at
            }
        };
        self.edit(at, |known| {
            known.add(Named { iid: iid.into(), id });
            while n_max < known.line.len() {
                known.forget_first();
            }
        });
        self.n_added = self.n_added.saturating_add(1);
    }

    /// Forgets entries that are older than is remembered, and producers of which nothing is left. How old an entry is, its
    /// ID says.
    pub fn forget_due(&mut self, now_ms: u64) {
        if let Some(ms_max) = self.forgotten_ms(now_ms) {
            self.forget_until(ms_max);
        }
    }

    /// The last millisecond of which entries are due to be forgotten, if there is any.
    #[must_use]
    pub fn forgotten_ms(&self, now_ms: u64) -> Option<u64> {
        now_ms.checked_sub(1000 * u64::from(self.settings.duration_s))
    }

    fn forget_until(&mut self, ms_max: u64) {
        while let Some(first) = self.by_first.first().filter(|it| it.id.ms <= ms_max).cloned() {
            // Whoever has a first entry is there.
            let Ok(at) = self.search(&first.pid) else { break };
            self.edit(at, |known| {
                while known.first_id().is_some_and(|it| it.ms <= ms_max) {
                    known.forget_first();
                }
            });
            if self.list.get(at).is_some_and(|it| it.0.line.is_empty())
                && let Some(removed) = self.list.remove(at)
            {
                self.n_bytes -= removed.0.n_bytes();
            }
        }
    }

    /// Every producer's name with the names of its entries and their IDs, the first to be forgotten first.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = (&Name, usize, impl Iterator<Item = (&Name, StreamId)>)> {
        self.list.iter().map(|it| {
            let entries = it.0.line.iter().map(|it| (&it.iid, it.id));
            (&it.0.pid, it.0.line.len(), entries)
        })
    }

    fn edit(&mut self, at: usize, edit: impl FnOnce(&mut Known)) {
        let facts = |it: &Known| (it.n_bytes(), it.line.len(), it.first_id());
        let changed = self.list.update(at, |producer| {
            let known = Arc::make_mut(&mut producer.0);
            let before = facts(known);
            edit(known);
            (known.pid.clone(), before, facts(known))
        });
        let Some((pid, before, after)) = changed else { return };
        self.n_bytes = self.n_bytes + after.0 - before.0;
        self.n_known = self.n_known + after.1 - before.1;
        self.move_first(&pid, before.2, after.2);
    }

    /// The entry of a producer that is to be forgotten first is another one.
    fn move_first(&mut self, pid: &Name, before: Option<StreamId>, after: Option<StreamId>) {
        if before == after {
            return;
        }
        let place = |by_first: &RankTree<First>, id| {
            by_first.search(id, |it| (it.id, &*it.pid).cmp(&(id, pid)))
        };
        if let Some(Ok(at)) = before.map(|id| place(&self.by_first, id)) {
            self.by_first.remove(at);
        }
        if let Some(id) = after
            && let Err(at) = place(&self.by_first, id)
        {
            self.by_first.insert(at, First { id, pid: pid.clone() });
        }
    }
}

impl Known {
    fn new(pid: &[u8]) -> Self {
        let pid = Name::from(pid);
        Self { n_name_bytes: pid.n_bytes(), pid, by_iid: RankTree::new(), line: RankTree::new() }
    }

    fn n_bytes(&self) -> usize {
        size_of::<Self>() + self.by_iid.n_bytes() + self.line.n_bytes() + self.n_name_bytes
    }

    /// The entry that is to be forgotten first.
    fn first_id(&self) -> Option<StreamId> {
        self.line.first().map(|it| it.id)
    }

    fn search(&self, iid: &[u8]) -> Result<usize, usize> {
        self.by_iid.search(hint_of(iid), |it| (*it.iid).cmp(iid))
    }

    fn add(&mut self, named: Named) {
        if let Err(at) = self.search(&named.iid) {
            self.n_name_bytes += named.iid.n_bytes();
            self.by_iid.insert(at, named.clone());
            self.line.push_back(named);
        }
    }

    fn forget_first(&mut self) {
        let Some(first) = self.line.pop_front() else { return };
        if let Ok(at) = self.search(&first.iid) {
            self.by_iid.remove(at);
        }
        self.n_name_bytes -= first.iid.n_bytes();
    }
}

/// What stands for the fields and values of an entry, in whatever order they are: two sums and two exclusive ors of the
/// XXH3 hashes of 128 bits of each field, its length and its value, as Redis does.
#[derive(Clone, Copy, Debug, Default)]
pub struct IidHash {
    sum: [u64; 2],
    xor: [u64; 2],
}

impl IidHash {
    /// Adds a field and its value.
    pub fn add(&mut self, field: &[u8], value: &[u8]) {
        let mut hasher = twox_hash::xxhash3_128::Hasher::new();
        hasher.write(field);
        hasher.write(&(field.len() as u64).to_le_bytes());
        hasher.write(value);
        let [low, high] = halves(hasher.finish_128());
        let [sum_low, sum_high] = self.sum;
        let [xor_low, xor_high] = self.xor;
        self.sum = [sum_low.wrapping_add(low), sum_high.wrapping_add(high)];
        self.xor = [xor_low ^ low, xor_high ^ high];
    }

    /// The name of the entry.
    #[must_use]
    pub fn finish(self) -> [u8; 16] {
        let ([sum_low, sum_high], [xor_low, xor_high]) = (self.sum, self.xor);
        let low = sum_low ^ xor_high.rotate_left(1);
        let high = sum_high ^ xor_low.rotate_left(1);
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }
}

fn halves(hash: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, high @ ..] = hash.to_le_bytes();
    [u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes(high)]
}
