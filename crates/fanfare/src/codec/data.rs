//! Values in whatever form the envelope says.

use fanfare_client::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::{
    Call, Extract,
    envelope::{essence, is_json},
};

/// An argument of handlers of [`Call`]s: the payload, decoded as its envelope's
/// [`content_type`](crate::Head::content_type) says: JSON, also if nothing is said or there is no envelope;
/// MessagePack with the feature `msgpack`; CBOR with the feature `cbor`.
///
/// # Example: a program that takes what others send
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Data, Envelope, Fanfare, Kind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let service = fanfare::service(async |Data(n): Data<u64>| assert_eq!(n, 7), ());
/// let router = fanfare.router().service(Kind::Channel, "numbers", service).start().await?;
/// fanfare.publish("numbers", "7").await?;
/// fanfare.publish("numbers", Envelope::new("counted", 7).to_payload()?).await?;
/// assert_eq!(router.wait_finished(2).await.routes[0].handled, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Data<T>(pub T);

impl<S, T: DeserializeOwned + Send> Extract<S, Call> for Data<T> {
    fn extract(call: &Call, state: &S) -> Result<Self, Error> {
        let content_type = call.head().map_or("application/json", |head| head.content_type());
        match essence(content_type).as_str() {
            _ if is_json(content_type) => {
                crate::Json::extract(call, state).map(|crate::Json(value)| Self(value))
            }
            #[cfg(feature = "msgpack")]
            "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
                super::MsgPack::extract(call, state).map(|super::MsgPack(value)| Self(value))
            }
            #[cfg(feature = "cbor")]
            "application/cbor" => {
                super::Cbor::extract(call, state).map(|super::Cbor(value)| Self(value))
            }
            _ => {
                let message = format!(
                    "what came from {} is {content_type:?}, which this program can not decode: \
                     build fanfare with the feature `msgpack` or `cbor` if it is one of these, or \
                     take `Raw`",
                    call.source()
                );
                Err(Error::new(ErrorKind::Decode, message))
            }
        }
    }
}
