//! Scripts and functions.

use std::sync::{Arc, OnceLock};

use fanfare_client::{Error, Pipeline};

use super::{
    Client,
    arg::ToArg,
    command::{Command, Run, decode, words},
    handle::{Call, closed},
    value::FromValue,
};

/// A Lua script that is run by its hash, and by its text where the server does not have it yet.
///
/// Cheap to clone. Keep it in a `static` or beside the client: the hash is asked for once.
///
/// # Example: take only what is there
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use fanfare::{Fanfare, client::Script, commands::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), fanfare::Error> {
/// let client = Fanfare::connect("embedded:").await?.client();
/// let take = Script::new(
///     "if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then return false end
///      return redis.call('DECRBY', KEYS[1], ARGV[1])",
/// );
/// client.set("stock", 5).await?;
/// assert_eq!(client.run_script::<Option<i64>>(&take, ["stock"], [3]).await?, Some(2));
/// assert_eq!(client.run_script::<Option<i64>>(&take, ["stock"], [3]).await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Script {
    text: Arc<str>,
    /// As the first server that was asked gave it.
    hash: Arc<OnceLock<String>>,
}

impl Script {
    /// A script of this text. Nothing is sent.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), hash: Arc::default() }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Commands about scripts and functions.
pub trait Scripts: Run {
    /// Runs a script by its text (`EVAL`): for pipelines and transactions. See
    /// [`Client::run_script`] for running it by its hash.
    fn eval<T: FromValue>(
        &self,
        script: &Script,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        args: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<T> {
        self.run(words(self, "EVAL").arg(script.text()).counted(keys).args(args).reply())
    }

    /// Runs a function of a library (`FCALL`).
    fn fcall<T: FromValue>(
        &self,
        function: impl ToArg,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        args: impl IntoIterator<Item = impl ToArg>,
    ) -> Self::Out<T> {
        self.run(words(self, "FCALL").arg(function).counted(keys).args(args).reply())
    }
}

impl<R: Run + ?Sized> Scripts for R {}

impl Client {
    /// Runs a script by its hash, and if the server does not know it (any more), by its text. The
    /// first call of a script asks for the hash (`SCRIPT LOAD`), which is one round trip more. Give
    /// all keys that the script touches; in a cluster they must be in one slot.
    ///
    /// # Errors
    /// As every command; [`ErrorKind::Server`](crate::ErrorKind::Server) with what the script
    /// raised.
    pub fn run_script<T: FromValue>(
        &self,
        script: &Script,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        args: impl IntoIterator<Item = impl ToArg>,
    ) -> Call<T> {
        let by_text: Command<T> = {
            let words = words(self, "EVAL").arg(script.text()).counted(keys);
            words.args(args).reply()
        };
        let (client, script) = (self.clone_in_lane(), script.clone());
        Call::new(async move {
            let args = by_text.args?;
            let hash = client.hash(&script).await?;
            let mut pipeline = Pipeline::new();
            let words: Vec<&[u8]> = args.iter().skip(2).collect();
            let head = [&b"EVALSHA"[..], hash.as_bytes()];
            let words: Vec<&[u8]> = head.into_iter().chain(words).collect();
            pipeline.push(words.iter().copied());
            let mut reply = client.answer(pipeline).await;
            if reply.as_ref().is_err_and(|error| error.server_code() == Some("NOSCRIPT")) {
                let mut pipeline = Pipeline::new();
                args.write(&mut pipeline);
                reply = client.answer(pipeline).await;
            }
            decode(reply, by_text.decode, client.namespace())
        })
    }

    async fn hash<'a>(&self, script: &'a Script) -> Result<&'a str, Error> {
        if let Some(hash) = script.hash.get() {
            return Ok(hash);
        }
        let load = words(self, "SCRIPT").word("LOAD").arg(script.text()).reply::<String>();
        let hash = self.run(load).await?;
        Ok(script.hash.get_or_init(|| hash))
    }

    async fn answer(&self, pipeline: Pipeline) -> Result<fanfare_client::Value, Error> {
        self.shared.send(pipeline).await?.pop().unwrap_or_else(|| Err(closed()))
    }
}
