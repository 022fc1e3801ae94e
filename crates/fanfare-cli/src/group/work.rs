//! `fanfare group work`: run a program for each entry of a group.

use std::ffi::OsString;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use fanfare::Backoff;
use fanfare::stream::Entry;
use fanfare::worker::{Context, RunningWorker, WorkerEvent, WorkerEvents, WorkerStats};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::Notify;

use crate::cli::{self, Server};
use crate::entry;
use crate::exit::Exit;
use crate::output::{self, BAD, CARE, DIM, GOOD};
use crate::pace;
use crate::text;

/// Run a program for each entry of a group; exit code 0 acknowledges it
///
/// The program gets the entry as one line of JSON on standard input, and in the environment
/// FANFARE_STREAM, FANFARE_GROUP, FANFARE_ID, FANFARE_DELIVERIES, and FANFARE_FIELD_NAME for a field
/// called name (letters become capitals, everything else but digits an underscore). If it exits with
/// anything but 0, the entry is tried again later; after the last time, it is put with the dead
/// letters, with the last line of its standard error. Any number of these may work in a group; what
/// one of them leaves behind, the others take over. Ctrl-C waits for the programs that run, up to
/// half a minute; a second one kills them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare group work orders billing --exec ./bill.sh
  fanfare group work orders billing --exec 'jq -r .fields[0].value >> billed.txt'
  fanfare group work orders billing --exec ./bill.sh --concurrency 8 --timeout 60
  fanfare group work orders billing --exec ./bill.sh --count 100 --json")]
pub(crate) struct Work {
    /// The stream's key
    key: String,
    /// The group; it is made if it is not there, and then begins with the first entry
    group: String,
    /// The command, run by /bin/sh
    #[arg(long, value_name = "CMD")]
    exec: OsString,
    /// Programs at the same time
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Seconds after which a program is killed, which counts as a failure
    #[arg(long, value_name = "SECONDS", value_parser = cli::seconds)]
    timeout: Option<Duration>,
    /// Seconds until an entry is tried again, twice as long each time, up to five minutes
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = cli::seconds)]
    retry: Duration,
    /// Deliveries before an entry is put with the dead letters; 0 for no bound
    #[arg(long, value_name = "N", default_value_t = 5)]
    deliveries_max: u64,
    /// Seconds without a sign of life after which others take over what this one has
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = cli::seconds)]
    lease: Duration,
    /// Programs started each second, at most
    #[arg(long, value_name = "N", value_parser = pace::rate)]
    rate: Option<f64>,
    /// End after so many entries were handled
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print one JSON object for each entry that was handled or failed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Longest time between two tries.
const RETRY_MAX: Duration = Duration::from_secs(300);
/// How long programs that run are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is kept of a program's standard error to say why it failed.
const REASON_LEN_MAX: usize = 300;
/// Where a line of a program's standard error is broken.
const LINE_LEN_MAX: usize = 4_096;
/// How long the standard error of a program that has ended is read on: what it has left in the
/// background may keep it open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Work {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        cli::block_on(1, self.work())
    }

    async fn work(self) -> anyhow::Result<Exit> {
        let fanfare = self.server.connect().await?;
        let interrupted = cli::interrupted();
        tokio::pin!(interrupted);
        let enough = Arc::new(Enough { left: AtomicU64::new(0), reached: Notify::new() });
        enough.left.store(self.count.unwrap_or(u64::MAX), Ordering::Relaxed);
        let mut worker = fanfare
            .stream(&self.key)
            .group(&self.group)
            .worker()
            .concurrency(usize::from(self.concurrency))
            .lease(self.lease)
            .retry(Backoff { first: self.retry, cap: RETRY_MAX.max(self.retry) })
            .deliveries_max(self.deliveries_max);
        if self.count.is_some() {
            // Nothing is begun beyond the count but what runs beside the last one.
            worker = worker.prefetch(0);
        }
        if let Some(timeout) = self.timeout {
            worker = worker.timeout(timeout);
        }
        if let Some(rate) = self.rate {
            worker = worker.rate(rate);
        }
        let job = Arc::new(Job {
            exec: self.exec.clone(),
            key: self.key.clone(),
            group: self.group.clone(),
            json: self.json,
            enough: enough.clone(),
        });
        let worker = worker.spawn(move |entry, context| run_one(job.clone(), entry, context))?;
        let events = worker.events();
        let what = format!("working on {} in {} at {}", self.key, self.group, self.server.shown());
        output::note(output::styled(DIM, what));
        let telling = tokio::spawn(tell(events));
        let exit = tokio::select! {
            () = enough.reached.notified() => Exit::Done,
            () = &mut interrupted => Exit::Interrupted,
            () = worker.ended() => Exit::Failed,
        };
        let stats = end(worker).await;
        telling.abort();
        sum_up(&stats);
        Ok(exit)
    }
}

async fn end(worker: RunningWorker) -> WorkerStats {
    if 0 < worker.stats().in_flight {
        output::note(output::styled(DIM, "waiting for the programs that run"));
    }
    let stats = worker.stats();
    tokio::select! {
        stats = worker.drain(PATIENCE) => stats,
        () = cli::interrupted() => stats,
    }
}

fn sum_up(stats: &WorkerStats) {
    let counts = &stats.counts;
    output::note(format!(
        "{} handled, {} failed, {} put with the dead letters",
        text::count(counts.handled),
        text::count(counts.finished() - counts.handled),
        text::count(counts.dead_lettered),
    ));
}

/// What every program is run with.
struct Job {
    exec: OsString,
    key: String,
    group: String,
    json: bool,
    enough: Arc<Enough>,
}

/// Entries that are still to be handled.
struct Enough {
    left: AtomicU64,
    reached: Notify,
}

async fn run_one(job: Arc<Job>, entry: Arc<Entry>, context: Context) -> Result<(), String> {
    let outcome = execute(&job, &entry, &context).await;
    let told = tell_outcome(&job, &entry, &context, outcome.as_ref().err());
    if outcome.is_ok() && job.enough.left.fetch_sub(1, Ordering::AcqRel) <= 1 {
        job.enough.reached.notify_one();
    }
    // Who closed standard output does not want any more of it.
    if told.is_err() {
        job.enough.reached.notify_one();
    }
    outcome
}

async fn execute(job: &Job, entry: &Entry, context: &Context) -> Result<(), String> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(&job.exec).kill_on_drop(true);
    command.env("FANFARE_STREAM", &job.key).env("FANFARE_GROUP", &job.group);
    command.env("FANFARE_ID", entry.id.to_string());
    command.env("FANFARE_DELIVERIES", context.deliveries().to_string());
    for (field, value) in &entry.fields {
        if let (Some(name), Ok(value)) = (variable(field), std::str::from_utf8(value))
            && !value.contains('\0')
        {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    // A Ctrl-C in a terminal is for this program, which waits for those that it has started.
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| format!("/bin/sh can not be run: {error}"))?;
    let mut group = ProcessGroup::of(&child);
    let input = as_json(job, entry, context).to_string() + "\n";
    let mut reason = None;
    let status = attend(&mut child, input, &mut reason).await;
    let status = status.map_err(|error| format!("the program is lost: {error}"))?;
    group.handle_ended();
    match (status.success(), reason) {
        (true, _) => Ok(()),
        (false, Some(reason)) => Err(format!("{status}: {reason}")),
        (false, None) => Err(status.to_string()),
    }
}

/// Feeds a program and listens to it until it ends.
async fn attend(
    child: &mut Child,
    input: String,
    reason: &mut Option<String>,
) -> std::io::Result<ExitStatus> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program need not read it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let mut talk = pin!(async { tokio::join!(feed, hear(stderr, reason)) });
    let status = tokio::select! {
        status = child.wait() => status,
        _ = &mut talk => return child.wait().await,
    };
    // It may have ended before its last words were read.
    let _ = tokio::time::timeout(LAST_WORDS, talk).await;
    status
}

/// Hands a program's standard error on, and keeps its last line.
async fn hear(stderr: Option<ChildStderr>, last: &mut Option<String>) {
    let Some(mut stderr) = stderr else { return };
    let mut line = Vec::new();
    let mut buffer = [0; 1_024];
    while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
        for byte in buffer.iter().take(n) {
            match byte {
                b'\n' => hand_on(&mut line, last),
                _ if line.len() == LINE_LEN_MAX => {
                    hand_on(&mut line, last);
                    line.push(*byte);
                }
                _ => line.push(*byte),
            }
        }
    }
    if !line.is_empty() {
        hand_on(&mut line, last);
    }
}

fn hand_on(line: &mut Vec<u8>, last: &mut Option<String>) {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    output::note(&text);
    if !text.trim().is_empty() {
        *last = Some(text::shortened(text.trim(), REASON_LEN_MAX));
    }
}

/// A program and all that it has started; they are killed together, if the program has not ended.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|it| Pid::from_raw(it.cast_signed())))
    }

    fn handle_ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended in this moment.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The name of the environment variable for a field; `None` if nothing of it can be in one.
fn variable(field: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(field).ok().filter(|it| !it.is_empty())?;
    let letter = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    Some(name.chars().map(letter).fold("FANFARE_FIELD_".to_owned(), |mut name, it| {
        name.push(it);
        name
    }))
}

fn as_json(job: &Job, entry: &Entry, context: &Context) -> Value {
    let mut object = entry::as_json(entry);
    if let Some(object) = object.as_object_mut() {
        object.insert("stream".to_owned(), json!(job.key));
        object.insert("group".to_owned(), json!(job.group));
        object.insert("deliveries".to_owned(), json!(context.deliveries()));
    }
    object
}

fn tell_outcome(
    job: &Job,
    entry: &Entry,
    context: &Context,
    error: Option<&String>,
) -> std::io::Result<()> {
    if job.json {
        let mut object = as_json(job, entry, context);
        if let Some(object) = object.as_object_mut() {
            object.insert("handled".to_owned(), json!(error.is_none()));
            object.insert("error".to_owned(), json!(error));
        }
        return output::json(&object);
    }
    match error {
        None => output::note(format!("{} {}", output::styled(GOOD, "✓"), entry.id)),
        Some(error) => output::note(format!("{} {} {error}", output::styled(BAD, "✗"), entry.id)),
    }
    Ok(())
}

/// What else happens, on standard error.
async fn tell(mut events: WorkerEvents) {
    let care = |text: String| output::note(format!("{} {text}", output::styled(CARE, "!")));
    while let Some(event) = events.next().await {
        match event {
            WorkerEvent::ReadFailed { error } => care(format!("can not read: {error}; trying on")),
            WorkerEvent::ReadAgain { outage } => {
                care(format!("reading again, after {}", text::duration(outage)));
            }
            WorkerEvent::Failed { what, error } => care(format!("failed {what}: {error}")),
            WorkerEvent::GroupMade { after, .. } => care(format!("the group begins after {after}")),
            WorkerEvent::Lost { ids } => {
                let n = text::counted(ids.len() as u64, "program");
                care(format!("others have taken over from {n} that still run"));
            }
            WorkerEvent::DeadLettered { id, dead_id, error } => {
                care(format!("{id} is put with the dead letters as {dead_id}: {error}"));
            }
            WorkerEvent::Cleared { ids } => {
                let n = text::counted(ids.len() as u64, "trimmed entry");
                care(format!("cleared {n} that nobody can handle any more"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn fields_become_names_that_a_shell_can_read() {
        assert_eq!(variable(b"item").as_deref(), Some("FANFARE_FIELD_ITEM"));
        assert_eq!(variable("pr\u{e4}-1".as_bytes()).as_deref(), Some("FANFARE_FIELD_PR__1"));
        assert_eq!(variable(b""), None);
        assert_eq!(variable(b"\xff"), None);
    }
}
