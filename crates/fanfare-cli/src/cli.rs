//! The commands, and the arguments that several of them share.

use std::future::Future;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use fanfare::Fanfare;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{CODES, Exit};
use crate::{
    bench, check, completions, config, demo, dlq, doctor, explain, group, man, output, ping,
    publish, serve, stream, subscribe, top,
};

const EXAMPLES: &str = "\
Examples:
  fanfare demo                              see it work, with nothing else installed
  fanfare serve --port 6379                 run the broker
  fanfare sub -p 'news.*'                   print what is published
  fanfare pub news.sport 'one all'          publish
  fanfare stream tail orders --from 0       print what a stream holds, and what is added
  fanfare group work orders billing --exec ./bill.sh
                                            run a program for each entry, with retries
  fanfare dlq ls orders billing             what could not be handled
  fanfare top                               watch a broker: nodes, channels, streams, groups, queues
  fanfare doctor                            what is wrong with a broker, and what mends it
  fanfare bench pubsub --subscribers 100    measure

The server is FANFARE_URL or --url; without them redis://127.0.0.1:6379.
";

/// A pub/sub broker that speaks Redis, and the tools to use and measure it.
#[derive(Debug, Parser)]
#[command(
    name = "fanfare",
    version,
    styles = output::STYLES,
    arg_required_else_help = true,
    after_help = format!("{EXAMPLES}\n{CODES}"),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Pub(publish::Publish),
    Sub(subscribe::Subscribe),
    Stream(stream::Stream),
    Group(group::Group),
    Dlq(dlq::Dlq),
    Ping(ping::Ping),
    Top(top::Top),
    Check(check::Check),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Config(config::Reference),
    Explain(explain::Explain),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.command {
            Command::Serve(it) => it.run(),
            Command::Demo(it) => it.run(),
            Command::Pub(it) => it.run(),
            Command::Sub(it) => it.run(),
            Command::Stream(it) => it.run(),
            Command::Group(it) => it.run(),
            Command::Dlq(it) => it.run(),
            Command::Ping(it) => it.run(),
            Command::Top(it) => it.run(),
            Command::Check(it) => it.run(),
            Command::Doctor(it) => it.run(),
            Command::Bench(it) => it.run(),
            Command::Config(it) => it.run(),
            Command::Explain(it) => it.run(),
            Command::Completions(it) => it.run(),
            Command::Man(it) => it.run(),
        }
    }
}

/// Where a server is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Address {
    /// The server: `redis://user:password@host:port`, `rediss://…`, `redis+unix:///path`,
    /// `redis+sentinel://host,host/master`, `redis+cluster://host,host`
    #[arg(
        short,
        long,
        env = "FANFARE_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379",
        value_name = "URL"
    )]
    pub(crate) url: String,
}

/// Which server to talk to, and which of its names are ours.
#[derive(Args, Clone, Debug)]
pub(crate) struct Server {
    #[command(flatten)]
    pub(crate) address: Address,
    /// What stands before all names on the server and is left out here: the `namespace` of the programs
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) namespace: String,
}

impl Server {
    /// Connects, or says why not.
    pub(crate) async fn connect(&self) -> anyhow::Result<Fanfare> {
        let named = Fanfare::builder(&self.address.url)
            .options(|it| it.client_name(CLIENT_NAME).namespace(&self.namespace));
        Ok(named.connect().await?)
    }

    /// The URL for people: without the password.
    pub(crate) fn shown(&self) -> String {
        shown(&self.address.url)
    }
}

/// A URL for people: without the password.
pub(crate) fn shown(url: &str) -> String {
    url.parse::<fanfare::ServerUrl>().map_or_else(|_| url.to_owned(), |it| it.to_string())
}

/// What `CLIENT LIST` shows.
pub(crate) const CLIENT_NAME: &str = "fanfare-cli";

/// Connects under the name that `CLIENT LIST` shows.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Fanfare> {
    let named = Fanfare::builder(url).options(|options| options.client_name(CLIENT_NAME));
    Ok(named.connect().await?)
}

/// Runs a command's future. The caller's thread belongs to the command, so that a full pipe on its
/// standard output does not keep the connections from their heartbeats.
pub(crate) fn block_on<F>(n_threads: usize, future: F) -> anyhow::Result<Exit>
where
    F: Future<Output = anyhow::Result<Exit>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(n_threads.max(1))
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let exit = runtime.block_on(future);
    // A thread that waits for a line of standard input would never end.
    runtime.shutdown_background();
    exit
}

/// Runs a command that has nothing to bring to an end when Ctrl-C is pressed.
pub(crate) fn until_interrupted<F>(future: F) -> anyhow::Result<Exit>
where
    F: Future<Output = anyhow::Result<Exit>>,
{
    block_on(1, async {
        tokio::select! {
            exit = future => exit,
            () = interrupted() => Ok(Exit::Interrupted),
        }
    })
}

/// One thread for each core.
pub(crate) fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Resolves when Ctrl-C is pressed, from this call on; never, if the system can not tell.
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    let interrupt = signal(SignalKind::interrupt());
    async move {
        match interrupt {
            Ok(mut interrupt) => drop(interrupt.recv().await),
            Err(_) => std::future::pending().await,
        }
    }
}

/// Parses a number of seconds, such as `0.5`.
pub(crate) fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "a number of seconds above 0 and up to 31536000, such as 0.5".to_owned();
    let value: f64 = text.trim_end_matches('s').parse().map_err(|_| wrong())?;
    if !(0.0 < value && value <= 31_536_000.0) {
        return Err(wrong());
    }
    Ok(std::time::Duration::from_secs_f64(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let shown = command.clone().render_long_help().to_string();
            assert!(shown.contains("Example"), "{name}");
        }
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(seconds("0.5").unwrap().as_millis(), 500);
        assert_eq!(seconds("2s").unwrap().as_secs(), 2);
        for wrong in ["0", "-1", "NaN", "inf", "", "1e99"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
