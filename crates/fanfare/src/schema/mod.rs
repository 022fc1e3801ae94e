//! JSON Schemas of messages: checked where they are sent and where they are received, compared from version to version,
//! and told to others as an AsyncAPI document.
//!
//! # Example: what does not fit is not sent
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use fanfare::{ErrorKind, Fanfare, Json, Publisher, schema::{JsonSchema, Schema}};
//!
//! #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
//! #[schemars(crate = "fanfare::schema::schemars")]
//! struct Order {
//!     #[schemars(length(min = 1))]
//!     item: String,
//!     #[schemars(range(max = 100))]
//!     amount: u32,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fanfare::Error> {
//! let fanfare = Fanfare::connect("embedded:").await?;
//! let orders: Publisher<Json<Order>> = fanfare.publisher("orders");
//! let orders = orders.contract(Schema::of::<Order>()?);
//! orders.publish(Order { item: "tea".into(), amount: 7 }).await?;
//! let error = orders.publish(Order { item: "tea".into(), amount: 700 }).await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidRecord);
//! assert!(error.to_string().contains(r#"at "/amount""#), "{error}");
//! # Ok(()) }
//! ```
//!
//! # Where
//! A [`Contract`] says what a channel or a stream carries: data of one [`Schema`], or envelopes of several types in
//! several versions ([`Schemas`]). [`Publisher::contract`](crate::Publisher::contract) and
//! [`Stream::contract`](crate::stream::Stream::contract) refuse to send what does not fit; the layer
//! [`Validate`](crate::layers::Validate) refuses to handle it.
//!
//! # How messages may change
//! Readers ignore members that they do not know, and take the default for those that are missing; a new minor version
//! changes nothing else. What breaks that rule gets a new major version, which readers refuse until they know it.
//! [`compare`] tells which one a change needs.
//!
//! # Which JSON Schema
//! Drafts 4 to 2020-12, as `$schema` says; 2020-12 if it does not. `format` is checked where it is known. Patterns are
//! those of the crate `regex`, which take linear time. Nothing is loaded from elsewhere: a `$ref` must be found in the
//! schema.

mod asyncapi;
mod contract;
mod evolution;
mod registry;
mod violation;

use std::{fmt, sync::Arc};

use fanfare_client::{Error, ErrorKind};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

pub use asyncapi::AsyncApi;
pub use contract::Contract;
pub use evolution::{Change, Evolution, compare};
pub use registry::Schemas;
pub use schemars::{self, JsonSchema};
pub use violation::Violation;

/// What data must be like. Cheap to clone.
///
/// # Example: of a type, and of a text
/// ```
/// use fanfare::schema::Schema;
///
/// let numbers = Schema::of::<Vec<u32>>()?;
/// assert!(numbers.check(&serde_json::json!([1, 2])).is_ok());
/// let violation = numbers.check(&serde_json::json!([1, -2])).unwrap_err();
/// assert_eq!((violation.path(), violation.rule()), ("/1", "/items/minimum"));
///
/// let short = Schema::from_json(r#"{"type": "string", "maxLength": 5}"#)?;
/// assert!(short.check(&"hello".into()).is_ok() && short.check(&"hello!".into()).is_err());
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

struct Inner {
    json: Value,
    validator: Validator,
}

impl Schema {
    /// What a type can be read from: members with a default need not be there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] if the type says something impossible of itself, such as a pattern that is none.
    pub fn of<T: JsonSchema>() -> Result<Self, Error> {
        Self::new(schemars::schema_for!(T).to_value())
    }

    /// A JSON Schema from its text.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is no JSON, and as [`new`](Self::new).
    pub fn from_json(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let json = serde_json::from_slice(text.as_ref()).map_err(|source| {
            Error::new(ErrorKind::Decode, "the schema is not JSON").with_source(source)
        })?;
        Self::new(json)
    }

    /// A JSON Schema.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`], with the place, if it is none, or refers to what is not in it.
    pub fn new(json: Value) -> Result<Self, Error> {
        let options = jsonschema::options()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex());
        let validator = options.build(&json).map_err(|error| {
            let message = format!("this is no JSON Schema: {}", Violation::of(&error));
            Error::new(ErrorKind::InvalidOption, message)
        })?;
        Ok(Self(Arc::new(Inner { json, validator })))
    }

    /// The schema as JSON: to be exported.
    pub fn json(&self) -> &Value {
        &self.0.json
    }

    /// Whether this data fits; if not, the first rule that it breaks.
    ///
    /// # Errors
    /// The place and the rule, without the data.
    pub fn check(&self, data: &Value) -> Result<(), Violation> {
        self.0.validator.validate(data).map_err(|error| Violation::of(&error))
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.0.json == other.0.json
    }
}

impl Eq for Schema {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0.json)
    }
}

#[cfg(test)]
mod tests;
