//! An order on the wire.

use fanfare_client::Error;
use serde::{Deserialize, Serialize};

use super::{Key, RefusedOrder};
use crate::{Call, Envelope, Sealed};

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(in crate::service) enum Command {
    Shutdown { reason: String },
    Config { data: serde_json::Value },
}

/// An order, as its sender has signed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::service) struct Order {
    pub(in crate::service) sender: String,
    pub(in crate::service) key: String,
    /// The channel that it goes to, with the namespace.
    pub(in crate::service) target: String,
    /// When it was signed, by the broker's clock, in milliseconds since the epoch.
    pub(in crate::service) time_ms: u64,
    /// A random number that no other order has.
    pub(in crate::service) nonce: String,
    #[serde(flatten)]
    pub(in crate::service) command: Command,
}

/// An order with its signature. What is signed is the text itself, so that nobody has to write an order
/// in just the same way again to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signed {
    /// The id of the key.
    pub(super) key: String,
    /// The order, as JSON.
    pub(super) order: String,
    /// In hexadecimal digits.
    pub(super) signature: String,
}

/// What an order's envelope is called.
const KIND: &str = "control";

impl Order {
    /// It signed, as a request.
    pub(in crate::service) fn sign(&self, key: &Key) -> Result<Sealed, Error> {
        let order = serde_json::to_string(self).unwrap_or_default();
        let signature = key.sign(&order).iter().map(|byte| format!("{byte:02x}")).collect();
        Envelope::new(KIND, Signed { key: self.key.clone(), order, signature }).seal()
    }
}

impl Signed {
    /// What has arrived.
    pub(super) fn read(call: &Call) -> Result<Self, RefusedOrder> {
        let payload = call.payload().map_err(|_| RefusedOrder::Malformed)?;
        let value: serde_json::Value =
            serde_json::from_slice(payload).map_err(|_| RefusedOrder::Malformed)?;
        if value.get("signature").is_none() {
            return Err(RefusedOrder::Unsigned);
        }
        serde_json::from_value(value).map_err(|_| RefusedOrder::Malformed)
    }

    /// The signature's bytes.
    pub(super) fn signature(&self) -> Option<Vec<u8>> {
        let digits = self.signature.as_bytes().chunks(2);
        digits
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect()
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok())
}
