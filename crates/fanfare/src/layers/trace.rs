//! A span for each call, within the trace that its message came in.

use std::{fmt, str::FromStr, sync::Arc};

use fanfare_client::{Error, ErrorKind};
use tracing::Instrument;

use super::{
    CallService,
    layered::{Around, layer, pass},
};
use crate::{BoxError, Call, Extract};

/// Where something stands in a trace: the `traceparent` of the W3C's Trace Context.
///
/// Inside of a [`Trace`] it is an argument of handlers: their own place, to be handed on to what they
/// publish.
///
/// # Example: what is published belongs to the same trace
/// ```
/// use fanfare::{Envelope, layers::TraceParent};
///
/// let came: TraceParent =
///     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?;
/// let here = came.child();
/// assert_eq!(here.trace_id(), came.trace_id());
/// let envelope = Envelope::new("order.paid", 7).with("traceparent", here.to_string());
/// # let _ = envelope;
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceParent {
    /// The root of a new trace, which is sampled.
    pub fn root() -> Self {
        Self { trace_id: not_zero(rand::random), span_id: not_zero(rand::random), flags: 1 }
    }

    /// A new place below this one, in the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span_id: not_zero(rand::random), ..self }
    }

    /// The trace.
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The place in it.
    pub fn span_id(self) -> u64 {
        self.span_id
    }

    /// Whether whoever began the trace has recorded it.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        // A later version may have more behind these; the first has not.
        let is_whole = parts.next().is_none() || version != 0;
        let is_right = version != 0xff && trace_id != 0 && span_id != 0 && is_whole;
        is_right.then_some(Self { trace_id, span_id, flags })
    }
}

fn not_zero<T: Default + PartialEq>(random: impl Fn() -> T) -> T {
    loop {
        let value = random();
        if value != T::default() {
            return value;
        }
    }
}

/// So many hexadecimal digits, in lower case as the standard has them.
fn hex(text: &str, len: usize) -> Option<u128> {
    let digit = |byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digits = text.bytes().map(digit);
    let value = || digits.try_fold(0, |value, digit| Some(value << 4 | u128::from(digit?)));
    (text.len() == len).then(value).flatten()
}

impl FromStr for TraceParent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).ok_or_else(|| {
            let shown: String = text.chars().take(80).collect();
            Error::new(ErrorKind::Decode, format!("{shown:?} is no traceparent"))
        })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, flags } = self;
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
    }
}

impl<S> Extract<S, Call> for TraceParent {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        let absent = || {
            let message = "there is no trace: the handler is not inside of a `Trace` layer";
            Error::new(ErrorKind::Decode, message)
        };
        call.noted::<Self>().copied().ok_or_else(absent)
    }
}

/// A `tracing` span for each call, named `handle`, with the handler's name, where the message came
/// from, its id, the number of its delivery, and its place in the trace: `trace_id`, `span_id`, and
/// `parent_id` if the message's envelope, or else the task, has a header `traceparent`. One that is not
/// right is ignored, and a new trace begins. A failure is logged within the span, as a warning.
///
/// The place is noted in the call; a handler that publishes asks for it as a [`TraceParent`].
///
/// # Example: a handler that publishes
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Envelope, Fanfare, Kind, layers::{Layer, Trace, TraceParent}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let fanfare = Fanfare::connect("embedded:").await?;
/// let mut paid = fanfare.subscribe(["paid"]).await?;
/// let publisher = fanfare.clone();
/// let handler = move |here: TraceParent| {
///     let publisher = publisher.clone();
///     async move {
///         let event = Envelope::new("paid", 7).with("traceparent", here.to_string());
///         publisher.publish("paid", event.to_payload()?).await.map(|_| ())
///     }
/// };
/// let service = Trace::new("billing").layer(fanfare::service(handler, ()));
/// let router = fanfare.router().service(Kind::Channel, "orders", service).start().await?;
///
/// let parent = TraceParent::root();
/// let order = Envelope::new("order", 7).with("traceparent", parent.to_string());
/// fanfare.publish("orders", order.to_payload()?).await?;
/// let event: Envelope<u32> = Envelope::from_payload(&paid.next().await.expect("one").payload)?;
/// let child: TraceParent = event.head.text("traceparent").expect("it is set").parse()?;
/// assert_eq!(child.trace_id(), parent.trace_id());
/// assert_ne!(child.span_id(), parent.span_id());
/// # router.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Trace {
    handler: Arc<str>,
}

impl Trace {
    /// Spans of a handler with this name.
    pub fn new(handler: impl Into<Arc<str>>) -> Self {
        Self { handler: handler.into() }
    }
}

impl Around for Trace {
    async fn around<S: CallService>(&self, mut call: Call, inner: &S) -> Result<(), BoxError> {
        let of_envelope = call.head().and_then(|head| head.text("traceparent"));
        let of_task = || call.task().and_then(|task| task.header("traceparent"));
        let parent = of_envelope.or_else(of_task).and_then(TraceParent::read);
        let here = parent.map_or_else(TraceParent::root, TraceParent::child);
        let span = tracing::info_span!(
            "handle",
            handler = &*self.handler,
            source = %call.source(),
            id = call.id().as_deref(),
            deliveries = call.deliveries(),
            trace_id = %format_args!("{:032x}", here.trace_id),
            span_id = %format_args!("{:016x}", here.span_id),
            parent_id = parent.map(|it| tracing::field::display(format!("{:016x}", it.span_id))),
        );
        call.note(here);
        async { pass(inner, call).await.inspect_err(|error| tracing::warn!(%error, "it failed")) }
            .instrument(span)
            .await
    }
}

layer!(Trace);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tower_layer::Layer;

    use super::*;
    use crate::{
        Envelope,
        layers::fixture::{call, run, task},
    };

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_the_standard_allows_is_read_and_nothing_else() {
        let parent: TraceParent = PARENT.parse().unwrap();
        assert_eq!((parent.to_string().as_str(), parent.is_sampled()), (PARENT, true));
        assert_eq!(parent.span_id(), 0xb7ad_6b71_6920_3331);
        let later = PARENT.replacen("00-", "01-", 1) + "-what will be";
        assert_eq!(later.parse::<TraceParent>().unwrap(), parent);
        for wrong in [
            "",
            "00",
            &PARENT.to_uppercase(),
            &PARENT.replacen("00-", "ff-", 1),
            &format!("{PARENT}-more"),
            &PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &PARENT.replace("b7ad6b7169203331", &"0".repeat(16)),
            &PARENT.replace("b7ad6b7169203331", "+7ad6b7169203331"),
            &PARENT.replace("b7ad", "ü7a"),
        ] {
            assert!(wrong.parse::<TraceParent>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_handler_is_below_what_it_was_called_for() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let handler = move |here: TraceParent| {
            noted.lock().unwrap().push(here);
            async {}
        };
        let service = Trace::new("billing").layer(crate::service(handler, ()));
        let of = |text: &str| {
            call(Envelope::new("x", 7).with("traceparent", text).to_payload().unwrap())
        };
        // A task that is no envelope has it among its headers.
        let (task, _) = task("plain", &format!(r#"[["traceparent","{PARENT}"]]"#));
        for call in [of(PARENT), of("nonsense"), call("plain"), task] {
            run(&service, call).await.unwrap();
        }
        let parent: TraceParent = PARENT.parse().unwrap();
        let seen = seen.lock().unwrap();
        let is_same = [0, 1, 2, 3].map(|n: usize| seen[n].trace_id() == parent.trace_id());
        assert_eq!((is_same, seen.len()), ([true, false, false, true], 4));
        assert!(seen[0].span_id() != parent.span_id() && seen[1] != seen[2]);
    }
}
