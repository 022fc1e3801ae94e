//! `fanfare stream tail`: print a stream's entries as they come.

use std::io::{self, BufWriter, Stdout, Write as _};

use clap::Args;
use fanfare::stream::{Delivery, Entry, Position, StreamId};
use futures_util::FutureExt as _;

use crate::cli::{self, Server};
use crate::entry;
use crate::exit::Exit;
use crate::output::{self, CARE, DIM, GOOD};

/// Print a stream's entries: those that are there, and those that are added
///
/// A lost connection comes back by itself, and no entry is missed or printed twice; what was
/// trimmed away unread, or that the stream is another one, is told on standard error.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare stream tail orders                          what is added from now on
  fanfare stream tail orders --from 0                 all of it, and then what is added
  fanfare stream tail orders --from 1700000000000-0   what came after this entry
  fanfare stream tail orders --json | jq .fields      for programs")]
pub(crate) struct Tail {
    /// The stream's key
    key: String,
    /// Begin after this ID: `0` for the first entry, `$` for what is added from now on
    #[arg(long, value_name = "ID", default_value = "$", value_parser = position)]
    from: Position,
    /// Print one JSON object for each entry
    #[arg(long)]
    json: bool,
    /// End after so many entries
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    server: Server,
}

/// Entries printed in a row before the output is flushed.
const BURST_MAX: usize = 1_024;

impl Tail {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::block_on(1, self.tail())
    }

    async fn tail(self) -> anyhow::Result<Exit> {
        let fanfare = self.server.connect().await?;
        let mut tail = fanfare.stream(&self.key).tail(self.from).await?;
        // One for the whole time: another one would not know of a Ctrl-C before it.
        let interrupted = cli::interrupted();
        tokio::pin!(interrupted);
        let what = format!("following {} at {}", self.key, self.server.shown());
        output::note(output::styled(DIM, what));
        let mut printer = Printer::new(&self);
        loop {
            let mut delivery = tokio::select! {
                delivery = tail.next_delivery() => delivery,
                () = &mut interrupted => return Ok(Exit::Interrupted),
            };
            for _ in 0..BURST_MAX {
                match delivery {
                    Some(Delivery::Entry(entry)) => printer.print(&entry)?,
                    Some(event) => tell(&event),
                    None => {
                        printer.out.flush()?;
                        return tail.error().map_or(Ok(Exit::Failed), |error| Err(error.into()));
                    }
                }
                if printer.n_left == Some(0) {
                    printer.out.flush()?;
                    return Ok(Exit::Done);
                }
                match tail.next_delivery().now_or_never() {
                    Some(next) => delivery = next,
                    None => break,
                }
            }
            printer.out.flush()?;
        }
    }
}

fn position(text: &str) -> Result<Position, String> {
    match text {
        "$" => Ok(Position::New),
        _ => match text.parse::<StreamId>() {
            Ok(StreamId::MIN) => Ok(Position::Start),
            Ok(id) => Ok(Position::After(id)),
            Err(error) => Err(format!("{error}, and neither 0 nor $")),
        },
    }
}

/// What happens to the stream and the connection, on standard error.
fn tell(event: &Delivery) {
    let care = |text: String| output::note(format!("{} {text}", output::styled(CARE, "!")));
    match event {
        Delivery::Entry(_) => {}
        Delivery::Gap { after, upto } => {
            care(format!("gap: entries after {after} and up to {upto} were trimmed away unread"));
        }
        Delivery::Reset => care("the stream was deleted or replaced; from its start".to_owned()),
        Delivery::Down { error } => care(format!("connection lost: {error}; connecting again")),
        Delivery::Resumed { .. } => output::note(format!("{} resumed", output::styled(GOOD, "✓"))),
    }
}

/// Prints entries in the form that was asked for.
struct Printer {
    out: BufWriter<Stdout>,
    has_colours: bool,
    is_json: bool,
    n_left: Option<u64>,
}

impl Printer {
    fn new(args: &Tail) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        let has_colours = output::stdout_has_colours();
        Self { out, has_colours, is_json: args.json, n_left: args.count }
    }

    fn print(&mut self, entry: &Entry) -> io::Result<()> {
        self.n_left = self.n_left.map(|n| n - 1);
        if self.is_json {
            return writeln!(self.out, "{}", entry::as_json(entry));
        }
        let line = entry::as_line(entry);
        if self.has_colours {
            writeln!(self.out, "{line}")
        } else {
            writeln!(self.out, "{}", anstream::adapter::strip_str(&line))
        }
    }
}
