//! Unix sockets, passwords, TLS, and what people are told when it does not work.

use fanfare::{Address, ErrorKind, Fanfare};
use fanfare_testkit::RedisServer;

use crate::support::{Target, TestResult, next, on_every_broker, run};

on_every_broker!(a_database_is_for_commands_only);

async fn a_database_is_for_commands_only(server: Target) -> TestResult {
    let two = Fanfare::connect(&format!("{}/2", server.url())).await?;
    two.command(["SET", "key", "in two"]).await?;
    let zero = server.connect().await?;
    assert!(zero.command(["GET", "key"]).await?.is_null());
    let refused = [
        two.subscribe(["c"]).await.err(),
        two.psubscribe(["c*"]).await.err(),
        two.ssubscribe(["c"]).await.err(),
        two.publish("c", "x").await.err(),
        two.spublish("c", "x").await.err(),
        two.publish_batch([("c", "x")]).await.into_iter().find_map(Result::err),
    ];
    for error in refused {
        let error = error.ok_or("a channel was used")?;
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidOption, "FF-1002"));
        assert!(error.to_string().contains("database 2"), "{error}");
        assert!(error.to_string().contains("namespace"), "{error}");
    }
    let error = Fanfare::connect(&format!("{}/99", server.url())).await.err();
    assert!(error.is_some_and(|error| error.to_string().contains("database 99")));
    Ok(())
}

#[test]
fn a_unix_socket() {
    let server = RedisServer::start(&["--unixsocket", "redis.sock"]);
    run(async {
        let path = server.dir().join("redis.sock");
        let one = Fanfare::connect(&format!("redis+unix://{}?db=1", path.display())).await?;
        one.command(["SET", "key", "in one"]).await?;
        let fanfare = Fanfare::connect(&format!("redis+unix://{}", path.display())).await?;
        assert!(fanfare.command(["GET", "key"]).await?.is_null());
        let mut subscription = fanfare.subscribe(["c"]).await?;
        fanfare.publish("c", "x").await?;
        assert_eq!(next(&mut subscription).await?.payload, "x");
        let missing = Fanfare::connect("redis+unix:///nowhere/redis.sock").await.err();
        let missing = missing.ok_or("it connected to nothing")?;
        assert_eq!(missing.kind(), ErrorKind::Connect);
        assert!(missing.to_string().contains("no such socket"), "{missing}");
        Ok(())
    });
}

#[test]
fn a_password() {
    let server = RedisServer::start(&["--requirepass", "p@ss/word"]);
    run(async {
        let with =
            |userinfo: &str| server.url().replace("redis://", &format!("redis://{userinfo}@"));
        for protocol in ["", "?protocol=2"] {
            let url = format!("{}{protocol}", with(":p%40ss%2Fword"));
            Fanfare::connect(&url).await?.ping().await?;
            let url = format!("{}{protocol}", with("default:p%40ss%2Fword"));
            let fanfare = Fanfare::connect(&url).await?;
            assert!(!format!("{fanfare:?}").contains("ss"), "{fanfare:?}");
        }
        let wrong = Fanfare::connect(&with(":letmein")).await.err().ok_or("let in")?;
        assert_eq!((wrong.kind(), wrong.code()), (ErrorKind::Auth, "FF-1103"));
        assert!(!format!("{wrong} {wrong:?}").contains("letmein"));
        let missing = Fanfare::connect(&server.url()).await.err().ok_or("let in")?;
        assert!(missing.to_string().contains("asks for a password"), "{missing}");
        Ok(())
    });
}

#[test]
fn an_address_can_be_set_apart_from_the_url() {
    let server = RedisServer::start(&[]);
    run(async {
        let address = Address::Tcp { host: "localhost".into(), port: server.port() };
        let fanfare = Fanfare::builder("redis://elsewhere")
            .options(|options| options.address(address))
            .connect()
            .await?;
        fanfare.ping().await?;
        Ok(())
    });
}
