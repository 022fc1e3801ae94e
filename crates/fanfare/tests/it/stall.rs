//! Programs that block the thread their link runs on: what the server sent in time counts, however
//! late it is read.

use std::time::Duration;

use fanfare::Fanfare;
use futures_util::FutureExt;

use crate::support::{TestResult, next, run_on_one_thread};

/// How long the servers have for an answer. The programs stand still for longer.
const DEADLINE: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_millis(1500);

/// Makes of each `async fn name(url) -> TestResult` one test for each kind of broker.
macro_rules! on_one_thread {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[test]
            fn redis_server() {
                let server = fanfare_testkit::RedisServer::start(&[]);
                super::run_on_one_thread(super::$name(&server.url()));
            }

            #[cfg(feature = "embedded")]
            #[test]
            fn embedded() {
                let url = concat!("embedded:stall-", stringify!($name));
                super::run_on_one_thread(super::$name(url));
            }
        }
    )+};
}

on_one_thread!(
    a_stalled_program_calls_no_server_dead,
    an_answer_that_waits_in_the_socket_is_in_time,
    a_confirmation_that_waits_in_the_socket_is_in_time,
);

/// Lets every task that is ready do its part, and then none at all for long.
async fn stall() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
    std::thread::sleep(STALL);
}

async fn a_stalled_program_calls_no_server_dead(url: &str) -> TestResult {
    let fanfare = Fanfare::builder(url)
        .options(|options| options.heartbeat(DEADLINE / 10, DEADLINE))
        .connect()
        .await?;
    let mut subscription = fanfare.subscribe(["c"]).await?;
    let mut events = fanfare.events();
    // Each time both connections' pings are due, and sent just before the stall.
    for _ in 0..4 {
        stall().await;
    }
    assert_eq!(fanfare.publish("c", "still here").await?, 1);
    assert_eq!(next(&mut subscription).await?.payload, "still here");
    let stats = fanfare.stats();
    assert_eq!(stats.commands.disconnects, 0, "{stats:?}");
    assert_eq!(subscription.stats().reconnects, 0, "{stats:?}");
    let event = events.next().now_or_never();
    assert!(event.is_none(), "{event:?}");
    Ok(())
}

async fn an_answer_that_waits_in_the_socket_is_in_time(url: &str) -> TestResult {
    let fanfare = impatient(url).await?;
    // Whether the alarm or the socket is looked at first is left to chance.
    for _ in 0..6 {
        let batch = (0..500).map(|_| ("nobody", "x"));
        let (outcomes, ()) = tokio::join!(fanfare.publish_batch(batch), stall());
        assert_eq!(outcomes.len(), 500);
        for outcome in outcomes {
            assert_eq!(outcome?, 0);
        }
    }
    Ok(())
}

async fn a_confirmation_that_waits_in_the_socket_is_in_time(url: &str) -> TestResult {
    let fanfare = impatient(url).await?;
    let mut subscriptions = vec![fanfare.subscribe(["c"]).await?];
    for n in 0..4 {
        let (subscription, ()) =
            tokio::join!(fanfare.subscribe([format!("{n}"), "c".to_owned()]), stall());
        subscriptions.push(subscription?);
    }
    assert_eq!(fanfare.publish("c", "x").await?, 1);
    for subscription in &mut subscriptions {
        assert_eq!(next(subscription).await?.payload, "x");
    }
    Ok(())
}

async fn impatient(url: &str) -> Result<Fanfare, fanfare::Error> {
    Fanfare::builder(url).options(|options| options.request_timeout(DEADLINE)).connect().await
}
