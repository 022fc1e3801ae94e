//! States that this redis-server can not be put into: a relay in front of it changes a few words.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

use fanfare::monitor::Severity;
use fanfare_testkit::RedisServer;

use super::{examine, found, quick, said};
use crate::support::run;

/// Passes on what clients and a server say, with `from` changed to `to` wherever it stands in what
/// is read at once, and returns where it listens. The two are of one length, so that the lengths
/// before them stay true.
fn relay(server: SocketAddr, from: String, to: String) -> io::Result<SocketAddr> {
    assert_eq!(from.len(), to.len(), "{from} and {to}");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        for client in listener.incoming() {
            let (client, server) = (client?, TcpStream::connect(server)?);
            for (input, output) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
                let (from, to) = (from.clone(), to.clone());
                thread::spawn(move || pass_on(input, output, from.as_bytes(), to.as_bytes()));
            }
        }
        Ok(())
    });
    Ok(addr)
}

fn pass_on(mut input: TcpStream, mut output: TcpStream, from: &[u8], to: &[u8]) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = input.read(&mut buffer)?;
        if n == 0 {
            return output.shutdown(Shutdown::Write);
        }
        let read = buffer.get_mut(..n).unwrap_or_default();
        let at = read.windows(from.len()).position(|it| it == from);
        if let Some(found) = at.and_then(|at| read.get_mut(at..at + to.len())) {
            found.copy_from_slice(to);
        }
        output.write_all(read)?;
    }
}

#[test]
fn messages_that_do_not_come_back_are_found() {
    run(async {
        // Some hosts forbid commands, and answer as if there were no such thing.
        let mute = RedisServer::start(&["--rename-command", "PUBLISH", ""]);
        let diagnosis = examine(&mute.url(), quick).await?;
        let finding = found(&diagnosis, "round-trip");
        assert_eq!(finding.severity, Severity::Critical);
        for words in ["the message could not be published", "unknown command"] {
            assert!(finding.evidence.contains(words), "{finding:?}");
        }
        // What is published goes elsewhere than to those who are subscribed.
        let server = RedisServer::start(&[]);
        let publish = |channel: &str| format!("PUBLISH\r\n$50\r\n{channel}");
        let (from, to) = (publish("fanfare:self-test:"), publish("elsewhere:test:..:"));
        let astray = format!("redis://{}", relay(server.addr(), from, to)?);
        let diagnosis = examine(&astray, quick).await?;
        let finding = found(&diagnosis, "round-trip");
        assert!(finding.evidence.ends_with("did not arrive within 2s"), "{finding:?}");
        assert!(finding.evidence.contains("handed it to 0"), "{finding:?}");
        Ok(())
    });
}

#[test]
fn servers_of_old_versions_are_found() {
    let server = RedisServer::start(&[]);
    let info = said(&mut server.client(), &["INFO", "server"]);
    let version = info.lines().find_map(|it| it.strip_prefix("redis_version:")).unwrap();
    run(async {
        let is_old = |finding: &fanfare::doctor::Finding| finding.name == "old-version";
        let now = examine(&server.url(), |it| it).await?;
        assert!(!now.findings.iter().any(is_old), "{now:?}");
        for (old, words) in [("6.0.9", "no XAUTOCLAIM"), ("7.0.4", "CVE-2022-31144")] {
            let line = |version: &str| format!("redis_version:{version}\r\n");
            // Zeros in front do not change a number.
            let same_length = format!("{old:0>width$}", width = version.len());
            let addr = relay(server.addr(), line(version), line(&same_length))?;
            let diagnosis = examine(&format!("redis://{addr}"), |it| it).await?;
            let finding = found(&diagnosis, "old-version");
            assert_eq!(finding.severity, Severity::Info);
            assert!(finding.evidence.contains(words), "{finding:?}");
        }
        Ok(())
    });
}
