//! XINFO: what there is to know of a stream, its groups, and their consumers.
//!
//! Source: <https://redis.io/docs/latest/commands/xinfo/> and the pages of the subcommands. Fields that redis-server 7.0
//! does not have are those of Redis 8.8.

use super::{TIMES_TELL, id_reply, key_of_subcommand, name_reply, spec};
use crate::spec::{Arg, Arity, Docs, Flag, Group as Chapter};
use crate::value::Stream;
use crate::value::stream::{Consumer, Entry, Extent, Group, Order, Pending, StreamId};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XINFO: Spec = Spec::container(
    Chapter::Stream,
    "xinfo",
    Docs::new("A container for stream introspection commands", "5.0.0", "Depends on subcommand."),
    &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
);

static CONSUMERS: Spec = Spec {
    tips: TIMES_TELL,
    ..spec(
        "xinfo|consumers",
        Arity::Exactly(4),
        (&[Flag::ReadOnly], key_of_subcommand(&["RO", "access"])),
        Docs::new("List the consumers in a consumer group", "5.0.0", "O(1)")
            .history(&[("7.2.0", "Added the `inactive` field, and changed the meaning of `idle`.")])
            .args(&[Arg::key("key"), Arg::new("groupname", "string")]),
        consumers,
    )
};

static GROUPS: Spec = spec(
    "xinfo|groups",
    Arity::Exactly(3),
    (&[Flag::ReadOnly], key_of_subcommand(&["RO", "access"])),
    Docs::new("List the consumer groups of a stream", "5.0.0", "O(1)")
        .history(&[("7.0.0", "Added the `entries-read` and `lag` fields")])
        .args(&[Arg::key("key")]),
    groups,
);

static HELP: Spec = Spec::help(
    Chapter::Stream,
    "xinfo|help",
    Docs::new("Show helpful text about the different subcommands", "5.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static STREAM: Spec = spec(
    "xinfo|stream",
    Arity::AtLeast(3),
    (&[Flag::ReadOnly], key_of_subcommand(&["RO", "access"])),
    Docs::new("Get information about a stream", "5.0.0", "O(1)")
        .history(&[
            ("6.0.0", "Added the `FULL` modifier."),
            (
                "7.0.0",
                "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
            ),
            ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
        ])
        .args(&[
            Arg::key("key"),
            Arg::new("full", "block")
                .token("FULL")
                .flags(&["optional"])
                .args(&[Arg::new("count", "integer").token("COUNT").flags(&["optional"])]),
        ]),
    stream,
);

const HELP_LINES: &[&str] = &[
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Prints this help.",
];

/// How many entries, and how many that are pending, `FULL` shows.
const COUNT_DEFAULT: usize = 10;

/// The stream, which must be there.
fn read<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> Result<&'c Stream, WireError> {
    ctx.read::<Stream>(key)?.ok_or(wire_error::NO_SUCH_KEY)
}

fn consumers(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, name] = [2, 3].map(|at| request.get(at).unwrap_or_default());
    let now_ms = ctx.now.unix_ms();
    let since = |time_ms: u64| Reply::uint(now_ms.saturating_sub(time_ms));
    let group = read(ctx, key)?.group(name).ok_or_else(|| WireError::no_group(name, key))?;
    let consumer = |it: &Consumer| {
        Reply::map([
            ("name", name_reply(&it.name)),
            ("pending", Reply::count(it.n_pending())),
            ("idle", since(it.seen_ms)),
            ("inactive", it.active_ms.map_or(Reply::Int(-1), since)),
        ])
    };
    Ok(Reply::Array(group.consumers().map(consumer).collect()))
}

fn groups(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let stream = read(ctx, request.get(2).unwrap_or_default())?;
    let extent = stream.extent();
    let group = |it: &Group| {
        Reply::map([
            ("name", name_reply(it.name())),
            ("consumers", Reply::count(it.n_consumers())),
            ("pending", Reply::count(it.n_pending())),
            ("last-delivered-id", id_reply(it.last_id())),
            ("entries-read", it.entries_read().map_or(Reply::Null, Reply::uint)),
            ("lag", extent.lag(it).map_or(Reply::Null, Reply::uint)),
        ])
    };
    Ok(Reply::Array(stream.groups().map(group).collect()))
}

fn stream(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let stream = read(ctx, request.get(2).unwrap_or_default())?;
    let mut fields = head(stream);
    match parse_full(request)? {
        None => {
            let first = stream.iter_from(StreamId::MIN).next();
            let last = stream.iter_back_from(StreamId::MAX).next();
            fields.push(("groups", Reply::count(stream.n_groups())));
            fields.push(("first-entry", first.map_or(Reply::Null, |it| entry_reply(&it))));
            fields.push(("last-entry", last.map_or(Reply::Null, |it| entry_reply(&it))));
        }
        Some(count) => {
            let mut n_left = count;
            let entries = stream.slice((StreamId::MIN, StreamId::MAX), Order::Forward, |_| {
                let is_shown = n_left != 0;
                n_left = n_left.saturating_sub(1);
                is_shown
            });
            let extent = stream.extent();
            let groups = stream.groups().map(|it| full_group(extent, it, count));
            fields.push(("entries", Reply::Entries(entries)));
            fields.push(("groups", Reply::Array(groups.collect())));
        }
    }
    Ok(Reply::map(fields))
}

/// How much of everything is shown; `None`: only the stream itself.
fn parse_full(request: Request<'_>) -> Result<Option<usize>, WireError> {
    let is_word =
        |at: usize, word: &[u8]| request.get(at).is_some_and(|it| it.eq_ignore_ascii_case(word));
    match request.len() {
        3 => Ok(None),
        4 if is_word(3, b"full") => Ok(Some(COUNT_DEFAULT)),
        6 if is_word(3, b"full") && is_word(4, b"count") => {
            let count = request.get(5).and_then(number::parse_int);
            Ok(Some(match count.ok_or(wire_error::NOT_AN_INTEGER)? {
                0 => usize::MAX,
                count => usize::try_from(count).unwrap_or(COUNT_DEFAULT),
            }))
        }
        _ => {
            let word = request.get(1).unwrap_or_default();
            Err(WireError::wrong_subcommand_arity("xinfo", word))
        }
    }
}

/// What is told of a stream in any case.
fn head(stream: &Stream) -> Vec<(&'static str, Reply)> {
    let marks = stream.marks();
    let mut fields = vec![
        ("length", Reply::count(stream.len())),
        ("radix-tree-keys", Reply::count(stream.n_blocks())),
        // A root, and a leaf for each block: there is no such tree.
        ("radix-tree-nodes", Reply::count(stream.n_blocks() + 1)),
        ("last-generated-id", id_reply(marks.last_id)),
        ("max-deleted-entry-id", id_reply(marks.max_deleted_id)),
        ("entries-added", Reply::uint(marks.n_added)),
        ("recorded-first-entry-id", id_reply(stream.first_id())),
    ];
    let producers = stream.producers();
    if producers.has_any() {
        let settings = producers.settings();
        let (n_added, n_duplicates) = producers.counts();
        fields.extend([
            ("idmp-duration", Reply::Int(settings.duration_s.into())),
            ("idmp-maxsize", Reply::Int(settings.n_max.into())),
            ("pids-tracked", Reply::count(producers.len())),
            ("iids-tracked", Reply::count(producers.n_known())),
            ("iids-added", Reply::uint(n_added)),
            ("iids-duplicates", Reply::uint(n_duplicates)),
        ]);
    }
    fields
}

fn entry_reply(entry: &Entry<'_>) -> Reply {
    let mut digits = itoa::Buffer::new();
    let mut words = Vec::with_capacity(2 * entry.n_fields());
    for (name, value) in entry.fields() {
        words.push(Reply::bulk(name.spelled(&mut digits)));
        words.push(Reply::bulk(value.spelled(&mut digits)));
    }
    Reply::Array(vec![id_reply(entry.id), Reply::Array(words)])
}

fn full_group(extent: Extent, group: &Group, count: usize) -> Reply {
    let owner = |it: &Pending| match it.owner.and_then(|owner| group.consumer(owner)) {
        Some(consumer) => name_reply(&consumer.name),
        None => Reply::bulk(""),
    };
    let pending = group.pending_from(StreamId::MIN).take(count).map(|it| {
        let (time, n) = (Reply::uint(it.delivered_ms), Reply::uint(it.n_deliveries));
        Reply::Array(vec![id_reply(it.id), owner(&it), time, n])
    });
    let pending = Reply::Array(pending.collect());
    let consumers = group.consumers().map(|it| full_consumer(group, it, count));
    let n_given_back = Some(group.n_given_back()).filter(|it| *it != 0);
    let n_given_back = n_given_back.map(|it| ("nacked-count", Reply::count(it)));
    let fields = [
        ("name", name_reply(group.name())),
        ("last-delivered-id", id_reply(group.last_id())),
        ("entries-read", group.entries_read().map_or(Reply::Null, Reply::uint)),
        ("lag", extent.lag(group).map_or(Reply::Null, Reply::uint)),
        ("pel-count", Reply::count(group.n_pending())),
    ];
    let details = [("pending", pending), ("consumers", Reply::Array(consumers.collect()))];
    Reply::map(fields.into_iter().chain(n_given_back).chain(details))
}

fn full_consumer(group: &Group, consumer: &Consumer, count: usize) -> Reply {
    let pending = consumer.pending_from(StreamId::MIN).take(count);
    let pending = pending.filter_map(|id| group.pending(id)).map(|it| {
        let (time, n) = (Reply::uint(it.delivered_ms), Reply::uint(it.n_deliveries));
        Reply::Array(vec![id_reply(it.id), time, n])
    });
    Reply::map([
        ("name", name_reply(&consumer.name)),
        ("seen-time", Reply::uint(consumer.seen_ms)),
        ("active-time", consumer.active_ms.map_or(Reply::Int(-1), Reply::uint)),
        ("pel-count", Reply::count(consumer.n_pending())),
        ("pending", Reply::Array(pending.collect())),
    ])
}
