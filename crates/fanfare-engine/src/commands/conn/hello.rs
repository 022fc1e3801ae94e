//! HELLO [protover [AUTH username password] [SETNAME clientname]]: handshake; chooses the protocol.
//!
//! Source: <https://redis.io/docs/latest/commands/hello/>. Nothing changes unless every word is right.

use fanfare_resp::Version;

use super::client::name;
use crate::spec::{Arg, Arity, Docs, Flag, Group, Keys};
use crate::{Ctx, Reply, Request, Spec, WireError, number, wire_error};

pub(crate) static HELLO: Spec = Spec {
    name: "hello",
    arity: Arity::AtLeast(1),
    flags: &[
        Flag::NoScript,
        Flag::Loading,
        Flag::Stale,
        Flag::Fast,
        Flag::NoAuth,
        Flag::AllowBusy,
    ],
    keys: Keys::None,
    group: Group::Connection,
    categories: &[],
    tips: &[],
    docs: Docs::new("Handshake with Redis", "6.0.0", "O(1)")
        .history(&[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current connection's context.",
        )])
        .args(&[Arg::new("arguments", "block").flags(&["optional"]).args(&[
            Arg::new("protover", "integer"),
            Arg::new("username_password", "block").token("AUTH").flags(&["optional"]).args(&[
                Arg::new("username", "string"),
                Arg::new("password", "string"),
            ]),
            Arg::new("clientname", "string").token("SETNAME").flags(&["optional"]),
        ])]),
    subcommands: &[],
    run: |ctx, request| Hello::parse(request)?.apply(ctx),
};

#[derive(Default)]
struct Hello<'a> {
    version: Option<Version>,
    user_and_password: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    fn parse(request: Request<'a>) -> Result<Self, WireError> {
        let mut hello = Self::default();
        let mut args = request.iter().skip(1);
        if let Some(version) = args.next() {
            hello.version = Some(parse_version(version)?);
        }
        while let Some(option) = args.next() {
            let mut values = args.clone();
            if option.eq_ignore_ascii_case(b"AUTH") {
                let (Some(user), Some(password)) = (values.next(), values.next()) else {
                    return Err(WireError::hello_option(option));
                };
                hello.user_and_password = Some((user, password));
            } else if option.eq_ignore_ascii_case(b"SETNAME") {
                let name = values.next().ok_or_else(|| WireError::hello_option(option))?;
                hello.name = Some(name::checked(name)?);
            } else {
                return Err(WireError::hello_option(option));
            }
            args = values;
        }
        Ok(hello)
    }

    fn apply(self, ctx: &mut Ctx<'_>) -> Result<Reply, WireError> {
        if let Some((user, password)) = self.user_and_password {
            super::auth::log_in(ctx, user, password)?;
        }
        if !ctx.client.authenticated {
            return Err(wire_error::HELLO_NO_AUTH);
        }
        if let Some(name) = self.name {
            ctx.client.name = name.to_vec();
        }
        if let Some(version) = self.version {
            ctx.client.version = version;
        }
        Ok(greeting(ctx))
    }
}

fn parse_version(raw: &[u8]) -> Result<Version, WireError> {
    match number::parse_int(raw) {
        None => Err(wire_error::PROTO_NOT_AN_INTEGER),
        Some(2) => Ok(Version::Resp2),
        Some(3) => Ok(Version::Resp3),
        Some(_) => Err(wire_error::NO_PROTO),
    }
}

fn greeting(ctx: &Ctx<'_>) -> Reply {
    let proto = match ctx.client.version {
        Version::Resp2 => 2,
        Version::Resp3 => 3,
    };
    Reply::map([
        ("server", Reply::bulk("redis")),
        ("version", Reply::bulk(crate::REDIS_VERSION)),
        ("proto", Reply::Int(proto)),
        ("id", Reply::uint(ctx.client.id)),
        ("mode", Reply::bulk("standalone")),
        ("role", Reply::bulk("master")),
        ("modules", Reply::Array(Vec::new())),
        ("fanfare_version", Reply::bulk(crate::FANFARE_VERSION)),
    ])
}
