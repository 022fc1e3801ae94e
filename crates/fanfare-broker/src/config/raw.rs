//! The first stage: what was written, and where. Defaults, then the file, then the environment,
//! then the flags: the last one holds.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::directive::{Directive, Kind};
use super::directives::reference;
use super::error::{ConfigError, ConfigErrorKind, Warning};
use super::file::{included, split_words, statements};
use super::flags::{CommandLine, STDIN};
use super::known::{is_known, suggestion};
use super::special::os_text;

/// Where a directive was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file, or on standard input (`-`).
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: u32,
    },
    /// In an environment variable.
    Environment {
        /// The variable.
        variable: String,
    },
    /// On the command line.
    Flag {
        /// The flag, with its `--`.
        flag: String,
    },
    /// In a `CONFIG SET` command.
    ConfigSet,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } if path.as_os_str() == STDIN => {
                write!(f, "standard input:{line}")
            }
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Flag { flag } => write!(f, "flag {flag}"),
            Self::ConfigSet => f.write_str("CONFIG SET"),
        }
    }
}

impl Origin {
    /// A repeated directive adds to those of its own layer and replaces those of lower ones.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Self::File { .. } => 1,
            Self::Environment { .. } => 2,
            Self::Flag { .. } => 3,
            Self::ConfigSet => 4,
        }
    }
}

/// One directive as it was written.
pub(super) struct Written {
    pub(super) directive: &'static Directive,
    pub(super) words: Vec<String>,
    pub(super) origin: Origin,
}

impl Written {
    /// `name "value"`, with `***` for a secret.
    pub(super) fn shown(&self) -> String {
        let mut out = self.directive.name.to_owned();
        for word in &self.words {
            if self.directive.secret {
                out.push_str(" ***");
            } else {
                out.push_str(&format!(" {word:?}"));
            }
        }
        out
    }
}

/// Everything that was written.
#[derive(Default)]
pub(super) struct RawConfig {
    pub(super) written: Vec<Written>,
    pub(super) warnings: Vec<Warning>,
    pub(super) config_file: Option<PathBuf>,
    /// Known directives that have no effect here, each with its first place.
    ignored: Vec<(String, Origin)>,
}

/// What a broker is started with.
pub(super) struct Sources<'a> {
    pub(super) path: Option<&'a Path>,
    pub(super) args: &'a [String],
    pub(super) stdin: &'a mut dyn Read,
}

const ENV_PREFIX: &str = "FANFARE_";
/// Each line is another user. `FANFARE_USER`, though, tells clients who they are.
const USER: &str = "user";
const INCLUDE_DEPTH_MAX: u32 = 16;

impl RawConfig {
    pub(super) fn read(
        sources: Sources<'_>,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let Sources { path, args, stdin } = sources;
        let mut raw = Self::default();
        let command_line = CommandLine::parse(args)?;
        let path = match (path, command_line.path) {
            (Some(first), Some(second)) => return Err(two_files(first, second)),
            (path, None) => path,
            (None, second) => second.map(Path::new),
        };
        match path {
            Some(path) if path.as_os_str() == STDIN => raw.read_stdin(stdin)?,
            Some(path) => {
                raw.read_file(path, 0)?;
                raw.config_file = Some(std::path::absolute(path).unwrap_or_else(|_| path.into()));
            }
            None => {}
        }
        if command_line.stdin_last {
            raw.read_stdin(stdin)?;
        }
        raw.read_env(env)?;
        for (flag, words) in command_line.flags {
            raw.add_flag(flag, words)?;
        }
        raw.warn_of_ignored();
        Ok(raw)
    }

    /// Whether a later line replaces a value that this release would refuse, as in
    /// `fanfare serve /etc/redis/redis.conf --daemonize no`.
    pub(super) fn is_taken_back(&self, idx: usize) -> bool {
        let mut rest = self.written.iter().skip(idx);
        let Some(written) = rest.next() else { return false };
        let replaces =
            matches!(written.directive.kind, Kind::Fixed { .. }) && written.directive.name != USER;
        replaces && rest.any(|it| it.directive.name == written.directive.name)
    }

    fn read_stdin(&mut self, stdin: &mut dyn Read) -> Result<(), ConfigError> {
        let mut text = Vec::new();
        stdin.read_to_end(&mut text).map_err(|error| unreadable(Path::new(STDIN), error))?;
        self.read_text(Path::new(STDIN), &text, 0)
    }

    fn read_file(&mut self, path: &Path, depth: u32) -> Result<(), ConfigError> {
        let text = fs::read(path).map_err(|error| unreadable(path, error))?;
        self.read_text(path, &text, depth)
    }

    fn read_text(&mut self, path: &Path, text: &[u8], depth: u32) -> Result<(), ConfigError> {
        for statement in statements(text) {
            let origin = Origin::File { path: path.to_owned(), line: statement.line };
            let mut words = statement.words.map_err(|why| {
                ConfigError::new(ConfigErrorKind::Syntax, format!("{origin}: {why}"))
            })?;
            if !words.is_empty() {
                let name = words.remove(0);
                self.add(&name, words, origin, depth)?;
            }
        }
        Ok(())
    }

    fn read_env(
        &mut self,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        let mut found: Vec<(String, OsString)> = env
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(ENV_PREFIX))
            .collect();
        found.sort_unstable();
        for (variable, value) in found {
            let name = variable.get(ENV_PREFIX.len()..).unwrap_or_default();
            let name = name.to_ascii_lowercase().replace('_', "-");
            let Some((directive, _)) = Directive::find(&name) else {
                self.check_env_name(&variable, &name);
                continue;
            };
            if directive.name == USER {
                continue;
            }
            let origin = Origin::Environment { variable };
            let Some(value) = value.to_str() else {
                let text = format!("{origin}: not UTF-8 text");
                return Err(ConfigError::new(ConfigErrorKind::Syntax, text));
            };
            // Kubernetes sets FANFARE_PORT=tcp://10.0.0.1:6379 beside a service of the name fanfare.
            if directive.name == "port" && value.starts_with("tcp://") {
                self.warnings.push(Warning::new(format!(
                    "{origin}: ignored, because {value:?} is what Kubernetes sets for a service \
                     called fanfare. Write enableServiceLinks: false to silence this."
                )));
                continue;
            }
            let words = if directive.is_several() {
                split_or_one(value).map_err(|why| {
                    ConfigError::new(ConfigErrorKind::Syntax, format!("{origin}: {why}"))
                })?
            } else {
                vec![value.to_owned()]
            };
            self.add(directive.name, words, origin, 0)?;
        }
        Ok(())
    }

    /// Other programs have variables of this prefix too, so only a near miss is worth a word.
    fn check_env_name(&mut self, variable: &str, name: &str) {
        if let Some(meant) = suggestion(name).filter(|_| !is_known(name)) {
            let meant = meant.to_ascii_uppercase().replace('-', "_");
            self.warnings.push(Warning::new(format!(
                "environment variable {variable}: no such directive, ignored. Did you mean \
                 {ENV_PREFIX}{meant}?"
            )));
        }
    }

    fn add_flag(&mut self, flag: &str, words: Vec<String>) -> Result<(), ConfigError> {
        let origin = Origin::Flag { flag: flag.to_owned() };
        let name = flag.trim_start_matches("--");
        let several = Directive::find(name).is_some_and(|(it, _)| it.is_several());
        let words = match words.as_slice() {
            // Redis takes a bare `--save` for `--save ""`, and only that.
            [] if name.eq_ignore_ascii_case("save") => vec![String::new()],
            [one] if several => split_or_one(one).map_err(|why| {
                ConfigError::new(ConfigErrorKind::Syntax, format!("{origin}: {why}"))
            })?,
            _ => words,
        };
        self.add(name, words, origin, 0)
    }

    fn add(
        &mut self,
        name: &str,
        words: Vec<String>,
        origin: Origin,
        depth: u32,
    ) -> Result<(), ConfigError> {
        let Some((directive, _)) = Directive::find(name) else {
            if !is_known(name) {
                return Err(unknown(name, &origin));
            }
            self.ignore(name, origin);
            return Ok(());
        };
        if matches!(directive.kind, Kind::Include) {
            return self.include(&words, &origin, depth);
        }
        if let Kind::Fixed { refuse: None } = directive.kind
            && words.join(" ") != directive.default
        {
            self.ignore(directive.name, origin);
            return Ok(());
        }
        // One variable may hold several renamings; a line holds one.
        if directive.name == "rename-command" && words.len().is_multiple_of(2) {
            for pair in words.chunks(2) {
                let words = pair.to_vec();
                self.written.push(Written { directive, words, origin: origin.clone() });
            }
            return Ok(());
        }
        self.written.push(Written { directive, words, origin });
        Ok(())
    }

    fn include(
        &mut self,
        words: &[String],
        origin: &Origin,
        depth: u32,
    ) -> Result<(), ConfigError> {
        let [pattern] = words else {
            let text = format!("{origin}: include: wrong number of arguments. Name one file.");
            return Err(ConfigError::new(ConfigErrorKind::Value, text));
        };
        if depth == INCLUDE_DEPTH_MAX {
            let text = format!(
                "{origin}: include {pattern:?}: files are nested more than {INCLUDE_DEPTH_MAX} \
                 deep. Does a file include itself?"
            );
            return Err(ConfigError::new(ConfigErrorKind::Value, text));
        }
        for path in included(pattern) {
            let text = fs::read(&path).map_err(|error| {
                let text = format!(
                    "{origin}: include {pattern:?}: can not read {}: {}. Create it, or remove this \
                     line.",
                    absolute_text(&path),
                    os_text(&error)
                );
                ConfigError::unreadable(text, error)
            })?;
            self.read_text(&path, &text, depth + 1)?;
        }
        Ok(())
    }

    fn ignore(&mut self, name: &str, origin: Origin) {
        let name = name.to_ascii_lowercase();
        if self.ignored.iter().all(|(it, _)| *it != name) {
            self.ignored.push((name, origin));
        }
    }

    fn warn_of_ignored(&mut self) {
        if self.ignored.is_empty() {
            return;
        }
        let names: Vec<_> =
            self.ignored.iter().map(|(name, origin)| format!("{name} ({origin})")).collect();
        self.warnings.push(Warning::new(format!(
            "these directives of Redis have no effect in this release: {}",
            names.join(", ")
        )));
    }
}

/// An empty text is one empty word, so that `--save ""` says something.
fn split_or_one(text: &str) -> Result<Vec<String>, &'static str> {
    let words = split_words(text.as_bytes())?;
    Ok(if words.is_empty() { vec![String::new()] } else { words })
}

fn unknown(name: &str, origin: &Origin) -> ConfigError {
    let cure = match (suggestion(name), origin) {
        (Some(meant), Origin::Flag { .. }) => format!("Did you mean --{meant}?"),
        (Some(meant), _) => format!("Did you mean {meant}?"),
        (None, _) => {
            let n_directives = reference().count();
            format!("Remove it; the reference lists the {n_directives} that exist.")
        }
    };
    let text = match origin {
        Origin::Flag { .. } => format!("{origin}: no such directive. {cure}"),
        _ => format!("{origin}: no such directive {name:?}. {cure}"),
    };
    ConfigError::new(ConfigErrorKind::Unknown, text)
}

fn two_files(first: &Path, second: &str) -> ConfigError {
    let text = format!(
        "two configuration files, {} and {second}. Name one and let it include the other.",
        first.display()
    );
    ConfigError::new(ConfigErrorKind::Syntax, text)
}

fn unreadable(path: &Path, error: std::io::Error) -> ConfigError {
    let text = format!(
        "can not read the configuration file {}: {}. Name a file that exists and is readable, or \
         start without one.",
        absolute_text(path),
        os_text(&error)
    );
    ConfigError::unreadable(text, error)
}

fn absolute_text(path: &Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).display().to_string()
}
