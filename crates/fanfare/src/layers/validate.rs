//! Refusing what does not fit its schema.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    CallService,
    layered::{Around, layer, pass},
    limit::count,
};
use crate::{BoxError, Call, Permanent, schema::Contract};

/// Hands on only calls whose data fits a [`Contract`]; all others fail [`Permanent`]ly, with the place and the rule that
/// is broken: no attempt can mend them. So a worker puts the entry with its dead letters at once, and so does a
/// [`DeadLetter`](super::DeadLetter) around this with the message of a channel.
///
/// With [`Schemas`](crate::schema::Schemas) it refuses also types that are not there, major versions that are not, and
/// what is no envelope. It belongs inside of a [`Decompress`](super::Decompress), and outside of
/// [`Idempotency`](super::Idempotency) and [`Retry`](super::Retry): [`Stack`](super::Stack) has them in order.
///
/// # Example: an order that is none
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, Json, Kind, layers::{DeadLetter, Layer, Stack, Validate}, schema::Schema};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let amounts = Schema::from_json(r#"{"type": "integer", "maximum": 100}"#)?;
/// let (validate, dead) = (Validate::new(amounts), DeadLetter::new(&fanfare, "dead", "billing"));
/// let stack = Stack::new("billing").validate(validate.clone()).dead_letter(dead.clone());
/// let service = stack.layer(fanfare::service(async |Json(n): Json<i64>| println!("{n}"), ()));
/// let router = fanfare.router().service(Kind::Channel, "amounts", service).start().await?;
/// fanfare.publish("amounts", "7").await?;
/// fanfare.publish("amounts", "700").await?;
/// router.wait_finished(2).await;
/// assert_eq!((validate.stats().valid, validate.stats().invalid), (1, 1));
/// assert!(dead.list(None, 10).await?[0].error.contains(r#"(rule "/maximum")"#));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Validate {
    contract: Contract,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    valid: AtomicU64,
    invalid: AtomicU64,
}

/// What a [`Validate`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidateStats {
    /// Calls whose data fits.
    pub valid: u64,
    /// Calls that were refused.
    pub invalid: u64,
}

impl Validate {
    /// By a [`Schema`](crate::schema::Schema), [`Schemas`](crate::schema::Schemas), or a contract of them.
    pub fn new(contract: impl Into<Contract>) -> Self {
        Self { contract: contract.into(), counts: Arc::default() }
    }

    /// The counts so far.
    pub fn stats(&self) -> ValidateStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ValidateStats { valid: get(&self.counts.valid), invalid: get(&self.counts.invalid) }
    }
}

impl Around for Validate {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        match self.contract.check_call(&call) {
            Ok(()) => {
                count(&self.counts.valid);
                pass(inner, call).await
            }
            Err(error) => {
                count(&self.counts.invalid);
                Err(Permanent::new(error).into())
            }
        }
    }
}

layer!(Validate);
