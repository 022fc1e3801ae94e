//! Scripts and functions.

use std::sync::{Arc, OnceLock};

use fanfare_client::{Error, Pipeline};

use super::{
    Client,
    arg::ToArg,
    command::{Args, Command, Run, decode, words},
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
        let words: Command<T> = words(self, "EVALSHA").counted(keys).args(args).reply();
        let (client, script) = (self.clone_in_lane(), script.clone());
        Call::new(async move {
            let args = words.args?;
            let hash = client.script_hash(&script).await?;
            let mut reply = client.answer(named(&args, "EVALSHA", hash)).await;
            if reply.as_ref().is_err_and(|error| error.server_code() == Some("NOSCRIPT")) {
                reply = client.answer(named(&args, "EVAL", script.text())).await;
            }
            decode(reply, words.decode, client.namespace())
        })
    }

    /// Its hash, as the first server that was asked gave it.
    pub(crate) async fn script_hash<'a>(&self, script: &'a Script) -> Result<&'a str, Error> {
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

/// The command of these arguments, by the script's hash or its text. Only the hash is put together with them
/// each time: the text may be long.
fn named(args: &Args, command: &str, script: &str) -> Pipeline {
    let mut words = Vec::with_capacity(args.iter().len() + 1);
    words.extend([command.as_bytes(), script.as_bytes()]);
    words.extend(args.iter().skip(1));
    let mut pipeline = Pipeline::new();
    pipeline.push(words);
    pipeline
}

#[cfg(test)]
mod tests {
    use fanfare_client::Namespace;

    use super::*;

    /// What runs commands by noting how many bytes they are made of.
    struct Noting(Namespace);

    impl Run for Noting {
        type Out<T: Send + 'static> = usize;

        fn namespace(&self) -> &Namespace {
            &self.0
        }

        fn run<T: Send + 'static>(&self, command: Command<T>) -> usize {
            command.args.map_or(0, |args| args.iter().map(<[u8]>::len).sum())
        }
    }

    #[test]
    fn a_script_that_is_known_is_called_without_its_text() {
        let noting = Noting(Namespace::default());
        let script = Script::new("x".repeat(100_000));
        assert!(100_000 < noting.eval::<()>(&script, ["k"], ["a"]), "this is by its text");
        let args = words(&noting, "EVALSHA").counted(["k"]).args(["a"]).reply::<()>().args.unwrap();
        assert!(args.iter().map(<[u8]>::len).sum::<usize>() < 20);
        assert!(named(&args, "EVALSHA", "0123").n_bytes() < 60);
        assert!(100_000 < named(&args, "EVAL", script.text()).n_bytes());
    }
}
