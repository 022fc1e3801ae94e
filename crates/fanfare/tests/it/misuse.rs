//! Bad input: each gets an error with a kind, a code, and a message that says what to do, and nothing
//! hangs.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use fanfare::{Error, ErrorKind, Fanfare, testing};
use fanfare_testkit::{RedisServer, SentinelGroup, fanfare_binary};

use crate::support::{Target, TestResult, next, on_everything, run};

on_everything!(commands_that_can_not_be, payloads_that_are_too_large, payloads_that_are_not_text; not embedded: tls_where_there_is_none, wrong_logins,);

/// URLs that can not work with any server: what is said about each.
const WRONG_URLS: &[(&str, ErrorKind, &str)] = &[
    ("", ErrorKind::InvalidUrl, "starts with `redis://`"),
    ("localhost", ErrorKind::InvalidUrl, "starts with `redis://`"),
    ("http://localhost", ErrorKind::InvalidUrl, "unknown scheme `http:`"),
    ("redis://h:99999", ErrorKind::InvalidUrl, "not a number between 1 and 65535"),
    ("redis://h:0", ErrorKind::InvalidUrl, "not a number between 1 and 65535"),
    ("redis://::1", ErrorKind::InvalidUrl, "brackets"),
    ("redis://[::1", ErrorKind::InvalidUrl, "closing `]`"),
    ("redis://h/first", ErrorKind::InvalidUrl, "database `first`"),
    ("redis://h h", ErrorKind::InvalidUrl, "white space"),
    ("redis://h?pool=3", ErrorKind::InvalidUrl, "unknown option `pool`"),
    ("redis://h?protocol=4", ErrorKind::InvalidUrl, "neither 2 nor 3"),
    ("redis://h?ca_file=x", ErrorKind::InvalidUrl, "`rediss://`"),
    ("redis://user@h", ErrorKind::InvalidUrl, "user:password@host"),
    ("redis://:a/b@h", ErrorKind::InvalidUrl, "percent-encode"),
    ("redis://:a#b@h", ErrorKind::InvalidUrl, "%23"),
    ("redis://:%zz@h", ErrorKind::InvalidUrl, "%25"),
    ("redis://%ff:pw@h", ErrorKind::InvalidUrl, "UTF-8"),
    ("redis://a,b", ErrorKind::InvalidUrl, "`redis+cluster://`"),
    ("redis+unix://run/socket", ErrorKind::InvalidUrl, "three slashes"),
    ("redis+sentinel://h", ErrorKind::InvalidUrl, "master's name"),
    ("redis+sentinel://h/m?sentinel_username=u", ErrorKind::InvalidUrl, "`sentinel_password`"),
    ("redis://h?sentinel_password=p", ErrorKind::InvalidUrl, "`redis+sentinel://`"),
    ("redis+cluster://h/1", ErrorKind::InvalidUrl, "database 0"),
    ("redis+unix:///nowhere/redis.sock", ErrorKind::Connect, "no such socket"),
];

#[cfg(feature = "tls")]
const WRONG_TLS_URLS: &[(&str, ErrorKind, &str)] = &[
    ("rediss://h?cert_file=x", ErrorKind::InvalidOption, "`key_file`"),
    ("rediss://h?ca_file=/nowhere.pem", ErrorKind::Tls, "/nowhere.pem"),
    ("rediss://h?server_name=a%20b", ErrorKind::Tls, "`server_name`"),
    ("rediss+sentinel://h/m?ca_file=/nowhere.pem", ErrorKind::Tls, "/nowhere.pem"),
    ("rediss+cluster://h?ca_file=/nowhere.pem", ErrorKind::Tls, "/nowhere.pem"),
];

#[cfg(not(feature = "tls"))]
const WRONG_TLS_URLS: &[(&str, ErrorKind, &str)] =
    &[("rediss://h", ErrorKind::Unsupported, "feature `tls`")];

/// The kind, what is said, and that the code is listed with a cure.
fn check(error: &Error, kind: ErrorKind, said: &str) {
    assert_eq!((error.kind(), error.code()), (kind, kind.code()), "{error:?}");
    assert!(error.to_string().contains(said), "`{said}` is not in: {error}");
    let entry = fanfare::catalogue::explain(error.code());
    assert!(entry.is_some_and(|it| !it.cure.is_empty()), "{} has no cure", error.code());
    assert!(!format!("{error} {error:?}").contains("s3cret"), "a password is shown: {error:?}");
}

async fn refused(url: &str) -> Error {
    match Fanfare::connect(url).await {
        Ok(_) => panic!("{url} was accepted"),
        Err(error) => error,
    }
}

#[test]
fn urls_that_can_not_work() {
    run(async {
        for (url, kind, said) in WRONG_URLS.iter().chain(WRONG_TLS_URLS) {
            check(&refused(url).await, *kind, said);
        }
        Ok(())
    });
}

/// Every code is in the list that is printed, and the command line explains it.
#[test]
fn every_code_is_listed_and_explained() {
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/generated/errors.md");
    let list = std::fs::read_to_string(list).expect("the list is there");
    for kind in ErrorKind::ALL {
        let entry = fanfare::catalogue::explain(kind.code()).expect("it is in the catalogue");
        assert!(
            list.contains(entry.code) && list.contains(entry.cure),
            "{} is not listed",
            entry.code
        );
        let output = Command::new(fanfare_binary()).args(["explain", entry.code]).output();
        let output = output.expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(entry.cure), "{}: {text}", entry.code);
    }
}

/// What docs/failures.md names is there to be run.
#[test]
fn every_test_of_the_failure_tables_exists() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failures.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).arg("--list").output().expect("it runs");
    let list = String::from_utf8_lossy(&output.stdout);
    let tests: Vec<&str> = list.lines().filter_map(|it| it.strip_suffix(": test")).collect();
    let named: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|it| it.contains("::")).collect();
    assert!(60 < named.len(), "the tables name {} tests", named.len());
    for name in named {
        assert!(tests.contains(&name) || is_of_a_feature(name), "there is no test `{name}`");
    }
    let faults = page.split("\n## ").find(|it| it.starts_with("What sketches"));
    let rows = faults.expect("the section is there").lines().filter(|it| it.starts_with('|'));
    // The first two are the head.
    for row in rows.skip(2) {
        let named = row.split('`').filter_map(|it| it.strip_suffix("::redis_server"));
        let named: Vec<&str> = named.collect();
        assert!(!named.is_empty(), "no test shows this: {row}");
        for test in named {
            let (module, name) = test.rsplit_once("::").expect("a test is in a module");
            for twin in [
                format!("{test}::fanfare"),
                format!("{module}::sentinel::{name}"),
                format!("{module}::cluster::{name}"),
            ] {
                assert!(
                    tests.contains(&&*twin),
                    "`{test}` does not run on every topology: no `{twin}`"
                );
            }
            if cfg!(feature = "embedded") {
                let twin = format!("{module}::embedded::{name}");
                assert_ne!(
                    tests.contains(&&*twin),
                    row.contains("not embedded: "),
                    "there is a test `{twin}`, or its row says why there is none, and not both"
                );
            }
        }
    }
}

/// Some tests are there with some features only.
fn is_of_a_feature(name: &str) -> bool {
    !cfg!(feature = "tls") && name.starts_with("tls")
}

/// The URL with something between the scheme and the hosts.
fn with_login(url: &str, login: &str) -> String {
    url.replacen("://", &format!("://{login}@"), 1)
}

async fn wrong_logins(server: Target) -> TestResult {
    let error = refused(&with_login(&server.url(), "nobody:s3cret")).await;
    check(&error, ErrorKind::Auth, "refused the login of `nobody`");
    assert!(!error.is_retryable());
    Ok(())
}

async fn commands_that_can_not_be(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let failed = async |command: &[&str]| match fanfare.command(command).await {
        Ok(answer) => panic!("{command:?} was answered: {answer:?}"),
        Err(error) => error,
    };
    for command in [&["NOSUCHCOMMAND", "key"][..], &["GET"], &["SET", "key", "x", "EX", "soon"]] {
        let error = failed(command).await;
        check(&error, ErrorKind::Server, "");
        assert_eq!(error.server_code(), Some("ERR"), "{error}");
    }
    fanfare.command(["SET", "key", "x"]).await?;
    let error = failed(&["LPUSH", "key", "x"]).await;
    check(&error, ErrorKind::Server, "WRONGTYPE");
    assert!(!error.is_retryable() && !error.may_have_been_delivered());
    for command in [
        &["SUBSCRIBE", "c"][..],
        &["SSUBSCRIBE", "c"],
        &["MULTI"],
        &["SELECT", "1"],
        &["BLPOP", "list", "0"],
        &["XREAD", "BLOCK", "0", "STREAMS", "s", "$"],
        &["HELLO", "2"],
        &["QUIT"],
        &["MONITOR"],
    ] {
        check(&failed(command).await, ErrorKind::InvalidRequest, "");
    }
    check(&failed(&[]).await, ErrorKind::InvalidRequest, "");
    fanfare.ping().await?;
    Ok(())
}

async fn payloads_that_are_too_large(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|options| options.in_flight_max(1_000, 1 << 20))
        .connect()
        .await?;
    let large = vec![b'x'; 2 << 20];
    let error = fanfare.publish("c", &large[..]).await.err().ok_or("it was sent")?;
    check(&error, ErrorKind::TooLarge, "in_flight_max");
    assert!(!error.may_have_been_delivered());
    fanfare.ping().await?;

    // One that the server does not take: it says so and closes the connection.
    assert_eq!(server.say(&["CONFIG", "SET", "proto-max-bulk-len", "1048576"]), "+OK\r\n");
    let fanfare = server.connect().await?;
    let error = fanfare.command(["SET", "a", &"x".repeat(2 << 20)]).await.err();
    let error = error.ok_or("it was taken")?;
    let kinds = [ErrorKind::Server, ErrorKind::Protocol, ErrorKind::Disconnected];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    // It may still seem to be connected: what is sent before the end is seen, is lost.
    testing::eventually("it is back", async || fanfare.ping().await.is_ok()).await;
    Ok(())
}

async fn payloads_that_are_not_text(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let channel = b"\xfe\xffchannel";
    let mut subscription = fanfare.subscribe([&channel[..]]).await?;
    for payload in [&b"\xff\xfe"[..], b"{\"open\":", b""] {
        fanfare.publish(channel, payload).await?;
        let message = next(&mut subscription).await?;
        assert_eq!((&message.channel[..], &message.payload[..]), (&channel[..], payload));
        let error = message.json::<u32>().err().ok_or("it was JSON")?;
        check(&error, ErrorKind::Decode, "");
    }
    fanfare.publish(channel, b"\xff\xfe").await?;
    let message = next(&mut subscription).await?;
    check(&message.text().err().ok_or("it was text")?, ErrorKind::Decode, "UTF-8");
    fanfare.publish_json(channel, &7).await?;
    assert_eq!(next(&mut subscription).await?.json::<u32>()?, 7);
    Ok(())
}

async fn tls_where_there_is_none(server: Target) -> TestResult {
    let url = server.url().replacen("redis", "rediss", 1);
    let any = format!("{url}?dangerous_accept_any_certificate=true");
    let error = refused(&any).await;
    if cfg!(feature = "tls") {
        check(&error, ErrorKind::Tls, "write `redis://`");
    } else {
        check(&error, ErrorKind::Unsupported, "`tls`");
    }
    Ok(())
}

#[test]
fn servers_of_another_kind() {
    let server = RedisServer::start(&[]);
    let group = SentinelGroup::start();
    run(async {
        let addr = server.addr();
        let error = refused(&format!("redis+sentinel://{addr}/mymaster")).await;
        check(&error, ErrorKind::Server, "");
        let error = refused(&format!("redis+cluster://{addr}")).await;
        check(&error, ErrorKind::InvalidRequest, "write `redis://`");
        let error = refused(&group.url().replace("mymaster", "othermaster")).await;
        check(&error, ErrorKind::Connect, "knows no master `othermaster`");
        Ok(())
    });
}

/// What a server does that is none.
#[derive(Clone, Copy, Debug)]
enum Impostor {
    /// Says this to everybody, and hangs up.
    Says(&'static [u8]),
    /// Says this again and again.
    Repeats(&'static [u8]),
    /// Takes what comes and says nothing.
    Listens,
    /// Nobody is there.
    Absent,
}

impl Impostor {
    fn start(self) -> Result<SocketAddr, std::io::Error> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        if matches!(self, Self::Absent) {
            return Ok(addr);
        }
        let listener = Arc::new(listener);
        thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                // The client may be gone at any time.
                thread::spawn(move || match self {
                    Self::Says(text) => client.write_all(text),
                    Self::Repeats(text) => {
                        while client.write_all(text).is_ok() {}
                        Ok(())
                    }
                    Self::Listens => client.read_to_end(&mut Vec::new()).map(|_| ()),
                    Self::Absent => Ok(()),
                });
            }
        });
        Ok(addr)
    }
}

#[test]
fn servers_that_are_none() {
    const SCHEMES: [(&str, &str); 3] =
        [("redis", ""), ("redis+sentinel", "/mymaster"), ("redis+cluster", "")];
    let impostors = [
        (Impostor::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ErrorKind::Protocol, "RESP"),
        (Impostor::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), ErrorKind::Protocol, "RESP"),
        (Impostor::Says(b"\x15\x03\x01\0\x02\x02\x16"), ErrorKind::Protocol, "`rediss://`"),
        (Impostor::Says(b"*99999999999\r\n"), ErrorKind::Protocol, "RESP"),
        (Impostor::Says(b"$-7\r\n"), ErrorKind::Protocol, "RESP"),
        (Impostor::Says(b""), ErrorKind::Connect, "closed the connection"),
        (Impostor::Repeats(b"\0"), ErrorKind::Protocol, "RESP"),
        (Impostor::Repeats(b"*1\r\n"), ErrorKind::Protocol, "RESP"),
        (Impostor::Repeats(b"+x"), ErrorKind::Protocol, "RESP"),
        (Impostor::Listens, ErrorKind::Connect, "answer"),
        (Impostor::Absent, ErrorKind::Connect, "nothing listens there"),
    ];
    run(async {
        for (impostor, kind, said) in impostors {
            for (scheme, path) in SCHEMES {
                let url = format!("{scheme}://{}{path}", impostor.start()?);
                // Only one of them never says anything: the others have time, however busy the machine.
                let n_seconds = if matches!(impostor, Impostor::Listens) { 1 } else { 60 };
                let options =
                    |it: fanfare::Options| it.connect_timeout(Duration::from_secs(n_seconds));
                let error = Fanfare::builder(&url).options(options).connect().await.err();
                let error = error.ok_or_else(|| format!("{impostor:?} was believed: {url}"))?;
                check(&error, kind, said);
            }
        }
        Ok(())
    });
}
