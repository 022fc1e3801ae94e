//! Destinations, and URLs that name a broker and a destination on it.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use fanfare_client::{Error, ErrorKind};

/// What data is published to, or read from.
///
/// # Grammar
///
/// | text | short form on a handle | what it is |
/// |---|---|---|
/// | `channel:NAME` | `redischannel://NAME` | a channel |
/// | `pattern:NAME` | | all channels that match a glob pattern; can only be subscribed to |
/// | `shard:NAME` | | a sharded channel |
/// | `stream:KEY` | `redisstream://KEY` | a stream |
/// | `key:NAME` | `redis://NAME` | values under keys of their own, whose changes are announced on the channel `NAME` |
///
/// A URL that names a broker as well has the destination behind `#`:
/// `redis://user:password@host:6379/0#channel:orders`, `redis+sentinel://h1,h2/mymaster#stream:orders`,
/// `redis+cluster://h1,h2#shard:orders`, `embedded:#key:sensors`.
///
/// Names are percent-decoded: write `%25` for `%`. Nothing else is special in them, so `#`, `?`, `:`
/// and spaces may stand as they are. The short forms are narrower, since they look like URLs of
/// servers: no `/`, `@`, `?` and `#` in them.
///
/// # `redis://NAME` or `redis://HOST`?
/// On a handle, which has its broker already, `redis://NAME` is the short form of `key:NAME`, if
/// `NAME` can not be taken for a server: it has none of `:`, `/`, `@`, `?`, `#`, `,`, `[` and `.`,
/// and is not `localhost`. Whatever else begins with `redis://` is refused there, and a
/// `redis://NAME` where a broker must be named (`open_publisher`) is refused as well, with an error
/// that names both readings.
///
/// # Example
/// ```
/// use fanfare::data::Destination;
///
/// let alerts: Destination = "redischannel://system_alerts".parse()?;
/// assert_eq!(alerts, Destination::Channel("system_alerts".into()));
/// assert_eq!(alerts.to_string(), "channel:system_alerts");
/// let error = "redis://localhost".parse::<Destination>().unwrap_err().to_string();
/// assert!(error.contains("server") && error.contains("key:localhost"));
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A channel.
    Channel(String),
    /// All channels that match a glob pattern.
    Pattern(String),
    /// A sharded channel.
    Shard(String),
    /// The stream at this key.
    Stream(String),
    /// Values under keys of their own; the name is that of the channel of their announcements.
    Key(String),
}

impl Destination {
    /// The name without its kind.
    pub fn name(&self) -> &str {
        match self {
            Self::Channel(name)
            | Self::Pattern(name)
            | Self::Shard(name)
            | Self::Stream(name)
            | Self::Key(name) => name,
        }
    }

    /// The word before the name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Channel(_) => "channel",
            Self::Pattern(_) => "pattern",
            Self::Shard(_) => "shard",
            Self::Stream(_) => "stream",
            Self::Key(_) => "key",
        }
    }

    /// Reads `kind:name`, without the short forms. `None`: it does not begin with a kind.
    fn of_kind(text: &str) -> Option<Result<Self, Error>> {
        let (kind, name) = text.split_once(':')?;
        let make = match kind {
            "channel" => Self::Channel,
            "pattern" => Self::Pattern,
            "shard" => Self::Shard,
            "stream" => Self::Stream,
            "key" => Self::Key,
            _ => return None,
        };
        Some(named(name).map(make))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.name().replace('%', "%25"))
    }
}

impl FromStr for Destination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(destination) = Self::of_kind(text) {
            return destination;
        }
        match text.split_once("://") {
            Some(("redischannel", name)) => short(name, "channel").map(Self::Channel),
            Some(("redisstream", name)) => short(name, "stream").map(Self::Stream),
            Some(("redis", name)) => match Reading::of(name) {
                Reading::Name => short(name, "key").map(Self::Key),
                Reading::Either => Err(invalid(format!(
                    "`redis://{name}` can mean the server `{name}`, or the key/value destination \
                     `{name}` on the server that there is already: for that, write `key:{name}`"
                ))),
                Reading::Server => Err(is_a_server()),
            },
            Some(_) => Err(is_a_server()),
            None => Err(no_kind()),
        }
    }
}

/// Takes a URL apart into that of the server and the destination on it.
pub(super) fn split(url: &str) -> Result<(&str, Destination), Error> {
    if let Some((server, destination)) = url.split_once('#') {
        // What is behind a `#` that stands in a password must not be shown.
        let destination = Destination::of_kind(destination).unwrap_or_else(|| Err(no_kind()));
        return Ok((server, destination?));
    }
    let add =
        "add one of `#channel:NAME`, `#pattern:NAME`, `#shard:NAME`, `#stream:KEY`, `#key:NAME`";
    match url.split_once("://") {
        Some(("redischannel" | "redisstream", _)) => Err(invalid(
            "this names a destination and no server: open it on a handle that is connected \
             (`Fanfare::data_publisher`, `Fanfare::data_subscriber`), or write the server's URL \
             with `#channel:NAME` or `#stream:KEY` behind it",
        )),
        Some(("redis", name)) if !name.is_empty() && Reading::of(name) != Reading::Server => {
            Err(invalid(format!(
                "`redis://{name}` can mean the server `{name}` without a destination: then {add}; \
                 or the key/value destination `{name}` without a server: then write \
                 `redis://HOST:PORT#key:{name}`, or open it on a handle that is connected"
            )))
        }
        _ if Destination::of_kind(url).is_some() => Err(invalid(
            "this names a destination and no server: open it on a handle that is connected, or \
             write `redis://HOST:PORT#` before it",
        )),
        _ => Err(invalid(format!("the URL names a server and no destination: {add}"))),
    }
}

/// How `redis://` and what follows can be read.
#[derive(PartialEq, Eq)]
enum Reading {
    Name,
    Server,
    Either,
}

impl Reading {
    fn of(text: &str) -> Self {
        if text.contains([':', '/', '@', '?', '#', ',', '[']) {
            Self::Server
        } else if text.contains('.')
            || text.eq_ignore_ascii_case("localhost")
            || text.parse::<Ipv4Addr>().is_ok()
        {
            Self::Either
        } else {
            Self::Name
        }
    }
}

fn short(name: &str, kind: &str) -> Result<String, Error> {
    if name.contains(['/', '@', '?', '#']) {
        return Err(invalid(format!(
            "the short form of a destination has no server and none of `/`, `@`, `?` and `#`: \
             write `{kind}:NAME` if they belong to the name"
        )));
    }
    named(name)
}

fn named(text: &str) -> Result<String, Error> {
    let name = decode(text)?;
    if name.is_empty() {
        return Err(invalid("the destination has no name"));
    }
    Ok(name)
}

fn decode(text: &str) -> Result<String, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let hex = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (Some(high), Some(low)) = (hex(bytes.next()), hex(bytes.next())) else {
            return Err(invalid(
                "a `%` in the destination's name needs two hexadecimal digits: write %25 for `%` \
                 itself",
            ));
        };
        out.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(out)
        .map_err(|_| invalid("the destination's name is not UTF-8 after percent-decoding"))
}

fn no_kind() -> Error {
    invalid(
        "a destination is `channel:NAME`, `pattern:NAME`, `shard:NAME`, `stream:KEY` or `key:NAME` \
         (and `#` in a password is written %23)",
    )
}

fn is_a_server() -> Error {
    invalid(
        "this reads as a server's URL, and a handle has its server already: write only the \
         destination, such as `channel:NAME` or `key:NAME`, or open the whole URL with \
         `data::open_publisher` or `data::open_subscriber`",
    )
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidUrl, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> String {
        match text.parse::<Destination>() {
            Ok(it) => panic!("{text} was accepted as {it}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn destinations_and_their_short_forms() {
        for (text, display) in [
            ("channel:orders", "channel:orders"),
            ("channel:a:b#c?d e", "channel:a:b#c?d e"),
            ("pattern:new?.*", "pattern:new?.*"),
            ("shard:{s}", "shard:{s}"),
            ("stream:orders", "stream:orders"),
            ("key:sensors", "key:sensors"),
            ("key:100%25", "key:100%25"),
            ("redischannel://system_alerts", "channel:system_alerts"),
            ("redischannel://alerts:high", "channel:alerts:high"),
            ("redisstream://orders", "stream:orders"),
            ("redis://sensor_data", "key:sensor_data"),
            ("redis://production-data", "key:production-data"),
        ] {
            let destination: Destination = text.parse().unwrap_or_else(|it| panic!("{text}: {it}"));
            assert_eq!(destination.to_string(), display, "{text}");
            assert_eq!(display.parse::<Destination>().unwrap(), destination);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_told_in_both() {
        for name in ["localhost", "10.0.0.7", "redis.example.com"] {
            let told = bad(&format!("redis://{name}"));
            assert!(told.contains(&format!("the server `{name}`")), "{told}");
            assert!(told.contains(&format!("`key:{name}`")), "{told}");
        }
        for text in ["redis://host:6379", "redis://:secret@host", "rediss://host", "redis://h/0"] {
            let told = bad(text);
            assert!(told.contains("server's URL") && !told.contains("secret"), "{told}");
        }
        for text in ["redischannel://host:6379/alerts", "redischannel://me@alerts"] {
            assert!(bad(text).contains("channel:NAME"), "{text}");
        }
        for text in ["orders", "", "channel:", "list:x", "channel:50%", "key:%ff", "redis://"] {
            bad(text);
        }
    }

    #[test]
    fn whole_urls_have_a_server_and_a_destination() {
        for (url, server, destination) in [
            (
                "redis://me:pw@host:6379/0#channel:orders",
                "redis://me:pw@host:6379/0",
                "channel:orders",
            ),
            ("redis+sentinel://a,b/m#stream:orders", "redis+sentinel://a,b/m", "stream:orders"),
            ("redis+cluster://a,b#shard:x", "redis+cluster://a,b", "shard:x"),
            ("embedded:#key:sensors", "embedded:", "key:sensors"),
            ("redis://sensor_data#key:sensor_data", "redis://sensor_data", "key:sensor_data"),
            ("redis://h#channel:a#b", "redis://h", "channel:a#b"),
        ] {
            let (got, it) = split(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((got, it.to_string().as_str()), (server, destination));
        }
    }

    #[test]
    fn urls_without_one_of_the_two_say_what_is_missing() {
        let told = |url: &str| split(url).unwrap_err().to_string();
        let both = told("redis://sensor_data");
        assert!(both.contains("the server `sensor_data` without a destination"), "{both}");
        assert!(
            both.contains("the key/value destination `sensor_data` without a server"),
            "{both}"
        );
        assert!(told("redischannel://alerts").contains("no server"));
        assert!(told("channel:alerts").contains("no server"));
        assert!(told("redis://host:6379/0").contains("no destination"));
        assert!(told("embedded:").contains("no destination"));
        let secret = told("redis://:pa#xyzzy@host/0#channel:x");
        assert!(secret.contains("%23") && !secret.contains("xyzzy"), "{secret}");
    }
}
