//! `CONFIG GET` and `CONFIG SET` on a configuration that is in use, with Redis's texts.

use super::checked::Config;
use super::directive::{Change, Directive, Kind};
use super::directives::reference;
use super::error::{SetError, Warning};
use super::raw::Origin;
use super::special::{Special, Start};
use super::values::Allow;

/// Where the client that sends `CONFIG SET` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// On this machine: a loopback address or a Unix socket.
    Local,
    /// Elsewhere.
    Remote,
}

/// What a successful [`set`] did.
#[derive(Debug, Default)]
pub struct Changed {
    /// The directives whose values are now others. What depends on them is to be told.
    pub directives: Vec<&'static Directive>,
    /// What the operator must know; for the log.
    pub warnings: Vec<Warning>,
}

impl Changed {
    /// Whether the directive of this name (not an alias) has another value now.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.directives.iter().any(|it| it.name == name)
    }
}

/// Every name that `CONFIG GET` answers to, aliases included.
pub fn names() -> impl Iterator<Item = &'static str> {
    reference().filter(|it| it.change != Change::Hidden).flat_map(Directive::spellings)
}

/// The value of the directive of this name, in any case, as `CONFIG GET` prints it.
#[must_use]
pub fn get(config: &Config, name: &str) -> Option<String> {
    visible(name).map(|(directive, _)| directive.print(config))
}

/// The whole of `CONFIG GET pattern ...`: names and values, each name once. A pattern without
/// wildcards is a name, and is given back as it was asked for. `matches(pattern, name)` is Redis's
/// glob in any case of letters.
pub fn get_matching(
    config: &Config,
    patterns: &[&str],
    matches: impl Fn(&str, &str) -> bool,
) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str| {
        if found.iter().all(|(it, _)| it != name)
            && let Some(value) = get(config, name)
        {
            found.push((name.to_owned(), value));
        }
    };
    for pattern in patterns {
        if pattern.contains(['[', '*', '?']) {
            names().filter(|it| matches(pattern, it)).for_each(&mut add);
        } else {
            add(pattern);
        }
    }
    found
}

/// `CONFIG SET name value ...`: all of it or nothing.
///
/// What the broker must do to follow (open another port, say) is the caller's: set a clone, try, and
/// keep the clone or answer [`SetError::failed`].
///
/// # Errors
/// The first thing that is wrong, in Redis's words. `config` is then as it was.
pub fn set(config: &mut Config, pairs: &[(&str, &str)], peer: Peer) -> Result<Changed, SetError> {
    let mut targets: Vec<(&'static Directive, &'static str, &str)> = Vec::new();
    for (name, value) in pairs {
        let (directive, spelling) = visible(name).ok_or_else(|| SetError::unknown(name))?;
        may_change(config, directive, peer).map_err(|why| SetError::failed(name, why))?;
        // As in Redis, an alias beside its directive is no duplicate.
        if targets.iter().any(|(_, it, _)| *it == spelling) {
            return Err(SetError::failed(name, "duplicate parameter"));
        }
        targets.push((directive, spelling, value));
    }
    let mut next = config.clone();
    let mut changed = Changed::default();
    for (directive, spelling, value) in targets {
        store(&mut next, directive, value).map_err(|why| SetError::failed(spelling, &why))?;
        if directive.print(&next) != directive.print(config) && !changed.has(directive.name) {
            changed.directives.push(directive);
            if next.is_durable(directive) {
                let shown = format!("{} {value:?}", directive.name);
                changed.warnings.push(Warning::nothing_is_kept(&Origin::ConfigSet, &shown));
            }
        }
    }
    *config = next;
    Ok(changed)
}

fn visible(name: &str) -> Option<(&'static Directive, &'static str)> {
    Directive::find(name).filter(|(it, _)| it.change != Change::Hidden)
}

fn may_change(config: &Config, directive: &Directive, peer: Peer) -> Result<(), &'static str> {
    let allowed = match directive.change {
        Change::Runtime => return Ok(()),
        Change::AtStart | Change::Hidden => return Err("can't set immutable config"),
        Change::Protected => match config.enable_protected_configs {
            Allow::No => false,
            Allow::Yes => true,
            Allow::Local => peer == Peer::Local,
        },
    };
    if allowed { Ok(()) } else { Err("can't set protected config") }
}

fn store(config: &mut Config, directive: &Directive, value: &str) -> Result<(), String> {
    match &directive.kind {
        Kind::Fixed { .. } if value.eq_ignore_ascii_case(directive.default) => Ok(()),
        Kind::Fixed { refuse } => {
            let only = format!("this release supports only '{}'", directive.default);
            Err(refuse.map_or(only, str::to_owned))
        }
        // Redis splits at each single space; no value at all is no word.
        Kind::Special(Special { several: true, .. }) if value.is_empty() => {
            directive.store(config, &[], Start::Over)
        }
        Kind::Special(Special { several: true, .. }) => {
            let words: Vec<&str> = value.split(' ').collect();
            directive.store(config, &words, Start::Over)
        }
        _ => directive.store(config, &[value], Start::Over),
    }
}
