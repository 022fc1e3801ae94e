//! What a directive is: the kinds of values, and how each is read, limited and printed.

use super::checked::Config;
use super::directives::reference;
use super::special::{Special, Start};
use super::values::{parse_integer, parse_memory};

/// One directive: everything that is known about it, except its value.
pub struct Directive {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Other names with the same meaning.
    pub aliases: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
    /// Its default, as it is written in a file.
    pub default: &'static str,
    /// Whether it can be changed while the broker runs.
    pub change: Change,
    /// Its value is a secret: errors and `Debug` print `***`.
    pub secret: bool,
    /// What it does, in a sentence that names the unit.
    pub help: &'static str,
}

/// What values a directive takes.
pub enum Kind {
    /// A whole number within the limits, both included.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
        /// Where it is stored.
        field: Field<i64, i64>,
    },
    /// A number of bytes, such as `32mb`, within the limits.
    Memory {
        /// Least number of bytes.
        min: u64,
        /// Greatest number of bytes.
        max: u64,
        /// Where it is stored.
        field: Field<u64, u64>,
    },
    /// File permissions in octal, 0 to 777.
    Octal(Field<u32, u32>),
    /// `yes` or `no`.
    Bool(Field<bool, bool>),
    /// One of these words.
    Enum {
        /// The words.
        words: &'static [&'static str],
        /// Where it is stored.
        field: Field<&'static str, &'static str>,
    },
    /// Any text.
    Text {
        /// Refuses what is no such text, in Redis's words.
        check: fn(&str) -> Result<(), &'static str>,
        /// An empty text means that there is none.
        empty_unsets: bool,
        /// Where it is stored.
        field: Field<String, String>,
    },
    /// A syntax of its own.
    Special(Special),
    /// Redis's directive of which this release supports only the default.
    Fixed {
        /// Why any other value is refused and what to do instead; `None`: it is ignored with a warning.
        refuse: Option<&'static str>,
    },
    /// The path of another file that is read in place of this line.
    Include,
}

/// Whether a directive can be changed while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only at start.
    AtStart,
    /// By `CONFIG SET`.
    Runtime,
    /// By `CONFIG SET` if `enable-protected-configs` allows it.
    Protected,
    /// Only at start, and `CONFIG GET` does not know it.
    Hidden,
}

/// How a value gets out of a [`Config`] and into it.
pub struct Field<G, S> {
    pub(super) get: fn(&Config) -> G,
    pub(super) set: fn(&mut Config, S),
}

impl<G, S> Field<G, S> {
    pub(super) fn get(&self, config: &Config) -> G {
        (self.get)(config)
    }
}

impl std::fmt::Debug for Directive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Directive {
    /// The directive of this name, in any case, and the spelling of the name in the slice.
    pub(super) fn find(name: &str) -> Option<(&'static Self, &'static str)> {
        reference().find_map(|it| {
            let spelling = it.spellings().find(|it| it.eq_ignore_ascii_case(name))?;
            Some((it, spelling))
        })
    }

    /// The name and the aliases.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Whether its value may be several words.
    #[must_use]
    pub fn is_several(&self) -> bool {
        matches!(&self.kind, Kind::Special(Special { several: true, .. }))
            || (matches!(self.kind, Kind::Fixed { .. }) && self.default.is_empty())
    }

    /// What may be written: `0 to 65535`, `yes or no`, `one of: text, json`.
    #[must_use]
    pub fn values(&self) -> String {
        match &self.kind {
            Kind::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Memory { min, max, .. } => {
                format!(
                    "a number of bytes from {min} to {max}, with k, kb, m, mb, g or gb if you like"
                )
            }
            Kind::Octal(_) => "octal permissions from 0 to 777".to_owned(),
            Kind::Bool(_) => "yes or no".to_owned(),
            Kind::Enum { words, .. } => format!("one of: {}", words.join(", ")),
            Kind::Text { .. } => "one text, in quotes if it has spaces".to_owned(),
            Kind::Special(special) => special.form.to_owned(),
            Kind::Fixed { .. } if self.default.is_empty() => "nothing".to_owned(),
            Kind::Fixed { .. } => self.default.to_owned(),
            Kind::Include => "the path of a file".to_owned(),
        }
    }

    /// Stores what was written, or says in Redis's words why not.
    pub(super) fn store(
        &self,
        config: &mut Config,
        words: &[&str],
        start: Start,
    ) -> Result<(), String> {
        if let Kind::Special(special) = &self.kind {
            return (special.parse)(config, words, start);
        }
        if matches!(self.kind, Kind::Fixed { .. } | Kind::Include) {
            return Ok(());
        }
        let [text] = words else { return Err("wrong number of arguments".to_owned()) };
        self.store_one(config, text)
    }

    fn store_one(&self, config: &mut Config, text: &str) -> Result<(), String> {
        match &self.kind {
            Kind::Integer { min, max, field } => {
                let value =
                    parse_integer(text).ok_or("argument couldn't be parsed into an integer")?;
                (field.set)(config, within(value, *min, *max)?);
            }
            Kind::Memory { min, max, field } => {
                let value = parse_memory(text).ok_or("argument must be a memory value")?;
                (field.set)(config, within(value, *min, *max)?);
            }
            Kind::Octal(field) => {
                let value = u32::from_str_radix(text, 8)
                    .map_err(|_| "argument couldn't be parsed as an octal number")?;
                if 0o777 < value {
                    return Err("argument must be between 0 and 777 inclusive".to_owned());
                }
                (field.set)(config, value);
            }
            Kind::Bool(field) => {
                let yes = text.eq_ignore_ascii_case("yes");
                if !yes && !text.eq_ignore_ascii_case("no") {
                    return Err("argument must be 'yes' or 'no'".to_owned());
                }
                (field.set)(config, yes);
            }
            Kind::Enum { words, field } => {
                let word = words.iter().find(|it| it.eq_ignore_ascii_case(text));
                let word = word.ok_or_else(|| {
                    let words = words.join(", ");
                    format!("argument(s) must be one of the following: {words}")
                })?;
                (field.set)(config, word);
            }
            Kind::Text { check, field, .. } => {
                check(text)?;
                (field.set)(config, text.to_owned());
            }
            Kind::Special(_) | Kind::Fixed { .. } | Kind::Include => {}
        }
        Ok(())
    }

    /// The value as `CONFIG GET` prints it.
    pub(super) fn print(&self, config: &Config) -> String {
        match &self.kind {
            Kind::Integer { field, .. } => field.get(config).to_string(),
            Kind::Memory { field, .. } => field.get(config).to_string(),
            Kind::Octal(field) => format!("{:o}", field.get(config)),
            Kind::Bool(field) => yes_no_text(field.get(config)).to_owned(),
            Kind::Enum { field, .. } => field.get(config).to_owned(),
            Kind::Text { field, .. } => field.get(config),
            Kind::Special(special) => (special.print)(config),
            Kind::Fixed { .. } => self.default.to_owned(),
            Kind::Include => String::new(),
        }
    }
}

pub(super) fn yes_no_text(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn within<T: PartialOrd + std::fmt::Display>(value: T, min: T, max: T) -> Result<T, String> {
    if value < min || max < value {
        return Err(format!("argument must be between {min} and {max} inclusive"));
    }
    Ok(value)
}
