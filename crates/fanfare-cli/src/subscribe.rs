//! `fanfare sub`: print what is published.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::time::{Duration, Instant, UNIX_EPOCH};

use clap::Args;
use fanfare::{Delivery, Event, Gap, Kind, Message, Overflow, Subscription};
use futures_util::FutureExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::{self, Server};
use crate::exit::Exit;
use crate::failure;
use crate::output::{self, CARE, DIM, GOOD, NAME};
use crate::sparkline::Sparkline;
use crate::text;

/// Subscribe, and print the messages
///
/// A lost connection comes back by itself; what may be missing is told on standard error.
#[derive(Args, Debug)]
#[command(
    visible_alias = "subscribe",
    after_help = "\
Examples:
  fanfare sub news chat                     two channels
  fanfare sub -p 'news.*' -p 'chat.?'       all channels that match a pattern
  fanfare sub orders --json | jq .payload   for programs
  fanfare sub images --raw --count 1        only the bytes, and a line feed
  fanfare sub -p '*' --graph                the rate, live"
)]
pub(crate) struct Subscribe {
    /// Channels
    #[arg(required_unless_present_any = ["patterns", "shards"])]
    channels: Vec<String>,
    /// Subscribe to all channels that match this glob pattern; may be repeated
    #[arg(short, long = "pattern", value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Subscribe to this sharded channel (SSUBSCRIBE); may be repeated
    #[arg(short, long = "shard", value_name = "CHANNEL")]
    shards: Vec<String>,
    /// Print one JSON object for each message
    #[arg(long, conflicts_with_all = ["raw", "graph"])]
    json: bool,
    /// Print the payload as it is, followed by a line feed
    #[arg(long, conflicts_with = "graph")]
    raw: bool,
    /// End after so many messages
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds; with --count that is a failure (exit code 1)
    #[arg(short, long, value_name = "SECONDS", value_parser = cli::seconds)]
    timeout: Option<Duration>,
    /// Print when each message came, in UTC
    #[arg(long, conflicts_with = "raw")]
    timestamps: bool,
    /// Show the rate instead of the messages
    #[arg(long)]
    graph: bool,
    #[command(flatten)]
    server: Server,
}

/// Messages that may wait here while standard output is slow; then the server holds them.
const QUEUE_MESSAGES: usize = 65_536;
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Messages printed in a row before anything else is looked at.
const BURST_MAX: usize = 1_024;

impl Subscribe {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::block_on(1, self.subscribe())
    }

    async fn subscribe(self) -> anyhow::Result<Exit> {
        let fanfare = self.server.connect().await?;
        let mut events = fanfare.events();
        let subscriber = fanfare
            .subscriber()
            .channels(&self.channels)
            .patterns(&self.patterns)
            .sharded(&self.shards)
            .queue(Overflow::Block, QUEUE_MESSAGES, QUEUE_BYTES);
        let mut subscription = subscriber.connect().await?;
        // One for the whole time: another one would not know of a Ctrl-C before it.
        let interrupted = cli::interrupted();
        tokio::pin!(interrupted);
        output::note(output::styled(DIM, self.confirmed()));

        let mut printer = Printer::new(&self);
        let deadline = self.timeout.map(|it| tokio::time::Instant::now() + it);
        let mut tick = tokio::time::interval(printer.tick_every());
        let exit = loop {
            tokio::select! {
                delivery = subscription.next_delivery() => {
                    let burst = printer.print_burst(delivery, &mut subscription)?;
                    if let Some(exit) = burst { break exit }
                }
                Some(event) = events.next() => tell(&event),
                _ = tick.tick(), if self.graph => printer.draw()?,
                () = until(deadline) => {
                    break if self.count.is_some() { Exit::Failed } else { Exit::Done };
                }
                () = &mut interrupted => break Exit::Interrupted,
            }
        };
        printer.finish()?;
        if let Some(error) = subscription.error() {
            return Err(error.into());
        }
        if exit == Exit::Failed {
            self.tell_timeout(printer.n_messages);
        }
        Ok(exit)
    }

    fn confirmed(&self) -> String {
        let counts = [
            (self.channels.len(), "channel"),
            (self.patterns.len(), "pattern"),
            (self.shards.len(), "sharded channel"),
        ];
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(n, _)| *n != 0)
            .map(|(n, noun)| text::counted(n as u64, noun))
            .collect();
        format!("subscribed to {} at {}", counts.join(", "), self.server.shown())
    }

    fn tell_timeout(&self, n_messages: u64) {
        let wanted = self.count.map(text::count).unwrap_or_default();
        let waited = text::duration(self.timeout.unwrap_or_default());
        let got = text::count(n_messages);
        let error = anyhow::anyhow!("{got} of {wanted} messages came within {waited}");
        let hint = "check that the publisher uses this server and these channels, or wait longer \
                    with --timeout";
        failure::report(&failure::hinted(error, hint));
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What happens to the connections, on standard error.
fn tell(event: &Event) {
    let care = |text: String| output::note(format!("{} {text}", output::styled(CARE, "!")));
    match event {
        Event::Down { error, .. } => care(format!("connection lost: {error}; connecting again")),
        Event::ConnectFailed { n_failed: 1, error, .. } => {
            care(format!("no connection yet: {error}; trying on"));
        }
        Event::Resubscribed { .. } => {
            output::note(format!("{} subscribed again", output::styled(GOOD, "✓")));
        }
        Event::Refused { channel, error } => {
            care(format!("the server refuses {}: {error}", text::printable(channel)));
        }
        _ => {}
    }
}

fn tell_gap(gap: &Gap) {
    if let Some(outage) = &gap.outage {
        let lasted = text::duration(outage.lasted);
        output::note(format!(
            "{} gap: no connection for {lasted}; what was published meanwhile is lost",
            output::styled(CARE, "!")
        ));
    }
    if gap.n_dropped != 0 {
        let messages = text::counted(gap.n_dropped, "message");
        output::note(format!("{} gap: {messages} dropped", output::styled(CARE, "!")));
    }
}

/// Prints messages in the form that was asked for.
struct Printer {
    form: Form,
    out: BufWriter<Stdout>,
    has_colours: bool,
    timestamps: bool,
    n_messages: u64,
    n_wanted: Option<u64>,
}

enum Form {
    Text,
    Json,
    Raw,
    Graph(Box<Graph>),
}

impl Printer {
    fn new(args: &Subscribe) -> Self {
        let form = match args {
            Subscribe { json: true, .. } => Form::Json,
            Subscribe { raw: true, .. } => Form::Raw,
            Subscribe { graph: true, .. } => Form::Graph(Box::new(Graph::new())),
            _ => Form::Text,
        };
        Self {
            form,
            out: BufWriter::with_capacity(64 * 1024, io::stdout()),
            has_colours: output::stdout_has_colours(),
            timestamps: args.timestamps,
            n_messages: 0,
            n_wanted: args.count,
        }
    }

    fn tick_every(&self) -> Duration {
        match &self.form {
            Form::Graph(graph) if graph.bar.is_some() => Duration::from_millis(250),
            _ => Duration::from_secs(1),
        }
    }

    /// Prints what has come, and whatever else is there already, before the output is flushed.
    /// Returns how to end if this was the end.
    fn print_burst(
        &mut self,
        first: Option<Delivery>,
        subscription: &mut Subscription,
    ) -> io::Result<Option<Exit>> {
        let mut delivery = first;
        let mut exit = None;
        for _ in 0..BURST_MAX {
            match delivery {
                Some(Delivery::Message(message)) => self.print(&message)?,
                Some(Delivery::Gap(gap)) => tell_gap(&gap),
                None => exit = Some(Exit::Failed),
            }
            if self.n_wanted.is_some_and(|wanted| wanted <= self.n_messages) {
                exit = Some(Exit::Done);
            }
            if exit.is_some() {
                break;
            }
            match subscription.next_delivery().now_or_never() {
                Some(next) => delivery = next,
                None => break,
            }
        }
        self.out.flush()?;
        Ok(exit)
    }

    fn print(&mut self, message: &Message) -> io::Result<()> {
        self.n_messages += 1;
        match &mut self.form {
            Form::Raw => {
                self.out.write_all(&message.payload)?;
                self.out.write_all(b"\n")
            }
            Form::Json => writeln!(self.out, "{}", as_json(message, self.timestamps)),
            Form::Text => {
                let line = as_line(message, self.timestamps);
                if self.has_colours {
                    writeln!(self.out, "{line}")
                } else {
                    writeln!(self.out, "{}", anstream::adapter::strip_str(&line))
                }
            }
            Form::Graph(graph) => {
                graph.last = Some(message.clone());
                Ok(())
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Form::Graph(graph) = &mut self.form
            && let Some(line) = graph.draw(self.n_messages)
        {
            writeln!(self.out, "{line}")?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Form::Graph(graph) = &self.form {
            if let Some(bar) = &graph.bar {
                bar.finish_and_clear();
            }
            let messages = text::counted(self.n_messages, "message");
            let elapsed = graph.started.elapsed();
            let rate = text::count(text::per_second(self.n_messages, elapsed));
            writeln!(self.out, "{messages} in {}, {rate}/s", text::duration(elapsed))?;
        }
        self.out.flush()
    }
}

/// The rate of messages: one line drawn again and again on a terminal, else a line each second.
struct Graph {
    bar: Option<ProgressBar>,
    sparkline: Sparkline,
    started: Instant,
    last_at: Instant,
    n_before: u64,
    last: Option<Message>,
}

impl Graph {
    fn new() -> Self {
        let bar = output::is_watched().then(|| {
            let style = ProgressStyle::with_template("{wide_msg}");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        let now = Instant::now();
        Self {
            bar,
            sparkline: Sparkline::new(40),
            started: now,
            last_at: now,
            n_before: 0,
            last: None,
        }
    }

    /// A line to print, if there is no terminal to draw on.
    fn draw(&mut self, n_messages: u64) -> Option<String> {
        let elapsed = self.last_at.elapsed();
        // The first tick comes at once.
        if elapsed < Duration::from_millis(10) {
            return None;
        }
        let rate = text::per_second(n_messages - self.n_before, elapsed);
        (self.last_at, self.n_before) = (Instant::now(), n_messages);
        self.sparkline.push(rate);
        let total = text::counted(n_messages, "message");
        let Some(bar) = &self.bar else {
            return Some(format!("{}/s  {total}", text::count(rate)));
        };
        let last = self.last.as_ref().map(|it| {
            let channel = text::printable(&it.channel);
            let payload = text::printable(it.payload.get(..200).unwrap_or(&it.payload));
            format!("  {channel} {}", text::shortened(&payload, 60))
        });
        let (sparkline, rate) = (&self.sparkline, text::count(rate));
        bar.set_message(format!("{sparkline} {rate:>11}/s  {total}{}", last.unwrap_or_default()));
        bar.tick();
        None
    }
}

fn as_line(message: &Message, with_time: bool) -> String {
    let mut line = String::new();
    if with_time {
        line = output::styled(DIM, text::utc(message.received_at)) + " ";
    }
    line += &output::styled(NAME, text::printable(&message.channel));
    if let Some(pattern) = &message.pattern {
        line += &output::styled(DIM, format!(" ({})", text::printable(pattern)));
    }
    line + " " + &text::printable(&message.payload)
}

/// Bytes that are not UTF-8 come as hexadecimal digits under another key, so that nothing is lost.
fn as_json(message: &Message, with_time: bool) -> Value {
    let kind = match message.kind {
        Kind::Channel => "message",
        Kind::Pattern => "pmessage",
        Kind::Shard => "smessage",
    };
    let mut object = serde_json::Map::new();
    object.insert("type".to_owned(), json!(kind));
    let mut put = |key: &str, bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(key.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{key}_hex"), json!(text::hex(bytes))),
    };
    put("channel", &message.channel);
    if let Some(pattern) = &message.pattern {
        put("pattern", pattern);
    }
    put("payload", &message.payload);
    if with_time {
        let since = message.received_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        object.insert("received_at".to_owned(), json!(text::utc(message.received_at)));
        object.insert("received_at_unix".to_owned(), json!(since.as_secs_f64()));
    }
    Value::Object(object)
}
