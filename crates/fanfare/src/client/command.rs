//! One command: its arguments, and what its answer means.

use fanfare_client::{Error, ErrorKind, Namespace, Pipeline, Value};

use super::{arg::ToArg, since, value::FromValue};

/// Something that runs commands, at once or later: a [`Client`](super::Client), a
/// [`Pipeline`](super::Pipeline), a [`Transaction`](super::Transaction), or the client of a program
/// without a runtime. The families of commands ([`commands`](crate::commands)) are written once for
/// all of them.
pub trait Run {
    /// What a command gives at first: a future of its answer, a ticket for it, or the answer.
    type Out<T: Send + 'static>;

    /// The namespace of names.
    fn namespace(&self) -> &Namespace;

    /// Runs a command.
    fn run<T: Send + 'static>(&self, command: Command<T>) -> Self::Out<T>;
}

/// What an answer means.
pub(crate) type Decode<T> = fn(Value, &Namespace) -> Result<T, Error>;

/// A command, ready to be run by whoever [`Run`]s.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is run"]
pub struct Command<T> {
    pub(crate) args: Result<Args, Error>,
    pub(crate) decode: Decode<T>,
}

/// The arguments, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Which of them are keys.
    keys: Vec<usize>,
}

/// A command that is being put together.
pub(crate) struct Words<'a> {
    args: Args,
    error: Option<Error>,
    namespace: &'a Namespace,
}

/// Begins a command.
pub(crate) fn words<'a, R: Run + ?Sized>(run: &'a R, name: &str) -> Words<'a> {
    Words { args: Args::default(), error: None, namespace: run.namespace() }.word(name)
}

impl Words<'_> {
    pub(crate) fn word(mut self, word: &str) -> Self {
        self.args.bytes.extend_from_slice(word.as_bytes());
        self.end()
    }

    pub(crate) fn arg(mut self, arg: impl ToArg) -> Self {
        if let Err(error) = arg.write_arg(&mut self.args.bytes) {
            self.error.get_or_insert(error);
        }
        self.end()
    }

    pub(crate) fn args(self, args: impl IntoIterator<Item = impl ToArg>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn pairs(self, pairs: impl IntoIterator<Item = (impl ToArg, impl ToArg)>) -> Self {
        pairs.into_iter().fold(self, |words, (a, b)| words.arg(a).arg(b))
    }

    /// A key, within the namespace.
    pub(crate) fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.args.keys.push(self.args.ends.len());
        self.args.bytes.extend_from_slice(self.namespace.prefix());
        self.args.bytes.extend_from_slice(key.as_ref());
        self.end()
    }

    pub(crate) fn keys(self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        keys.into_iter().fold(self, Self::key)
    }

    /// How many keys there are, and the keys.
    pub(crate) fn counted(self, keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let keys: Vec<_> = keys.into_iter().collect();
        self.arg(keys.len()).keys(keys)
    }

    pub(crate) fn word_if(self, is_so: bool, word: &str) -> Self {
        if is_so { self.word(word) } else { self }
    }

    /// Its answer is a `T`.
    pub(crate) fn reply<T: FromValue>(self) -> Command<T> {
        self.reply_by(|value, _| T::from_value(value))
    }

    pub(crate) fn reply_by<T>(self, decode: Decode<T>) -> Command<T> {
        let args = self.error.map_or(Ok(self.args), Err);
        Command { args, decode }
    }

    fn end(mut self) -> Self {
        self.args.ends.push(self.args.bytes.len());
        self
    }
}

impl Command<Value> {
    /// Any command, sent as it is given: without the namespace. The first argument behind its name
    /// is taken for its key.
    ///
    /// # Example: in a pipeline
    #[cfg_attr(feature = "embedded", doc = "```")]
    #[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
    /// use fanfare::{Fanfare, client::{Command, Run}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fanfare::Error> {
    /// let client = Fanfare::connect("embedded:").await?.client();
    /// let pipeline = client.pipeline();
    /// let echo = pipeline.run(Command::raw(["ECHO", "hello"]));
    /// let mut answers = pipeline.send().await?;
    /// assert_eq!(answers.take(echo)?.as_str(), Some("hello"));
    /// # Ok(()) }
    /// ```
    pub fn raw<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Self {
        let none = Namespace::default();
        let mut words = Words { args: Args::default(), error: None, namespace: &none };
        for (at, arg) in args.into_iter().enumerate() {
            words = if at == 1 { words.key(arg) } else { words.arg(arg.as_ref()) };
        }
        let checked = {
            let args: Vec<&[u8]> = words.args.iter().collect();
            fanfare_client::check_shareable(&args)
        };
        words.error = checked.err();
        words.reply()
    }
}

impl<T> Command<T> {
    pub(crate) fn into_pipeline(self) -> Result<(Pipeline, Decode<T>), Error> {
        let mut pipeline = Pipeline::new();
        self.args?.write(&mut pipeline);
        Ok((pipeline, self.decode))
    }
}

impl Args {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|at| self.get(at).unwrap_or_default())
    }

    pub(crate) fn write(&self, pipeline: &mut Pipeline) {
        pipeline.push(self.iter());
    }

    /// The keys, as they are on the server.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().filter_map(|&at| self.get(at))
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(at)?)
    }
}

/// The answer, as the command's type or as an error that says more than the server's.
pub(crate) fn decode<T>(
    reply: Result<Value, Error>,
    decode: Decode<T>,
    namespace: &Namespace,
) -> Result<T, Error> {
    match reply {
        Ok(value) => decode(value, namespace),
        Err(error) => Err(explained(error)),
    }
}

/// A server's error about a command that it does not have names who has it.
pub(crate) fn explained(error: Error) -> Error {
    let unknown = error.message().strip_prefix("ERR unknown command ");
    let name = unknown.and_then(|rest| rest.split(['\'', '`']).nth(1)).map(str::to_ascii_uppercase);
    match name {
        Some(name) => {
            let message = format!("the server has no command {name}{}", since::who_has(&name));
            Error::new(ErrorKind::Unsupported, message).with_source(error)
        }
        None => error,
    }
}
