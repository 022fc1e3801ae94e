//! Time that stands still, and moves on demand.

use std::time::Duration;

use fanfare::{
    Event,
    testing::{self, Clock, Fault, Way},
};

use super::{HOUR, through_proxy};
use crate::support::run_on_one_thread;

#[test]
fn time_stands_still_and_moves_on_demand() {
    run_on_one_thread(async {
        let (_broker, proxy, fanfare) = through_proxy().await?;
        let mut events = fanfare.events();
        let clock = Clock::pause();
        let start = tokio::time::Instant::now();
        // Servers answer although nothing moves.
        for _ in 0..100 {
            fanfare.ping().await?;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        // Two heartbeats of the defaults, which are of 5 s: nobody waits for them.
        for _ in 0..2 {
            let before = proxy.stats().bytes_to_client;
            clock.advance(Duration::from_secs(5)).await;
            let answered = async || before < proxy.stats().bytes_to_client;
            testing::eventually("an answer to a heartbeat", answered).await;
            fanfare.ping().await?;
        }
        proxy.inject(Fault::Swallow(Way::Both));
        clock.advance(Duration::from_secs(5)).await;
        testing::eventually("a ping", async || 0 < proxy.stats().bytes_swallowed).await;
        clock.advance(Duration::from_secs(5)).await;
        let seen = testing::expect_event(&mut events, |_| true).await;
        assert!(matches!(seen[..], [Event::Down { .. }]), "{seen:?}");
        assert!(Duration::from_secs(20) <= start.elapsed());

        drop(clock);
        let start = tokio::time::Instant::now();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(start.elapsed() < HOUR);
        Ok(())
    });
}
