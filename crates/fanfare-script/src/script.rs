//! The header of a script, and its name.

use std::fmt;

use crate::{error::ScriptError, sha1};

/// The name of a script: the SHA-1 of its text, in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha1([u8; 40]);

impl Sha1 {
    /// The name of the script with this text.
    pub fn of(body: &[u8]) -> Self {
        Self(sha1::hex(body))
    }

    /// The name that a client wrote, in either case; `None` if it has not 40 characters.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let mut name: [u8; 40] = text.try_into().ok()?;
        name.make_ascii_lowercase();
        Some(Self(name))
    }

    /// The 40 characters.
    pub fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a script or a function says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `no-writes`: it only reads.
    pub no_writes: bool,
    /// `allow-oom`: it may run when memory is short.
    pub allow_oom: bool,
    /// `allow-stale`: it may run on a replica that lost its master.
    pub allow_stale: bool,
    /// `no-cluster`: it must not run in a cluster.
    pub no_cluster: bool,
    /// `allow-cross-slot-keys`: its keys may lie in several slots.
    pub allow_cross_slot_keys: bool,
}

impl Flags {
    /// The names of the flags that are set, in Redis's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot_keys, "allow-cross-slot-keys"),
        ];
        all.into_iter().filter_map(|(is_set, name)| is_set.then_some(name))
    }

    /// Sets the flag of this name; `false` if there is none.
    pub(crate) fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"no-writes" => &mut self.no_writes,
            b"allow-oom" => &mut self.allow_oom,
            b"allow-stale" => &mut self.allow_stale,
            b"no-cluster" => &mut self.no_cluster,
            b"allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return false,
        };
        *flag = true;
        true
    }
}

/// What `#!lua flags=…` says; `None` for a script without such a line, which is not the same as a
/// script without flags. The second is the code without that line, but with its line end.
pub(crate) fn header(body: &[u8]) -> Result<(Option<Flags>, &[u8]), ScriptError> {
    if !body.starts_with(b"#!") {
        return Ok((None, body));
    }
    let Some(end) = body.iter().position(|it| *it == b'\n') else {
        return Err(ScriptError::new("Invalid script shebang"));
    };
    let (line, code) = body.split_at(end);
    let mut parts = line.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty());
    let engine = parts.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(wrong("Unexpected engine in script shebang: ", engine));
    }
    let mut flags = Flags::default();
    for part in parts {
        let Some(names) = part.strip_prefix(b"flags=") else {
            return Err(wrong("Unknown lua shebang option: ", part));
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|it| *it == b',') {
            if !flags.set(name) {
                return Err(wrong("Unexpected flag in script shebang: ", name));
            }
        }
    }
    Ok((Some(flags), code))
}

fn wrong(what: &str, part: &[u8]) -> ScriptError {
    ScriptError::new([what.as_bytes(), part].concat())
}
