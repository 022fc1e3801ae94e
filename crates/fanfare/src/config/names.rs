//! Names that nobody knows, and the one that was meant.

use std::collections::HashMap;

use fanfare_client::{Error, ErrorKind};

use super::{fields, foreign};

/// Changes of one letter that are taken for a typing error.
const TYPOS_MAX: usize = 2;

/// Every name by which something can be set.
fn all() -> impl Iterator<Item = &'static str> {
    let own = fields::NAMES
        .iter()
        .flat_map(|(name, aliases)| std::iter::once(*name).chain(aliases.iter().copied()));
    own.chain(foreign::NAMES.iter().copied())
}

pub(super) fn is_known(name: &str) -> bool {
    all().any(|known| known == name)
}

/// The options that were said so far, so that none is said twice.
#[derive(Default)]
pub(super) struct Said(HashMap<&'static str, String>);

impl Said {
    /// Somebody says the option of this name, called `said` where it stands.
    pub(super) fn add(&mut self, name: &str, said: &str) -> Result<(), Error> {
        let is_it = |(own, aliases): &&(&str, &[&str])| *own == name || aliases.contains(&name);
        let Some((option, _)) = fields::NAMES.iter().find(is_it) else { return Ok(()) };
        match self.0.insert(option, said.to_owned()) {
            None => Ok(()),
            Some(before) if before == said => {
                Err(Error::new(ErrorKind::InvalidOption, format!("{said} is there twice")))
            }
            Some(before) => Err(Error::new(
                ErrorKind::InvalidOption,
                format!("{before} and {said} say the same option: leave one of them out"),
            )),
        }
    }
}

/// The known name that `name` is a typing error of.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    nearest(name).filter(|(_, distance)| *distance <= TYPOS_MAX).map(|(name, _)| name)
}

pub(super) fn unknown(name: &str) -> Error {
    let mut message = format!("there is no option `{name}`");
    match nearest(name) {
        Some((known, distance)) if distance <= TYPOS_MAX.max(name.len() / 3) => {
            message += &format!("; did you mean `{known}`?");
        }
        _ => {
            let names: Vec<&str> = fields::NAMES.iter().map(|(name, _)| *name).collect();
            message += &format!("; there are: {}", names.join(", "));
        }
    }
    Error::new(ErrorKind::InvalidOption, message)
}

fn nearest(name: &str) -> Option<(&'static str, usize)> {
    all().map(|known| (known, distance(name, known))).min_by_key(|(_, distance)| *distance)
}

/// How many letters must be added, removed or changed to get from one to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (n, letter) in from.bytes().enumerate() {
        let (mut diagonal, mut left) = (n, n + 1);
        for (above, other) in row.iter_mut().skip(1).zip(to.bytes()) {
            let change = diagonal + usize::from(letter != other);
            diagonal = *above;
            left = change.min(*above + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_letters() {
        for (from, to, expected) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("host", "host", 0),
            ("hots", "host", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
        assert_eq!(meant("sokcet_timeout"), Some("socket_timeout"));
        assert_eq!(meant("nonsense"), None);
    }

    #[test]
    fn no_name_is_used_twice() {
        let mut names: Vec<&str> = all().collect();
        names.sort_unstable();
        let n = names.len();
        names.dedup();
        assert_eq!(names.len(), n);
    }
}
