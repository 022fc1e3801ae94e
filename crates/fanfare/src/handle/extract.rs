//! What a handler may ask for as its arguments.

use fanfare_client::{Error, Message};
use serde::de::DeserializeOwned;

use crate::{Channel, Json, Raw, Text};

/// Something that a [`Router`](crate::Router)'s handler can have as an argument: made from the
/// message and the router's state.
///
/// These are: [`Json`], [`Text`] and [`Raw`] (the payload), [`Channel`], the whole [`Message`],
/// [`State`], and `Result<T, Error>` of any of them, with which a handler looks at a payload
/// that can not be decoded itself. A program may add its own.
///
/// The handlers of a [`Worker`](crate::worker::Worker) have the same for entries, with
/// [`Delivered`](crate::worker::Delivered) in place of `M`.
///
/// # Example: only what has a signature
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Error, ErrorKind, Extract, Fanfare, Message};
///
/// struct Signed(String);
///
/// impl<S> Extract<S> for Signed {
///     fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
///         let signed = message.text()?.strip_prefix("signed:");
///         let text = signed.ok_or_else(|| Error::new(ErrorKind::Decode, "no signature"))?;
///         Ok(Self(text.to_owned()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let router = fanfare
///     .router()
///     .channel("orders", async |Signed(text): Signed| println!("{text}"))
///     .start()
///     .await?;
/// fanfare.publish("orders", "forged").await?;
/// fanfare.publish("orders", "signed:tea").await?;
/// let stats = router.wait_finished(2).await;
/// assert_eq!((stats.routes[0].handled, stats.routes[0].undecodable), (1, 1));
/// # Ok(()) }
/// ```
pub trait Extract<S, M = Message>: Sized + Send {
    /// Makes it.
    ///
    /// # Errors
    /// Why not, best of [`ErrorKind::Decode`](crate::ErrorKind::Decode). The handler is not called
    /// then, and the message counts as undecodable.
    fn extract(message: &M, state: &S) -> Result<Self, Error>;
}

impl<S> Extract<S> for Message {
    fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
        Ok(message.clone())
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S> for Json<T> {
    fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
        message.json().map(Self)
    }
}

impl<S> Extract<S> for Text {
    fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
        message.text().map(|text| Self(text.to_owned()))
    }
}

impl<S> Extract<S> for Raw {
    fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
        Ok(Self(message.payload.clone()))
    }
}

impl<S> Extract<S> for Channel {
    fn extract(message: &Message, _state: &S) -> Result<Self, Error> {
        Ok(Self(message.channel.clone()))
    }
}

/// What all handlers of a router share: a clone of what [`Router::state`](crate::Router::state), or
/// [`Worker::spawn_with`](crate::worker::Worker::spawn_with), was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State<S>(pub S);

impl<S: Clone + Send, M> Extract<S, M> for State<S> {
    fn extract(_message: &M, state: &S) -> Result<Self, Error> {
        Ok(Self(state.clone()))
    }
}

impl<S, M, T: Extract<S, M>> Extract<S, M> for Result<T, Error> {
    fn extract(message: &M, state: &S) -> Result<Self, Error> {
        Ok(T::extract(message, state))
    }
}
