//! `rediss://`: whom to trust, whom to be, and what people are told when it does not work.

use std::{
    error::Error, fs, io::Read, net::TcpListener, path::Path, sync::Arc, thread, time::Duration,
};

use fanfare::{ErrorKind, Fanfare};
use fanfare_testkit::{RedisServer, TempDir};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use socket2::SockRef;

use crate::support::{next, run};

/// A folder with `ca.pem`, and `server.pem`, `node.pem` and `client.pem` signed by it, with their
/// keys. The server's certificate is for `localhost`, the node's for 127.0.0.1; `expired.pem` was
/// for `localhost`. Beside them is `other-ca.pem`, and `stranger.pem`, a client signed by that.
pub(crate) fn certificates() -> Result<TempDir, Box<dyn Error>> {
    let dir = TempDir::new()?;
    let names = [
        ("server", "localhost"),
        ("node", "127.0.0.1"),
        ("client", "client"),
        ("expired", "localhost"),
    ];
    sign(dir.path(), "ca", &names)?;
    sign(dir.path(), "other-ca", &[("stranger", "stranger")])?;
    Ok(dir)
}

/// An authority, and certificates signed by it: the names of the files, and for whom they are.
fn sign(dir: &Path, authority: &str, names: &[(&str, &str)]) -> Result<(), Box<dyn Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    // A name of its own: what has its issuer's name looks self-signed.
    params.distinguished_name.push(DnType::CommonName, authority);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    fs::write(dir.join(authority).with_extension("pem"), ca.pem())?;
    for &(who, name) in names {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        if who == "expired" {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let certificate = params.signed_by(&key, &ca)?;
        fs::write(dir.join(who).with_extension("pem"), certificate.pem())?;
        fs::write(dir.join(who).with_extension("key"), key.serialize_pem())?;
    }
    Ok(())
}

/// A server that speaks TLS on the returned port, and asks clients for a certificate or not.
pub(crate) fn start(dir: &Path, auth_clients: &str) -> Result<(RedisServer, u16), Box<dyn Error>> {
    let file = |name: &str| dir.join(name).display().to_string();
    let server = RedisServer::start(&[
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
        "--tls-auth-clients",
        auth_clients,
    ]);
    let mut answer = Vec::new();
    // Somebody else may take the port between the look and the server's bind.
    for _ in 0..10 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        answer = server.client().call(&["CONFIG", "SET", "tls-port", &port.to_string()]);
        if answer == b"+OK\r\n" {
            return Ok((server, port));
        }
    }
    Err(format!("no port for TLS: {}", String::from_utf8_lossy(&answer)).into())
}

pub(crate) async fn refused(url: &str) -> Result<fanfare::Error, Box<dyn Error>> {
    Ok(Fanfare::connect(url).await.err().ok_or_else(|| format!("{url} was accepted"))?)
}

#[test]
fn a_server_that_is_trusted_and_one_that_is_not() {
    run(async {
        let dir = certificates()?;
        let (server, port) = start(dir.path(), "no")?;
        let ca = format!("ca_file={}", dir.path().join("ca.pem").display());
        let fanfare = Fanfare::connect(&format!("rediss://localhost:{port}?{ca}")).await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let large: Vec<u8> = (0..=255).cycle().take(8 << 20).collect();
        for payload in [&b"small"[..], &large] {
            assert_eq!(fanfare.publish("c", payload).await?, 1);
            assert!(next(&mut subscription).await?.payload == payload);
        }

        let stranger = refused(&format!("rediss://localhost:{port}")).await?;
        assert_eq!(stranger.kind(), ErrorKind::Tls, "{stranger:?}");
        let other_name = refused(&format!("rediss://127.0.0.1:{port}?{ca}")).await?;
        assert_eq!(other_name.kind(), ErrorKind::Tls, "{other_name:?}");
        let named = format!("rediss://127.0.0.1:{port}?{ca}&server_name=localhost");
        Fanfare::connect(&named).await?.ping().await?;
        let any = format!("rediss://127.0.0.1:{port}?dangerous_accept_any_certificate=true");
        Fanfare::connect(&any).await?.ping().await?;

        let plain = refused(&format!("redis://localhost:{port}")).await?;
        assert!(plain.to_string().contains("rediss://"), "{plain:?}");
        let not_tls = refused(&format!("rediss://localhost:{}?{ca}", server.port())).await?;
        assert_eq!(not_tls.kind(), ErrorKind::Tls, "{not_tls:?}");
        let no_file = refused("rediss://h?ca_file=/nowhere/ca.pem").await?;
        assert!(no_file.to_string().contains("/nowhere/ca.pem"), "{no_file:?}");
        Ok(())
    });
}

#[test]
fn a_client_that_has_to_prove_itself() {
    run(async {
        let dir = certificates()?;
        let (_server, port) = start(dir.path(), "yes")?;
        let file = |name: &str| dir.path().join(name).display().to_string();
        let base = format!("rediss://localhost:{port}?ca_file={}", file("ca.pem"));
        let nobody = refused(&base).await?;
        assert_eq!(nobody.kind(), ErrorKind::Tls, "{nobody:?}");
        let (cert, key) = (file("client.pem"), file("client.key"));
        let fanfare = Fanfare::connect(&format!("{base}&cert_file={cert}&key_file={key}")).await?;
        fanfare.ping().await?;
        let wrong_key = file("server.key");
        let unfit = refused(&format!("{base}&cert_file={cert}&key_file={wrong_key}")).await?;
        assert_eq!(unfit.kind(), ErrorKind::Tls, "{unfit:?}");
        Ok(())
    });
}

/// Shakes hands with a client and turns it away: before or after its first command, by an ordinary
/// end or by a reset.
fn turn_away(
    listener: &TcpListener,
    config: Arc<ServerConfig>,
    listens_first: bool,
    resets: bool,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut socket, _) = listener.accept()?;
    if resets {
        SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    }
    let mut session = ServerConnection::new(config)?;
    while session.is_handshaking() {
        session.complete_io(&mut socket)?;
    }
    if listens_first {
        Stream::new(&mut session, &mut socket).read_exact(&mut [0])?;
    }
    Ok(())
}

#[test]
fn a_server_that_turns_a_client_away_without_a_word() {
    run(async {
        let dir = certificates()?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(dir.path().join("server.pem"))?],
                PrivateKeyDer::from_pem_file(dir.path().join("server.key"))?,
            )?;
        let config = Arc::new(config);
        let ca = dir.path().join("ca.pem");
        for (listens_first, resets) in [(false, false), (false, true), (true, false), (true, true)]
        {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let port = listener.local_addr()?.port();
            let config = Arc::clone(&config);
            let server = thread::spawn(move || turn_away(&listener, config, listens_first, resets));
            let url = format!("rediss://localhost:{port}?ca_file={}", ca.display());
            let error = refused(&url).await?;
            assert_eq!(error.kind(), ErrorKind::Tls, "{listens_first} {resets} {error:?}");
            server.join().map_err(|_| "the server panicked")?.map_err(|error| error.to_string())?;
        }
        Ok(())
    });
}
