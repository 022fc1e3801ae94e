//! Values as JSON.

use fanfare_client::{Error, ErrorKind};
use serde::Serialize;

/// A value as JSON, wherever a type says what bytes mean: the payloads of a
/// [`Publisher`](crate::Publisher), the arguments of a [`Router`](crate::Router)'s handlers, what
/// [commands](crate::commands) send and what they answer.
///
/// # Example: a list of orders
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, Json, commands::*};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order { id: u64, item: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let client = Fanfare::connect("embedded:").await?.client();
/// client.rpush("orders", [Json(Order { id: 7, item: "tea".into() })]).await?;
/// let order: Option<Json<Order>> = client.lpop("orders").await?;
/// assert_eq!(order.map(|Json(order)| order.id), Some(7));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

/// The value as JSON, or [`ErrorKind::Encode`].
pub(crate) fn encode(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| {
        Error::new(ErrorKind::Encode, "the value can not be written as JSON").with_source(source)
    })
}

/// The media type of JSON.
pub(crate) const CONTENT_TYPE: &str = "application/json";
