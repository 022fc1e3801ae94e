//! `cargo xtask spec NAME...`: what redis-server tells of a command, as the Rust text of its `Spec`.

mod facts;
mod format;
mod rust;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::{Result, bail};
use clap::Args;

use self::facts::Command;
use self::server::Server;

/// What the command line says.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Commands of one file; a subcommand is `client|kill`, a container comes with all of its own
    #[arg(required = true)]
    names: Vec<String>,

    /// Ask the server on this port of 127.0.0.1 instead of starting redis-server
    #[arg(long)]
    port: Option<u16>,
}

/// Prints a file with the specs.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut server = match options.port {
        Some(port) => Server::connect(port)?,
        None => Server::start("redis-server")?,
    };
    let file = write(&mut server, &options.names)?;
    std::io::stdout().write_all(file.as_bytes())?;
    Ok(())
}

/// A file with the specs of `names`, formatted.
fn write(server: &mut Server, names: &[String]) -> Result<String> {
    let mut commands = Vec::new();
    let mut unknown = Vec::new();
    for name in names {
        match Command::ask(server, name)? {
            Some(command) => commands.push(command),
            None => unknown.push(format!("`{name}`")),
        }
    }
    if !unknown.is_empty() {
        bail!("{} does not know {}", server.name, unknown.join(", "));
    }
    names_are_free(&commands)?;
    format::rustfmt(&rust::file(&commands)?)
}

/// What is asked for at once goes into one file, where no two statics may share a name.
fn names_are_free(commands: &[Command]) -> Result<()> {
    let mut taken = BTreeMap::new();
    for name in commands.iter().flat_map(Command::names) {
        if let Some(other) = taken.insert(rust::static_name(name), name) {
            bail!("{other} and {name} would both be {}: ask for one", rust::static_name(name));
        }
    }
    Ok(())
}
