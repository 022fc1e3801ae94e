//! What to trust and what to present over TLS.

use std::path::PathBuf;

use crate::{Error, ErrorKind};

/// Options of a `rediss://` connection. By default the system's root certificates are trusted and
/// the server must present a certificate for the URL's host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) server_name: Option<String>,
    pub(crate) accept_any_certificate: bool,
}

impl TlsOptions {
    /// Trusts the certificates of this PEM file, and only these.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Presents this certificate chain and key (PEM files) to a server that asks for one.
    #[must_use]
    pub fn client_cert(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.cert_file = Some(cert.into());
        self.key_file = Some(key.into());
        self
    }

    /// Expects a certificate for this name instead of the URL's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accepts whatever certificate the server presents, so that anybody on the way can read and
    /// change everything. For experiments only.
    #[must_use]
    pub fn dangerous_accept_any_certificate(mut self) -> Self {
        self.accept_any_certificate = true;
        self
    }

    pub(crate) fn knows(name: &str) -> bool {
        matches!(
            name,
            "ca_file"
                | "cert_file"
                | "key_file"
                | "server_name"
                | "dangerous_accept_any_certificate"
        )
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "ca_file" => self.ca_file = Some(value.into()),
            "cert_file" => self.cert_file = Some(value.into()),
            "key_file" => self.key_file = Some(value.into()),
            "server_name" => self.server_name = Some(value.to_owned()),
            _ => {
                self.accept_any_certificate = value.parse().map_err(|_| {
                    let message = format!("`{name}` is true or false, not `{value}`");
                    Error::new(ErrorKind::InvalidUrl, message)
                })?;
            }
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.cert_file.is_some() != self.key_file.is_some() {
            return Err(Error::new(
                ErrorKind::InvalidOption,
                "a client certificate needs both `cert_file` and `key_file`",
            ));
        }
        Ok(())
    }
}
