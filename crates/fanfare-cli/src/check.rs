//! `fanfare check`: is the broker well? For monitoring systems.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use fanfare::monitor::{Metric, Rule, Severity, Snapshot};
use serde_json::json;

use crate::cli;
use crate::exit::Exit;
use crate::failure;
use crate::output::{self, BAD, CARE, GOOD};
use crate::text;
use crate::watched::Watched;

/// Say whether a broker is well, by thresholds, for monitoring systems
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  fanfare check redis://127.0.0.1:6379
  fanfare check --warn lag=1000 --crit lag=10000 --crit pending-age=600
  fanfare check --crit 'length@orders=1000000' --warn 'subscribers@news=1'
  fanfare check --crit channel-silence@news=30 --listen news --over 60
  fanfare check --crit queue-age@mails=600 --warn oldest-pending=7200 --streams-max 1000
  fanfare check --prometheus > /var/lib/node_exporter/broker.prom

Metrics:
  of the broker   unreachable, blind (things that can not be seen), unlisted (streams, groups and queues beyond --streams-max
                  and the like), memory and clients (% of the limit), rejected-connections, evicted-keys and
                  output-buffer-kills (per second), replication, persistence
  of channels     subscribers (fewer than), channel-silence (seconds)
  of streams      length, stream-silence (seconds)
  of groups       lag, pending, pending-age (seconds without a sign of life), oldest-pending (seconds since the oldest
                  pending entry was added), redelivered, dead-letters
  of queues       queue-waiting, queue-age (seconds that the first has been waiting), queue-running (seconds that the
                  first that was taken has been running), queue-dead

It looks twice, and hears only what is published in between: rates are those of the --over seconds, and a channel is silent for
at most as long, so a threshold of channel-silence needs a longer --over.

Exit codes:
  0  all is well
  1  warning
  2  critical
  3  unknown: the broker can not be reached or asked, or the command line can not be understood")]
pub(crate) struct Check {
    #[command(flatten)]
    watched: Watched,
    /// Warn when METRIC is beyond VALUE, of SUBJECT only if it is named (METRIC@SUBJECT=VALUE); in place of the default
    #[arg(long, value_name = "METRIC=VALUE")]
    warn: Vec<Threshold>,
    /// The same, as critical
    #[arg(long, value_name = "METRIC=VALUE")]
    crit: Vec<Threshold>,
    /// Only the thresholds that are given, none of the default ones
    #[arg(long)]
    only_given: bool,
    /// Seconds between the two looks: over which rates are taken and channels are listened to
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = cli::seconds)]
    over: Duration,
    /// Print all that was seen as one JSON object
    #[arg(long, conflicts_with = "prometheus")]
    json: bool,
    /// Print all that was seen as Prometheus reads it
    #[arg(long)]
    prometheus: bool,
}

/// `lag=1000`, `lag@orders/billing=1000`.
#[derive(Clone, Debug, PartialEq)]
struct Threshold {
    metric: Metric,
    subject: Option<String>,
    value: f64,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, value) = text.rsplit_once('=').ok_or("write METRIC=VALUE, such as lag=1000")?;
        let (name, subject) = match what.split_once('@') {
            Some((name, subject)) => (name, Some(subject.to_owned())),
            None => (what, None),
        };
        let metric = Metric::ALL.into_iter().find(|it| it.name() == name).ok_or_else(|| {
            let names: Vec<_> = Metric::ALL.iter().map(|it| it.name()).collect();
            format!("no metric is called {name:?}; there are {}", names.join(", "))
        })?;
        let value: f64 = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
        if !value.is_finite() {
            return Err(format!("{value} is not a number that anything could reach"));
        }
        Ok(Self { metric, subject, value })
    }
}

impl Check {
    /// A failure of the check itself is told as unknown: "failed" would be a warning to those who ask.
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let checked = cli::until_interrupted(self.check());
        Ok(checked.unwrap_or_else(|error| {
            failure::report(&error);
            Exit::Unknown
        }))
    }

    async fn check(&self) -> anyhow::Result<Exit> {
        let monitor = self.watched.monitor().await?.rules(self.rules());
        let snapshot = monitor.look(self.over).await?;
        let exit = judge(&snapshot);
        if self.json {
            output::json(&json!({ "status": word(exit), "snapshot": snapshot }))?;
        } else if self.prometheus {
            output::line(snapshot.prometheus().trim_end())?;
        } else {
            output::line(one_line(&snapshot, exit, &self.watched.shown()))?;
        }
        Ok(exit)
    }

    fn rules(&self) -> Vec<Rule> {
        let given = |all: &[Threshold], severity| -> Vec<(Threshold, Severity)> {
            all.iter().map(|it| (it.clone(), severity)).collect()
        };
        let mut given_all = given(&self.warn, Severity::Warning);
        given_all.extend(given(&self.crit, Severity::Critical));
        let is_replaced = |rule: &Rule| {
            let mut whole = given_all.iter().filter(|it| it.0.subject.is_none());
            whole.any(|it| (it.0.metric, it.1) == (rule.metric(), rule.severity()))
        };
        let defaults =
            Rule::defaults().into_iter().filter(|it| !self.only_given && !is_replaced(it));
        let mut rules: Vec<Rule> = defaults.collect();
        rules.extend(given_all.into_iter().map(|(it, severity)| {
            let rule = Rule::new(it.metric, severity, it.value);
            match it.subject {
                Some(subject) => rule.only(subject),
                None => rule,
            }
        }));
        rules
    }
}

fn judge(snapshot: &Snapshot) -> Exit {
    let is_seen = snapshot.nodes.iter().any(|it| it.error.is_none() && it.server.is_some());
    match snapshot.worst() {
        _ if !is_seen => Exit::Unknown,
        Some(Severity::Critical) => Exit::Critical,
        Some(Severity::Warning) => Exit::Warning,
        Some(Severity::Info) | None => Exit::Done,
    }
}

fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "ok",
        Exit::Warning => "warning",
        Exit::Critical => "critical",
        Exit::Unknown | Exit::Failed | Exit::Usage | Exit::Interrupted => "unknown",
    }
}

/// Each breach with its cure.
fn one_line(snapshot: &Snapshot, exit: Exit, url: &str) -> String {
    let style = match exit {
        Exit::Done => GOOD,
        Exit::Warning => CARE,
        _ => BAD,
    };
    let state = output::styled(style, word(exit).to_uppercase());
    if snapshot.alerts.is_empty() {
        let error = snapshot.nodes.iter().find_map(|it| it.error.as_deref());
        if let Some(error) = error.filter(|_| exit == Exit::Unknown) {
            return format!(
                "{state}: {url} can not be asked: {}",
                text::printable(error.as_bytes())
            );
        }
        return format!("{state}: {url}: {}", looked_at(snapshot));
    }
    let told = snapshot.alerts.iter().map(|it| {
        let what = text::printable(format!("{} ({})", it.text, it.cure).as_bytes());
        format!("{} {what}", it.severity)
    });
    let mut told: Vec<_> = told.collect();
    // Whoever has taken the threshold away still has to know that this is not all.
    if 0 < snapshot.unlisted() && snapshot.alerts.iter().all(|it| it.metric != Metric::Unlisted) {
        told.push(format!("of {}", looked_at(snapshot)));
    }
    format!("{state}: {}", told.join("; "))
}

/// What there is, and how much more of it was not looked at.
fn looked_at(snapshot: &Snapshot) -> String {
    let groups: usize = snapshot.streams.iter().map(|it| it.groups.len()).sum();
    let parts = [
        ("node", snapshot.nodes.len(), 0),
        ("stream", snapshot.streams.len(), snapshot.other_streams),
        ("group", groups, snapshot.other_groups()),
        ("queue", snapshot.queues.len(), snapshot.other_queues),
        ("channel", snapshot.channels.len(), snapshot.other_channels.channels),
    ];
    let told = parts.map(|(noun, n, more)| {
        let more = if more == 0 { String::new() } else { format!(" ({} more)", text::count(more)) };
        format!("{}{more}", text::counted(n as u64, noun))
    });
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_and_nonsense_is_named() {
        let lag: Threshold = "lag@a=b/c=1e3".parse().unwrap();
        assert_eq!(
            (lag.metric, lag.subject.as_deref(), lag.value),
            (Metric::Lag, Some("a=b/c"), 1e3)
        );
        for (wrong, words) in [
            ("lag", "METRIC=VALUE"),
            ("lug=1", "dead-letters"),
            ("lag=x", "number"),
            ("lag=inf", "number"),
        ] {
            let error = wrong.parse::<Threshold>().unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
