//! What failed, in few lines: a log of which only the end is kept must still name it.

use std::collections::HashSet;

/// Tests whose output is shown; the others are only named.
const N_EXCERPTS_MAX: usize = 10;

/// Lines of output for each of them.
const N_LINES_MAX: usize = 15;

/// Characters of each line.
const LINE_LEN_MAX: usize = 300;

/// A test, or a step without tests, that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    name: String,
    excerpt: Vec<String>,
}

impl Failure {
    /// A step that has no tests: how its output ended.
    pub(crate) fn step(name: &str, lines: &[String]) -> Self {
        Self { name: name.to_owned(), excerpt: end_of(lines) }
    }
}

/// Prints what failed, below a title.
pub(crate) fn print(title: &str, failures: &[Failure]) {
    if failures.is_empty() {
        return;
    }
    println!("\n=== {title}");
    for (idx, Failure { name, excerpt }) in failures.iter().enumerate() {
        println!("{name}");
        if idx < N_EXCERPTS_MAX {
            for line in excerpt {
                println!("    {}", line.chars().take(LINE_LEN_MAX).collect::<String>());
            }
        }
    }
}

/// The tests that `cargo nextest run` says failed, with how they failed at first; it says so more
/// than once, with the output each time.
pub(crate) fn nextest(lines: &[String]) -> Vec<Failure> {
    attempts(lines).into_iter().filter(|it| !it.passed_later).map(|it| it.failure).collect()
}

/// Those of them that passed at another attempt.
pub(crate) fn flaky(lines: &[String]) -> Vec<Failure> {
    attempts(lines).into_iter().filter(|it| it.passed_later).map(|it| it.failure).collect()
}

/// The first failed attempt at a test.
struct Attempt {
    failure: Failure,
    passed_later: bool,
}

fn attempts(lines: &[String]) -> Vec<Attempt> {
    let starts: Vec<(usize, Status<'_>)> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((at, status(line)?))).collect();
    let passed_later =
        |name: &str| starts.iter().any(|(_, it)| it.word.starts_with("FLAKY ") && it.test == name);
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut seen = HashSet::new();
    for (idx, (at, Status { word, test })) in starts.iter().enumerate() {
        if !is_failure(word) || !seen.insert(*test) {
            continue;
        }
        let end = starts.get(idx + 1).map_or(lines.len(), |it| it.0);
        let output = lines.get(at + 1..end).unwrap_or_default();
        // `TRY 1 FAIL`
        let word = word.rsplit(' ').next().unwrap_or(word);
        let failure = Failure { name: format!("{word} {test}"), excerpt: excerpt(output) };
        attempts.push(Attempt { failure, passed_later: passed_later(test) });
    }
    attempts
}

/// The tests that `cargo test` says failed.
pub(crate) fn libtest(lines: &[String]) -> Vec<Failure> {
    let names = lines.iter().filter_map(|it| it.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    names
        .map(|name| {
            let head = format!("---- {name} stdout ----");
            let output = lines.iter().skip_while(|it| **it != head).skip(1);
            let output: Vec<String> = output
                .take_while(|it| !it.starts_with("---- ") && *it != "failures:")
                .cloned()
                .collect();
            Failure { name: format!("FAILED {name}"), excerpt: excerpt(&output) }
        })
        .collect()
}

struct Status<'a> {
    word: &'a str,
    test: &'a str,
}

/// `        FAIL [   5.468s] (325/968) fanfare-broker::it push::walk::ends`, or `TRY 1 FAIL`, or
/// `FLAKY 2/2`.
fn status(line: &str) -> Option<Status<'_>> {
    let (word, rest) = line.trim_start().split_once(" [")?;
    let is_word = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || "- /".contains(it);
    if word.is_empty() || !word.chars().all(is_word) {
        return None;
    }
    let (took, test) = rest.split_once("] ")?;
    if !took.ends_with('s') {
        return None;
    }
    let test = test.trim_start();
    // How many have ended, of how many.
    let test = match test.strip_prefix('(').and_then(|it| it.split_once(") ")) {
        Some((_, test)) => test,
        None => test,
    };
    Some(Status { word, test })
}

fn is_failure(word: &str) -> bool {
    let word = word.rsplit(' ').next().unwrap_or(word);
    word.contains("FAIL") || word.starts_with("SIG") || matches!(word, "TIMEOUT" | "ABORT")
}

/// The seeds, and the message of the first panic; without a panic, the end of the output.
fn excerpt(output: &[String]) -> Vec<String> {
    let Some(at) = output.iter().position(|it| it.contains("panicked at ")) else {
        return end_of(output);
    };
    let (before, panic) = output.split_at(at);
    let mut lines: Vec<String> = before.iter().filter(|it| it.contains("seed")).cloned().collect();
    let is_message = |it: &&String| {
        let it = it.trim();
        !it.starts_with("stack backtrace:") && !it.starts_with("note: run with `RUST_BACKTRACE")
    };
    lines.extend(panic.iter().take_while(is_message).cloned());
    clean(lines.iter().take(N_LINES_MAX))
}

fn end_of(lines: &[String]) -> Vec<String> {
    let mut end: Vec<&String> =
        lines.iter().rev().filter(|it| !it.trim().is_empty()).take(N_LINES_MAX).collect();
    end.reverse();
    clean(end.into_iter())
}

fn clean<'a>(lines: impl Iterator<Item = &'a String>) -> Vec<String> {
    lines.map(|it| it.trim()).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Failure, flaky, libtest, nextest};

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_nextest_says_twice_is_one_failure() {
        let run = "\
        PASS [   1.627s] (324/968) fanfare-broker::it push::slow::what_was_replaced_is_told
        FAIL [   5.468s] (325/968) fanfare-broker::it push::walk::in_the_end
  stdout ───

    running 1 test
    test push::walk::in_the_end ... FAILED

    failures:
        push::walk::in_the_end

  stderr ───
    seed: 13835755742941171670 (repeat with FANFARE_SEED=13835755742941171670)

    thread '<unnamed>' (7373) panicked at crates/fanfare-broker/tests/it/push/mod.rs:62:5:
    assertion `left == right` failed: Error(\"WRONGTYPE Operation against a key\")
      left: None
     right: Some([120])
    stack backtrace:
       0: __rustc::rust_begin_unwind
    note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.

        SLOW [> 60.000s] (───────) fanfare::it failover::sentinel";
        let end = "\
────────────
     Summary [ 760.640s] 968 tests run: 967 passed (3 slow), 1 failed, 0 skipped";
        let again = run.lines().skip(1).collect::<Vec<_>>().join("\n");
        let failures = nextest(&lines(&format!("{run}\n{end}\n{again}")));
        let excerpt = "\
seed: 13835755742941171670 (repeat with FANFARE_SEED=13835755742941171670)
thread '<unnamed>' (7373) panicked at crates/fanfare-broker/tests/it/push/mod.rs:62:5:
assertion `left == right` failed: Error(\"WRONGTYPE Operation against a key\")
left: None
right: Some([120])";
        let name = "FAIL fanfare-broker::it push::walk::in_the_end".to_owned();
        assert_eq!(failures, [Failure { name, excerpt: lines(excerpt) }]);
    }

    #[test]
    fn tests_that_end_without_a_panic_are_named() {
        let run = "\
 TERMINATING [>300.000s] (───────) fanfare::it recovery::a_hung_server
     TIMEOUT [ 300.003s] (   3/1050) fanfare::it recovery::a_hung_server
  stdout ───

    running 1 test

    (test timed out)

     SIGABRT [   0.102s] (   4/1050) fanfare-resp decode::tests::deep
  stderr ───

    thread 'decode::tests::deep' has overflowed its stack
    (test aborted with signal 6: SIGABRT)

        PASS [   0.102s] (   5/1050) fanfare-resp decode::tests::flat
   LEAK-FAIL [   0.102s] (   6/1050) fanfare-resp decode::tests::last";
        let failures = nextest(&lines(run));
        let names: Vec<&str> = failures.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "TIMEOUT fanfare::it recovery::a_hung_server",
                "SIGABRT fanfare-resp decode::tests::deep",
                "LEAK-FAIL fanfare-resp decode::tests::last"
            ]
        );
        assert_eq!(failures[0].excerpt, ["stdout ───", "running 1 test", "(test timed out)"]);
        assert_eq!(failures[1].excerpt[2], "(test aborted with signal 6: SIGABRT)");
        assert!(failures[2].excerpt.is_empty());
    }

    #[test]
    fn what_passes_at_the_second_attempt_is_told_apart() {
        let run = "\
  TRY 1 FAIL [   8.430s] (215/1299) fanfare::it misuse::cluster::late
  stderr ───

    thread 'misuse::cluster::late' (2) panicked at crates/fanfare/tests/it/misuse.rs:69:5:
    too late

  TRY 2 PASS [   2.430s] (215/1299) fanfare::it misuse::cluster::late
  TRY 1 FAIL [   1.430s] (216/1299) fanfare::it misuse::cluster::wrong
  TRY 2 FAIL [   1.430s] (216/1299) fanfare::it misuse::cluster::wrong
────────────
     Summary [ 760.640s] 2 tests run: 1 passed (1 flaky), 1 failed, 0 skipped
   FLAKY 2/2 [   2.430s] (215/1299) fanfare::it misuse::cluster::late
  TRY 2 FAIL [   1.430s] (216/1299) fanfare::it misuse::cluster::wrong";
        let names = |found: Vec<Failure>| found.into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names(nextest(&lines(run))), ["FAIL fanfare::it misuse::cluster::wrong"]);
        let late = flaky(&lines(run));
        assert_eq!(late[0].excerpt[1], "too late");
        assert_eq!(names(late), ["FAIL fanfare::it misuse::cluster::late"]);
    }

    #[test]
    fn libtest_tells_what_failed_and_why() {
        let run = "\
running 3 tests
test url::tests::tcp_urls ... ok
test crates/fanfare/src/lib.rs - (line 20) ... FAILED
test url::tests::paths ... FAILED

failures:

---- crates/fanfare/src/lib.rs - (line 20) stdout ----
Test executable failed (exit status: 101).

stderr:

thread 'main' (99) panicked at src/lib.rs:12:3:
assertion failed: 1 == 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- url::tests::paths stdout ----
seed: 7 (repeat with FANFARE_SEED=7)

thread 'url::tests::paths' panicked at crates/fanfare-client/src/url/tests.rs:5:9:
no such path

failures:
    crates/fanfare/src/lib.rs - (line 20)
    url::tests::paths

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        let failures = libtest(&lines(run));
        let first = Failure {
            name: "FAILED crates/fanfare/src/lib.rs - (line 20)".to_owned(),
            excerpt: lines(
                "thread 'main' (99) panicked at src/lib.rs:12:3:\nassertion failed: 1 == 2",
            ),
        };
        assert_eq!(failures[0], first);
        assert_eq!(failures[1].name, "FAILED url::tests::paths");
        assert_eq!(failures[1].excerpt[0], "seed: 7 (repeat with FANFARE_SEED=7)");
        assert_eq!(failures[1].excerpt[2], "no such path");
    }

    #[test]
    fn excerpts_are_bounded() {
        let many: Vec<String> = (0..100).map(|it| format!("line {it}")).collect();
        let Failure { excerpt, .. } = Failure::step("clippy", &many);
        assert_eq!((excerpt.len(), excerpt[14].as_str()), (15, "line 99"));
    }
}
