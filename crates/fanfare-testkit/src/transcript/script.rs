//! Parses transcripts.

use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

use crate::text::words;

/// The client of steps that name none.
const DEFAULT_CLIENT: &str = "main";

/// The protocol version that the clients of a run speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RespVersion {
    /// The version that every connection starts with.
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

impl RespVersion {
    /// `resp2` or `resp3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resp2 => "resp2",
            Self::Resp3 => "resp3",
        }
    }
}

/// A parsed transcript.
#[derive(Debug)]
pub struct Script {
    /// Its path below the transcripts' folder.
    pub name: String,
    /// Arguments with which both servers are started.
    pub server_args: Vec<String>,
    /// The versions in which it runs.
    pub versions: Vec<RespVersion>,
    pub(crate) quiet: bool,
    pub(crate) changes_config: bool,
    pub(crate) masks: Vec<Regex>,
    pub(crate) drops: Vec<Regex>,
    pub(crate) steps: Vec<Step>,
}

/// One line of a script, with how to look at the answers.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) client: String,
    pub(crate) action: Action,
    pub(crate) checks: Checks,
}

#[derive(Debug)]
pub(crate) enum Action {
    Command(Vec<Vec<u8>>),
    Raw(Vec<u8>),
    Connect,
    Close,
    Sleep(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) masks: Vec<Regex>,
    pub(crate) drops: Vec<Regex>,
    pub(crate) order: Order,
    pub(crate) names: Option<Names>,
    pub(crate) late: bool,
    pub(crate) differs: Option<Differs>,
    pub(crate) expected: Vec<Expected>,
}

/// How much of the order of an answer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// All of it.
    #[default]
    Exact,
    /// Not that of the parts of one frame, nor that of several frames.
    Unordered,
    /// Not even that inside the parts.
    Bag,
}

/// Which names an answer is reduced to.
#[derive(Debug)]
pub(crate) enum Names {
    /// `name:value` lines, all of them.
    Lines,
    /// `name:value` lines, of which these must be there.
    AtLeast(Vec<String>),
    /// `name=value` words.
    Fields,
}

#[derive(Debug)]
pub(crate) struct Differs {
    pub(crate) id: String,
    /// `None`: in both versions.
    pub(crate) version: Option<RespVersion>,
}

#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) client: String,
    pub(crate) version: Option<RespVersion>,
    pub(crate) bytes: Vec<u8>,
}

impl Script {
    /// Parses the text of a script.
    ///
    /// # Errors
    /// Names the first line that is not understood.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut script = Self {
            name: name.to_owned(),
            server_args: Vec::new(),
            versions: vec![RespVersion::Resp2, RespVersion::Resp3],
            quiet: false,
            changes_config: text.to_ascii_uppercase().contains("CONFIG SET"),
            masks: Vec::new(),
            drops: Vec::new(),
            steps: Vec::new(),
        };
        for (line_idx, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = line_idx + 1;
            script.add(number, line).map_err(|error| format!("{name}:{number}: {error}"))?;
        }
        Ok(script)
    }

    fn add(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some((client, action)) = parse_action(line)? {
            let text = line.to_owned();
            let checks = Checks::default();
            self.steps.push(Step { line: number, text, client, action, checks });
            return Ok(());
        }
        match self.steps.last_mut() {
            Some(step) => step.checks.add(&step.client, line),
            None => self.add_header(line),
        }
    }

    fn add_header(&mut self, line: &str) -> Result<(), String> {
        if let Some(args) = line.strip_prefix("server:") {
            for word in words(args)? {
                self.server_args.push(String::from_utf8(word).map_err(|it| it.to_string())?);
            }
        } else if let Some(version) = line.strip_prefix("resp:") {
            self.versions = vec![parse_version(version.trim())?];
        } else if let Some(mask) = line.strip_prefix("mask:") {
            self.masks.push(parse_regex(mask)?);
        } else if let Some(drop) = line.strip_prefix("drop:") {
            self.drops.push(parse_regex(drop)?);
        } else if line == "quiet" {
            self.quiet = true;
        } else {
            return Err(format!("`{line}` is not understood before the first step"));
        }
        Ok(())
    }
}

impl Checks {
    fn add(&mut self, step_client: &str, line: &str) -> Result<(), String> {
        if let Some(mask) = line.strip_prefix("mask:") {
            self.masks.push(parse_regex(mask)?);
        } else if let Some(drop) = line.strip_prefix("drop:") {
            self.drops.push(parse_regex(drop)?);
        } else if let Some(names) = line.strip_prefix("match keys:") {
            let names = names.split_whitespace().map(str::to_owned).collect();
            self.names = Some(Names::AtLeast(names));
        } else if let Some(id) = line.strip_prefix("differs:") {
            self.differs = Some(parse_differs(id)?);
        } else if let Some((who, bytes)) = line.split_once('<') {
            self.expected.push(parse_expected(step_client, who.trim(), bytes)?);
        } else {
            match line {
                "unordered" => self.order = Order::Unordered,
                "unordered deep" => self.order = Order::Bag,
                "late" => self.late = true,
                "match keys" => self.names = Some(Names::Lines),
                "match fields" => self.names = Some(Names::Fields),
                _ => return Err(format!("`{line}` is not understood")),
            }
        }
        Ok(())
    }
}

/// The client and what it does, if the line is a step.
fn parse_action(line: &str) -> Result<Option<(String, Action)>, String> {
    if let Some(name) = line.strip_prefix("connect ") {
        return Ok(Some((client_name(name)?, Action::Connect)));
    }
    if let Some(name) = line.strip_prefix("close ") {
        return Ok(Some((client_name(name)?, Action::Close)));
    }
    if let Some(ms) = line.strip_prefix("sleep ") {
        let ms = ms.trim().parse().map_err(|_| format!("`{ms}` is not a number"))?;
        let action = Action::Sleep(Duration::from_millis(ms));
        return Ok(Some((DEFAULT_CLIENT.to_owned(), action)));
    }
    let Some((who, rest)) = line.split_once('>') else {
        return Ok(None);
    };
    let is_name = who.chars().all(|it| it.is_ascii_alphanumeric());
    if !is_name {
        return Ok(None);
    }
    let client = if who.is_empty() { DEFAULT_CLIENT.to_owned() } else { client_name(who)? };
    let action = match rest.strip_prefix('>') {
        Some(raw) => Action::Raw(words(raw)?.concat()),
        None => {
            let args = words(rest)?;
            if args.is_empty() {
                return Err("no command".to_owned());
            }
            Action::Command(args)
        }
    };
    Ok(Some((client, action)))
}

fn client_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || !name.chars().all(|it| it.is_ascii_alphanumeric()) {
        return Err(format!("`{name}` is not a client's name"));
    }
    Ok(name.to_owned())
}

fn parse_regex(text: &str) -> Result<Regex, String> {
    let pattern = text.trim();
    let pattern = pattern.strip_prefix('/').and_then(|it| it.strip_suffix('/'));
    let pattern = pattern.ok_or("a pattern is written /regex/")?;
    RegexBuilder::new(pattern)
        .unicode(false)
        .dot_matches_new_line(true)
        .build()
        .map_err(|error| error.to_string())
}

fn parse_version(text: &str) -> Result<RespVersion, String> {
    match text {
        "2" | "resp2" => Ok(RespVersion::Resp2),
        "3" | "resp3" => Ok(RespVersion::Resp3),
        other => Err(format!("`{other}` is not a version")),
    }
}

fn parse_differs(text: &str) -> Result<Differs, String> {
    let mut parts = text.split_whitespace();
    let id = parts.next().ok_or("differs: names no id")?.to_owned();
    let version = parts.next().map(parse_version).transpose()?;
    Ok(Differs { id, version })
}

fn parse_expected(step_client: &str, who: &str, bytes: &str) -> Result<Expected, String> {
    let client = if who.is_empty() { step_client.to_owned() } else { client_name(who)? };
    let (version, bytes) = match bytes.strip_prefix(['2', '3']) {
        Some(rest) if bytes.starts_with('2') => (Some(RespVersion::Resp2), rest),
        Some(rest) => (Some(RespVersion::Resp3), rest),
        None => (None, bytes),
    };
    Ok(Expected { client, version, bytes: words(bytes)?.concat() })
}

#[cfg(test)]
mod tests {
    use super::{Action, Order, RespVersion, Script};

    #[test]
    fn a_script_is_understood() {
        let text = r#"
            # head
            resp: 3
            server: --requirepass "a b"
            mask: /t=\d+/
            > SET k "x"*3
            < "+OK\r\n"
            a>> "*1\r\n" "$4\r\n"
            unordered
            differs: D7 resp3
            a<2 "-ERR\r\n"
            close a
        "#;
        let script = Script::parse("t", text).unwrap();
        assert_eq!(script.versions, [RespVersion::Resp3]);
        assert_eq!(script.server_args, ["--requirepass", "a b"]);
        assert_eq!(script.steps.len(), 3);
        assert!(matches!(&script.steps[0].action, Action::Command(args) if args[2] == b"xxx"));
        assert!(matches!(&script.steps[1].action, Action::Raw(raw) if raw == b"*1\r\n$4\r\n"));
        let checks = &script.steps[1].checks;
        assert_eq!(checks.order, Order::Unordered);
        assert_eq!(checks.differs.as_ref().unwrap().id, "D7");
        assert_eq!(checks.expected[0].client, "a");
        assert_eq!(checks.expected[0].version, Some(RespVersion::Resp2));
    }

    #[test]
    fn an_unknown_line_is_named() {
        let error = Script::parse("t", "> PING\nmatch everything\n").unwrap_err();
        assert_eq!(error, "t:2: `match everything` is not understood");
    }
}
