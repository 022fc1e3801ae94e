//! For the tests of programs that use this crate: a broker for each test, faults between client and
//! server, time that stands still, and assertions that wait.
//!
//! - [`TestBroker`]: an embedded broker that nobody else uses; it starts in milliseconds.
//! - [`Proxy`]: stands between a client and any server, and cuts, delays, swallows, throttles,
//!   refuses or garbles what passes ([`Fault`]), by hand or by a [`Script`].
//! - [`Clock`]: the timers of the library move when the test says so.
//! - [`eventually`], [`expect_message`], [`expect_gap`], [`expect_event`], [`expect_nothing`],
//!   [`expect_subscribers`], [`expect_len`], [`expect_pending`]: they wait, in real time and with
//!   patience, and panic with a message that says what was there instead.
//! - [`seed`] and [`Rng`]: random tests that can be repeated.
//!
//! All of it needs the feature `testing`, which belongs into `[dev-dependencies]`. What is here
//! panics where a test should fail.
//!
//! # Example: a subscriber survives a cut connection
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::{Fanfare, testing::{self, Cut, Fault, Proxy, TestBroker}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = TestBroker::start()?;
//! let proxy = Proxy::start(broker.addr())?;
//! let fanfare = Fanfare::connect(&proxy.url()).await?;
//! let mut news = fanfare.subscribe(["news"]).await?;
//!
//! proxy.inject(Fault::Cut(Cut::Reset));
//! testing::expect_gap(&mut news).await;
//! broker.connect().await?.publish("news", "after").await?;
//! assert_eq!(testing::expect_message(&mut news).await.payload, "after");
//! # Ok(()) }
//! ```

/// Where the examples of `seed` find it: its file is a part of two crates.
macro_rules! here {
    () => {
        "fanfare::testing"
    };
}

#[cfg(feature = "embedded")]
mod broker;
mod clock;
mod expect;
mod proxy;
mod script;
mod seed;

#[cfg(feature = "embedded")]
pub use broker::TestBroker;
pub use clock::Clock;
pub use expect::{
    PATIENCE, eventually, expect_event, expect_gap, expect_len, expect_message, expect_nothing,
    expect_pending, expect_subscribers,
};
pub use proxy::{Cut, Fault, Proxy, ProxyStats, Refusal, Way};
pub use script::Script;
pub use seed::{Rng, seed};
