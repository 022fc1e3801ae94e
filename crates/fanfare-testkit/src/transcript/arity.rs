//! Makes scripts that call every command with too few and too many arguments.

use super::Script;
use crate::text::escape;

/// Scripts for a list of commands with Redis's arity, one on each line: `SET -3`,
/// `CLIENT|KILL -3`. One script calls them one by one, the other inside MULTI.
///
/// # Errors
/// Names the line that is not understood.
pub fn arity_scripts(list: &str) -> Result<[Script; 2], String> {
    let (mut plain, mut inside_multi) = (String::new(), String::new());
    for line in list.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let calls = calls(line).ok_or_else(|| format!("`{line}` is not a command and an arity"))?;
        for words in calls {
            let words: Vec<String> = words.iter().map(|it| escape(it.as_bytes())).collect();
            let call = words.join(" ");
            plain.push_str(&format!("> {call}\n"));
            inside_multi.push_str(&format!("> MULTI\n> {call}\n> EXEC\n"));
        }
    }
    Ok([
        Script::parse("arity/one-by-one", &plain)?,
        Script::parse("arity/inside-multi", &inside_multi)?,
    ])
}

/// The calls whose number of words is just outside of what the arity allows.
fn calls(line: &str) -> Option<Vec<Vec<String>>> {
    let (name, arity) = line.split_once(' ')?;
    let arity: isize = arity.trim().parse().ok()?;
    let base: Vec<String> = name.split('|').map(str::to_owned).collect();
    let n_least = arity.unsigned_abs();
    let mut calls = Vec::new();
    if base.len() < n_least {
        // The command alone, and with one argument missing.
        calls.push(padded(&base, base.len()));
        if base.len() + 1 < n_least {
            calls.push(padded(&base, n_least - 1));
        }
    }
    if 0 < arity {
        calls.push(padded(&base, n_least + 1));
        calls.push(padded(&base, n_least + 7));
    }
    let lower = calls.first().map(|it| it.iter().map(|it| it.to_lowercase()).collect());
    calls.extend::<Option<Vec<String>>>(lower);
    Some(calls)
}

fn padded(base: &[String], n_words: usize) -> Vec<String> {
    let mut words = base.to_vec();
    while words.len() < n_words {
        words.push("x".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{arity_scripts, calls};

    #[test]
    fn calls_miss_the_arity() {
        let n_words = |line| -> Vec<usize> { calls(line).unwrap().iter().map(Vec::len).collect() };
        assert_eq!(n_words("GET 2"), [1, 3, 9, 1]);
        assert_eq!(n_words("SET -3"), [1, 2, 1]);
        assert_eq!(n_words("CLIENT|ID 2"), [3, 9, 3]);
        assert_eq!(n_words("COMMAND -1"), [0; 0]);
        assert!(arity_scripts("GET two").is_err());
    }
}
