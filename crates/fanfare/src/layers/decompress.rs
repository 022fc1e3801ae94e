//! Expanding what was compressed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fanfare_client::ErrorKind;

use super::{
    CallService,
    layered::{Around, layer, pass},
    limit::count,
};
use crate::{BoxError, Call, Permanent};

/// Expands the data of envelopes that is [compressed](crate::Compression), to at most so many bytes, so that what is
/// inside sees it as it was. What is not compressed passes as it is, and so does what is no envelope.
///
/// Data that is damaged, or would become larger (a *bomb*), is [`Permanent`]ly refused; what is compressed by an
/// algorithm that this program was built without fails so that another worker of the group may take it. It belongs
/// inside of a [`DeadLetter`](super::DeadLetter), which keeps the message as it came, and outside of a
/// [`Retry`](super::Retry): [`Stack`](super::Stack) has them in order.
///
/// It expands where it is called: some milliseconds for some MiB.
///
/// # Example: large orders
#[cfg_attr(all(feature = "embedded", feature = "gzip"), doc = "```")]
#[cfg_attr(not(all(feature = "embedded", feature = "gzip")), doc = "```no_run")]
/// use fanfare::{Algorithm, Compression, Envelope, Fanfare, Json, Kind};
/// use fanfare::layers::{Decompress, Layer, Stack};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let handler = async |Json(text): Json<String>| assert_eq!(text.len(), 10_000);
/// let stack = Stack::new("orders").decompress(Decompress::new(1 << 20));
/// let service = stack.layer(fanfare::service(handler, ()));
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
///
/// let order = Envelope::new("order.created", "x".repeat(10_000)).seal()?;
/// let order = order.compress(&Compression::new(Algorithm::Gzip)?)?.to_payload()?;
/// fanfare.publish("orders", order).await?;
/// assert_eq!(router.wait_finished(1).await.routes[0].handled, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Decompress {
    bytes_max: usize,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    expanded: AtomicU64,
    refused: AtomicU64,
}

/// What a [`Decompress`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecompressStats {
    /// Calls whose data was expanded.
    pub expanded: u64,
    /// Calls whose data was too large, damaged, or compressed in a way that is not known.
    pub refused: u64,
}

impl Decompress {
    /// To at most so many bytes for each call.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, counts: Arc::default() }
    }

    /// The counts so far.
    pub fn stats(&self) -> DecompressStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        DecompressStats { expanded: get(&self.counts.expanded), refused: get(&self.counts.refused) }
    }
}

impl Around for Decompress {
    async fn around<S: CallService>(&self, call: Call, inner: &S) -> Result<(), BoxError> {
        if call.head().and_then(|head| head.content_encoding()).is_none() {
            return pass(inner, call).await;
        }
        match call.sealed()?.decompress(self.bytes_max) {
            Ok(sealed) => {
                count(&self.counts.expanded);
                pass(inner, call.with_sealed(sealed)).await
            }
            Err(error) => {
                count(&self.counts.refused);
                let is_for_ever = error.kind() == ErrorKind::Decode;
                Err(if is_for_ever { Permanent::new(error).into() } else { error.into() })
            }
        }
    }
}

layer!(Decompress);

#[cfg(all(test, feature = "zstd"))]
mod tests {
    use std::sync::Mutex;

    use tower_layer::Layer;

    use super::*;
    use crate::{
        Algorithm, Compression, Envelope, Head, Json, Sealed, Text,
        layers::{
            Class, classify,
            fixture::{call, run},
        },
    };

    #[tokio::test]
    async fn what_is_compressed_is_expanded_within_bounds_and_the_rest_passes() {
        let decompress = Decompress::new(10_000);
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let service = decompress.layer(crate::service(
            {
                let seen = seen.clone();
                move |Json(text): Json<String>| {
                    seen.lock().unwrap().push(text);
                    async {}
                }
            },
            (),
        ));
        let compression = Compression::new(Algorithm::Zstd).unwrap().threshold(0);
        let text = |n| "x".repeat(n);
        let sealed =
            |n| Envelope::new("t", text(n)).seal().unwrap().compress(&compression).unwrap();
        let small = sealed(9_000);
        assert_eq!(small.head().content_encoding(), Some("zstd"));
        run(&service, call(small.to_payload().unwrap())).await.unwrap();
        run(&service, call(r#""plain""#)).await.unwrap();
        run(&service, call(Envelope::new("t", "envelope").to_payload().unwrap())).await.unwrap();
        assert_eq!(*seen.lock().unwrap(), [text(9_000), "plain".into(), "envelope".into()]);

        // A bomb, damage, and what another program may know.
        let mut damaged = small;
        damaged.body = damaged.body.slice(..10);
        for sealed in [sealed(1_000_000), damaged] {
            let error = run(&service, call(sealed.to_payload().unwrap())).await.unwrap_err();
            assert!(Permanent::is(&*error), "{error}");
        }
        let mut other = Sealed::new(Head::new("t"), "text/plain", "x");
        other.head.content_encoding = Some("br".to_owned());
        let error = run(&service, call(other.to_payload().unwrap())).await.unwrap_err();
        assert!(!Permanent::is(&*error) && classify(&*error) == Class::Permanent, "{error}");
        assert_eq!(decompress.stats(), DecompressStats { expanded: 1, refused: 3 });
    }

    #[tokio::test]
    async fn it_is_inside_of_the_trace_and_outside_of_the_retries() {
        let decompress = Decompress::new(10);
        let stack = super::super::Stack::new("h").decompress(decompress.clone());
        let service = stack.layer(crate::service(async |Text(_): Text| {}, ()));
        let compression = Compression::new(Algorithm::Zstd).unwrap();
        let sealed = Envelope::new("t", "x".repeat(1_000)).seal().unwrap();
        let sealed = sealed.compress(&compression).unwrap();
        run(&service, call(sealed.to_payload().unwrap())).await.unwrap_err();
        assert_eq!(decompress.stats().refused, 1, "once, and not for each attempt");
    }
}
