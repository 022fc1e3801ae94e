//! What is published while a doctor listens.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fanfare_client::{Delivery, Error, Overflow};
use serde_json::Value;

use crate::Fanfare;

const MESSAGES_MAX: usize = 10_000;

const CHANNELS_MAX: usize = 1_000;

/// The member by which some publishers say under which key a record is to be stored.
pub(super) const KEY: &str = "__dagserver_key";

/// The payloads of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Payloads {
    pub(super) n: u64,
    pub(super) n_json: u64,
    /// Objects, and those among them that have a key.
    pub(super) n_objects: u64,
    pub(super) n_with_key: u64,
    /// The beginning of one that is no JSON.
    pub(super) not_json: Option<String>,
}

impl Payloads {
    pub(super) fn take_in(&mut self, payload: &[u8]) {
        self.n += 1;
        match serde_json::from_slice::<Value>(payload) {
            Ok(value) => {
                self.n_json += 1;
                if let Value::Object(members) = value {
                    self.n_objects += 1;
                    self.n_with_key += u64::from(members.get(KEY).is_some_and(Value::is_string));
                }
            }
            Err(_) if self.not_json.is_none() => {
                let begin = payload.get(..40.min(payload.len())).unwrap_or_default();
                self.not_json = Some(String::from_utf8_lossy(begin).into_owned());
            }
            Err(_) => {}
        }
    }
}

/// Listens for so long, and returns what came, by channel.
///
/// # Errors
/// The server refuses the subscription, or there is no connection.
pub(super) async fn listen(
    fanfare: &Fanfare,
    time: Duration,
    patterns: &[Bytes],
) -> Result<BTreeMap<String, Payloads>, Error> {
    let subscriber = fanfare.subscriber().patterns(patterns);
    let mut subscription =
        subscriber.queue(Overflow::DropNewest, MESSAGES_MAX, 64 << 20).connect().await?;
    let end = Instant::now() + time;
    let (mut heard, mut n) = (BTreeMap::<String, Payloads>::new(), 0);
    while n < MESSAGES_MAX {
        match tokio::time::timeout_at(end.into(), subscription.next_delivery()).await {
            Ok(Some(Delivery::Message(message))) => {
                let channel = message.channel_name().into_owned();
                n += 1;
                if heard.len() < CHANNELS_MAX || heard.contains_key(&channel) {
                    heard.entry(channel).or_default().take_in(&message.payload);
                }
            }
            Ok(Some(Delivery::Gap(_))) => {}
            Ok(None) | Err(_) => break,
        }
    }
    Ok(heard)
}
