//! `POST` of a notice to a URL.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, header};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::{courier::Undelivered, look::with_causes};

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A URL to which alerts are sent, and whom to trust there. A text is one that trusts whom the
/// system trusts.
///
/// A server that is asked by `https` has to prove the host's name by a certificate. One that is not
/// trusted, has expired or is for another name is not tried again: the alert is
/// [lost and counted](super::Snapshot::alerts_lost), and [why](super::Snapshot::alerts_lost_reason)
/// is told. A certificate of a client is never presented.
///
/// # Example: an authority of one's own
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::monitor::Webhook;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
/// let webhook = Webhook::new("https://alerts.internal/redis").ca_file("/nowhere/ca.pem");
/// let refused = fanfare.broker_monitor().alerts_to_webhook(webhook).start();
/// assert!(refused.unwrap_err().to_string().contains("/nowhere/ca.pem"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "nothing happens before it is given to a monitor"]
pub struct Webhook {
    url: String,
    ca_file: Option<PathBuf>,
}

impl Webhook {
    /// One at this URL, `http` or `https`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ca_file: None }
    }

    /// Trusts the certificates of this PEM file, and only these; it is read when the monitor starts.
    /// Default: those of the system, or what the environment's `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// name.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Checks it, and reads whom to trust.
    pub(super) fn open(&self) -> Result<Poster, Error> {
        let invalid = |why: &str| {
            let message = format!("a webhook needs a URL such as https://host/path: {why}");
            Error::new(ErrorKind::InvalidOption, message)
        };
        let url: Uri = self
            .url
            .parse()
            .map_err(|it: hyper::http::uri::InvalidUri| invalid(&it.to_string()))?;
        if url.host().is_none() {
            return Err(invalid("it has no host"));
        }
        let tls = builder()?;
        let tls = match (url.scheme_str(), &self.ca_file) {
            (Some("https"), Some(path)) => tls.with_root_certificates(authorities(path)?),
            (Some("https"), None) => tls.with_native_roots().map_err(|error| {
                let message = "the system has no root certificates that can be read: set \
                               `Webhook::ca_file`";
                Error::new(ErrorKind::Tls, message).with_source(error)
            })?,
            (Some("http"), None) => tls.with_root_certificates(RootCertStore::empty()),
            (Some("http"), Some(_)) => return Err(invalid("`ca_file` means nothing for http")),
            _ => return Err(invalid("it is neither http:// nor https://")),
        };
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth());
        let connector = tls.https_or_http().enable_http1().build();
        Ok(Poster { url, client: Client::builder(TokioExecutor::new()).build(connector) })
    }
}

impl<T: Into<String>> From<T> for Webhook {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}

/// A URL may hold a secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

type Tls = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Tls, Error> {
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    builder
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Tls, "TLS could not be set up").with_source(error))
}

fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = certificates.map_err(|error| {
        let message = format!("could not read certificates from {} (PEM)", path.display());
        Error::new(ErrorKind::Tls, message).with_source(error)
    })?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let message = format!("{} contains no usable certificate", path.display());
        return Err(Error::new(ErrorKind::Tls, message));
    }
    Ok(roots)
}

/// Who sends notices to a webhook.
pub(super) struct Poster {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Poster {
    pub(super) async fn post(&self, body: Bytes) -> Result<(), Undelivered> {
        let failed = |reason: String, is_retryable| Err(Undelivered { reason, is_retryable });
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("fanfare/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body));
        let request = match request {
            Ok(request) => request,
            Err(error) => return failed(error.to_string(), false),
        };
        match tokio::time::timeout(TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => {
                let status = response.status();
                failed(format!("the webhook answered {status}"), may_pass(status))
            }
            Ok(Err(error)) => {
                let said = with_causes(&error);
                match distrust(&error) {
                    Some(hint) => {
                        failed(format!("the webhook is not trusted: {hint} ({said})"), false)
                    }
                    None => failed(format!("the webhook could not be asked: {said}"), true),
                }
            }
            Err(_) => failed(format!("the webhook did not answer within {TIMEOUT:?}"), true),
        }
    }
}

/// What helps if the server's certificate is what is wrong.
fn distrust(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(wrong) = tls_error(error)? else { return None };
    Some(match wrong {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody who is trusted; name who signed it with \
             `Webhook::ca_file`"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name than the URL's host"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired"
        }
        _ => "its certificate can not be accepted",
    })
}

/// What rustls says, however deep it is. Errors of the system that wrap another do not tell it as
/// their cause.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// Whether the same request may be accepted later.
fn may_pass(status: StatusCode) -> bool {
    let is_momentary =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    is_momentary || !status.is_client_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_before_anything_is_sent() {
        for wrong in ["", "host/path", "ftp://host/", "/path", "http://"] {
            assert!(Webhook::new(wrong).open().is_err(), "{wrong}");
        }
        let plain = Webhook::new("http://user:secret@host/").ca_file("ca.pem");
        assert!(plain.open().is_err_and(|it| it.to_string().contains("`ca_file`")));
        assert!(!format!("{plain:?}").contains("secret"));
        assert!(may_pass(StatusCode::BAD_GATEWAY) && may_pass(StatusCode::TOO_MANY_REQUESTS));
        assert!(!may_pass(StatusCode::NOT_FOUND));
    }
}
