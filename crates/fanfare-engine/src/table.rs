//! The commands of one server: [`COMMANDS`](crate::commands::COMMANDS) under the names that `rename-command` left them.

use std::collections::HashMap;

use crate::spec::{Flag, Group, Keys, Spec};

/// Finds commands by name, in any case.
#[derive(Debug)]
pub struct CommandTable {
    by_name: hashbrown::HashMap<Box<[u8]>, Command, foldhash::fast::FixedState>,
    /// Every command and subcommand, in the order of their ids.
    specs: Vec<&'static Spec>,
    subcommands: HashMap<u16, Vec<Command>>,
}

/// A command that was found.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// What it is.
    pub spec: &'static Spec,
    /// Index for statistics; the same in every table of one build.
    pub id: u16,
    /// The spec's flags as a set.
    flags: u32,
}

impl Command {
    /// A command with its index for statistics.
    #[must_use]
    pub fn new(spec: &'static Spec, id: u16) -> Self {
        let flags = spec.flags.iter().fold(0, |set, flag| set | 1 << *flag as u32);
        Self { spec, id, flags }
    }

    /// Whether the command has `flag`; cheaper than asking the spec.
    #[inline]
    #[must_use]
    pub fn has(self, flag: Flag) -> bool {
        self.flags & (1 << flag as u32) != 0
    }

    /// Whether other commands run inside it: `EXEC`, and those that run scripts.
    #[inline]
    #[must_use]
    pub fn runs_others(self) -> bool {
        self.spec.group == Group::Scripting || matches!(self.spec.keys, Keys::Queued)
    }
}

/// Longer names are no command's.
const NAME_LEN_MAX: usize = 64;

impl CommandTable {
    /// All commands; `renames` gives new names (empty: the command can not be called).
    ///
    /// # Errors
    /// A sentence that names the command: it does not exist, or the new name is taken.
    pub fn new(renames: &[(String, String)]) -> Result<Self, String> {
        let mut table = Self {
            by_name: hashbrown::HashMap::with_hasher(foldhash::fast::FixedState::with_seed(0)),
            specs: Vec::new(),
            subcommands: HashMap::new(),
        };
        for &spec in crate::commands::COMMANDS {
            let command = table.add(spec);
            table.by_name.insert(spec.name.as_bytes().into(), command);
            let subcommands = spec.subcommands.iter().map(|it| table.add(it)).collect();
            table.subcommands.insert(command.id, subcommands);
        }
        for (old, new) in renames {
            table.rename(&old.to_ascii_lowercase(), &new.to_ascii_lowercase())?;
        }
        Ok(table)
    }

    fn add(&mut self, spec: &'static Spec) -> Command {
        let id = u16::try_from(self.specs.len()).unwrap_or(u16::MAX);
        self.specs.push(spec);
        Command::new(spec, id)
    }

    fn rename(&mut self, old: &str, new: &str) -> Result<(), String> {
        let command = self
            .by_name
            .remove(old.as_bytes())
            .ok_or_else(|| format!("No such command in rename-command: '{old}'"))?;
        if new.is_empty() {
            return Ok(());
        }
        if self.by_name.insert(new.as_bytes().into(), command).is_some() {
            return Err(format!("Target command name already exists: '{new}'"));
        }
        Ok(())
    }

    /// The command called `name`, in any case.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Command> {
        let mut lower = [0u8; NAME_LEN_MAX];
        let lower = lower.get_mut(..name.len())?;
        for (to, from) in lower.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        self.by_name.get(&*lower).copied()
    }

    /// The subcommand of `container` called `name`, in any case.
    #[must_use]
    pub fn find_subcommand(&self, container: Command, name: &[u8]) -> Option<Command> {
        let prefix_len = container.spec.name.len() + 1;
        self.subcommands.get(&container.id)?.iter().copied().find(|it| {
            it.spec
                .name
                .as_bytes()
                .get(prefix_len..)
                .is_some_and(|own| own.eq_ignore_ascii_case(name))
        })
    }

    /// Every callable command with the name it answers to.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Command)> {
        self.by_name.iter().map(|(name, command)| (&**name, *command))
    }

    /// Number of callable commands.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether every command was renamed away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Every command and subcommand, in the order of their ids.
    pub fn commands(&self) -> impl Iterator<Item = Command> {
        self.specs.iter().zip(0..).map(|(&spec, id)| Command::new(spec, id))
    }

    /// Commands and subcommands in the order of their ids.
    #[must_use]
    pub fn specs(&self) -> &[&'static Spec] {
        &self.specs
    }
}
