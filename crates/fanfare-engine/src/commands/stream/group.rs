//! XGROUP: makes and removes the groups of a stream and their consumers, and moves groups.
//!
//! Source: <https://redis.io/docs/latest/commands/xgroup/> and the pages of the subcommands.

use super::{key_of_subcommand, new_stream, parse_id, spec};
use crate::notify::Classes;
use crate::spec::{Arg, Arity, Docs, Flag, Group};
use crate::value::stream::StreamId;
use crate::value::{Stream, Typed};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static XGROUP: Spec = Spec::container(
    Group::Stream,
    "xgroup",
    Docs::new("A container for consumer groups commands", "5.0.0", "Depends on subcommand."),
    &[&CREATE, &CREATECONSUMER, &DELCONSUMER, &DESTROY, &HELP, &SETID],
);

static CREATE: Spec = spec(
    "xgroup|create",
    Arity::AtLeast(5),
    (&[Flag::Write, Flag::DenyOom], key_of_subcommand(&["RW", "insert"])),
    Docs::new("Create a consumer group.", "5.0.0", "O(1)")
        .history(&[("7.0.0", "Added the `entries_read` named argument.")])
        .args(&[
            Arg::key("key"),
            Arg::new("groupname", "string"),
            ID,
            Arg::word("mkstream", "MKSTREAM").flags(&["optional"]),
            ENTRIES_READ,
        ]),
    create,
);

static CREATECONSUMER: Spec = spec(
    "xgroup|createconsumer",
    Arity::Exactly(5),
    (&[Flag::Write, Flag::DenyOom], key_of_subcommand(&["RW", "insert"])),
    Docs::new("Create a consumer in a consumer group.", "6.2.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("groupname", "string"),
        Arg::new("consumername", "string"),
    ]),
    create_consumer,
);

static DELCONSUMER: Spec = spec(
    "xgroup|delconsumer",
    Arity::Exactly(5),
    (&[Flag::Write], key_of_subcommand(&["RW", "delete"])),
    Docs::new("Delete a consumer from a consumer group.", "5.0.0", "O(1)").args(&[
        Arg::key("key"),
        Arg::new("groupname", "string"),
        Arg::new("consumername", "string"),
    ]),
    delete_consumer,
);

static DESTROY: Spec = spec(
    "xgroup|destroy",
    Arity::Exactly(4),
    (&[Flag::Write], key_of_subcommand(&["RW", "delete"])),
    Docs::new(
        "Destroy a consumer group.",
        "5.0.0",
        "O(N) where N is the number of entries in the group's pending entries list (PEL).",
    )
    .args(&[Arg::key("key"), Arg::new("groupname", "string")]),
    destroy,
);

static HELP: Spec = Spec::help(
    Group::Stream,
    "xgroup|help",
    Docs::new("Show helpful text about the different subcommands", "5.0.0", "O(1)"),
    |_, _| Ok(Reply::lines(HELP_LINES)),
);

static SETID: Spec = spec(
    "xgroup|setid",
    Arity::AtLeast(5),
    (&[Flag::Write], key_of_subcommand(&["RW", "update"])),
    Docs::new("Set a consumer group to an arbitrary last delivered ID value.", "5.0.0", "O(1)")
        .history(&[("7.0.0", "Added the optional `entries_read` argument.")])
        .args(&[Arg::key("key"), Arg::new("groupname", "string"), ID, ENTRIES_READ]),
    set_id,
);

const ID: Arg = Arg::new("id", "oneof").args(&[Arg::new("id", "string"), Arg::word("new_id", "$")]);

const ENTRIES_READ: Arg =
    Arg::new("entries_read", "integer").token("ENTRIESREAD").flags(&["optional"]);

const HELP_LINES: &[&str] = &[
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Prints this help.",
];

/// What follows the ID.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    /// What is said to have been read: not more than was added.
    fn entries_read_of(&self, n_added: u64) -> Option<u64> {
        self.entries_read.map(|it| it.min(n_added))
    }

    fn parse(request: Request<'_>, may_make_stream: bool) -> Result<Self, WireError> {
        let mut options = Self::default();
        let mut words = request.iter().skip(5);
        while let Some(word) = words.next() {
            if may_make_stream && word.eq_ignore_ascii_case(b"mkstream") {
                options.makes_stream = true;
            } else if word.eq_ignore_ascii_case(b"entriesread")
                && let Some(raw) = words.next()
            {
                options.entries_read = parse_entries_read(raw)?;
            } else {
                return Err(too_many_words(request));
            }
        }
        Ok(options)
    }
}

/// A number, or -1: nobody knows.
fn parse_entries_read(raw: &[u8]) -> Result<Option<u64>, WireError> {
    match number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)? {
        -1 => Ok(None),
        n => u64::try_from(n).map(Some).map_err(|_| wire_error::ENTRIES_READ_NEGATIVE),
    }
}

fn too_many_words(request: Request<'_>) -> WireError {
    WireError::wrong_subcommand_arity("xgroup", request.get(1).unwrap_or_default())
}

fn key_and_group(request: Request<'_>) -> [&[u8]; 2] {
    [2, 3].map(|at| request.get(at).unwrap_or_default())
}

/// The stream, which must be there.
fn peek<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> Result<&'c Stream, WireError> {
    ctx.peek::<Stream>(key)?.ok_or(wire_error::GROUP_WITHOUT_STREAM)
}

/// A group was changed, of which those who watch the key are not told.
fn changed(ctx: &mut Ctx<'_>, event: &'static str, key: &[u8]) {
    ctx.changed_quietly(key);
    ctx.notify(Classes::STREAM, event, key);
}

fn create(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = key_and_group(request);
    let options = Options::parse(request, true)?;
    let stream = ctx.peek::<Stream>(key)?;
    let last_id = stream.map(|it| it.marks().last_id);
    let is_taken = stream.is_some_and(|it| it.group(group).is_some());
    if last_id.is_none() && !options.makes_stream {
        return Err(wire_error::GROUP_WITHOUT_STREAM);
    }
    if 8 < request.len() {
        return Err(too_many_words(request));
    }
    let id = match request.get(4).unwrap_or_default() {
        b"$" => last_id.unwrap_or_default(),
        raw => parse_id(raw, 0)?,
    };
    if is_taken {
        return Err(wire_error::BUSY_GROUP);
    }
    let add = |stream: &mut Stream| {
        let entries_read = options.entries_read_of(stream.marks().n_added);
        stream.add_group(group, id, entries_read)
    };
    if last_id.is_some() {
        ctx.edit(key, add)?;
        changed(ctx, "xgroup-create", key);
    } else {
        let mut stream = new_stream(ctx.tuning());
        add(&mut stream);
        ctx.put(key, stream.into_value(), None);
        ctx.changed(Classes::STREAM, "xgroup-create", key);
    }
    Ok(Reply::Ok)
}

fn set_id(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = key_and_group(request);
    let options = Options::parse(request, false)?;
    let stream = peek(ctx, key)?;
    let last_id = stream.marks().last_id;
    if stream.group(group).is_none() {
        return Err(WireError::no_group(group, key));
    }
    if 7 < request.len() {
        return Err(too_many_words(request));
    }
    let id = match request.get(4).unwrap_or_default() {
        b"$" => last_id,
        raw => StreamId::parse_bound(raw, 0).ok_or(wire_error::INVALID_STREAM_ID)?,
    };
    ctx.edit::<Stream, _>(key, |stream| {
        let entries_read = options.entries_read_of(stream.marks().n_added);
        stream.edit_group(group, |it| it.set_position(id, entries_read))
    })?;
    changed(ctx, "xgroup-setid", key);
    Ok(Reply::Ok)
}

fn destroy(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = key_and_group(request);
    peek(ctx, key)?;
    let removed = ctx.edit::<Stream, _>(key, |stream| stream.remove_group(group))?;
    let Some(removed) = removed.flatten() else { return Ok(Reply::Int(0)) };
    // Much may have been pending.
    ctx.keys.discard(removed.into_value());
    changed(ctx, "xgroup-destroy", key);
    ctx.wake_readers(key);
    Ok(Reply::Int(1))
}

fn create_consumer(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = key_and_group(request);
    let consumer = request.get(4).unwrap_or_default();
    let now_ms = ctx.now.unix_ms();
    let found = peek(ctx, key)?.group(group).ok_or_else(|| WireError::no_group(group, key))?;
    if found.owner(consumer).is_some() {
        return Ok(Reply::Int(0));
    }
    ctx.edit::<Stream, _>(key, |stream| {
        stream.edit_group(group, |it| it.owner_or_new(consumer, now_ms))
    })?;
    changed(ctx, "xgroup-createconsumer", key);
    Ok(Reply::Int(1))
}

fn delete_consumer(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let [key, group] = key_and_group(request);
    let consumer = request.get(4).unwrap_or_default();
    if peek(ctx, key)?.group(group).is_none() {
        return Err(WireError::no_group(group, key));
    }
    let removed = ctx.edit::<Stream, _>(key, |stream| {
        stream.edit_group(group, |it| it.remove_consumer(consumer)).flatten()
    })?;
    let Some(n_pending) = removed.flatten() else { return Ok(Reply::Int(0)) };
    changed(ctx, "xgroup-delconsumer", key);
    Ok(Reply::count(n_pending))
}
