//! What a handler answers.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::{BoxError, Call, Extract, Json, Raw, Text, codec::json, handle::Undecodable};

/// An answer: bytes, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The media type, such as `image/png`. `None`: JSON.
    pub content_type: Option<&'static str>,
    /// The answer.
    pub bytes: Bytes,
}

/// What a handler that answers may return: [`Json`], [`Text`], [`Raw`], `()` (JSON's `null`), a
/// [`Reply`], or a `Result` of any of them, whose error goes to whoever asked.
pub trait IntoReply: Send {
    /// The answer, or the error whose text is answered.
    ///
    /// # Errors
    /// The handler's own.
    fn into_reply(self) -> Result<Reply, BoxError>;
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply, BoxError> {
        Ok(self)
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Reply, BoxError> {
        Ok(Reply { content_type: None, bytes: Bytes::from_static(b"null") })
    }
}

impl<T: Serialize + Send> IntoReply for Json<T> {
    fn into_reply(self) -> Result<Reply, BoxError> {
        Ok(Reply { content_type: None, bytes: json::encode(&self.0)?.into() })
    }
}

impl IntoReply for Text {
    fn into_reply(self) -> Result<Reply, BoxError> {
        Ok(Reply { content_type: Some("text/plain; charset=utf-8"), bytes: self.0.into() })
    }
}

impl IntoReply for Raw {
    fn into_reply(self) -> Result<Reply, BoxError> {
        Ok(Reply { content_type: Some("application/octet-stream"), bytes: self.0 })
    }
}

impl<T: IntoReply, E: Into<BoxError> + Send> IntoReply for Result<T, E> {
    fn into_reply(self) -> Result<Reply, BoxError> {
        self.map_err(Into::into)?.into_reply()
    }
}

/// A handler that answers: an asynchronous function whose arguments are [extracted](Extract) from the
/// [`Call`], none to four of them, and that returns something that is [`IntoReply`].
pub trait Respond<Args, S>: Send + Sync + 'static {
    /// Begins to answer.
    fn respond(&self, call: Call, state: &S) -> BoxFuture<'static, Result<Reply, BoxError>>;
}

macro_rules! respond_functions {
    ($(($($arg:ident $value:ident),*),)+) => {$(
        impl<F, Fut, S, $($arg),*> Respond<($($arg,)*), S> for F
        where
            F: Fn($($arg),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output: IntoReply> + Send + 'static,
            $($arg: Extract<S, Call>,)*
        {
            fn respond(
                &self,
                call: Call,
                state: &S,
            ) -> BoxFuture<'static, Result<Reply, BoxError>> {
                $(let $value = match $arg::extract(&call, state) {
                    Ok(value) => value,
                    Err(error) => return Box::pin(async { Err(Undecodable(error).into()) }),
                };)*
                // A function without arguments asks for nothing.
                let _ = (call, state);
                let answering = self($($value),*);
                Box::pin(async move { answering.await.into_reply() })
            }
        }
    )+};
}

respond_functions!(
    (),
    (A a),
    (A a, B b),
    (A a, B b, C c),
    (A a, B b, C c, D d),
);
