//! What a URL's text says.

use std::path::PathBuf;

use super::{Address, Login, Secret, Sentinel, ServerUrl, Topology};
use crate::{Error, ErrorKind, policy::Protocol, tls_options::TlsOptions};

/// The port of a server whose URL says none.
const PORT: u16 = 6379;

/// The port of a sentinel whose URL says none.
const SENTINEL_PORT: u16 = 26379;

pub(super) fn url(text: &str) -> Result<ServerUrl, Error> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(invalid(
            "a server URL starts with `redis://`, `rediss://`, `redis+unix://`, \
             `redis+sentinel://` or `redis+cluster://`",
        ));
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let tls = || Some(TlsOptions::default());
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => tcp(rest, None),
        "rediss" | "valkeys" => tcp(rest, tls()),
        "redis+unix" | "unix" => unix(rest),
        "redis+sentinel" | "valkey+sentinel" => sentinel(rest, None),
        "rediss+sentinel" | "valkeys+sentinel" => sentinel(rest, tls()),
        "redis+cluster" | "valkey+cluster" => cluster(rest, None),
        "rediss+cluster" | "valkeys+cluster" => cluster(rest, tls()),
        "embedded" => Err(Error::new(
            ErrorKind::Unsupported,
            "`embedded:` needs the crate `fanfare` with its feature `embedded`",
        )),
        _ => Err(invalid(format!(
            "unknown scheme `{scheme}:`; use `redis://`, `rediss://` (TLS), `redis+unix://`, \
             `redis+sentinel://` or `redis+cluster://`"
        ))),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidUrl, message)
}

/// What stands between the scheme and the query of a URL with hosts.
struct Hosts<'a> {
    userinfo: Option<&'a str>,
    /// One, or several with commas between them.
    hosts: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Hosts<'a> {
    fn split(rest: &'a str) -> Result<Self, Error> {
        let (before_query, query) = split_query(rest)?;
        let (authority, path) = before_query.split_once('/').unwrap_or((before_query, ""));
        // Without this check a part of the password could end up as "host" in a message.
        if path.contains('@') || query.is_some_and(|query| query.contains('@')) {
            return Err(invalid(
                "there is an `@` after the first `/` or `?`: percent-encode `/` (%2F), `?` (%3F), \
                 `#` (%23) and `@` (%40) in user and password",
            ));
        }
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        Ok(Self { userinfo, hosts, path: path.trim_end_matches('/'), query })
    }
}

fn tcp(rest: &str, tls: Option<TlsOptions>) -> Result<ServerUrl, Error> {
    let Hosts { userinfo, hosts, path, query } = Hosts::split(rest)?;
    if hosts.contains(',') {
        return Err(invalid(format!(
            "`{hosts}` are several servers, and `redis://` has one: write `redis+cluster://` for \
             nodes of a cluster, `redis+sentinel://` for sentinels"
        )));
    }
    let mut url = ServerUrl::new(Topology::Standalone(host_port(hosts, PORT)?), tls);
    if let Some(userinfo) = userinfo {
        url.login = login(userinfo)?;
    }
    if !path.is_empty() {
        url.db = db(path)?;
    }
    parse_query(&mut url, query)?;
    Ok(url)
}

fn sentinel(rest: &str, tls: Option<TlsOptions>) -> Result<ServerUrl, Error> {
    let Hosts { userinfo, hosts, path, query } = Hosts::split(rest)?;
    let sentinels: Result<_, _> =
        hosts.split(',').map(|host| host_port(host, SENTINEL_PORT)).collect();
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    let master = decode_text(master, "the master's name")?;
    // It is a word in what sentinels publish.
    if master.is_empty() || master.contains(char::is_whitespace) {
        return Err(invalid(
            "a Sentinel URL ends in the master's name: `redis+sentinel://host:26379/mymaster`",
        ));
    }
    let place = Sentinel { sentinels: sentinels?, master, login: Login::default() };
    let mut url = ServerUrl::new(Topology::Sentinel(place), tls);
    if let Some(userinfo) = userinfo {
        url.login = login(userinfo)?;
    }
    if !database.is_empty() {
        url.db = db(database)?;
    }
    parse_query(&mut url, query)?;
    Ok(url)
}

fn cluster(rest: &str, tls: Option<TlsOptions>) -> Result<ServerUrl, Error> {
    let Hosts { userinfo, hosts, path, query } = Hosts::split(rest)?;
    let nodes: Result<_, _> = hosts.split(',').map(|host| host_port(host, PORT)).collect();
    let mut url = ServerUrl::new(Topology::Cluster(nodes?), tls);
    if let Some(userinfo) = userinfo {
        url.login = login(userinfo)?;
    }
    if !path.is_empty() {
        url.db = db(path)?;
    }
    parse_query(&mut url, query)?;
    if url.db != 0 {
        return Err(invalid(format!(
            "a cluster has database 0 only, and the URL says {}: separate by prefixes of the keys",
            url.db
        )));
    }
    Ok(url)
}

fn unix(rest: &str) -> Result<ServerUrl, Error> {
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
    let mut url = {
        let address = Address::Unix { path: PathBuf::from(path) };
        ServerUrl::new(Topology::Standalone(address), None)
    };
    if let Some(userinfo) = userinfo.strip_suffix('@') {
        url.login = login(userinfo)?;
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

fn host_port(text: &str, default_port: u16) -> Result<Address, Error> {
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
            None | Some("") => default_port,
            Some(port) => port.parse().ok().filter(|&port| 0 < port).ok_or_else(|| {
                invalid(format!("port `{port}` is not a number between 1 and 65535"))
            })?,
        };
    let host = decode_text(host, "the host")?;
    if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid(format!("host {host:?} contains white space")));
    }
    let host = if host.is_empty() { "127.0.0.1".to_owned() } else { host };
    Ok(Address::Tcp { host, port })
}

fn login(userinfo: &str) -> Result<Login, Error> {
    let (user, password) = match userinfo.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (userinfo, None),
    };
    let mut login = Login::default();
    if !user.is_empty() {
        login.username = Some(decode_text(user, "the user")?);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        login.password = Some(Secret(decode(password, "the password")?));
    }
    if login.username.is_some() && login.password.is_none() {
        return Err(invalid(
            "a user without a password can not log in: write `redis://user:password@host`, or \
             `redis://:password@host` for the default user",
        ));
    }
    Ok(login)
}

fn db(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|_| invalid(format!("database `{text}` is not a number such as 0")))
}

/// Every option that a URL can carry.
const OPTIONS: &str = "db, protocol, client_name, sentinel_username, sentinel_password, ca_file, \
                       cert_file, key_file, server_name, dangerous_accept_any_certificate";

fn parse_query(url: &mut ServerUrl, query: Option<&str>) -> Result<(), Error> {
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode_text(value, name)?;
        match name {
            "db" => url.db = db(&value)?,
            "client_name" => url.client_name = Some(value),
            "protocol" => {
                url.protocol = match value.as_str() {
                    "2" => Protocol::Resp2,
                    "3" | "auto" => Protocol::Auto,
                    _ => return Err(invalid(format!("protocol `{value}` is neither 2 nor 3"))),
                }
            }
            "sentinel_username" | "sentinel_password" => {
                let Topology::Sentinel(place) = &mut url.topology else {
                    return Err(invalid(format!("option `{name}` needs `redis+sentinel://`")));
                };
                match name {
                    "sentinel_username" => place.login.username = Some(value),
                    _ => place.login.password = Some(Secret::new(value)),
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
    if let Topology::Sentinel(place) = &url.topology
        && place.login.username.is_some()
        && place.login.password.is_none()
    {
        return Err(invalid("`sentinel_username` needs `sentinel_password`"));
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
