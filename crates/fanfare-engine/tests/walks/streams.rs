//! What is told of streams, without what differs by nature: times, what Redis 8 counts in another way than 7.0, and
//! what it tells in addition.

use fanfare_engine::rdb::{Reader as Bytes, Text, payload};
use fanfare_testkit::{escape, split_frames};

use crate::contents::{Look, Reader, args};
use crate::defined::bulks;

/// What a reply is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// One by one, what is pending.
    Pending,
    /// `XINFO`.
    Info,
    /// Entries of streams.
    Streams,
    /// A consumer may have been made by a read that found nothing, or not.
    Nothing,
}

impl Told {
    /// By a command.
    pub(crate) fn by(name: &str, words: &[String]) -> Option<Self> {
        match name {
            "XPENDING" if 3 < words.len() => Some(Self::Pending),
            "XINFO" => Some(Self::Info),
            "XREAD" | "XREADGROUP" => Some(Self::Streams),
            "XGROUP" if words.get(1)?.eq_ignore_ascii_case("createconsumer") => Some(Self::Nothing),
            _ => None,
        }
    }

    /// The reply without what is not defined.
    pub(crate) fn part(self, reply: &[u8]) -> Vec<u8> {
        let mut node = Node::parse(reply);
        match self {
            Self::Pending => node.hide_in_rows(2),
            Self::Info => node.hide_in_info(Look::Closely),
            Self::Streams => {}
            Self::Nothing if reply.starts_with(b":") => return b":".to_vec(),
            Self::Nothing => {}
        }
        node.encoded()
    }
}

/// A reply as a tree.
enum Node {
    Leaf(Vec<u8>),
    List(u8, Vec<Node>),
}

impl Node {
    fn parse(frame: &[u8]) -> Self {
        let head_len = frame.iter().position(|it| *it == b'\n').map_or(0, |it| it + 1);
        match frame[0] {
            kind @ (b'*' | b'~' | b'%') if !frame.starts_with(b"*-1") => {
                let (frames, _) = split_frames(&frame[head_len..]);
                Self::List(kind, frames.into_iter().map(Self::parse).collect())
            }
            _ => Self::Leaf(frame.to_vec()),
        }
    }

    fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Leaf(bytes) => bytes.clone(),
            Self::List(kind, nodes) => {
                let nodes = nodes.iter().flat_map(Self::encoded);
                [*kind].into_iter().chain(*b"\r\n").chain(nodes).collect()
            }
        }
    }

    fn nodes_mut(&mut self) -> &mut Vec<Node> {
        match self {
            Self::List(_, nodes) => nodes,
            Self::Leaf(bytes) => panic!("{} is no list", escape(bytes)),
        }
    }

    fn hide(&mut self) {
        *self = Self::Leaf(b"(hidden)".to_vec());
    }

    /// Hides a column of a table.
    fn hide_in_rows(&mut self, at: usize) {
        if let Self::List(_, rows) = self {
            rows.iter_mut().for_each(|it| it.nodes_mut()[at].hide());
        }
    }

    /// The value of a field of a map.
    fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        let name = format!("${}\r\n{name}\r\n", name.len()).into_bytes();
        let nodes = self.nodes_mut();
        let at = nodes.iter().step_by(2).position(|it| matches!(it, Self::Leaf(it) if *it == name));
        nodes.get_mut(2 * at? + 1)
    }

    fn remove_field(&mut self, name: &str) {
        if let Some(value) = self.field_mut(name) {
            value.hide();
            let nodes = self.nodes_mut();
            let is_hidden = |it: &Node| matches!(it, Self::Leaf(it) if it == b"(hidden)");
            if let Some(at) = nodes.iter().position(is_hidden) {
                nodes.drain(at - 1..=at);
            }
        }
    }

    fn hide_in_info(&mut self, look: Look) {
        let Self::List(kind, nodes) = self else { return };
        if nodes.is_empty() {
            return;
        }
        if *kind == b'*' && nodes.iter().all(|it| matches!(it, Self::List(..))) {
            // Groups or consumers.
            nodes.iter_mut().for_each(|it| it.hide_in_map(look));
            if look == Look::Closely {
                nodes.retain_mut(|it| !it.is_idle_consumer());
            }
            return;
        }
        // HELP is no map.
        if self.field_mut("length").is_some() {
            self.hide_in_map(look);
        }
    }

    /// A consumer that has nothing may be there or not.
    fn is_idle_consumer(&mut self) -> bool {
        let is_consumer = self.field_mut("last-delivered-id").is_none();
        let nothing = |it: &mut Self| it.encoded() == b":0\r\n";
        let count = if self.field_mut("pel-count").is_some() { "pel-count" } else { "pending" };
        is_consumer && self.field_mut(count).is_some_and(nothing)
    }

    /// Hides what is not defined of a stream, a group or a consumer.
    fn hide_in_map(&mut self, look: Look) {
        ["seen-time", "active-time", "idle", "inactive"]
            .iter()
            .for_each(|it| self.remove_field(it));
        let is_group = self.field_mut("last-delivered-id").is_some();
        if look == Look::Closely {
            ["lag", "entries-read"].iter().for_each(|it| self.remove_field(it));
            if let Some(pending) = self.field_mut("pending") {
                pending.hide_in_rows(if is_group { 2 } else { 1 });
            }
        }
        // Their number, or they themselves.
        match self.field_mut("consumers") {
            Some(it @ Self::Leaf(_)) if look == Look::Closely => it.hide(),
            Some(it) => it.hide_in_info(look),
            None => {}
        }
        self.remove_field("radix-tree-nodes");
        if look == Look::AtValues {
            // What was sent twice is not recorded, and what is forgotten with time neither; nor is a cut that takes a block
            // away in which nothing was left.
            ["pids-tracked", "iids-tracked", "iids-duplicates", "radix-tree-keys"]
                .iter()
                .for_each(|it| self.remove_field(it));
        }
        if let Some(groups @ Self::List(..)) = self.field_mut("groups") {
            groups.hide_in_info(look);
        }
    }
}

/// All that `XINFO` tells.
pub(crate) fn details(reader: &mut impl Reader, key: &str, look: Look) -> String {
    let replies = reader.ask(&[args(&["XINFO", "STREAM", key, "FULL", "COUNT", "0"])]);
    let mut node = Node::parse(&replies[0]);
    node.hide_in_info(look);
    escape(&node.encoded())
}

/// How entries lie in blocks, as `DUMP` has it.
pub(crate) fn blocks(reader: &mut impl Reader, key: &str) -> String {
    let dumped = bulks(&reader.ask(&[args(&["DUMP", key])])[0]).concat();
    let value = payload::open(&dumped).expect("it is a payload");
    let mut bytes = Bytes::new(value);
    let kind = bytes.byte().expect("a type");
    let n = bytes.count(2).expect("a count");
    let mut string = || bytes.string().map(Text::into_bytes).expect("a string").into_owned();
    let blocks = (0..n).map(|_| (string(), string()));
    // Redis writes blocks without live entries too, and does not read them again.
    let blocks = blocks.filter(|(_, pack)| pack.get(6) != Some(&0));
    let blocks = blocks.map(|(base, pack)| format!("{} {}", escape(&base), escape(&pack)));
    format!("{kind} {}", blocks.collect::<Vec<_>>().join(" "))
}
