//! Directives whose value is more than one word or needs more than a range: how each is parsed,
//! printed and written back. Error texts are Redis's.

use std::io;
use std::path::{Path, PathBuf};

use fanfare_engine::notify::Classes;

use super::checked::Config;
use super::values::{
    BindAddress, BufferLimit, OutputLimits, RenamedCommand, SavePoint, memory_text, parse_integer,
    parse_memory, percentile_text, quoted,
};

/// A directive with its own syntax.
pub struct Special {
    /// The syntax, for people: `<seconds> <changes> ...`.
    pub form: &'static str,
    /// Whether the value is several words, split at spaces.
    pub several: bool,
    pub(super) parse: fn(&mut Config, &[&str], Start) -> Result<(), String>,
    pub(super) print: fn(&Config) -> String,
    /// The value of each line in a file, and whether it differs from the default; no line at all
    /// means that lines in the file are removed.
    pub(super) lines: fn(&Config, &Config) -> Vec<Line>,
}

/// Whether a repeated directive starts over or adds to what the same source said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Over,
    Add,
}

/// One line of a configuration file, without the directive's name.
pub(super) struct Line {
    pub(super) value: String,
    pub(super) differs: bool,
}

const WRONG_NUMBER: &str = "wrong number of arguments";
const N_BIND_MAX: usize = 16;

pub(super) const BIND: Special = Special {
    form: "[-]<address> ...  (* every IPv4 interface, ::* every IPv6 interface, - may be missing)",
    several: true,
    parse: |config, words, _| {
        if N_BIND_MAX < words.len() {
            return Err("Too many bind addresses specified.".to_owned());
        }
        config.bind = match words {
            [""] => Vec::new(),
            _ => words.iter().map(|it| BindAddress::parse(it)).collect(),
        };
        Ok(())
    },
    print: |config| joined(&config.bind),
    lines: |config, default| {
        if config.bind == default.bind {
            return Vec::new();
        }
        let value = if config.bind.is_empty() { "\"\"".to_owned() } else { joined(&config.bind) };
        vec![Line { value, differs: true }]
    },
};

pub(super) const SAVE: Special = Special {
    form: "<seconds> <changes> ...  (\"\" for never)",
    several: true,
    parse: |config, words, start| {
        let words = if words == [""] { &[] } else { words };
        let points = parse_save(words).ok_or("Invalid save parameters")?;
        if start == Start::Over || points.is_empty() {
            config.save.clear();
        }
        config.save.extend(points);
        Ok(())
    },
    print: |config| joined(config.save.iter().map(save_text)),
    lines: |config, default| {
        let differs = config.save != default.save;
        if config.save.is_empty() {
            return vec![Line { value: "\"\"".to_owned(), differs }];
        }
        config.save.iter().map(|it| Line { value: save_text(it), differs }).collect()
    },
};

fn parse_save(words: &[&str]) -> Option<Vec<SavePoint>> {
    let number = |text: &str| parse_integer(text).and_then(|it| u64::try_from(it).ok());
    words
        .chunks(2)
        .map(|pair| match pair {
            [seconds, changes] => {
                let seconds = number(seconds).filter(|it| 1 <= *it)?;
                Some(SavePoint { seconds, changes: number(changes)? })
            }
            _ => None,
        })
        .collect()
}

fn save_text(point: &SavePoint) -> String {
    format!("{} {}", point.seconds, point.changes)
}

pub(super) const OUTPUT_LIMIT: Special = Special {
    form: "<normal|replica|pubsub> <hard limit> <soft limit> <soft seconds> ...",
    several: true,
    parse: |config, words, _| {
        let limits = parse_output_limits(config.output_limits, words)?;
        config.output_limits = limits;
        Ok(())
    },
    print: |config| {
        let OutputLimits { normal, replica, pubsub } = &config.output_limits;
        joined([("normal", normal), ("slave", replica), ("pubsub", pubsub)].map(
            |(class, limit)| {
                format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
            },
        ))
    },
    lines: |config, default| {
        let (now, then) = (&config.output_limits, &default.output_limits);
        [
            ("normal", now.normal, then.normal),
            ("replica", now.replica, then.replica),
            ("pubsub", now.pubsub, then.pubsub),
        ]
        .into_iter()
        .map(|(class, now, then)| {
            let (hard, soft) = (memory_text(now.hard_bytes), memory_text(now.soft_bytes));
            let value = format!("{class} {hard} {soft} {}", now.soft_seconds);
            Line { value, differs: now != then }
        })
        .collect()
    },
};

fn parse_output_limits(mut limits: OutputLimits, words: &[&str]) -> Result<OutputLimits, String> {
    let (groups, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    for [class, hard, soft, seconds] in groups {
        let limit = match class.to_ascii_lowercase().as_str() {
            "normal" => &mut limits.normal,
            "replica" | "slave" => &mut limits.replica,
            "pubsub" => &mut limits.pubsub,
            _ => {
                let text = "Invalid client class specified in buffer limit configuration.";
                return Err(text.to_owned());
            }
        };
        *limit = parse_limit(hard, soft, seconds)
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(limits)
}

fn parse_limit(hard: &str, soft: &str, seconds: &str) -> Option<BufferLimit> {
    let soft_seconds =
        if seconds.is_empty() { 0 } else { i32::try_from(parse_integer(seconds)?).ok()? };
    Some(BufferLimit {
        hard_bytes: parse_memory(hard)?,
        soft_bytes: parse_memory(soft)?,
        soft_seconds: u32::try_from(soft_seconds).ok()?,
    })
}

pub(super) const NOTIFY: Special = Special {
    form: "<classes>  (K E g $ l s h z x e t d m n A, \"\" for none)",
    several: false,
    parse: |config, words, _| {
        let [classes] = words else { return Err(WRONG_NUMBER.to_owned()) };
        config.notify_keyspace_events = Classes::parse(classes)
            .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(())
    },
    print: |config| config.notify_keyspace_events.to_string(),
    lines: |config, default| {
        let (now, then) = (config.notify_keyspace_events, default.notify_keyspace_events);
        vec![Line { value: quoted(&now.to_string()), differs: now != then }]
    },
};

pub(super) const PERCENTILES: Special = Special {
    form: "<percentile> ...  (each 0 to 100, \"\" for none)",
    several: true,
    parse: |config, words, _| {
        let words = if words == [""] { &[] } else { words };
        config.latency_percentiles =
            words.iter().map(|it| parse_percentile(it)).collect::<Result<_, _>>()?;
        Ok(())
    },
    print: |config| joined(config.latency_percentiles.iter().map(|it| percentile_text(*it))),
    lines: |config, default| {
        let differs = config.latency_percentiles != default.latency_percentiles;
        let value = (PERCENTILES.print)(config);
        let value = if value.is_empty() { "\"\"".to_owned() } else { value };
        vec![Line { value, differs }]
    },
};

fn parse_percentile(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().unwrap_or(f64::NAN);
    if value.is_nan() {
        return Err("Invalid latency-tracking-info-percentiles parameters".to_owned());
    }
    if !(0.0..=100.0).contains(&value) {
        let text = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
        return Err(text.to_owned());
    }
    Ok(value)
}

pub(super) const RENAME: Special = Special {
    form: "<command> <new name>  (\"\" removes the command)",
    several: true,
    parse: |config, words, _| {
        let [from, to] = words else { return Err(WRONG_NUMBER.to_owned()) };
        config.rename_commands.retain(|it| !it.from.eq_ignore_ascii_case(from));
        config
            .rename_commands
            .push(RenamedCommand { from: (*from).to_owned(), to: (*to).to_owned() });
        Ok(())
    },
    print: |config| {
        joined(config.rename_commands.iter().map(|it| format!("{} {}", it.from, quoted(&it.to))))
    },
    lines: |_, _| Vec::new(),
};

pub(super) const DIR: Special = Special {
    form: "<directory>",
    several: false,
    parse: |config, words, _| {
        let [dir] = words else { return Err(WRONG_NUMBER.to_owned()) };
        config.dir = if *dir == "." { PathBuf::from(dir) } else { directory(Path::new(dir))? };
        Ok(())
    },
    print: |config| dir_text(&config.dir),
    lines: |config, default| {
        let (now, then) = (dir_text(&config.dir), dir_text(&default.dir));
        vec![Line { value: quoted(&now), differs: now != then }]
    },
};

fn directory(path: &Path) -> Result<PathBuf, String> {
    let found = path.canonicalize().map_err(|error| os_text(&error))?;
    if found.is_dir() { Ok(found) } else { Err("Not a directory".to_owned()) }
}

fn dir_text(dir: &Path) -> String {
    dir.canonicalize().as_deref().unwrap_or(dir).to_string_lossy().into_owned()
}

/// The operating system's words without Rust's ` (os error 2)`.
pub(super) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(" ")
}
