//! What the options mean for a link.

use std::path::Path;

use fanfare_client::{Address, Backoff, Error, ErrorKind, Options, Queue, TlsOptions};

use super::{
    fields::Config,
    setting::{Hosts, Url},
};
use crate::{Builder, Fanfare, fanfare};

impl Config {
    /// Connects: see [`Fanfare::connect`].
    ///
    /// # Errors
    /// As [`options`](Self::options) and [`Fanfare::connect`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub async fn connect(&self) -> Result<Fanfare, Error> {
        self.builder().connect().await
    }

    /// A connection to be described further.
    pub fn builder(&self) -> Builder {
        Builder::new(self.options())
    }

    /// What it all means for a link. Starts an embedded broker if the URL names one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] for options that exclude or need each other and for values
    /// that can not work; those of the URL.
    pub fn options(&self) -> Result<Options, Error> {
        self.check_together()?;
        let mut options = fanfare::parse(&self.whole_url()?)?;
        if let Some(path) = &self.unix_socket_path {
            options = options.address(Address::Unix { path: path.clone() });
        }
        options = self.login(options);
        options = self.encrypt(options)?;
        options = self.timing(options);
        options = self.bounds(options);
        options.check()?;
        Ok(options)
    }

    fn check_together(&self) -> Result<(), Error> {
        let places = [
            ("url", self.url.is_some()),
            ("host", self.host.is_some() || self.port.is_some()),
            ("unix_socket_path", self.unix_socket_path.is_some()),
            ("sentinels", self.sentinels.is_some()),
            ("cluster_nodes", self.cluster_nodes.is_some()),
        ];
        let mut named = places.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name);
        if let (Some(first), Some(second)) = (named.next(), named.next()) {
            return Err(wrong(format!(
                "{first} and {second} both say where to connect to: leave one of them out"
            )));
        }
        let needs = [
            (
                "sentinels",
                self.sentinels.is_some(),
                "sentinel_master",
                self.sentinel_master.is_some(),
            ),
            (
                "sentinel_master",
                self.sentinel_master.is_some(),
                "sentinels",
                self.sentinels.is_some(),
            ),
            ("username", self.username.is_some(), "password", self.password.is_some()),
            (
                "sentinel_username",
                self.sentinel_username.is_some(),
                "sentinel_password",
                self.sentinel_password.is_some(),
            ),
        ];
        match needs.iter().find(|(_, is_there, _, has_other)| *is_there && !has_other) {
            Some((name, _, other, _)) => Err(wrong(format!("{name} needs {other}"))),
            None => Ok(()),
        }
    }

    /// The URL, without what is said apart from it.
    fn whole_url(&self) -> Result<String, Error> {
        if let Some(Url(url)) = &self.url {
            return Ok(url.clone());
        }
        let s = if self.ssl == Some(true) { "s" } else { "" };
        if let Some(hosts) = &self.sentinels {
            let master = self.sentinel_master.as_deref().unwrap_or_default();
            let hosts = listed("sentinels", hosts)?;
            return Ok(format!("redis{s}+sentinel://{hosts}/{}", percent_encoded(master)));
        }
        if let Some(hosts) = &self.cluster_nodes {
            return Ok(format!("redis{s}+cluster://{}", listed("cluster_nodes", hosts)?));
        }
        let host = checked("host", self.host.as_deref().unwrap_or("localhost"))?;
        let port = self.port.unwrap_or(6379);
        let is_v6 = host.contains(':') && !host.starts_with('[');
        Ok(if is_v6 {
            format!("redis{s}://[{host}]:{port}")
        } else {
            format!("redis{s}://{host}:{port}")
        })
    }

    fn login(&self, mut options: Options) -> Options {
        if let Some(password) = &self.password {
            options = options.credentials(self.username.as_deref(), password.clone());
        }
        if let Some(password) = &self.sentinel_password {
            let user = self.sentinel_username.as_deref();
            options = options.sentinel_credentials(user, password.clone());
        }
        if let Some(db) = self.db {
            options = options.db(db);
        }
        if let Some(namespace) = &self.namespace {
            options = options.namespace(namespace.clone());
        }
        if let Some(name) = &self.client_name {
            options = options.client_name(name.clone());
        }
        options
    }

    fn encrypt(&self, options: Options) -> Result<Options, Error> {
        let paths = [
            ("ssl_ca_certs", &self.ssl_ca_certs),
            ("ssl_certfile", &self.ssl_certfile),
            ("ssl_keyfile", &self.ssl_keyfile),
        ];
        let is_tls = self.ssl == Some(true) || options.url().is_tls();
        let mut said = paths.iter().filter(|(_, path)| path.is_some()).map(|(name, _)| *name);
        let name = self.tls_server_name.as_ref().map(|_| "tls_server_name");
        let any = self.dangerous_accept_any_certificate.filter(|it| *it);
        let any = any.map(|_| "dangerous_accept_any_certificate");
        let said = said.next().or(name).or(any);
        if !is_tls {
            let missing = |name| wrong(format!("{name} needs ssl = true (or `rediss://`)"));
            return said.map_or(Ok(options), |name| Err(missing(name)));
        }
        if self.ssl == Some(false) {
            return Err(wrong("ssl is false and the URL says `rediss://`: which of them?"));
        }
        if said.is_none() && options.url().is_tls() {
            return Ok(options);
        }
        let path = |path: &Option<_>| path.as_deref().map(Path::to_owned);
        let mut tls = TlsOptions::default();
        if let Some(ca) = path(&self.ssl_ca_certs) {
            tls = tls.ca_file(ca);
        }
        match (path(&self.ssl_certfile), path(&self.ssl_keyfile)) {
            (Some(cert), Some(key)) => tls = tls.client_cert(cert, key),
            (None, None) => {}
            (Some(_), None) => return Err(wrong("ssl_certfile needs ssl_keyfile")),
            (None, Some(_)) => return Err(wrong("ssl_keyfile needs ssl_certfile")),
        }
        if let Some(name) = &self.tls_server_name {
            tls = tls.server_name(name.clone());
        }
        if any.is_some() {
            tls = tls.dangerous_accept_any_certificate();
        }
        Ok(options.tls(tls))
    }

    fn timing(&self, mut options: Options) -> Options {
        if let Some(protocol) = self.protocol {
            options = options.protocol(protocol);
        }
        if let Some(timeout) = self.socket_timeout {
            options = options.request_timeout(timeout);
        }
        if let Some(timeout) = self.socket_connect_timeout {
            options = options.connect_timeout(timeout);
        }
        if let Some(keepalive) = self.tcp_keepalive {
            options = options.tcp_keepalive(keepalive.0);
        }
        let (mut interval, mut deadline) = options.heartbeat_times();
        interval = self.health_check_interval.filter(|it| !it.is_zero()).unwrap_or(interval);
        deadline = self.heartbeat_deadline.unwrap_or(deadline);
        options = options.heartbeat(interval, deadline);
        let mut backoff = Backoff::default();
        backoff.first = self.reconnect_delay.unwrap_or(backoff.first);
        backoff.cap = self.reconnect_delay_max.unwrap_or(backoff.cap);
        options.backoff(backoff)
    }

    fn bounds(&self, mut options: Options) -> Options {
        if let Some(policy) = self.while_down {
            options = options.while_down(policy);
        }
        let (mut requests, mut bytes) = options.in_flight();
        requests = self.in_flight_max.unwrap_or(requests);
        bytes = self.in_flight_bytes_max.unwrap_or(bytes);
        options = options.in_flight_max(requests, bytes);
        if let Some(n) = self.pool_size {
            options = options.pool_size(n);
        }
        if let Some(n) = self.max_connections {
            options = options.dedicated_max(n);
        }
        let Queue { overflow, messages_max, bytes_max } = options.default_queue();
        options.queue(Queue {
            overflow: self.queue_overflow.unwrap_or(overflow),
            messages_max: self.queue_messages_max.unwrap_or(messages_max),
            bytes_max: self.queue_bytes_max.unwrap_or(bytes_max),
        })
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}

/// A host that means nothing else in a URL.
fn checked<'a>(name: &str, host: &'a str) -> Result<&'a str, Error> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(wrong(format!(
            "{name} is {host:?}; it must be a name or an address (a URL is said as `url`)"
        )));
    }
    Ok(host)
}

fn listed(name: &str, Hosts(hosts): &Hosts) -> Result<String, Error> {
    if hosts.is_empty() {
        return Err(wrong(format!("{name} is empty; it must name at least one `host:port`")));
    }
    hosts.iter().try_for_each(|host| checked(name, host).map(drop))?;
    Ok(hosts.join(","))
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
