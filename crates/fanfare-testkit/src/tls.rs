//! Servers that speak TLS, on a port of their own beside the one that the testkit uses.

use std::path::Path;

use crate::port::free_port;

/// The certificate of every server of a group, and whom they trust.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    /// A folder with `ca.pem`, and with `node.pem`, signed by it, and its key `node.key`.
    pub dir: &'a Path,
    /// Whether clients need a certificate: `yes`, `no` or `optional`.
    pub auth_clients: &'a str,
}

impl TlsFiles<'_> {
    /// The directives, each with its value, for a server that speaks TLS on this port, to others of
    /// its kind too.
    fn directives(self, port: u16) -> [(&'static str, String); 7] {
        let file = |name: &str| self.dir.join(name).display().to_string();
        [
            ("tls-port", port.to_string()),
            ("tls-cert-file", file("node.pem")),
            ("tls-key-file", file("node.key")),
            ("tls-ca-cert-file", file("ca.pem")),
            ("tls-auth-clients", self.auth_clients.to_owned()),
            ("tls-replication", "yes".to_owned()),
            ("tls-cluster", "yes".to_owned()),
        ]
    }

    /// A free port, and arguments for it.
    pub(crate) fn args(self) -> (u16, Vec<String>) {
        let port = free_port();
        let directives = self.directives(port).into_iter();
        (port, directives.flat_map(|(name, value)| [format!("--{name}"), value]).collect())
    }

    /// A free port, and lines of a configuration for it.
    pub(crate) fn lines(self) -> (u16, String) {
        let port = free_port();
        let directives = self.directives(port).into_iter();
        (port, directives.map(|(name, value)| format!("{name} {value}\n")).collect())
    }
}
