//! What keeps a doctor out of a broker: it is not there, not ready, or does not let us in.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use fanfare::monitor::Severity;
use fanfare_testkit::RedisServer;

use super::{examine, found, names, quick, said};
use crate::support::{run, until};

#[test]
fn what_keeps_us_out_is_a_finding() {
    let free = RedisServer::start(&[]);
    let gone = free.url();
    drop(free);
    let locked = RedisServer::start(&["--requirepass", "pw"]);
    let frozen = RedisServer::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let web = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 1024]);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    run(async {
        let wrong = format!("redis://:wrong@{}", locked.addr());
        frozen.sigstop();
        for (url, name, words) in [
            (&*gone, "unreachable", "refused"),
            (&locked.url(), "authentication", "NOAUTH"),
            (&wrong, "authentication", "WRONGPASS"),
            (&frozen.url(), "no-answer", ""),
            (&web, "not-redis", ""),
        ] {
            let diagnosis = examine(url, quick).await?;
            let finding = found(&diagnosis, name);
            assert!(finding.evidence.contains(words), "{finding:?}");
            assert_eq!((diagnosis.findings.len(), finding.severity), (1, Severity::Critical));
            assert!(!finding.at.contains("wrong"), "{finding:?}");
        }
        frozen.sigcont();
        assert!(examine("redis://h:99999", quick).await.is_err());
        Ok(())
    });
}

#[test]
fn a_script_that_does_not_end_is_found() {
    let server = RedisServer::start(&["--busy-reply-threshold", "50"]);
    let mut busy = server.client();
    let endless = std::thread::spawn(move || busy.call(&["EVAL", "while true do end", "0"]));
    run(async {
        let mut probe = server.client();
        until("it is busy", || said(&mut probe, &["PING"]).starts_with("-BUSY")).await?;
        let diagnosis = examine(&server.url(), |it| it.deadline(Duration::from_secs(3))).await?;
        assert_eq!(names(&diagnosis), ["not-ready"], "{diagnosis:?}");
        said(&mut probe, &["SCRIPT", "KILL"]);
        Ok(())
    });
    endless.join().unwrap();
}

/// The server says why it does not serve a client, and closes before that has sent a word.
#[test]
fn a_server_that_refuses_to_serve_is_found() {
    run(async {
        let full = RedisServer::start(&["--maxclients", "2"]);
        let mut clients = [full.client(), full.client()];
        assert!(clients.iter_mut().all(|it| said(it, &["PING"]) == "+PONG\r\n"));
        let mut refused = vec![(full.url(), "max number of clients reached")];
        // In protected mode the server refuses whoever comes from another address than a loopback
        // one. A machine without a network has none.
        let protected = RedisServer::start(&["--bind", "0.0.0.0", "--protected-mode", "yes"]);
        if let Some(ip) = own_address() {
            let url = format!("redis://{}", SocketAddr::new(ip, protected.port()));
            refused.push((url, "DENIED Redis is running in protected mode"));
        }
        for (url, words) in &refused {
            let diagnosis = examine(url, quick).await?;
            let finding = found(&diagnosis, "refused");
            assert!(finding.evidence.contains(words), "{finding:?}");
            assert_eq!((diagnosis.findings.len(), finding.severity), (1, Severity::Critical));
        }
        drop(clients);
        Ok(())
    });
}

/// The address from which this machine would speak to others. No packet is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|it| !it.is_loopback() && !it.is_unspecified())
}

#[cfg(feature = "tls")]
#[test]
fn certificates_that_can_not_be_trusted_are_found() {
    run(async {
        let dir = crate::tls::certificates()?;
        let (server, port) = crate::tls::start(dir.path(), "no")?;
        let file = |name: &str| dir.path().join(name).display().to_string();
        let (ca, other_ca) = (file("ca.pem"), file("other-ca.pem"));
        let trusted = format!("rediss://localhost:{port}?ca_file={ca}");
        let well = examine(&trusted, quick).await?;
        assert!(!names(&well).contains(&"tls"), "{well:?}");

        let check = async |url: &str, name: &str, words: &str| {
            let diagnosis = examine(url, quick).await?;
            let finding = found(&diagnosis, name);
            assert!(finding.evidence.contains(words), "{finding:?}");
            assert_eq!((diagnosis.findings.len(), finding.severity), (1, Severity::Critical));
            Ok::<_, fanfare::Error>(())
        };
        let foreign = format!("rediss://localhost:{port}?ca_file={other_ca}");
        check(&foreign, "tls", "signed by nobody who is trusted").await?;
        let other_name = format!("rediss://127.0.0.1:{port}?ca_file={ca}");
        check(&other_name, "tls", "is for another name").await?;
        let without_tls = format!("rediss://localhost:{}?ca_file={ca}", server.port());
        check(&without_tls, "tls", "does the port speak TLS (if not, write `redis://`)").await?;
        check(&format!("redis://localhost:{port}"), "not-redis", "`rediss://`").await?;

        let (cert, key) = (file("expired.pem"), file("expired.key"));
        let set = ["CONFIG", "SET", "tls-cert-file", &cert, "tls-key-file", &key];
        assert_eq!(said(&mut server.client(), &set), "+OK\r\n");
        check(&trusted, "tls", "its certificate has expired").await?;
        Ok(())
    });
}
