//! Runs scripts on two servers and collects where they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::Differences;
use super::compare::{Answer, reduced};
use super::script::{Action, Checks, Differs, RespVersion, Script, Step};
use super::side::{PATIENCE, Side};
use crate::text::escape;

/// After one answer has failed to come, the others of the script are not waited for as long.
const IMPATIENCE: Duration = Duration::from_millis(200);

/// Where the answers differ, what the oracle is sent may never come.
const DIFFERENT: Duration = Duration::from_secs(4);

/// A server with several threads may still be busy with a command that has no answer.
const UNANSWERED: Duration = Duration::from_millis(20);

/// Starts a server with the given arguments, keeps it alive, and returns where it listens.
pub type StartServer = Box<dyn FnMut(&[String]) -> SocketAddr>;

/// Runs scripts against a pair of servers per set of server arguments.
pub struct Runner {
    start_oracle: StartServer,
    start_subject: StartServer,
    /// The oracle runs against itself: deviations are not expected.
    is_self: bool,
    shows: bool,
    differences: Differences,
    pairs: BTreeMap<Vec<String>, (Side, Side)>,
    outcome: Outcome,
}

/// What became of all scripts.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many steps were compared.
    pub n_steps: usize,
    /// How many scripts ran, counting each version.
    pub n_runs: usize,
    /// One text for each failure.
    pub failures: Vec<String>,
    /// How many of them each script has.
    pub n_failures: BTreeMap<String, usize>,
}

/// One step in one version, for comparing and reporting.
struct Case<'a> {
    script: &'a Script,
    step: &'a Step,
    version: RespVersion,
}

impl Runner {
    /// A runner that compares `start_subject`'s servers to `start_oracle`'s. `is_self` says that
    /// both are the oracle, so that no deviation is expected.
    #[must_use]
    pub fn new(
        start_oracle: StartServer,
        start_subject: StartServer,
        is_self: bool,
        differences: Differences,
    ) -> Self {
        let (pairs, outcome) = (BTreeMap::new(), Outcome::default());
        let shows = false;
        Self { start_oracle, start_subject, is_self, shows, differences, pairs, outcome }
    }

    /// Prints every step with the oracle's answers, for those who write transcripts.
    #[must_use]
    pub fn showing(mut self, shows: bool) -> Self {
        self.shows = shows;
        self
    }

    /// Runs a script in all its versions.
    pub fn run(&mut self, script: &Script) {
        for &version in &script.versions {
            self.outcome.n_runs += 1;
            let n_before = self.outcome.failures.len();
            if let Err(error) = self.run_version(script, version) {
                let failure = format!("{} [{}]: {error}", script.name, version.name());
                self.outcome.failures.push(failure);
                // The servers may be gone or out of step: the next script gets new connections.
                self.pairs.remove(&script.server_args);
            }
            let n_new = self.outcome.failures.len() - n_before;
            if 0 < n_new {
                *self.outcome.n_failures.entry(script.name.clone()).or_default() += n_new;
            }
        }
    }

    /// Notes a failure that is not one of a script.
    pub fn fail(&mut self, failure: String) {
        self.outcome.failures.push(failure);
    }

    /// What became of the scripts.
    #[must_use]
    pub fn finish(self) -> Outcome {
        self.outcome
    }

    fn run_version(&mut self, script: &Script, version: RespVersion) -> Result<(), String> {
        let key = script.server_args.clone();
        let (mut oracle, mut subject) = match self.pairs.remove(&key) {
            Some(pair) => pair,
            None => {
                let oracle = Side::new((self.start_oracle)(&key))?;
                (oracle, Side::new((self.start_subject)(&key))?)
            }
        };
        let mut patience = PATIENCE;
        for step in &script.steps {
            let case = Case { script, step, version };
            let (expected, actual) = case.play(&mut oracle, &mut subject, patience)?;
            self.outcome.n_steps += 1;
            if self.shows {
                println!("{}", case.report(&shown(&expected)));
            }
            let found = case.compare(&expected, &actual, self.is_self, &self.differences);
            if !found.is_empty() {
                patience = IMPATIENCE;
                self.outcome.failures.push(case.report(&found));
            }
        }
        oracle.reset(script.changes_config)?;
        subject.reset(script.changes_config)?;
        self.pairs.insert(key, (oracle, subject));
        Ok(())
    }
}

type Answers = BTreeMap<String, Answer>;

impl Case<'_> {
    /// Runs the step on both servers and returns what their clients received.
    fn play(
        &self,
        oracle: &mut Side,
        subject: &mut Side,
        patience: Duration,
    ) -> Result<(Answers, Answers), String> {
        let step = self.step;
        let n_bytes = match &step.action {
            Action::Command(args) => args.iter().map(Vec::len).sum(),
            Action::Raw(bytes) => bytes.len(),
            Action::Connect | Action::Close | Action::Sleep(_) => 0,
        };
        let opens = !matches!(step.action, Action::Close | Action::Sleep(_));
        for side in [&mut *oracle, &mut *subject] {
            if opens {
                side.open(&step.client, self.version)?;
            }
        }

        oracle.act(step)?;
        self.settle(oracle, n_bytes);
        if step.checks.late {
            oracle.wait_late(&step.client);
            self.settle(oracle, 0);
        }
        let counts = oracle.counts();

        if !matches!(step.action, Action::Sleep(_)) {
            subject.act(step)?;
        }
        let may_be_less = self.differs().is_some();
        subject.wait_for(&counts, if may_be_less { patience.min(DIFFERENT) } else { patience });
        let is_answered = counts.get(&step.client).is_some_and(|&(n, closed)| 0 < n || closed);
        if !is_answered {
            thread::sleep(UNANSWERED);
        }
        self.settle(subject, n_bytes);
        Ok((oracle.take_answers(), subject.take_answers()))
    }

    fn settle(&self, side: &mut Side, n_bytes_sent: usize) {
        if self.script.quiet {
            side.settle_quietly(&self.step.client);
        } else {
            side.settle(n_bytes_sent);
        }
    }

    /// The deviation that is expected in this version.
    fn differs(&self) -> Option<&Differs> {
        let differs = self.step.checks.differs.as_ref();
        differs.filter(|it| it.version.is_none_or(|it| it == self.version))
    }

    /// What is wrong, one line each.
    fn compare(
        &self,
        oracle: &Answers,
        subject: &Answers,
        is_self: bool,
        differences: &Differences,
    ) -> Vec<String> {
        let differs = self.differs();
        let reduce = |answers: &Answers| self.reduced(answers);
        let (oracle, subject) = (reduce(oracle), reduce(subject));
        let mut found = Vec::new();
        if differs.is_none() || is_self {
            found.extend(pairs_that_differ(&oracle, &subject));
        }
        let expected = match (differs, is_self) {
            // What stands there is Fanfare's answer.
            (Some(_), true) => return found,
            (Some(_), false) => &subject,
            (None, _) => &oracle,
        };
        found.extend(self.unexpected(expected));
        let Some(differs) = differs else { return found };
        if !differences.contains(&differs.id) {
            found.push(format!("{} is not in docs/differences.md", differs.id));
        }
        if oracle == subject {
            found.push(format!("the answers are equal, though {} says they differ", differs.id));
        }
        found
    }

    fn reduced(&self, answers: &Answers) -> Answers {
        let reduce = |it: &Answer| Answer { bytes: self.reduced_bytes(&it.bytes), ..*it };
        answers.iter().map(|(name, it)| (name.clone(), reduce(it))).collect()
    }

    fn reduced_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        reduced(bytes, self.script, &self.step.checks)
    }

    /// Where the answers are not what the script's own `<` lines say.
    fn unexpected(&self, answers: &Answers) -> Vec<String> {
        let Checks { expected, .. } = &self.step.checks;
        let holds = |version: Option<RespVersion>| version.is_none_or(|it| it == self.version);
        let mut wanted: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for line in expected.iter().filter(|it| holds(it.version)) {
            wanted.entry(&line.client).or_default().extend_from_slice(&line.bytes);
        }
        let mut found = Vec::new();
        for (client, wanted) in wanted {
            let wanted = self.reduced_bytes(&wanted);
            let actual = answers.get(client).cloned().unwrap_or_default();
            if actual.bytes != wanted {
                found.push(format!("{client} expected: {}", escape(&wanted)));
                found.push(format!("{client} received: {}", show(&actual)));
            }
        }
        found
    }

    fn report(&self, found: &[String]) -> String {
        let mut text = format!(
            "{}:{} [{}] {}",
            self.script.name,
            self.step.line,
            self.version.name(),
            shortened(&self.step.text)
        );
        for line in found {
            // Writing to a String does not fail.
            let _ = write!(text, "\n    {line}");
        }
        text
    }
}

fn pairs_that_differ(oracle: &Answers, subject: &Answers) -> Vec<String> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = oracle.keys().chain(subject.keys()).collect();
    for client in names {
        let expected = oracle.get(client).cloned().unwrap_or_default();
        let actual = subject.get(client).cloned().unwrap_or_default();
        if expected != actual {
            found.push(format!("{client} redis:   {}", show(&expected)));
            found.push(format!("{client} fanfare: {}", show(&actual)));
        }
    }
    found
}

fn shown(answers: &Answers) -> Vec<String> {
    answers.iter().map(|(client, it)| format!("{client}: {}", show(it))).collect()
}

fn show(answer: &Answer) -> String {
    let text = shortened(&escape(&answer.bytes));
    if answer.closed { format!("{text} (closed)") } else { text }
}

/// Long answers are cut in the middle, since what matters is mostly at the ends.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 1200;
    let n_chars = text.chars().count();
    if n_chars <= CHARS_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(CHARS_MAX / 2).collect();
    let tail: String = text.chars().skip(n_chars - CHARS_MAX / 2).collect();
    format!("{head} ... {} more ... {tail}", n_chars - CHARS_MAX)
}
