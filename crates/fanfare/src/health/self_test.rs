//! A message to oneself: whether the whole way works, and if not, where it ends.

use std::{fmt, time::Duration};

use fanfare_client::{Delivery, Error, ErrorKind};
use tokio::time::{Instant, timeout};

use crate::Fanfare;

/// What the names of the channels of self-tests begin with.
pub(crate) const SELF_TEST: &str = "fanfare:self-test:";

/// How long the parts of a [`Fanfare::self_test`] took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelfTest {
    /// Until the server had confirmed the subscription.
    pub subscribed_in: Duration,
    /// From then until the server had answered the publisher.
    pub published_in: Duration,
    /// From the sending of the message until it was here.
    pub arrived_in: Duration,
}

impl Fanfare {
    /// Publishes a random payload on a private channel, sees it arrive, and returns how long that
    /// took. It goes over the connections that everything else goes over.
    ///
    /// It takes at most three times the request timeout. The channel's name begins with
    /// `fanfare:self-test:`.
    ///
    /// # Errors
    /// The error of the part that failed, with a text that names it: the subscription, the
    /// publication, or ([`ErrorKind::Timeout`]) the way back, when the message was published and did
    /// not arrive.
    ///
    /// # Cancel safety
    /// Dropping the future takes the subscription back.
    ///
    /// # Example: is the way whole?
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let fanfare = fanfare::Fanfare::connect("embedded:").await?;
    /// let took = fanfare.self_test().await?;
    /// println!("there and back in {:?}", took.arrived_in);
    /// # Ok(()) }
    /// ```
    pub async fn self_test(&self) -> Result<SelfTest, Error> {
        let nonce: u128 = rand::random();
        let (channel, payload) = (format!("{SELF_TEST}{nonce:032x}"), format!("{nonce:x}"));
        let start = Instant::now();
        let mut subscription = self
            .subscribe([&channel])
            .await
            .map_err(|error| failed("the subscription was not confirmed", error))?;
        let subscribed_in = start.elapsed();
        let sent_at = Instant::now();
        let n_receivers = self
            .publish(&channel, &payload)
            .await
            .map_err(|error| failed("the message could not be published", error))?;
        let published_in = sent_at.elapsed();
        let limit = self.link().options().timeout();
        let arrived = timeout(limit, async {
            loop {
                match subscription.next_delivery().await {
                    Some(Delivery::Message(message)) if message.payload == payload => return Ok(()),
                    Some(Delivery::Message(_)) => {}
                    Some(Delivery::Gap(_)) => {
                        let what = "the subscription's connection broke before the message came";
                        return Err(lost(what));
                    }
                    None => return Err(subscription.error().unwrap_or_else(|| lost("the end"))),
                }
            }
        });
        match arrived.await {
            Ok(Ok(())) => {
                Ok(SelfTest { subscribed_in, published_in, arrived_in: sent_at.elapsed() })
            }
            Ok(Err(error)) => Err(failed("the message did not arrive", error)),
            Err(_) => Err(lost(format_args!(
                "the message was published (the server handed it to {n_receivers}) and did not \
                 arrive within {limit:?}"
            ))),
        }
    }
}

fn failed(what: &str, error: Error) -> Error {
    Error::new(error.kind(), format!("self-test: {what}")).with_source(error)
}

fn lost(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Timeout, format!("self-test: {what}"))
}
