//! One connection for many callers.

use std::time::Duration;

use fanfare::{ErrorKind, Fanfare};

use crate::support::{Target, TestResult, on_every_broker};

on_every_broker!(
    many_callers_share_a_pipeline,
    server_errors_keep_their_words,
    what_would_disturb_others_is_refused,
    in_flight_is_bounded,
    both_protocols_are_spoken,
);

async fn many_callers_share_a_pipeline(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let fanfare = fanfare.clone();
            tokio::spawn(async move {
                for n in 0..200 {
                    let word = format!("{task}:{n}");
                    let echo = fanfare.command(["ECHO", &word]).await?;
                    assert_eq!(echo.as_str(), Some(word.as_str()));
                }
                Ok::<_, fanfare::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(fanfare.stats().in_flight_bytes, 0);
    assert!(fanfare.ping().await? < Duration::from_secs(60));
    Ok(())
}

async fn server_errors_keep_their_words(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let error = fanfare.command(["PUBLISH", "x"]).await.err().ok_or("PUBLISH needs a message")?;
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.server_code(), Some("ERR"));
    assert_eq!(error.message(), "ERR wrong number of arguments for 'publish' command");
    assert!(!error.is_retryable());
    Ok(())
}

async fn what_would_disturb_others_is_refused(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    for command in [&["SUBSCRIBE", "c"][..], &["MULTI"], &["SELECT", "1"], &["BLPOP", "k", "0"]] {
        let error = fanfare.command(command).await.err().ok_or("it was allowed")?;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    Ok(())
}

async fn in_flight_is_bounded(server: Target) -> TestResult {
    let fanfare = Fanfare::builder(&server.url())
        .options(|it| it.in_flight_max(10, 10_000).request_timeout(Duration::from_secs(1)))
        .connect()
        .await?;
    server.freeze().await?;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let fanfare = fanfare.clone();
            tokio::spawn(async move { fanfare.ping().await })
        })
        .collect();
    let mut kinds = Vec::new();
    for call in calls {
        kinds.extend(call.await?.err().map(|error| error.kind()));
    }
    server.sigcont();
    let n_of = |kind| kinds.iter().filter(|it| **it == kind).count();
    // When the first ten time out, their places may just be given to the others.
    assert_eq!(n_of(ErrorKind::Timeout) + n_of(ErrorKind::Overloaded), 20, "{kinds:?}");
    assert!(10 <= n_of(ErrorKind::Timeout), "{kinds:?}");
    let large = fanfare.publish("c", vec![b'x'; 10_001]).await.err().ok_or("it was allowed")?;
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    assert!(large.to_string().contains("10000"), "{large}");
    fanfare.ping().await?;
    Ok(())
}

async fn both_protocols_are_spoken(server: Target) -> TestResult {
    for protocol in ["2", "3"] {
        let url = format!("{}?protocol={protocol}&client_name=me", server.url());
        let fanfare = Fanfare::connect(&url).await?;
        let mut subscription =
            fanfare.subscriber().channels(["a"]).patterns(["b*"]).sharded(["s"]).connect().await?;
        let info = fanfare.command(["CLIENT", "INFO"]).await?;
        let info = info.as_str().unwrap_or_default();
        assert!(info.contains("name=me"), "{info}");
        assert!(info.contains(&format!("resp={protocol}")), "{info}");
        fanfare.publish("a", "1").await?;
        fanfare.publish("b1", "2").await?;
        fanfare.spublish("s", "3").await?;
        for expected in ["1", "2", "3"] {
            assert_eq!(crate::support::next(&mut subscription).await?.payload, expected);
        }
    }
    Ok(())
}
