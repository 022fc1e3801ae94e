//! Values as configuration files have them, and what options make of them.

use std::{fmt, path::PathBuf, time::Duration};

use fanfare_client::{Error, ErrorKind, Overflow, Protocol, Secret, ServerUrl, WhileDown};

/// A value of a configuration file or an environment variable.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// `null`: as if the option were not there.
    Nothing,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Setting>),
    /// A table, with this many entries.
    Table(usize),
}

impl Setting {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Nothing | Self::Table(0) => true,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Table(_) => false,
        }
    }

    /// Whether it is this word, in any case.
    pub(super) fn reads_as(&self, word: &str) -> bool {
        self.text().is_some_and(|text| text.eq_ignore_ascii_case(word))
    }

    /// The one value that it is, as text.
    fn text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Text(value) => Some(value.trim().to_owned()),
            Self::Nothing | Self::List(_) | Self::Table(_) => None,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
            one => write!(f, "`{}`", one.text().unwrap_or_default()),
        }
    }
}

/// What an option can be made of.
pub(super) trait FromSetting: Sized {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error>;
}

fn wrong(name: &str, value: &Setting, expected: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("{name} is {value}; it must be {expected}"))
}

/// For whom nothing of the value may be shown.
fn wrong_secret(name: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("{name} must be text"))
}

/// Numbers, of which each type has its range.
macro_rules! numbers {
    ($($type:ty, $range:expr;)+) => {$(
        impl FromSetting for $type {
            fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
                let number = value.text().and_then(|text| text.parse::<$type>().ok());
                let range = $range;
                number.filter(|number| range.contains(number)).ok_or_else(|| {
                    let (min, max) = (range.start(), range.end());
                    wrong(name, &value, &format!("a number between {min} and {max}"))
                })
            }
        }
    )+};
}

numbers! {
    u16, 1..=u16::MAX;
    u32, 0..=u32::MAX;
    usize, 1..=usize::MAX;
}

impl FromSetting for String {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        value.text().ok_or_else(|| wrong(name, &value, "text"))
    }
}

impl FromSetting for PathBuf {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        String::from_setting(name, value).map(Into::into)
    }
}

impl FromSetting for Secret {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        match value {
            // Blanks may be a part of it.
            Setting::Text(text) => Ok(Self::new(text)),
            value => value.text().map(Self::new).ok_or_else(|| wrong_secret(name)),
        }
    }
}

impl FromSetting for bool {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        let text = value.text().unwrap_or_default().to_ascii_lowercase();
        match text.as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(wrong(name, &value, "true or false")),
        }
    }
}

impl FromSetting for Duration {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        let read = |text: String| {
            let unit_at = text.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(text.len());
            let (number, unit) = text.split_at(unit_at);
            let factor = match unit.trim() {
                "us" => 1e-6,
                "ms" => 1e-3,
                "" | "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
            let seconds = number.trim().parse::<f64>().ok()? * factor;
            Duration::try_from_secs_f64(seconds).ok()
        };
        value.text().and_then(read).ok_or_else(|| {
            wrong(name, &value, "a number of seconds, or text with a unit such as \"500ms\"")
        })
    }
}

/// One of some words.
fn choice<T: Copy>(name: &str, value: &Setting, words: &[(&str, T)]) -> Result<T, Error> {
    let found = words.iter().find(|(word, _)| value.reads_as(word));
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        wrong(name, value, &format!("one of {}", words.join(", ")))
    })
}

impl FromSetting for Protocol {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        let words = [("3", Self::Auto), ("auto", Self::Auto), ("2", Self::Resp2)];
        choice(name, &value, &words)
    }
}

impl FromSetting for WhileDown {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        choice(name, &value, &[("wait", Self::Wait), ("fail_fast", Self::FailFast)])
    }
}

impl FromSetting for Overflow {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        let words = [
            ("drop_oldest", Self::DropOldest),
            ("drop_newest", Self::DropNewest),
            ("block", Self::Block),
            ("disconnect", Self::Disconnect),
        ];
        choice(name, &value, &words)
    }
}

/// Whether and when the kernel probes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive(pub(super) Option<Duration>);

/// What `true` means.
const KEEPALIVE: Duration = Duration::from_secs(15);

impl From<Duration> for Keepalive {
    fn from(idle: Duration) -> Self {
        Self(Some(idle).filter(|it| !it.is_zero()))
    }
}

impl From<bool> for Keepalive {
    fn from(is_on: bool) -> Self {
        Self(is_on.then_some(KEEPALIVE))
    }
}

impl FromSetting for Keepalive {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        let is_bool = matches!(value, Setting::Bool(_)) || name == "socket_keepalive";
        match is_bool.then(|| bool::from_setting(name, value.clone())) {
            Some(Ok(is_on)) => Ok(is_on.into()),
            _ => Duration::from_setting(name, value).map(Into::into),
        }
    }
}

/// Several servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(pub(super) Vec<String>);

impl From<&str> for Hosts {
    /// With commas between them.
    fn from(list: &str) -> Self {
        list.split(',').map(str::trim).filter(|host| !host.is_empty()).collect()
    }
}

impl<const N: usize> From<[&str; N]> for Hosts {
    fn from(hosts: [&str; N]) -> Self {
        hosts.into_iter().collect()
    }
}

impl From<Vec<String>> for Hosts {
    fn from(hosts: Vec<String>) -> Self {
        Self(hosts)
    }
}

impl<'a> FromIterator<&'a str> for Hosts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(hosts: I) -> Self {
        Self(hosts.into_iter().map(str::to_owned).collect())
    }
}

impl FromSetting for Hosts {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        let expected = "a list of `host:port`";
        match &value {
            Setting::Text(list) => Ok(list.as_str().into()),
            Setting::List(items) => {
                let host = |item: &Setting| match item {
                    Setting::Text(host) => Some(host.clone()),
                    // `["h", 6379]`, as redis-py has it.
                    Setting::List(pair) => match pair.as_slice() {
                        [Setting::Text(host), port] => Some(format!("{host}:{}", port.text()?)),
                        _ => None,
                    },
                    _ => None,
                };
                let hosts: Option<Vec<String>> = items.iter().map(host).collect();
                hosts.map(Self).ok_or_else(|| wrong(name, &value, expected))
            }
            _ => Err(wrong(name, &value, expected)),
        }
    }
}

/// A server's URL. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(pub(super) String);

impl<T: Into<String>> From<T> for Url {
    fn from(url: T) -> Self {
        Self(url.into())
    }
}

impl FromSetting for Url {
    fn from_setting(name: &str, value: Setting) -> Result<Self, Error> {
        match value {
            Setting::Text(text) => Ok(Self(text)),
            _ => Err(wrong_secret(name)),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.parse::<ServerUrl>() {
            Ok(url) => write!(f, "{url}"),
            Err(_) => f.write_str("***"),
        }
    }
}
