//! CLIENT TRACKING, CLIENT CACHING, CLIENT GETREDIR, CLIENT TRACKINGINFO: client-side caching.
//!
//! Sources: <https://redis.io/docs/latest/commands/client-tracking/>,
//! <https://redis.io/docs/latest/commands/client-caching/>,
//! <https://redis.io/docs/latest/commands/client-getredir/>,
//! <https://redis.io/docs/latest/commands/client-trackinginfo/>.

use crate::number;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys, Run};
use crate::tracking::{Choice, Style, Tracking};
use crate::{Client, Ctx, Reply, Request, Spec, WireError, wire_error};

pub(super) static CACHING: Spec = spec(
    "client|caching",
    Arity::Exactly(3),
    Docs::new(
        "Instruct the server about tracking or not keys in the next request",
        "6.0.0",
        "O(1)",
    )
    .args(&[Arg::new("mode", "oneof").args(&[Arg::word("yes", "YES"), Arg::word("no", "NO")])]),
    caching,
);

/// -1: tracking is off; 0: the client is told itself.
pub(super) static GETREDIR: Spec = spec(
    "client|getredir",
    Arity::Exactly(2),
    Docs::new("Get tracking notifications redirection client ID if any", "6.0.0", "O(1)"),
    |ctx, _| Ok(Reply::Int(redirect(ctx.client))),
);

pub(super) static TRACKING: Spec = spec(
    "client|tracking",
    Arity::AtLeast(3),
    Docs::new(
        "Enable or disable server assisted client side caching support",
        "6.0.0",
        "O(1). Some options may introduce additional complexity.",
    )
    .args(&[
        Arg::new("status", "oneof").args(&[Arg::word("on", "ON"), Arg::word("off", "OFF")]),
        Arg::new("client-id", "integer").token("REDIRECT").flags(&["optional"]),
        Arg::new("prefix", "string").token("PREFIX").flags(&[
            "optional",
            "multiple",
            "multiple_token",
        ]),
        Arg::word("bcast", "BCAST").flags(&["optional"]),
        Arg::word("optin", "OPTIN").flags(&["optional"]),
        Arg::word("optout", "OPTOUT").flags(&["optional"]),
        Arg::word("noloop", "NOLOOP").flags(&["optional"]),
    ]),
    tracking,
);

pub(super) static TRACKINGINFO: Spec = spec(
    "client|trackinginfo",
    Arity::Exactly(2),
    Docs::new(
        "Return information about server assisted client side caching for the current connection",
        "6.2.0",
        "O(1)",
    ),
    |ctx, _| Ok(info(ctx.client)),
);

/// What all share.
const fn spec(name: &'static str, arity: Arity, docs: Docs, run: Run) -> Spec {
    Spec {
        name,
        arity,
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale],
        keys: Keys::None,
        group: Group::Connection,
        categories: &[],
        tips: &[],
        docs,
        subcommands: &[],
        run,
    }
}

/// The words behind `ON` or `OFF`.
#[derive(Default)]
struct Options<'a> {
    style: Style,
    /// `OPTIN` and `OPTOUT`.
    opts: (bool, bool),
    prefixes: Vec<&'a [u8]>,
}

fn tracking(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let options = parse(ctx, request)?;
    match request.get(2).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"on" => start(ctx, options)?,
        b"off" => {
            if let Some(tracking) = &mut ctx.client.tracking {
                tracking.stop(ctx.host);
            }
        }
        _ => return Err(wire_error::SYNTAX),
    }
    Ok(Reply::Ok)
}

fn parse<'a>(ctx: &Ctx<'_>, request: Request<'a>) -> Result<Options<'a>, WireError> {
    let mut options = Options::default();
    let mut words = request.iter().skip(3);
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_slice() {
            b"redirect" => {
                let id = words.next().ok_or(wire_error::SYNTAX)?;
                if options.style.redirect != 0 {
                    return Err(wire_error::TWO_REDIRECTIONS);
                }
                options.style.redirect = parse_client(ctx, id)?;
            }
            b"bcast" => options.style.broadcast = true,
            b"optin" => options.opts.0 = true,
            b"optout" => options.opts.1 = true,
            b"noloop" => options.style.no_loop = true,
            b"prefix" => options.prefixes.push(words.next().ok_or(wire_error::SYNTAX)?),
            _ => return Err(wire_error::SYNTAX),
        }
    }
    Ok(options)
}

/// It must be there now, although it may go later.
fn parse_client(ctx: &Ctx<'_>, raw: &[u8]) -> Result<u64, WireError> {
    let id = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    let id = u64::try_from(id).ok().filter(|it| ctx.host.client_exists(*it));
    id.ok_or(wire_error::NO_SUCH_REDIRECTION)
}

fn start(ctx: &mut Ctx<'_>, mut options: Options<'_>) -> Result<(), WireError> {
    options.style.choice = check(ctx.client, &options)?;
    let id = ctx.client.id;
    let host = &mut *ctx.host;
    let tracking =
        ctx.client.tracking.get_or_insert_with(|| Box::new(Tracking::new(host.tracker(id))));
    // Before the first prefix: whoever is told of a key that changes then is on.
    tracking.start(options.style);
    if options.style.broadcast {
        if options.prefixes.is_empty() {
            options.prefixes.push(b"");
        }
        options.prefixes.iter().for_each(|it| tracking.add_prefix(it, host));
    }
    Ok(())
}

/// In Redis's order. Returns which reads are to be remembered.
fn check(client: &Client, options: &Options<'_>) -> Result<Choice, WireError> {
    let broadcast = options.style.broadcast;
    if !broadcast && !options.prefixes.is_empty() {
        return Err(wire_error::PREFIX_WITHOUT_BCAST);
    }
    let present = client.tracking.as_ref().filter(|it| it.tracker().is_on());
    if present.is_some_and(|it| it.tracker().is_broadcast() != broadcast) {
        return Err(wire_error::BCAST_SWITCHED);
    }
    let choice = match options.opts {
        (false, false) => Choice::All,
        _ if broadcast => return Err(wire_error::OPT_WITH_BCAST),
        (true, true) => return Err(wire_error::OPTIN_AND_OPTOUT),
        (true, false) => Choice::OptIn,
        (false, true) => Choice::OptOut,
    };
    let before = present.map_or(Choice::All, |it| it.choice());
    if choice != Choice::All && before != Choice::All && choice != before {
        return Err(wire_error::OPT_SWITCHED);
    }
    let mut rest = options.prefixes.as_slice();
    while let Some((prefix, others)) = rest.split_first() {
        let mut mine = present.iter().flat_map(|it| it.prefixes());
        if let Some(other) = mine.find(|it| overlap(it, prefix)) {
            return Err(WireError::prefix_overlaps(prefix, "an existing", other));
        }
        if let Some(other) = others.iter().find(|it| overlap(it, prefix)) {
            return Err(WireError::prefix_overlaps(prefix, "another provided", other));
        }
        rest = others;
    }
    Ok(choice)
}

fn overlap(a: &[u8], b: &[u8]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn caching(ctx: &mut Ctx<'_>, request: Request<'_>) -> Result<Reply, WireError> {
    let present = ctx.client.tracking.as_mut().filter(|it| it.tracker().is_on());
    let tracking = present.ok_or(wire_error::CACHING_WITHOUT_TRACKING)?;
    let (choice, error) = match request.get(2).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"yes" => (Choice::OptIn, wire_error::CACHING_YES_WITHOUT_OPTIN),
        b"no" => (Choice::OptOut, wire_error::CACHING_NO_WITHOUT_OPTOUT),
        _ => return Err(wire_error::SYNTAX),
    };
    if tracking.choice() != choice {
        return Err(error);
    }
    tracking.set_caching();
    Ok(Reply::Ok)
}

fn redirect(client: &Client) -> i64 {
    let present = client.tracking.as_ref().filter(|it| it.tracker().is_on());
    present.map_or(-1, |it| {
        i64::try_from(it.tracker().redirect().unwrap_or_default()).unwrap_or(i64::MAX)
    })
}

fn info(client: &Client) -> Reply {
    let mut flags = vec![if client.is_tracking() { "on" } else { "off" }];
    let mut prefixes = Vec::new();
    if let Some(tracking) = &client.tracking {
        let tracker = tracking.tracker();
        let (opt_in, opt_out) =
            (tracking.choice() == Choice::OptIn, tracking.choice() == Choice::OptOut);
        for (on, flag) in [
            (tracker.is_broadcast(), "bcast"),
            (opt_in, "optin"),
            (opt_in && tracking.is_caching(), "caching-yes"),
            (opt_out, "optout"),
            (opt_out && tracking.is_caching(), "caching-no"),
            (tracker.is_no_loop(), "noloop"),
            (tracker.is_broken(), "broken_redirect"),
        ] {
            if on {
                flags.push(flag);
            }
        }
        prefixes.extend(tracking.prefixes().map(|it| Reply::bulk(it.to_vec())));
    }
    Reply::map([
        ("flags", Reply::Set(flags.into_iter().map(Reply::bulk).collect())),
        ("redirect", Reply::Int(redirect(client))),
        ("prefixes", Reply::Array(prefixes)),
    ])
}
