//! Commands about streams, made of what there is.

use super::{Id, Model, Name, Refs, id_text};
use crate::draw::Draw;

const KEYS: [Name; 2] = ["t1", "t2"];
const GROUPS: [Name; 3] = ["g", "g", "h"];
const CONSUMERS: [Name; 4] = ["ann", "bob", "cid", "dan"];

#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    Last(usize),
    From(Id),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) keep: Keep,
    pub(super) refs: Refs,
    /// `~`, and its `LIMIT`.
    pub(super) limit: Option<Option<usize>>,
}

/// How much is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amount {
    pub(super) count: Option<u64>,
    pub(super) n_max: Option<u64>,
    pub(super) bytes_max: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Command {
    Add {
        makes_stream: bool,
        cut: Option<Cut>,
        producer: Option<(Name, Option<Name>)>,
        key: Name,
        fields: Vec<(Name, Name)>,
    },
    Trim(Name, Cut),
    Del(Name, Vec<Id>),
    DelEx(Name, Refs, Vec<Id>),
    AckDel(Name, Name, Refs, Vec<Id>),
    Ack(Name, Name, Vec<Id>),
    Nack {
        place: (Name, Name),
        mode: Name,
        ids: Vec<Id>,
        n: Option<u64>,
        force: bool,
    },
    Claim {
        place: (Name, Name),
        consumer: Name,
        idle_ms: u64,
        ids: Vec<Id>,
        options: ClaimOptions,
    },
    AutoClaim {
        place: (Name, Name),
        consumer: Name,
        idle_ms: u64,
        start: Id,
        count: u64,
        just_ids: bool,
    },
    ReadGroup {
        group: Name,
        consumer: Name,
        amount: Amount,
        claim_ms: Option<u64>,
        block_ms: Option<u64>,
        noack: bool,
        streams: Vec<(Name, Option<Id>)>,
    },
    Read {
        amount: Amount,
        block_ms: Option<u64>,
        streams: Vec<(Name, Id)>,
    },
    Summary(Name, Name),
    Rows {
        place: (Name, Name),
        idle_ms: u64,
        count: u64,
        consumer: Option<Name>,
    },
    Create(Name, Name, Option<Id>),
    SetId(Name, Name, Option<Id>),
    Destroy(Name, Name),
    NewConsumer(Name, Name, Name),
    DelConsumer(Name, Name, Name),
    Groups(Name),
    Consumers(Name, Name),
    Range(Name),
    Configure(Name, Option<u64>, Option<u64>),
    Gone(Name),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimOptions {
    pub(super) idle_ms: Option<u64>,
    pub(super) n: Option<u64>,
    pub(super) force: bool,
    pub(super) just_ids: bool,
}

impl Draw {
    fn name(&mut self, from: &[Name]) -> Name {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, n: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.once_in(n).then(|| make(self))
    }

    fn span_ms(&mut self) -> u64 {
        [0, 0, 5, 60, 500, 2000][self.below(6)]
    }

    fn block_ms(&mut self) -> Option<u64> {
        self.maybe(2, |it| [0, 0, 5, 100, 1000, 5000][it.below(6)])
    }

    fn refs(&mut self) -> Refs {
        [Refs::Keep, Refs::Delete, Refs::Acked][self.below(3)]
    }

    fn amount(&mut self) -> Amount {
        let count = self.maybe(2, |it| 1 + it.below(4) as u64);
        let n_max = self.maybe(4, |it| count.unwrap_or(1) + it.below(4) as u64);
        Amount { count, n_max, bytes_max: self.maybe(4, |it| 1 + it.below(200) as u64) }
    }
}

/// An ID that an entry has or had.
fn id(draw: &mut Draw, model: &Model, key: Name) -> Id {
    let Some(stream) = model.streams.get(key) else { return (1, 1) };
    let pending: Vec<_> = stream.groups.values().flat_map(|it| it.pending.keys()).collect();
    match draw.below(10) {
        0..6 if !pending.is_empty() => *pending[draw.below(pending.len())],
        6..9 if !stream.entries.is_empty() => {
            let at = draw.below(stream.entries.len());
            *stream.entries.keys().nth(at).expect("it is there")
        }
        _ => (stream.last.0, draw.below(3) as u64),
    }
}

fn ids(draw: &mut Draw, model: &Model, key: Name) -> Vec<Id> {
    (0..=draw.below(4)).map(|_| id(draw, model, key)).collect()
}

fn cut(draw: &mut Draw, model: &Model, key: Name) -> Cut {
    let len = model.streams.get(key).map_or(0, |it| it.entries.len());
    let keep = if draw.below(2) == 0 {
        Keep::Last(if draw.once_in(2) { draw.below(30) } else { len - draw.below(6).min(len) })
    } else {
        Keep::From(id(draw, model, key))
    };
    let limit = draw.maybe(2, |it| it.maybe(2, |it| it.below(12)));
    Cut { keep, refs: draw.refs(), limit }
}

impl Command {
    pub(super) fn draw(draw: &mut Draw, model: &Model) -> Self {
        let key = draw.name(&KEYS);
        let place = (key, draw.name(&GROUPS));
        let consumer = draw.name(&CONSUMERS);
        if model.is_crowded && draw.once_in(2) {
            return Self::wait(draw, place, consumer);
        }
        match draw.below(43) {
            0..10 => Self::addition(draw, model, key),
            10 => Self::Trim(key, cut(draw, model, key)),
            11 => Self::Del(key, ids(draw, model, key)),
            12 => Self::DelEx(key, draw.refs(), ids(draw, model, key)),
            13 => Self::AckDel(key, place.1, draw.refs(), ids(draw, model, key)),
            14..17 => Self::Ack(key, place.1, ids(draw, model, key)),
            17..19 => {
                let mode = draw.name(&["SILENT", "FAIL", "FAIL", "FATAL"]);
                let (n, force) = (draw.maybe(4, |it| it.below(9) as u64), draw.once_in(4));
                Self::Nack { place, mode, ids: ids(draw, model, key), n, force }
            }
            19..21 => Self::claim(draw, model, (place, consumer)),
            21 => {
                let (idle_ms, count) = (draw.span_ms(), 1 + draw.below(5) as u64);
                let start = if draw.once_in(2) { (0, 0) } else { id(draw, model, key) };
                Self::AutoClaim {
                    place,
                    consumer,
                    idle_ms,
                    start,
                    count,
                    just_ids: draw.once_in(3),
                }
            }
            22..32 => {
                let amount = draw.amount();
                let claim_ms = draw.maybe(3, Draw::span_ms);
                let mut streams = vec![key];
                if draw.once_in(3) {
                    streams.extend(KEYS.iter().filter(|it| **it != key));
                }
                let with_id = |it: Name| (it, draw.maybe(6, |draw| id(draw, model, it)));
                let streams = streams.into_iter().map(with_id).collect();
                let (group, noack, block_ms) = (place.1, draw.once_in(8), draw.block_ms());
                Self::ReadGroup { group, consumer, amount, claim_ms, block_ms, noack, streams }
            }
            32 => {
                let amount = draw.amount();
                let streams = KEYS.map(|it| (it, id(draw, model, it)));
                Self::Read { amount, block_ms: draw.block_ms(), streams: streams.to_vec() }
            }
            33 => Self::Summary(key, place.1),
            34 => {
                let (idle_ms, count) = (draw.span_ms(), draw.below(9) as u64);
                Self::Rows { place, idle_ms, count, consumer: draw.maybe(2, |_| consumer) }
            }
            35 => Self::Create(key, place.1, draw.maybe(2, |_| (0, 0))),
            36 if draw.once_in(4) => {
                Self::SetId(key, place.1, draw.maybe(2, |draw| id(draw, model, key)))
            }
            37 if draw.once_in(8) => Self::Destroy(key, place.1),
            37 => Self::NewConsumer(key, place.1, consumer),
            38 if draw.once_in(4) => Self::DelConsumer(key, place.1, consumer),
            39 => Self::Consumers(key, place.1),
            40 => Self::Range(key),
            41 if draw.once_in(6) => {
                let seconds = draw.maybe(2, |it| 1 + it.below(3) as u64);
                Self::Configure(key, seconds, Some(1 + draw.below(5) as u64))
            }
            42 if draw.once_in(8) => Self::Gone(key),
            _ => Self::Groups(key),
        }
    }

    /// Whether its client may wait, and for how long; 0: for ever.
    pub(super) fn block_ms(&self) -> Option<u64> {
        match self {
            Self::Read { block_ms, .. } | Self::ReadGroup { block_ms, .. } => *block_ms,
            _ => None,
        }
    }

    /// The same for a client that does not wait.
    pub(super) fn without_wait(mut self) -> Self {
        if let Self::Read { block_ms, .. } | Self::ReadGroup { block_ms, .. } = &mut self {
            *block_ms = None;
        }
        self
    }

    /// A read that mostly finds nothing, because those before it took everything.
    fn wait(draw: &mut Draw, (key, group): (Name, Name), consumer: Name) -> Self {
        let mut streams = vec![(key, None)];
        if draw.once_in(3) {
            streams.extend(KEYS.iter().filter(|it| **it != key).map(|it| (*it, None)));
        }
        let amount = if draw.once_in(6) { draw.amount() } else { Amount::default() };
        Self::ReadGroup {
            group,
            consumer,
            amount,
            claim_ms: draw.maybe(2, |it| [5, 100, 500, 2000][it.below(4)]),
            block_ms: Some([0, 0, 0, 100, 5000][draw.below(5)]),
            noack: draw.once_in(8),
            streams,
        }
    }

    fn claim(draw: &mut Draw, model: &Model, (place, consumer): ((Name, Name), Name)) -> Self {
        let options = ClaimOptions {
            idle_ms: draw.maybe(4, Draw::span_ms),
            n: draw.maybe(4, |it| it.below(9) as u64),
            force: draw.once_in(3),
            just_ids: draw.once_in(3),
        };
        let idle_ms = draw.span_ms();
        Self::Claim { place, consumer, idle_ms, ids: ids(draw, model, place.0), options }
    }

    fn addition(draw: &mut Draw, model: &Model, key: Name) -> Self {
        let producer = draw.maybe(3, |it| {
            let pid = it.name(&["p", "q"]);
            (pid, it.maybe(2, |it| it.name(&["i", "j", "k", "l", "m", "n", "o"])))
        });
        let mut fields = vec![("a", draw.name(&["1", "2", "x", "y"]))];
        if draw.once_in(3) {
            fields.push(("b", draw.name(&["1", "2", "x", "y"])));
            if draw.once_in(2) {
                fields.reverse();
            }
        }
        let cut = draw.maybe(4, |it| cut(it, model, key));
        Self::Add { makes_stream: !draw.once_in(8), cut, producer, key, fields }
    }

    /// As it is sent.
    pub(super) fn words(&self) -> Vec<String> {
        let text = match self {
            Self::Add { makes_stream, cut, producer, key, fields } => {
                let fields = fields.iter().map(|(name, value)| format!(" {name} {value}"));
                let producer = match producer {
                    None => String::new(),
                    Some((pid, None)) => format!(" IDMPAUTO {pid}"),
                    Some((pid, Some(iid))) => format!(" IDMP {pid} {iid}"),
                };
                let cut = cut.map(cut_text).unwrap_or_default();
                let option = if *makes_stream { "" } else { " NOMKSTREAM" };
                format!("XADD {key}{option}{producer}{cut} *{}", fields.collect::<String>())
            }
            Self::Trim(key, cut) => format!("XTRIM {key}{}", cut_text(*cut)),
            Self::Del(key, ids) => format!("XDEL {key}{}", ids_text(ids)),
            Self::DelEx(key, refs, ids) => format!("XDELEX {key}{}", refs_text(*refs, ids)),
            Self::AckDel(key, group, refs, ids) => {
                format!("XACKDEL {key} {group}{}", refs_text(*refs, ids))
            }
            Self::Ack(key, group, ids) => format!("XACK {key} {group}{}", ids_text(ids)),
            Self::Nack { place: (key, group), mode, ids, n, force } => {
                let n = n.map(|it| format!(" RETRYCOUNT {it}")).unwrap_or_default();
                let force = if *force { " FORCE" } else { "" };
                format!("XNACK {key} {group} {mode} IDS {}{}{n}{force}", ids.len(), ids_text(ids))
            }
            Self::Claim { place: (key, group), consumer, idle_ms, ids, options } => {
                let ids = ids_text(ids);
                format!("XCLAIM {key} {group} {consumer} {idle_ms}{ids}{}", options.text())
            }
            Self::AutoClaim { place: (key, group), consumer, idle_ms, start, count, just_ids } => {
                let (start, just_ids) = (id_text(*start), if *just_ids { " JUSTID" } else { "" });
                format!(
                    "XAUTOCLAIM {key} {group} {consumer} {idle_ms} {start} COUNT {count}{just_ids}"
                )
            }
            Self::ReadGroup { group, consumer, amount, claim_ms, block_ms, noack, streams } => {
                let claim = claim_ms.map(|it| format!(" CLAIM {it}")).unwrap_or_default();
                let noack = if *noack { " NOACK" } else { "" };
                let keys: String = streams.iter().map(|it| format!(" {}", it.0)).collect();
                let id = |it: &(Name, Option<Id>)| format!(" {}", it.1.map_or(">".into(), id_text));
                let ids: String = streams.iter().map(id).collect();
                let (amount, block) = (amount.text(), block_text(*block_ms));
                format!(
                    "XREADGROUP GROUP {group} {consumer}{amount}{block}{claim}{noack} STREAMS{keys}{ids}"
                )
            }
            Self::Read { amount, block_ms, streams } => {
                let keys: String = streams.iter().map(|it| format!(" {}", it.0)).collect();
                let ids: Vec<_> = streams.iter().map(|it| it.1).collect();
                let (amount, block) = (amount.text(), block_text(*block_ms));
                format!("XREAD{amount}{block} STREAMS{keys}{}", ids_text(&ids))
            }
            other => other.small_text(),
        };
        text.split(' ').map(Into::into).collect()
    }

    fn small_text(&self) -> String {
        let at = |id: &Option<Id>| id.map_or("$".into(), id_text);
        match self {
            Self::Summary(key, group) => format!("XPENDING {key} {group}"),
            Self::Rows { place: (key, group), idle_ms, count, consumer } => {
                let consumer = consumer.map(|it| format!(" {it}")).unwrap_or_default();
                format!("XPENDING {key} {group} IDLE {idle_ms} - + {count}{consumer}")
            }
            Self::Create(key, group, id) => {
                format!("XGROUP CREATE {key} {group} {} MKSTREAM", at(id))
            }
            Self::SetId(key, group, id) => format!("XGROUP SETID {key} {group} {}", at(id)),
            Self::Destroy(key, group) => format!("XGROUP DESTROY {key} {group}"),
            Self::NewConsumer(key, group, it) => {
                format!("XGROUP CREATECONSUMER {key} {group} {it}")
            }
            Self::DelConsumer(key, group, it) => format!("XGROUP DELCONSUMER {key} {group} {it}"),
            Self::Groups(key) => format!("XINFO GROUPS {key}"),
            Self::Consumers(key, group) => format!("XINFO CONSUMERS {key} {group}"),
            Self::Range(key) => format!("XRANGE {key} - +"),
            Self::Gone(key) => format!("DEL {key}"),
            Self::Configure(key, seconds, n) => {
                let seconds = seconds.map(|it| format!(" IDMP-DURATION {it}")).unwrap_or_default();
                let n = n.map(|it| format!(" IDMP-MAXSIZE {it}")).unwrap_or_default();
                format!("XCFGSET {key}{seconds}{n}")
            }
            other => panic!("{other:?} is not small"),
        }
    }
}

fn block_text(block_ms: Option<u64>) -> String {
    block_ms.map(|it| format!(" BLOCK {it}")).unwrap_or_default()
}

fn ids_text(ids: &[Id]) -> String {
    ids.iter().map(|it| format!(" {}", id_text(*it))).collect()
}

fn refs_word(refs: Refs) -> &'static str {
    match refs {
        Refs::Keep => "KEEPREF",
        Refs::Delete => "DELREF",
        Refs::Acked => "ACKED",
    }
}

fn refs_text(refs: Refs, ids: &[Id]) -> String {
    format!(" {} IDS {}{}", refs_word(refs), ids.len(), ids_text(ids))
}

fn cut_text(cut: Cut) -> String {
    let refs = refs_word(cut.refs);
    let operator = if cut.limit.is_some() { "~" } else { "=" };
    let limit = cut.limit.flatten().map(|it| format!(" LIMIT {it}")).unwrap_or_default();
    match cut.keep {
        Keep::Last(n) => format!(" {refs} MAXLEN {operator} {n}{limit}"),
        Keep::From(id) => format!("{limit} MINID {operator} {} {refs}", id_text(id)),
    }
}

impl ClaimOptions {
    fn text(self) -> String {
        let idle = self.idle_ms.map(|it| format!(" IDLE {it}")).unwrap_or_default();
        let n = self.n.map(|it| format!(" RETRYCOUNT {it}")).unwrap_or_default();
        let force = if self.force { " FORCE" } else { "" };
        format!("{idle}{n}{force}{}", if self.just_ids { " JUSTID" } else { "" })
    }
}

impl Amount {
    fn text(self) -> String {
        let count = self.count.map(|it| format!(" COUNT {it}")).unwrap_or_default();
        let n_max = self.n_max.map(|it| format!(" MAXCOUNT {it}")).unwrap_or_default();
        let bytes_max = self.bytes_max.map(|it| format!(" MAXSIZE {it}")).unwrap_or_default();
        format!("{count}{n_max}{bytes_max}")
    }
}
