//! The options, each with its names, and how one is set by any of them.

use std::{path::PathBuf, time::Duration};

use fanfare_client::{Error, Overflow, Protocol, Secret, WhileDown};

use super::{
    foreign, names,
    setting::{FromSetting, Hosts, Keepalive, Setting, Url},
};

/// Declares the options once: field, builder method, name and other names.
macro_rules! options {
    ($( $(#[$doc:meta])+ $name:ident: $type:ty, $aliases:expr; )+) => {
        /// Everything about a connection, by the names that configuration files have for it: those
        /// of redis-py first, so that a table written for it can be read as it is.
        ///
        /// Made by its methods, by `serde` from a table of any format, or by
        /// [`from_env`](Self::from_env). A name that is not known is an error that says which known
        /// one is nearest. What is not said has its default.
        ///
        /// Times are seconds, as numbers (`0.5`) or text with a unit (`"500ms"`, `"5s"`, `"2m"`).
        /// Lists are lists, or text with commas.
        ///
        /// # Example: a table as redis-py has it
        #[cfg_attr(feature = "embedded", doc = "```")]
        #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
        /// let config: fanfare::Config = serde_json::from_str(
        ///     r#"{
        ///         "host": "redis.example.com", "port": 6380, "password": "secret",
        ///         "max_connections": 50, "socket_timeout": 5, "ssl": true
        ///     }"#,
        /// )?;
        /// assert_eq!(config.options()?.url().to_string(), "rediss://:***@redis.example.com:6380");
        ///
        /// let wrong = serde_json::from_str::<fanfare::Config>(r#"{ "hots": "h" }"#).unwrap_err();
        /// assert!(wrong.to_string().contains("did you mean `host`?"));
        /// # Ok::<_, Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Example: as a builder
        #[cfg_attr(feature = "embedded", doc = "```")]
        #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
        /// use std::time::Duration;
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), fanfare::Error> {
        /// let config = fanfare::Config::new()
        ///     .url("embedded:")
        ///     .namespace("staging:")
        ///     .socket_timeout(Duration::from_secs(2));
        /// let fanfare = config.connect().await?;
        /// fanfare.ping().await?;
        /// # Ok(()) }
        /// ```
        #[derive(Clone, Debug, Default)]
        pub struct Config {
            $( pub(super) $name: Option<$type>, )+
        }

        impl Config {
            $(
                $(#[$doc])+
                #[must_use]
                pub fn $name(mut self, value: impl Into<$type>) -> Self {
                    self.$name = Some(value.into());
                    self
                }
            )+

            /// Sets an option by any of its names. `Setting::Nothing` takes it back.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption): the name is not
            /// known, or the value is none of this option.
            pub fn set(&mut self, name: &str, value: Setting) -> Result<(), Error> {
                $(
                    let aliases: &[&str] = $aliases;
                    if name == stringify!($name) || aliases.contains(&name) {
                        self.$name = match value {
                            Setting::Nothing => None,
                            value => Some(<$type>::from_setting(name, value)?),
                        };
                        return Ok(());
                    }
                )+
                match foreign::judge(name, &value) {
                    Some(judgement) => judgement,
                    None => Err(names::unknown(name)),
                }
            }
        }

        /// Every option with its other names.
        pub(super) const NAMES: &[(&str, &[&str])] = &[$( (stringify!($name), $aliases) ),+];
    };
}

options! {
    /// Where to connect to, as for [`Fanfare::connect`](crate::Fanfare::connect). Default: what
    /// `host` and `port`, `unix_socket_path`, `sentinels` or `cluster_nodes` say; only one of them
    /// may say anything.
    url: Url, &["redis_url"];
    /// Name or address of a server. Default: `localhost`.
    host: String, &["hostname"];
    /// Its port, 1 to 65,535. Default: 6379.
    port: u16, &[];
    /// Path of a server's Unix socket. Default: none.
    unix_socket_path: PathBuf, &["unix_socket"];
    /// User, as ACLs know it. Default: `default`. Needs a `password`.
    username: String, &["user"];
    /// Password. Default: none. It is never shown.
    password: Secret, &[];
    /// The database that commands use, 0 to what the server has (mostly 15). Default: 0. With any
    /// other, publish and subscribe are errors: channels know no databases, see `namespace`.
    db: u32, &["database"];
    /// What stands before every channel, pattern, key and stream name on the server, and is taken
    /// off what comes from there. Not put before the arguments of raw commands. Default: nothing.
    namespace: String, &["prefix", "key_prefix"];
    /// The name that `CLIENT LIST` shows: printable, without spaces. Default: none.
    client_name: String, &[];
    /// Version of the protocol: 2, or 3 with fall-back to 2. Default: 3.
    protocol: Protocol, &[];
    /// Seconds from a call to its answer, waiting for a connection included, 1 ms to 365 days.
    /// Default: 5. A command that may wait at the server (BLPOP) has that time on top.
    socket_timeout: Duration, &["request_timeout", "timeout"];
    /// Seconds for one attempt to connect, TLS and login included, 1 ms to 365 days. Default: 5.
    socket_connect_timeout: Duration, &["connect_timeout"];
    /// Seconds of idleness after which the kernel probes the connection; `true` for the default of
    /// 15, `false` or 0 for never. Default: 15.
    tcp_keepalive: Keepalive, &["socket_keepalive"];
    /// Seconds from one ping of the server to the next, 1 ms to 365 days; 0 for the default:
    /// without it a server that hangs would not be noticed. Default: 5.
    health_check_interval: Duration, &["heartbeat_interval"];
    /// Seconds that a pinged server has to say something, 1 ms to 365 days. Default: 5.
    heartbeat_deadline: Duration, &[];
    /// Connections to each server over which commands are spread, at least 1. Default: 1, since
    /// commands of all callers share them. More help where one socket is the bottleneck. Each clone
    /// of [`Fanfare`](crate::Fanfare) or [`Client`](crate::client::Client) uses one of them, in
    /// turn: its commands keep their order, those of two clones need not.
    pool_size: usize, &[];
    /// Most connections that may be dedicated to one caller at a time: blocking commands and
    /// `WATCH`. At least 1. Default: 32. They are made when wanted, and those that are idle are used
    /// again.
    max_connections: usize, &["dedicated_max"];
    /// Encrypts the connection. Default: false, unless the URL says `rediss://`.
    ssl: bool, &["tls"];
    /// PEM file of the certificates to trust, and only these. Default: the system's. Needs `ssl`.
    ssl_ca_certs: PathBuf, &["ca_file", "tls_ca_file", "tls_ca_cert_file"];
    /// PEM file of the certificate to present. Default: none. Needs `ssl` and `ssl_keyfile`.
    ssl_certfile: PathBuf, &["cert_file", "tls_cert_file"];
    /// PEM file of its key. Default: none.
    ssl_keyfile: PathBuf, &["key_file", "tls_key_file"];
    /// The name for which the server must have a certificate. Default: the host's. Needs `ssl`.
    tls_server_name: String, &["server_name"];
    /// Accepts any certificate: anybody on the way can read and change everything. Default: false.
    dangerous_accept_any_certificate: bool, &[];
    /// Sentinels (`host:port`, 26379 if there is no port), of which one is enough. Default: none.
    sentinels: Hosts, &["sentinel_hosts", "sentinel_nodes"];
    /// The master's name, as the sentinels know it. Default: none. Needs `sentinels`.
    sentinel_master: String, &["service_name", "master_name", "sentinel_service_name"];
    /// User for the sentinels. Default: none. Needs `sentinel_password`.
    sentinel_username: String, &[];
    /// Password for the sentinels. Default: none.
    sentinel_password: Secret, &[];
    /// Nodes of a cluster (`host:port`), of which one is enough. Default: none.
    cluster_nodes: Hosts, &["startup_nodes", "cluster_hosts"];
    /// Seconds before the first attempt to connect again, with jitter; each next one waits twice as
    /// long. Default: 0.02.
    reconnect_delay: Duration, &["retry_delay"];
    /// Most seconds between attempts to connect, 1 ms to 365 days. Default: 5.
    reconnect_delay_max: Duration, &["retry_delay_max"];
    /// What commands do while there is no connection: `wait` until their time is over, or
    /// `fail_fast`. Default: `wait`.
    while_down: WhileDown, &[];
    /// Most requests without an answer, at least 1. Beyond them callers wait. Default: 16,384.
    in_flight_max: usize, &[];
    /// Most bytes of requests without an answer, up to 1 GiB. Default: 64 MiB.
    in_flight_bytes_max: usize, &[];
    /// Most messages in the queue of a subscription that says nothing else. Default: 131,072.
    queue_messages_max: usize, &[];
    /// Most bytes in it. Default: 64 MiB.
    queue_bytes_max: usize, &[];
    /// What happens when it is full: `drop_oldest`, `drop_newest`, `block` or `disconnect`.
    /// Default: `drop_oldest`.
    queue_overflow: Overflow, &[];
}

impl Config {
    /// Everything by default: a server at `localhost:6379`.
    pub fn new() -> Self {
        Self::default()
    }
}
