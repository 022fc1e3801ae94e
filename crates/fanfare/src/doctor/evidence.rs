//! What a node says when it is asked about everything.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use fanfare_client::{Address, Error, Pipeline, Topology, Value};

use super::Diagnosis;
use crate::{
    Fanfare,
    monitor::{info::Info, look::is_refusal, node::Place},
};

/// Directives that are looked at.
const DIRECTIVES: [&str; 10] = [
    "appendfsync",
    "bind",
    "client-output-buffer-limit",
    "maxmemory-policy",
    "notify-keyspace-events",
    "port",
    "protected-mode",
    "requirepass",
    "tcp-keepalive",
    "timeout",
];

/// Slow commands that are looked at.
const SLOW_MAX: &[u8] = b"128";

/// One entry of the slow log.
#[derive(Clone, Debug)]
pub(super) struct Slow {
    pub(super) took: Duration,
    /// The command's name, and its first argument.
    pub(super) words: String,
}

/// What is known of one node. What it does not let us see is missing.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) name: String,
    /// What begins a command line for this node.
    pub(super) cli: String,
    /// Whether it is on this machine.
    pub(super) is_local: bool,
    pub(super) info: Info,
    /// The shortest of some round trips.
    pub(super) round_trip: Option<Duration>,
    config: Option<HashMap<String, String>>,
    /// `CLIENT LIST`, each client by its fields.
    pub(super) clients: Option<Vec<HashMap<String, String>>>,
    pub(super) slow: Option<Vec<Slow>>,
    /// Whether the default user needs no password.
    pub(super) is_open: Option<bool>,
}

impl Evidence {
    /// A directive's value; `None` if the server does not tell, or does not have it.
    pub(super) fn directive(&self, name: &str) -> Option<&str> {
        self.config.as_ref()?.get(name).map(String::as_str)
    }

    /// A command line that changes a directive at once and in its file.
    pub(super) fn set(&self, directive: &str, value: &str) -> String {
        let cli = &self.cli;
        format!("{cli} CONFIG SET {directive} {value} && {cli} CONFIG REWRITE")
    }

    /// Asks a node.
    ///
    /// # Errors
    /// It could not be reached, or did not answer in time.
    pub(super) async fn gather(
        fanfare: &Fanfare,
        place: &Place,
        limit: Duration,
        diagnosis: &mut Diagnosis,
    ) -> Result<Self, Error> {
        let name = place.name.clone();
        let info = match place.info(fanfare, Instant::now() + limit).await {
            Ok((info, _)) => info,
            Err(error) if is_refusal(&error) => {
                diagnosis.hidden(format!("INFO of {name}"), error);
                Info::default()
            }
            Err(error) => return Err(error),
        };
        let address = address(fanfare, place, &info);
        let mut evidence = Self {
            cli: cli(address.as_ref()),
            is_local: address.as_ref().is_some_and(is_local),
            name,
            info,
            round_trip: None,
            config: None,
            clients: None,
            slow: None,
            is_open: None,
        };
        evidence.ask_config(fanfare, place, limit, diagnosis).await?;
        evidence.ask_more(fanfare, place, limit, diagnosis).await?;
        Ok(evidence)
    }

    async fn ask_config(
        &mut self,
        fanfare: &Fanfare,
        place: &Place,
        limit: Duration,
        diagnosis: &mut Diagnosis,
    ) -> Result<(), Error> {
        let mut pipeline = Pipeline::new();
        for name in DIRECTIVES {
            pipeline.push([&b"CONFIG"[..], b"GET", name.as_bytes()]);
        }
        let replies = place.ask(fanfare, pipeline, Instant::now() + limit).await?;
        let mut config = HashMap::new();
        for reply in replies {
            match reply {
                Ok(pairs) => {
                    let pairs = pairs.into_pairs().unwrap_or_default().into_iter();
                    config.extend(pairs.filter_map(|(name, value)| {
                        Some((name.as_str()?.to_owned(), text(&value)))
                    }));
                }
                Err(error) => {
                    diagnosis.hidden(format!("CONFIG of {}", self.name), error);
                    return Ok(());
                }
            }
        }
        // Nobody but the server needs to know which.
        if let Some(password) = config.get_mut("requirepass").filter(|it| !it.is_empty()) {
            "***".clone_into(password);
        }
        self.config = Some(config);
        Ok(())
    }

    async fn ask_more(
        &mut self,
        fanfare: &Fanfare,
        place: &Place,
        limit: Duration,
        diagnosis: &mut Diagnosis,
    ) -> Result<(), Error> {
        for _ in 0..5 {
            let mut ping = Pipeline::new();
            ping.push([&b"PING"[..]]);
            let start = Instant::now();
            place.ask(fanfare, ping, start + limit).await?;
            let took = start.elapsed();
            self.round_trip = Some(self.round_trip.map_or(took, |it| it.min(took)));
        }
        let mut pipeline = Pipeline::new();
        pipeline.push([&b"CLIENT"[..], b"LIST"]);
        pipeline.push([&b"SLOWLOG"[..], b"GET", SLOW_MAX]);
        pipeline.push([&b"ACL"[..], b"GETUSER", b"default"]);
        let replies = place.ask(fanfare, pipeline, Instant::now() + limit).await?;
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or(Ok(Value::Null));
        match next() {
            Ok(list) => self.clients = Some(clients(&text(&list))),
            Err(error) => diagnosis.hidden(format!("CLIENT LIST of {}", self.name), error),
        }
        match next() {
            Ok(log) => {
                let entries = log.into_array().unwrap_or_default();
                self.slow = Some(entries.into_iter().filter_map(slow).collect());
            }
            Err(error) => diagnosis.hidden(format!("SLOWLOG of {}", self.name), error),
        }
        // A server without users has its password in the configuration.
        let of_user = next().ok().and_then(has_no_password);
        self.is_open = of_user.or_else(|| Some(self.directive("requirepass")?.is_empty()));
        Ok(())
    }
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

/// Lines of `name=value name=value`.
fn clients(list: &str) -> Vec<HashMap<String, String>> {
    let line = |it: &str| {
        let fields = it.split(' ').filter_map(|it| it.split_once('='));
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    list.lines().filter(|it| !it.is_empty()).map(line).collect()
}

fn slow(entry: Value) -> Option<Slow> {
    let mut parts = entry.into_array()?.into_iter().skip(2);
    let took = Duration::from_micros(u64::try_from(parts.next()?.as_int()?).ok()?);
    let words = parts.next()?.into_array()?;
    let shown = words.iter().take(2).map(text).map(|it| it.chars().take(40).collect::<String>());
    Some(Slow { took, words: shown.collect::<Vec<_>>().join(" ") })
}

fn has_no_password(user: Value) -> Option<bool> {
    let (_, flags) =
        user.into_pairs()?.into_iter().find(|(name, _)| name.as_str() == Some("flags"))?;
    let flags: Vec<String> = flags.into_array()?.iter().map(text).collect();
    Some(flags.iter().any(|it| it == "on") && flags.iter().any(|it| it == "nopass"))
}

/// Where the node is; of a Sentinel group only its port is known.
fn address(fanfare: &Fanfare, place: &Place, info: &Info) -> Option<Address> {
    if let Some(at) = &place.at {
        return Some(at.clone());
    }
    match fanfare.link().options().url().topology() {
        Topology::Standalone(address) => Some(address.clone()),
        Topology::Sentinel(sentinel) => {
            let port = u16::try_from(info.number("tcp_port")?).ok()?;
            // Sentinels and their master on one machine: then it is there.
            let hosts = sentinel.sentinels().iter().filter(|it| is_local(it));
            match hosts.count() == sentinel.sentinels().len() {
                true => Some(Address::Tcp { host: "127.0.0.1".to_owned(), port }),
                false => None,
            }
        }
        _ => None,
    }
}

fn is_local(address: &Address) -> bool {
    match address {
        Address::Tcp { host, .. } => {
            host == "localhost" || host.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback())
        }
        Address::Unix { .. } => true,
    }
}

/// The password, if there is one, comes from `REDISCLI_AUTH`.
fn cli(address: Option<&Address>) -> String {
    match address {
        Some(Address::Tcp { host, port }) => format!("redis-cli -h {host} -p {port}"),
        Some(Address::Unix { path }) => format!("redis-cli -s {}", path.display()),
        None => "redis-cli".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_servers_write_them() {
        let all = clients("id=3 addr=1.2.3.4:5 name= flags=P omem=20504 sub=1\nid=4 flags=N\n");
        assert_eq!((all.len(), &*all[0]["omem"], &*all[0]["name"]), (2, "20504", ""));
        let word = |it: &str| Value::bulk(it.as_bytes().to_vec());
        let words = Value::Array(vec![word("KEYS"), word("old:*"), word("more")]);
        let entry = [Value::Integer(1), Value::Integer(2), Value::Integer(30_000), words];
        let slow = slow(Value::Array(entry.into())).unwrap();
        assert_eq!((slow.took.as_millis(), &*slow.words), (30, "KEYS old:*"));
        let flags = Value::Array(vec![word("on"), word("nopass")]);
        assert_eq!(has_no_password(Value::Array(vec![word("flags"), flags])), Some(true));
        assert_eq!(has_no_password(Value::Null), None);
    }
}
