//! `fanfare doctor`: what is wrong with a broker, and which command mends it.

use std::time::Duration;

use anstyle::Style;
use clap::Args;
use fanfare::doctor::{AILMENTS, Diagnosis, Doctor as Examination, Finding};
use fanfare::monitor::Severity;
use serde_json::json;

use crate::cli::{self, Address};
use crate::exit::Exit;
use crate::failure;
use crate::output::{self, BAD, BOLD, CARE, DIM, GOOD, NAME};
use crate::text;

/// Find what is wrong with a broker: settings, memory, slow consumers, dead ones, messages that nobody hears
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare doctor redis://127.0.0.1:6379
  fanfare doctor --channel alerts --listen 5
  fanfare doctor --url redis://:secret@db.example --json
  fanfare doctor --list

It changes nothing; it publishes one message on a channel of its own, to see it come back. Each finding comes with what was
seen, what comes of it, and the command that mends it. redis-cli takes a password from REDISCLI_AUTH.

Exit codes:
  0  nothing is wrong, or only notes
  1  warnings
  2  something is critical; also if the broker can not be reached
  3  nothing could be examined: the URL or the command line can not be understood")]
pub(crate) struct Doctor {
    /// The server; the same as --url
    #[arg(value_name = "URL")]
    at: Option<String>,
    #[command(flatten)]
    server: Address,
    /// A channel that should have subscribers; may be repeated
    #[arg(long, value_name = "NAME")]
    channel: Vec<String>,
    /// Listen for so many seconds to what is published, and look at the payloads
    #[arg(long, value_name = "SECONDS", value_parser = cli::seconds)]
    listen: Option<Duration>,
    /// The channels to listen to, by glob pattern
    #[arg(long, value_name = "PATTERN", default_value = "*", requires = "listen")]
    pattern: Vec<String>,
    /// A stream that was never trimmed is too long from so many entries on
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    stream_length_max: u64,
    /// A consumer with pending entries is dead after so many idle seconds
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = cli::seconds)]
    idle_max: Duration,
    /// Seconds that each question may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = cli::seconds)]
    deadline: Duration,
    /// Do not look at settings of this machine, if the broker is on it
    #[arg(long)]
    no_host: bool,
    /// Print what it knows, and examine nothing
    #[arg(long)]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// A failure of the examination itself has a code of its own.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        if self.list {
            return self.list_all();
        }
        let examined = cli::until_interrupted(self.examine());
        Ok(examined.unwrap_or_else(|error| {
            failure::report(&error);
            Exit::Unknown
        }))
    }

    async fn examine(&self) -> anyhow::Result<Exit> {
        let mut examination = Examination::new(self.at.as_ref().unwrap_or(&self.server.url))
            .channels(&self.channel)
            .stream_length_max(self.stream_length_max)
            .idle_max(self.idle_max)
            .deadline(self.deadline)
            .looks_at_host(!self.no_host);
        if let Some(time) = self.listen {
            examination = examination.listen(time, &self.pattern);
        }
        let diagnosis = examination.examine().await?;
        if self.json {
            output::json(&json!(diagnosis))?;
        } else {
            print(&diagnosis)?;
        }
        Ok(match diagnosis.worst() {
            Some(Severity::Critical) => Exit::Critical,
            Some(Severity::Warning) => Exit::Warning,
            Some(Severity::Info) | None => Exit::Done,
        })
    }

    fn list_all(&self) -> anyhow::Result<Exit> {
        for it in AILMENTS {
            if self.json {
                let (name, severity) = (it.name, it.severity);
                let told = json!({ "name": name, "severity": severity, "consequence": it.consequence, "cure": it.cure });
                output::json(&told)?;
            } else {
                output::line(format!("{} {}", output::styled(BOLD, it.name), it.severity))?;
                output::line(format!("  {}\n  {}", it.consequence, it.cure))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn print(diagnosis: &Diagnosis) -> anyhow::Result<()> {
    for finding in &diagnosis.findings {
        print_finding(finding)?;
    }
    for it in &diagnosis.blind {
        let what = text::printable(it.what.as_bytes());
        let why = text::printable(it.why.as_bytes());
        output::line(format!("{} {what}: {why}", output::styled(DIM, "not seen")))?;
    }
    let count =
        |severity| diagnosis.findings.iter().filter(|it| it.severity == severity).count() as u64;
    let nodes = diagnosis.nodes.join(", ");
    if diagnosis.findings.is_empty() {
        return Ok(output::line(format!(
            "{} {nodes}",
            output::styled(GOOD, "nothing is wrong with")
        ))?);
    }
    let critical = count(Severity::Critical);
    let warnings = text::counted(count(Severity::Warning), "warning");
    let notes = text::counted(count(Severity::Info), "note");
    output::line(format!("{critical} critical, {warnings}, {notes}  {nodes}").trim_end())?;
    Ok(())
}

fn print_finding(finding: &Finding) -> anyhow::Result<()> {
    let line = |label: &str, text: &str| {
        let text = text::printable(text.as_bytes());
        output::line(format!("  {} {text}", output::styled(DIM, label)))
    };
    let severity = output::styled(style(finding.severity), finding.severity);
    let at = text::printable(finding.at.as_bytes());
    output::line(format!("{severity} {} {at}", output::styled(BOLD, finding.name)))?;
    line("seen:", &finding.evidence)?;
    line("harm:", &finding.consequence)?;
    line("mend:", &finding.cure)?;
    if let Some(command) = &finding.command {
        let command = text::printable(command.as_bytes());
        output::line(format!("    {}", output::styled(NAME, command)))?;
    }
    Ok(())
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => BAD,
        Severity::Warning => CARE,
        Severity::Info => DIM,
    }
}
