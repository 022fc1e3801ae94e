//! `POST` of a notice to a URL.

use std::time::Duration;

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::courier::Undelivered;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A URL to which notices are sent.
pub(super) struct Webhook {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Webhook {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            let message = format!("a webhook needs a URL such as https://host/path: {why}");
            Error::new(ErrorKind::InvalidOption, message)
        };
        let url: Uri =
            url.parse().map_err(|it: hyper::http::uri::InvalidUri| invalid(&it.to_string()))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
            return Err(invalid("it is neither http:// nor https:// and a host"));
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| {
                let message = "the system's root certificates can not be read";
                Error::new(ErrorKind::Tls, message).with_source(error)
            })?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { url, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

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
            Ok(Err(error)) => failed(error.to_string(), true),
            Err(_) => failed("the webhook did not answer in time".to_owned(), true),
        }
    }
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
            assert!(Webhook::new(wrong).is_err(), "{wrong}");
        }
        assert!(may_pass(StatusCode::BAD_GATEWAY) && may_pass(StatusCode::TOO_MANY_REQUESTS));
        assert!(!may_pass(StatusCode::NOT_FOUND));
    }
}
