//! What a handler of calls may ask for as its arguments.

use std::sync::Arc;

use fanfare_client::{Error, ErrorKind, Message};
use serde::de::DeserializeOwned;

use super::{Call, Source};
use crate::{Extract, Json, Raw, Sealed, Text, queue::Task, stream::Entry, worker::Context};

impl Call {
    fn undecodable(
        &self,
        what: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        let message = match self.id() {
            Some(id) => format!("{id} of {} is not {what}", self.source()),
            None => format!("a message of {} is not {what}", self.source()),
        };
        Error::new(ErrorKind::Decode, message).with_source(source)
    }

    /// The payload, if it is what its envelope's encoding says of it, if it has one.
    pub(crate) fn plain(&self) -> Result<&bytes::Bytes, Error> {
        match self.head().and_then(|head| Some((head, head.content_encoding()?))) {
            None => self.payload(),
            Some((head, encoding)) => {
                let message = format!(
                    "the data of event {} ({}) is compressed by {encoding:?}: put a layer that \
                     decompresses around the handler",
                    head.id(),
                    head.kind()
                );
                Err(Error::new(ErrorKind::Decode, message))
            }
        }
    }
}

impl<S> Extract<S, Call> for Call {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        Ok(call.clone())
    }
}

impl<S> Extract<S, Call> for Source {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        Ok(call.source().clone())
    }
}

impl<S> Extract<S, Call> for Sealed {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.sealed()
    }
}

impl<S, T: DeserializeOwned + Send> Extract<S, Call> for Json<T> {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        serde_json::from_slice(call.plain()?)
            .map(Self)
            .map_err(|source| call.undecodable("the expected JSON", source))
    }
}

impl<S> Extract<S, Call> for Text {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        std::str::from_utf8(call.plain()?)
            .map(|text| Self(text.to_owned()))
            .map_err(|source| call.undecodable("UTF-8 text", source))
    }
}

impl<S> Extract<S, Call> for Raw {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.payload().cloned().map(Self)
    }
}

impl<S> Extract<S, Call> for Message {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.message().cloned().ok_or_else(|| absent(call, "a message of a channel"))
    }
}

impl<S> Extract<S, Call> for Arc<Entry> {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.entry().cloned().ok_or_else(|| absent(call, "an entry of a stream"))
    }
}

impl<S> Extract<S, Call> for Context {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.context().cloned().ok_or_else(|| absent(call, "an entry of a stream"))
    }
}

impl<S> Extract<S, Call> for Task {
    fn extract(call: &Call, _state: &S) -> Result<Self, Error> {
        call.task().cloned().ok_or_else(|| absent(call, "a task of a queue"))
    }
}

fn absent(call: &Call, what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("what came from {} is not {what}", call.source()))
}
