//! Commands to send, and the answers to wait for.

use std::fmt;

use fanfare_resp::Value;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{Error, ErrorKind, connection::core::Replies};

/// Commands that are sent together and answered one by one.
///
/// A pipeline is not a transaction: other clients' commands may run in between, and one command
/// that fails does not stop the next.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    bytes: Vec<u8>,
    n_commands: usize,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a command: its name and arguments.
    pub fn push<'a>(
        &mut self,
        args: impl IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    ) {
        fanfare_resp::command(&mut self.bytes, args.into_iter());
        self.n_commands += 1;
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.n_commands
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n_commands == 0
    }

    /// Bytes on the wire.
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The answers to a pipeline that has been handed to the connection.
///
/// Of a cluster, what a node sent elsewhere is sent there while somebody waits for these answers.
#[must_use = "an answer that nobody waits for is an error that nobody sees"]
pub struct Answers {
    n_commands: usize,
    replies: Pending,
}

/// Who brings the answers.
enum Pending {
    /// The one connection.
    Direct(oneshot::Receiver<Replies>),
    /// Those of several nodes.
    Routed(BoxFuture<'static, Replies>),
}

impl Answers {
    pub(crate) fn direct(n_commands: usize, replies: oneshot::Receiver<Replies>) -> Self {
        Self { n_commands, replies: Pending::Direct(replies) }
    }

    pub(crate) fn routed(
        n_commands: usize,
        replies: impl Future<Output = Replies> + Send + 'static,
    ) -> Self {
        Self { n_commands, replies: Pending::Routed(Box::pin(replies)) }
    }

    async fn replies(self) -> Option<Replies> {
        match self.replies {
            Pending::Direct(replies) => replies.await.ok(),
            Pending::Routed(replies) => Some(replies.await),
        }
    }

    /// Waits for all answers, in the order of the commands.
    ///
    /// Each is the server's reply, or why there is none: [`ErrorKind::Server`] for an error reply,
    /// [`ErrorKind::Disconnected`], [`ErrorKind::Timeout`] and so on for those that did not come.
    pub async fn all(self) -> Vec<Result<Value, Error>> {
        let n_commands = self.n_commands;
        match self.replies().await {
            Some(replies) => replies.into_vec(),
            None => (0..n_commands).map(|_| Err(Error::closed())).collect(),
        }
    }

    /// Waits for the answer to the last command, which is the only one if there is one.
    ///
    /// # Errors
    /// As in [`all`](Self::all).
    pub async fn one(self) -> Result<Value, Error> {
        let last = self.replies().await.and_then(|mut replies| replies.pop());
        last.unwrap_or_else(|| Err(Error::closed()))
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("n_commands", &self.n_commands).finish_non_exhaustive()
    }
}

/// Refuses what would break a connection that many callers share.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`], with what to use instead.
pub fn check_shareable(args: &[&[u8]]) -> Result<(), Error> {
    let name = args.first().map(|name| String::from_utf8_lossy(name).to_ascii_uppercase());
    let cure = match name.as_deref() {
        None => "a command has at least a name",
        Some(
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE"
            | "SUNSUBSCRIBE",
        ) => "use `subscribe`",
        Some("XSUBSCRIBE" | "XUNSUBSCRIBE") => "use a stream's `tail`",
        Some("MULTI" | "EXEC" | "DISCARD" | "WATCH" | "UNWATCH") => {
            "commands of other callers would end up in the transaction"
        }
        Some("AUTH" | "HELLO" | "SELECT" | "RESET" | "QUIT") => {
            "it would change the connection for all callers; say it in the URL"
        }
        Some("MONITOR" | "SYNC" | "PSYNC") => "it never stops answering",
        Some(
            "BLPOP" | "BRPOP" | "BRPOPLPUSH" | "BLMOVE" | "BLMPOP" | "BZPOPMIN" | "BZPOPMAX"
            | "BZMPOP" | "WAIT" | "WAITAOF",
        ) => "it would block all callers",
        Some("XREAD" | "XREADGROUP") if has_word(args, b"BLOCK") => "BLOCK would block all callers",
        Some("CLIENT") if has_word(args, b"REPLY") => "answers could no longer be told apart",
        Some(_) => return Ok(()),
    };
    let name = name.unwrap_or_default();
    Err(Error::new(
        ErrorKind::InvalidRequest,
        format!("{name} can not run on a connection that many callers share: {cure}"),
    ))
}

/// Whether one of the first arguments (options come before names) is this word.
fn has_word(args: &[&[u8]], word: &[u8]) -> bool {
    args.iter().skip(1).take(6).any(|arg| arg.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_shared_connection_is_refused_with_the_reason() {
        let told = |args: &[&str]| {
            let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
            check_shareable(&args).map_err(|error| error.to_string())
        };
        assert!(told(&["subscribe", "a"]).unwrap_err().contains("use `subscribe`"));
        assert!(told(&["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]).is_err());
        assert!(told(&["client", "reply", "off"]).is_err());
        assert!(told(&[]).is_err());
        assert!(told(&["CLIENT", "LIST"]).is_ok());
        assert!(told(&["XREAD", "STREAMS", "s", "$"]).is_ok());
    }
}
