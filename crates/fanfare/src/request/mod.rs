//! Requests and their answers: one, many, within a deadline.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::{Fanfare, Json};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let prices = fanfare.respond("prices", async |Json(item): Json<String>| match item.as_str() {
//!     "tea" => Ok(Json(3.2)),
//!     other => Err(format!("there is no {other}")),
//! });
//! let prices = prices.start().await?;
//!
//! let requester = fanfare.requester().await?;
//! let answer = requester.request("prices", "tea").await?;
//! assert_eq!(answer.json::<f64>()?, 3.2);
//! let error = requester.request("prices", "a unicorn").await.unwrap_err();
//! assert_eq!(error.kind(), fanfare::ErrorKind::Refused);
//! assert!(error.to_string().contains("there is no a unicorn"));
//! prices.stop().await;
//! # Ok(()) }
//! ```
//!
//! # How it goes
//! A [`Requester`] subscribes to one channel of its own, its *inbox*, for all of its requests. A
//! request is published with the inbox's name and an id; whoever answers publishes the answer there,
//! with that id. Any number of requests may be on their way at the same time.
//!
//! # What it promises
//! Each request ends, at its deadline at the latest, with an answer or with an error that says what is
//! known:
//!
//! | error | when | handled? |
//! |---|---|---|
//! | [`NoResponders`](ErrorKind::NoResponders) | nobody was subscribed to the channel; told at once | no |
//! | [`Refused`](ErrorKind::Refused) | a responder answered with an error, whose first 1,024 bytes are in the text | as it says |
//! | [`Timeout`](ErrorKind::Timeout) | no answer until the deadline | perhaps |
//! | [`AnswerLost`](ErrorKind::AnswerLost) | the inbox's connection was lost meanwhile, and with it perhaps the answer | perhaps |
//! | as of [`Fanfare::publish`](crate::Fanfare::publish) | the request could not be published | [`may_have_been_delivered`](crate::Error::may_have_been_delivered) |
//!
//! Nothing is sent again by itself. Answers that nobody waits for (any more) are
//! [counted](RequesterStats::unknown).
//!
//! # Who answers
//! A channel has no queue groups: *every* responder that is subscribed gets every request. Of several,
//! [`request`](Requester::request) takes the first answer and
//! [`request_many`](Requester::request_many) gathers them. To let *one of several* replicas handle each
//! request, send it to a stream ([`Target::Stream`]) and let a
//! [`Worker`](crate::worker::Worker) of a group answer:
//! [`answering`](crate::Fanfare::answering) is a service for both. A stream keeps requests until they
//! are handled, so there are no `NoResponders` there, and one may be handled after its requester has
//! given up.
//!
//! # In a cluster
//! PUBLISH counts the subscribers of one node only, so that nobody is there can not be told of a plain
//! channel: such a request ends at its deadline. A sharded channel ([`Target::Shard`]) is counted
//! exactly. The nodes hand plain messages, and so the answers, on to each other without promise.
//!
//! # On the wire
//! A request is an [`Envelope`](crate::Envelope) whose metadata has `reply_to`, the inbox's channel
//! without the namespace, which begins with `fanfare:inbox:`. An answer is an envelope of the type
//! `reply`, or `reply.error` with `{"code": …, "message": …}` as its data, whose metadata has the
//! request's `event_id` as `causation_id`. Both sides need the same namespace.

mod answer;
mod answering;
mod gather;
mod inbox;
mod reply;
mod requester;
mod responder;
mod wire;

#[cfg(doc)]
use crate::ErrorKind;

pub use answer::Answer;
pub use answering::{Answering, AnsweringStats};
pub use gather::{Answers, Gather};
pub use inbox::RequesterStats;
pub use reply::{IntoReply, Reply, Respond};
pub use requester::{Requester, Target};
pub use responder::{Responder, Responding};
pub(crate) use wire::INBOX;
