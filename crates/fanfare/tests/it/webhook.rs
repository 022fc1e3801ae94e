//! Alerts to a webhook by `https`: to whom they are given, and what is told where they are not.

use std::{
    error::Error,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use fanfare::{
    ErrorKind, Fanfare,
    monitor::{Metric, Notice, Rule, RunningMonitor, Severity, Webhook},
};
use fanfare_testkit::RedisServer;
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{
    support::{run, until},
    tls::certificates,
};

/// A web server with this certificate that takes whatever it is given, and the requests that it got.
struct WebServer {
    addr: SocketAddr,
    requests: mpsc::Receiver<String>,
}

impl WebServer {
    fn start(dir: &Path, name: &str) -> Result<Self, Box<dyn Error>> {
        let certificate = CertificateDer::from_pem_file(dir.join(name).with_extension("pem"))?;
        let key = PrivateKeyDer::from_pem_file(dir.join(name).with_extension("key"))?;
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for socket in listener.incoming() {
                // A client that does not trust it hangs up.
                if let Ok(request) = socket.and_then(|it| answer(it, config.clone())) {
                    let _ = sender.send(request);
                }
            }
        });
        Ok(Self { addr, requests })
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/alerts?token=secret", self.addr.port())
    }
}

/// Reads a request up to the end of its JSON, and answers it.
fn answer(mut socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<String> {
    let mut session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = Stream::new(&mut session, &mut socket);
    let (mut request, mut buffer) = (String::new(), [0; 4096]);
    while !request.ends_with('}') {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.push_str(&String::from_utf8_lossy(buffer.get(..n).unwrap_or_default()));
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(request)
}

/// A monitor with an alert for the webhook.
async fn raise(fanfare: &Fanfare, webhook: Webhook) -> Result<RunningMonitor, fanfare::Error> {
    fanfare.stream("work").add([("a", "b")]).await?;
    let rule = Rule::new(Metric::Length, Severity::Warning, 0.0);
    let monitor = fanfare.broker_monitor().every(Duration::from_millis(50)).streams(["work"]);
    monitor.rules([rule]).alerts_to_webhook(webhook).start()
}

#[test]
fn an_alert_goes_to_a_webhook_that_is_trusted() {
    let server = RedisServer::start(&[]);
    run(async {
        let dir = certificates()?;
        let web = WebServer::start(dir.path(), "server")?;
        let fanfare = Fanfare::connect(&server.url()).await?;
        let webhook = Webhook::new(web.url("localhost")).ca_file(dir.path().join("ca.pem"));
        let monitor = raise(&fanfare, webhook).await?;
        let mut request = None;
        until("it is asked", || {
            request = web.requests.try_recv().ok();
            request.is_some()
        })
        .await?;
        let request = request.ok_or("no request")?;
        assert!(request.starts_with("POST /alerts?token=secret HTTP/1.1\r\n"), "{request}");
        let notice: Notice = serde_json::from_str(request.rsplit("\r\n").next().ok_or("no body")?)?;
        assert_eq!(notice.alert().map(|it| &*it.id), Some("length/warning/work"));
        let seen = monitor.snapshot().ok_or("it has looked")?;
        assert_eq!((seen.alerts_lost, &seen.alerts_lost_reason), (0, &None));
        Ok(())
    });
}

#[test]
fn a_webhook_that_is_not_trusted_is_told_and_counted() {
    let server = RedisServer::start(&[]);
    run(async {
        let dir = certificates()?;
        let file = |name: &str| dir.path().join(name);
        let trusted = WebServer::start(dir.path(), "server")?;
        let expired = WebServer::start(dir.path(), "expired")?;
        let fanfare = Fanfare::connect(&server.url()).await?;
        for (url, ca_file, words) in [
            (
                trusted.url("localhost"),
                "other-ca.pem",
                "name who signed it with `Webhook::ca_file`",
            ),
            (trusted.url("127.0.0.1"), "ca.pem", "for another name than the URL's host"),
            (expired.url("localhost"), "ca.pem", "its certificate has expired"),
        ] {
            let mut monitor = raise(&fanfare, Webhook::new(url).ca_file(file(ca_file))).await?;
            // At once, and not after several attempts.
            let lost = tokio::time::timeout(Duration::from_secs(30), async {
                loop {
                    let seen = monitor.next().await.ok_or("it has ended")?;
                    if seen.alerts_lost != 0 {
                        return Ok::<_, Box<dyn Error>>(seen);
                    }
                }
            });
            let lost = lost.await??;
            let reason = lost.alerts_lost_reason.as_deref().ok_or("no reason")?;
            assert_eq!(lost.alerts_lost, 1);
            assert!(reason.contains(words), "{reason}");
            assert!(reason.contains("invalid peer certificate"), "{reason}");
            assert!(!reason.contains("secret"), "{reason}");
            assert!(lost.prometheus().contains("fanfare_broker_alerts_lost 1"));
        }
        assert!(trusted.requests.try_recv().is_err() && expired.requests.try_recv().is_err());

        // Whom nobody has heard of is trusted by no system.
        let by_system = raise(&fanfare, trusted.url("localhost").into()).await;
        if let Ok(mut monitor) = by_system {
            while monitor.next().await.ok_or("it has ended")?.alerts_lost == 0 {}
        }
        for (name, words) in [("nowhere.pem", "nowhere.pem"), ("server.key", "no usable")] {
            let webhook = Webhook::new("https://localhost/").ca_file(file(name));
            let error = raise(&fanfare, webhook).await.err().ok_or("it was started")?;
            assert_eq!(error.kind(), ErrorKind::Tls);
            assert!(error.to_string().contains(words), "{error}");
        }
        Ok(())
    });
}
