//! The command line, read as `redis-server` reads its own.

use super::error::{ConfigError, ConfigErrorKind};

/// In place of a file: standard input.
pub(super) const STDIN: &str = "-";

/// The command line of `redis-server`: `[file] [--name value ...] [-]`.
pub(super) struct CommandLine<'a> {
    pub(super) path: Option<&'a str>,
    pub(super) stdin_last: bool,
    pub(super) flags: Vec<(&'a str, Vec<String>)>,
}

impl<'a> CommandLine<'a> {
    pub(super) fn parse(args: &'a [String]) -> Result<Self, ConfigError> {
        let mut parsed = Self { path: None, stdin_last: false, flags: Vec::new() };
        let mut rest = args;
        if let [first, tail @ ..] = rest
            && !first.starts_with("--")
        {
            parsed.path = Some(first);
            rest = tail;
        }
        if let [before @ .., last] = rest
            && last == STDIN
            // Right after a flag it is the flag's value.
            && before.last().is_none_or(|it| !it.starts_with("--"))
        {
            parsed.stdin_last = true;
            rest = before;
        }
        for arg in rest {
            if let Some(name) = arg.strip_prefix("--").filter(|it| !it.is_empty()) {
                // `--name=value`, which Redis has not.
                match name.split_once('=') {
                    Some((name, value)) => {
                        let flag = arg.get(..name.len() + 2).unwrap_or(arg);
                        parsed.flags.push((flag, vec![value.to_owned()]));
                    }
                    None => parsed.flags.push((arg, Vec::new())),
                }
            } else if let Some((_, words)) = parsed.flags.last_mut() {
                words.push(arg.clone());
            } else {
                let text = format!(
                    "argument {arg:?}: only one configuration file can be named, before the flags. \
                     Write --name value for everything else."
                );
                return Err(ConfigError::new(ConfigErrorKind::Syntax, text));
            }
        }
        Ok(parsed)
    }
}
