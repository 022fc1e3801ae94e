//! `fanfare serve`: the broker.

use std::io;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use fanfare_broker::Broker;
use fanfare_broker::config::{Config, LogFormat, Warning};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::host::{self, PidFile, Supervisor};
use crate::{config, logging};

/// Run the broker
///
/// Configured as redis-server is: by a redis.conf file, by FANFARE_* environment variables
/// (FANFARE_MAXCLIENTS=500) and by directives on the command line; what comes later holds.
/// SIGTERM, SIGINT and a client's SHUTDOWN stop it gracefully; a second signal ends it at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Directives used most (all of them: fanfare serve --help-directives):
  --port 6379                  TCP port; 0 opens none
  --bind '127.0.0.1 ::1'       addresses to listen on
  --unixsocket PATH            listen on a Unix socket
  --requirepass PASSWORD       ask clients for a password
  --protected-mode no          let other machines in although there is no password
  --maxclients 10000           connections at once
  --reactors 4                 threads; 0 is as many as suffice, up to one for each core
  --loglevel notice            debug, verbose, notice or warning
  --logfile PATH               log there instead of standard output
  --log-format json            one JSON object a line
  --pidfile PATH               write the process id there
  --supervised systemd         tell systemd when ready

Examples:
  fanfare serve
  fanfare serve --port 7000 --requirepass secret
  fanfare serve /etc/redis/redis.conf --loglevel verbose")]
pub(crate) struct Serve {
    /// Print every directive with its default and values, and end
    #[arg(long)]
    help_directives: bool,
    /// A redis.conf file (- for standard input), then directives as --name value
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "redis.conf] [--directive value"
    )]
    args: Vec<String>,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        if self.help_directives || self.args.iter().any(|it| it == "--help-directives") {
            config::print_all()?;
            return Ok(Exit::Done);
        }
        if self.args.iter().any(|it| it == "--help" || it == "-h") {
            print_help()?;
            return Ok(Exit::Done);
        }
        let (mut config, mut warnings) = Config::load(None, std::env::vars_os(), &self.args)?;
        host::enter_dir(&config)?;
        host::refuse_huge_pages();
        let set_level = logging::start(&config)?;
        for warning in warnings.drain(..) {
            warn(&warning);
        }
        if let Some(warning) = host::fit_maxclients(&mut config)? {
            tracing::warn!("{warning}");
        }
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start the runtime")?
            .block_on(serve(config, set_level))
    }
}

fn warn(warning: &Warning) {
    tracing::warn!("{warning}");
}

fn print_help() -> anyhow::Result<()> {
    let mut cli = Cli::command();
    cli.build();
    if let Some(serve) = cli.find_subcommand_mut("serve") {
        crate::output::line(serve.render_long_help().ansi())?;
    }
    Ok(())
}

async fn serve(config: Config, set_level: logging::SetLevel) -> anyhow::Result<Exit> {
    // Signals are caught before the first client can come.
    let mut signals = Signals::listen().context("failed to listen to signals")?;
    let supervisor = Supervisor::find(config.supervised).unwrap_or_else(|missing| {
        tracing::warn!("{missing}");
        Supervisor::Nobody
    });
    let pidfile_path = config.pidfile.clone();
    let log_format = config.log_format;
    let broker = Broker::builder()
        .config(config)
        .on_log_level(set_level)
        .on_idle(fanfare_allocator::collect)
        .start()?;
    let pidfile = pidfile_path.and_then(|path| match PidFile::write(&path) {
        Ok(pidfile) => Some(pidfile),
        Err(error) => {
            tracing::warn!("failed to write pidfile {}: {error}", path.display());
            None
        }
    });
    announce(&broker, log_format);
    told(supervisor.tell_ready());
    tokio::select! {
        name = signals.next() => tracing::info!("{name}: stopping"),
        () = broker.stopping() => tracing::info!("stopping"),
    }
    told(supervisor.tell_stopping());
    stop(broker, signals).await?;
    drop(pidfile);
    tracing::info!("bye");
    Ok(Exit::Done)
}

fn told(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!("failed to tell the supervisor: {error}");
    }
}

/// The line that says where it is.
fn announce(broker: &Broker, log_format: LogFormat) {
    let tcp = broker.addrs().iter().map(ToString::to_string);
    let unix = broker.unix_path().map(|it| it.display().to_string());
    let addresses = tcp.chain(unix).collect::<Vec<_>>().join(", ");
    let (version, pid, reactors) =
        (env!("CARGO_PKG_VERSION"), std::process::id(), broker.n_reactors());
    match log_format {
        LogFormat::Json => tracing::info!(version, pid, reactors, addresses, "ready"),
        LogFormat::Text => {
            let plural = if reactors == 1 { "" } else { "s" };
            tracing::info!(
                "fanfare {version} is ready on {addresses} ({reactors} reactor{plural}, pid {pid})"
            );
        }
    }
}

/// Stops the broker, or the process at the next signal.
async fn stop(broker: Broker, mut signals: Signals) -> anyhow::Result<()> {
    let stopped = tokio::task::spawn_blocking(|| broker.shutdown());
    tokio::select! {
        stopped = stopped => stopped.context("the broker failed while stopping"),
        name = signals.next() => {
            tracing::warn!("{name} again: ending at once");
            std::process::exit(1)
        }
    }
}

/// The signals that ask for an end. SIGHUP is caught and ignored, as in Redis: a broker outlives
/// its terminal.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    _hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
