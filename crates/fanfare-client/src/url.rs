//! Server URLs: `redis://`, `redis+unix://`, `redis+sentinel://`, `redis+cluster://`, and over TLS.
//!
//! ```text
//! redis://[user[:password]@]host[:port][/db][?option=value&…]
//! redis+unix:///path/to/socket[?db=0&…]
//! redis+sentinel://[user[:password]@]host[:port][,host[:port]…]/master[/db][?option=value&…]
//! redis+cluster://[user[:password]@]host[:port][,host[:port]…][?option=value&…]
//! rediss://…, rediss+sentinel://…, rediss+cluster://…    the same over TLS
//! ```
//!
//! User, password, path and values are percent-decoded. No message of this file ever shows what
//! might be part of a password.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{Error, policy::Protocol, tls_options::TlsOptions};

mod parse;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// Which servers a URL names, and how the one to talk to is found among them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// One server.
    Standalone(Address),
    /// The master that these sentinels agree on.
    Sentinel(Sentinel),
    /// The cluster to which these nodes belong; they tell of the others.
    Cluster(Vec<Address>),
}

/// A master that is found through its sentinels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentinel {
    pub(crate) sentinels: Vec<Address>,
    pub(crate) master: String,
    pub(crate) login: Login,
}

impl Sentinel {
    /// The sentinels that the URL names; they tell of the others.
    pub fn sentinels(&self) -> &[Address] {
        &self.sentinels
    }

    /// The master's name, as the sentinels know it.
    pub fn master(&self) -> &str {
        &self.master
    }
}

/// Who we are to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standalone(address) => address.fmt(f),
            Self::Sentinel(Sentinel { sentinels, master, .. }) => {
                write!(f, "the master `{master}` of the sentinels ")?;
                write_list(f, sentinels)
            }
            Self::Cluster(nodes) => {
                f.write_str("the cluster of ")?;
                write_list(f, nodes)
            }
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, addresses: &[Address]) -> fmt::Result {
    for (n, address) in addresses.iter().enumerate() {
        write!(f, "{}{address}", if n == 0 { "" } else { "," })?;
    }
    Ok(())
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

impl<T: Into<Vec<u8>>> From<T> for Secret {
    fn from(bytes: T) -> Self {
        Self::new(bytes)
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
    pub(crate) topology: Topology,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) login: Login,
    pub(crate) db: u32,
    pub(crate) client_name: Option<String>,
    pub(crate) protocol: Protocol,
}

impl ServerUrl {
    /// Which servers it names.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Whether it names a cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
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

    fn new(topology: Topology, tls: Option<TlsOptions>) -> Self {
        Self {
            topology,
            tls,
            login: Login::default(),
            db: 0,
            client_name: None,
            protocol: Protocol::Auto,
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = match (&self.login.username, &self.login.password) {
            (None, None) => String::new(),
            (Some(name), None) => format!("{name}@"),
            (name, Some(_)) => format!("{}:***@", name.as_deref().unwrap_or_default()),
        };
        let scheme = if self.is_tls() { "rediss" } else { "redis" };
        match &self.topology {
            Topology::Standalone(Address::Unix { path }) => {
                write!(f, "redis+unix://{user}{}", path.display())?;
                if self.db != 0 {
                    write!(f, "?db={}", self.db)?;
                }
                return Ok(());
            }
            Topology::Standalone(address) => write!(f, "{scheme}://{user}{address}")?,
            Topology::Sentinel(Sentinel { sentinels, master, .. }) => {
                write!(f, "{scheme}+sentinel://{user}")?;
                write_list(f, sentinels)?;
                write!(f, "/{master}")?;
            }
            Topology::Cluster(nodes) => {
                write!(f, "{scheme}+cluster://{user}")?;
                write_list(f, nodes)?;
            }
        }
        if self.db != 0 {
            write!(f, "/{}", self.db)?;
        }
        Ok(())
    }
}

impl FromStr for ServerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse::url(text)
    }
}

#[cfg(test)]
mod tests;
