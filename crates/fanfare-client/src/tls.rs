//! TLS by rustls: whom to trust, what to present.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, UnixTime,
    pem::{self, PemObject},
};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Error, ErrorKind, tls_options::TlsOptions};

/// A checked TLS configuration.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    /// The name that every server has to prove, in place of the host's.
    server_name: Option<String>,
}

impl Tls {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, Error> {
        options.check()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| tls("TLS could not be set up").with_source(source))?;
        let builder = if options.accept_any_certificate {
            tracing::warn!("TLS accepts any certificate: the connection is not protected");
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
        } else {
            builder.with_root_certificates(roots(options.ca_file.as_deref())?)
        };
        let config = match (&options.cert_file, &options.key_file) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|source| {
                    tls("the client certificate and its key do not fit").with_source(source)
                })?,
            _ => builder.with_no_client_auth(),
        };
        let server_name = options.server_name.clone();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
    }

    /// The name that the server at `host` has to prove.
    pub(crate) fn server_name(&self, host: &str) -> Result<ServerName<'static>, Error> {
        let name = self.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned()).map_err(|source| {
            tls(format!("`{name}` can not be a certificate's name; set `server_name`"))
                .with_source(source)
        })
    }

    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let server_name = self.server_name(host)?;
        let connecting = self.connector.connect(server_name.clone(), stream);
        let result = match tokio::time::timeout_at(deadline, connecting).await {
            Ok(result) => result,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        result.map_err(|source| {
            let hint = hint(&source);
            tls(format!("no TLS session with `{}`: {hint}", server_name.to_str()))
                .with_source(source)
        })
    }
}

/// What is wrong and what helps, as far as rustls or the server's alert tells.
pub(crate) fn hint(source: &std::io::Error) -> &'static str {
    use rustls::{AlertDescription, CertificateError, Error as TlsError};
    match source.get_ref().and_then(|it| it.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is signed by nobody who is trusted; name who signed it with `ca_file`"
        }
        Some(TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "its certificate is for another name; say which with `server_name`",
        Some(TlsError::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired",
        Some(TlsError::InvalidCertificate(_)) => "its certificate can not be accepted",
        Some(TlsError::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        )) => "it asks for a client certificate; name one with `cert_file` and `key_file`",
        Some(TlsError::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::AccessDenied,
        )) => {
            "it does not accept the client certificate; name another with `cert_file` and `key_file`"
        }
        Some(TlsError::InvalidMessage(_)) => "the port does not speak TLS: write `redis://`",
        _ => {
            "does the port speak TLS (if not, write `redis://`), and does it ask for a client \
             certificate (`cert_file` and `key_file`)?"
        }
    }
}

fn tls(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Tls, message)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let found = match ca_file {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(tls(match ca_file {
            Some(path) => format!("{} contains no usable certificate", path.display()),
            None => "the system has no root certificates: set `ca_file`".to_owned(),
        }));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| unreadable(path, "certificates", source))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| unreadable(path, "a private key", source))
}

fn unreadable(path: &Path, what: &str, source: pem::Error) -> Error {
    tls(format!("could not read {what} from {} (PEM)", path.display())).with_source(source)
}

/// Checks that the peer holds its certificate's key, and nothing about whose certificate it is.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
