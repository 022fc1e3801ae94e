//! The keys by which orders are signed.

use std::{collections::BTreeMap, fmt};

use fanfare_client::{Error, ErrorKind};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The shortest secret: as long as what it makes.
const SECRET_MIN: usize = 32;

/// What is signed begins with this, so that a signature made for something else is of no use.
const DOMAIN: &[u8] = b"fanfare:control:1\n";

/// Whose orders a service obeys, and the keys by which they are signed.
///
/// An order is signed by HMAC-SHA256 with a secret that the sender and the service share. It names its
/// sender, whom it is for, its time and a random number. It is refused, counted
/// ([`ServiceCounts::orders_refused`](super::super::ServiceCounts::orders_refused)), told
/// ([`ServiceEvent::OrderRefused`](super::super::ServiceEvent::OrderRefused)) and answered with an error
/// if any of that is not right: see [`RefusedOrder`](super::RefusedOrder).
///
/// Each key has an id, so a sender may have several: to rotate, give the services the new one beside
/// the old one, let the sender sign by the new one, and take the old one away.
///
/// # What it protects from
/// From whoever can publish on the broker and does not have a secret. A service that has a secret could
/// sign by it as well: give each sender a key of its own, and services that do not trust each other
/// different ones. Times are those of the broker, so clocks of programs need not agree; whoever controls
/// the broker can delay an order by half a minute, or drop it, and cannot forge one. What is ordered is
/// not encrypted.
///
/// # Example: an order that is obeyed
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::{Fanfare, request::Gather, service::{Console, ControlKeys, Service, Target}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// # let secret = *b"taken from a file, 32 bytes of it";
/// let keys = ControlKeys::new().allow("ops", "ops-2026", secret);
/// let orders = Service::new(&fanfare, "orders to stop").control(keys).start().await?;
///
/// let console = Console::connect(&fanfare).await?.sign_as("ops", "ops-2026", secret);
/// let target = Target::Service("orders to stop".into());
/// let obeyed = console.shutdown(target, "maintenance", Gather::new().at_most(1)).await?;
/// assert_eq!(obeyed[0].as_ref().unwrap().instance, orders.instance());
/// let order = orders.shutdown().await;
/// assert_eq!((order.sender.as_str(), order.reason.as_str()), ("ops", "maintenance"));
/// orders.stop(Duration::from_secs(10)).await;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct ControlKeys {
    keys: BTreeMap<String, Key>,
    doubled: Option<String>,
}

/// A key, and whose it is.
#[derive(Clone)]
pub(in crate::service) struct Key {
    pub(in crate::service) sender: String,
    secret: Vec<u8>,
}

impl ControlKeys {
    /// No keys: nobody is obeyed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Obeys what this sender has signed by the key of this id. The secret has at least 32 bytes, which
    /// should be random.
    pub fn allow(
        mut self,
        sender: impl Into<String>,
        key_id: impl Into<String>,
        secret: impl Into<Vec<u8>>,
    ) -> Self {
        let key_id = key_id.into();
        if self.keys.contains_key(&key_id) {
            self.doubled.get_or_insert(key_id);
            return self;
        }
        self.keys.insert(key_id, Key::new(sender, secret));
        self
    }

    pub(in crate::service) fn check(&self) -> Result<(), Error> {
        if let Some(key_id) = &self.doubled {
            let message =
                format!("there are two keys of the id {key_id:?}: each has one of its own");
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        self.keys.iter().try_for_each(|(key_id, key)| key.check(key_id))
    }

    pub(super) fn get(&self, key_id: &str) -> Option<&Key> {
        self.keys.get(key_id)
    }
}

impl Key {
    pub(in crate::service) fn new(sender: impl Into<String>, secret: impl Into<Vec<u8>>) -> Self {
        Self { sender: sender.into(), secret: secret.into() }
    }

    pub(in crate::service) fn check(&self, key_id: &str) -> Result<(), Error> {
        let n = self.secret.len();
        if n < SECRET_MIN {
            let message = format!(
                "the secret of key {key_id:?} has {n} bytes, and needs at least {SECRET_MIN}: take \
                 {SECRET_MIN} random ones (openssl rand {SECRET_MIN})"
            );
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        Ok(())
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.mac(text).finalize().into_bytes().to_vec()
    }

    /// In a time that does not depend on how much of it is right.
    pub(super) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        self.mac(text).verify_slice(signature).is_ok()
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.secret) {
            Ok(mac) => mac,
            // It takes keys of any length.
            Err(_) => unreachable!("HMAC refuses a key"),
        };
        mac.update(DOMAIN);
        mac.update(text.as_bytes());
        mac
    }
}

impl fmt::Debug for ControlKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.keys.iter().map(|(id, key)| (id, &key.sender))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_can_not_work_are_refused_and_none_is_shown() {
        let good = ControlKeys::new().allow("ops", "a", *b"0123456789abcdef0123456789abcdef");
        assert!(good.check().is_ok());
        assert_eq!(format!("{good:?}"), r#"{"a": "ops"}"#);
        let short = good.clone().allow("ops", "b", *b"short");
        let error = short.check().unwrap_err();
        assert!(error.to_string().contains("5 bytes") && !error.to_string().contains("short"));
        let doubled = good.allow("other", "a", *b"0123456789abcdef0123456789abcdef");
        assert!(doubled.check().unwrap_err().to_string().contains("two keys"));
    }

    /// RFC 4231 has no case with our prefix; this one was made with Python's `hmac`.
    #[test]
    fn a_signature_is_the_standard_one() {
        let key = Key::new("ops", *b"0123456789abcdef0123456789abcdef");
        let signature: String = key.sign("text").iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(signature, SIGNATURE);
        assert!(key.has_signed("text", &key.sign("text")));
        assert!(!key.has_signed("texT", &key.sign("text")));
        assert!(!key.has_signed("text", &key.sign("text")[..31]));
    }

    const SIGNATURE: &str = "ed15dc479574fed98776d6bbd5bee23ee914a63de85ccdab42d55f11b3afbd0c";
}
