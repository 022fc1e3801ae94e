//! Server URLs: `redis://`, `rediss://` and `redis+unix://`.
//!
//! ```text
//! redis://[user[:password]@]host[:port][/db][?option=value&…]
//! rediss://…                         the same over TLS
//! redis+unix:///path/to/socket[?db=0&…]
//! ```
//!
//! User, password, path and values are percent-decoded. No message of this file ever shows what
//! might be part of a password.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{Error, ErrorKind, options::Protocol, tls_options::TlsOptions};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host name or IP address and a port.
    Tcp {
        /// Name, IPv4 address, or IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

/// A password: prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps a password.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A parsed server URL. `Display` and `Debug` show `***` for the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    pub(crate) address: Address,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) db: u32,
    pub(crate) client_name: Option<String>,
    pub(crate) protocol: Protocol,
}

impl ServerUrl {
    /// Where the server is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The database that commands use. Publish and subscribe know no databases: a channel is the
    /// same in all of them.
    pub fn db(&self) -> u32 {
        self.db
    }

    fn new(address: Address, tls: Option<TlsOptions>) -> Self {
        Self {
            address,
            tls,
            username: None,
            password: None,
            db: 0,
            client_name: None,
            protocol: Protocol::Auto,
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = match (&self.username, &self.password) {
            (None, None) => String::new(),
            (Some(name), None) => format!("{name}@"),
            (name, Some(_)) => format!("{}:***@", name.as_deref().unwrap_or_default()),
        };
        match &self.address {
            Address::Unix { path } => {
                write!(f, "redis+unix://{user}{}", path.display())?;
                if self.db != 0 {
                    write!(f, "?db={}", self.db)?;
                }
            }
            Address::Tcp { .. } => {
                let scheme = if self.is_tls() { "rediss" } else { "redis" };
                write!(f, "{scheme}://{user}{}", self.address)?;
                if self.db != 0 {
                    write!(f, "/{}", self.db)?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for ServerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(invalid(
                "a server URL starts with `redis://`, `rediss://` or `redis+unix://`",
            ));
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => parse_tcp(rest, None),
            "rediss" | "valkeys" => parse_tcp(rest, Some(TlsOptions::default())),
            "redis+unix" | "unix" => parse_unix(rest),
            "redis+sentinel" | "rediss+sentinel" => Err(later("Sentinel", "redis+sentinel://")),
            "redis+cluster" | "rediss+cluster" => Err(later("Cluster", "redis+cluster://")),
            "embedded" => Err(Error::new(
                ErrorKind::Unsupported,
                "`embedded:` needs the crate `fanfare` with its feature `embedded`",
            )),
            _ => Err(invalid(format!(
                "unknown scheme `{scheme}:`; use `redis://`, `rediss://` (TLS) or `redis+unix://`"
            ))),
        }
    }
}

fn later(what: &str, scheme: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{scheme} is not supported by this release, {what} comes in a later one; \
             a single server of it can be reached by `redis://host:port`"
        ),
    )
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidUrl, message)
}

fn parse_tcp(rest: &str, tls: Option<TlsOptions>) -> Result<ServerUrl, Error> {
    let (before_query, query) = split_query(rest)?;
    let (authority, path) = match before_query.split_once('/') {
        Some((authority, path)) => (authority, path),
        None => (before_query, ""),
    };
    // Without this check a part of the password could end up as "host" in a message.
    if path.contains('@') || query.is_some_and(|query| query.contains('@')) {
        return Err(invalid(
            "there is an `@` after the first `/` or `?`: percent-encode `/` (%2F), `?` (%3F), \
             `#` (%23) and `@` (%40) in user and password",
        ));
    }
    let (userinfo, host_port) = match authority.rsplit_once('@') {
        Some((userinfo, host_port)) => (Some(userinfo), host_port),
        None => (None, authority),
    };
    let (host, port) = parse_host_port(host_port)?;
    let mut url = ServerUrl::new(Address::Tcp { host, port }, tls);
    if let Some(userinfo) = userinfo {
        parse_userinfo(&mut url, userinfo)?;
    }
    let path = path.trim_end_matches('/');
    if !path.is_empty() {
        url.db = parse_db(path)?;
    }
    parse_query(&mut url, query)?;
    Ok(url)
}

fn parse_unix(rest: &str) -> Result<ServerUrl, Error> {
    let (before_query, query) = split_query(rest)?;
    let (userinfo, path) = match before_query.find('/') {
        Some(at) => before_query.split_at(at),
        None => ("", before_query),
    };
    let path = decode_text(path, "the socket's path")?;
    if !path.starts_with('/') || path.len() < 2 {
        return Err(invalid(
            "a Unix socket needs an absolute path: `redis+unix:///run/redis.sock`, three slashes",
        ));
    }
    let mut url = ServerUrl::new(Address::Unix { path: PathBuf::from(path) }, None);
    if let Some(userinfo) = userinfo.strip_suffix('@') {
        parse_userinfo(&mut url, userinfo)?;
    } else if !userinfo.is_empty() {
        return Err(invalid(
            "a Unix socket has no host: write `redis+unix:///path`, three slashes",
        ));
    }
    parse_query(&mut url, query)?;
    Ok(url)
}

fn split_query(rest: &str) -> Result<(&str, Option<&str>), Error> {
    if rest.contains('#') {
        return Err(invalid(
            "`#` has no meaning in a server URL: write %23 if it is part of a password",
        ));
    }
    Ok(match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    })
}

fn parse_host_port(text: &str) -> Result<(String, u16), Error> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let Some((host, after)) = bracketed.split_once(']') else {
            return Err(invalid(format!("`{text}` has no closing `]` after its IPv6 address")));
        };
        if host.parse::<std::net::Ipv6Addr>().is_err() && !host.contains('%') {
            return Err(invalid(format!("`{host}` is not an IPv6 address")));
        }
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(invalid(format!("`{after}` after `]` is not `:port`"))),
        }
    } else if 1 < text.matches(':').count() {
        return Err(invalid(format!(
            "`{text}` has several `:`; put an IPv6 address into brackets: `[::1]:6379`"
        )));
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port =
        match port {
            None | Some("") => 6379,
            Some(port) => port.parse().ok().filter(|&port| 0 < port).ok_or_else(|| {
                invalid(format!("port `{port}` is not a number between 1 and 65535"))
            })?,
        };
    let host = decode_text(host, "the host")?;
    if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid(format!("host {host:?} contains white space")));
    }
    Ok((if host.is_empty() { "127.0.0.1".to_owned() } else { host }, port))
}

fn parse_userinfo(url: &mut ServerUrl, userinfo: &str) -> Result<(), Error> {
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    if !user.is_empty() {
        url.username = Some(decode_text(user, "the user")?);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        url.password = Some(Secret(decode(password, "the password")?));
    }
    if url.username.is_some() && url.password.is_none() {
        return Err(invalid(
            "a user without a password can not log in: write `redis://user:password@host`, or \
             `redis://:password@host` for the default user",
        ));
    }
    Ok(())
}

fn parse_db(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|_| invalid(format!("database `{text}` is not a number such as 0")))
}

/// Every option that a URL can carry.
const OPTIONS: &str = "db, protocol, client_name, ca_file, cert_file, key_file, server_name, \
                       dangerous_accept_any_certificate";

fn parse_query(url: &mut ServerUrl, query: Option<&str>) -> Result<(), Error> {
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode_text(value, name)?;
        match name {
            "db" => url.db = parse_db(&value)?,
            "client_name" => url.client_name = Some(value),
            "protocol" => {
                url.protocol = match value.as_str() {
                    "2" => Protocol::Resp2,
                    "3" | "auto" => Protocol::Auto,
                    _ => return Err(invalid(format!("protocol `{value}` is neither 2 nor 3"))),
                }
            }
            _ => {
                let Some(tls) = url.tls.as_mut().filter(|_| TlsOptions::knows(name)) else {
                    return Err(invalid(if TlsOptions::knows(name) {
                        format!("option `{name}` needs TLS: write `rediss://`")
                    } else {
                        format!("unknown option `{name}`; there are: {OPTIONS}")
                    }));
                };
                tls.set(name, &value)?;
            }
        }
    }
    match &url.tls {
        Some(tls) => tls.check(),
        None => Ok(()),
    }
}

fn decode_text(text: &str, what: &str) -> Result<String, Error> {
    String::from_utf8(decode(text, what)?)
        .map_err(|_| invalid(format!("{what} is not UTF-8 after percent-decoding")))
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (hex(bytes.next()), hex(bytes.next())) else {
            return Err(invalid(format!(
                "{what} has a `%` without two hexadecimal digits: write %25 for `%` itself"
            )));
        };
        out.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
