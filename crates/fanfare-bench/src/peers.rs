//! redis-rs, and a feeder that is faster than any client.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::Site;

/// A connection of redis-rs that many tasks may share.
pub(crate) async fn connect(site: Site<'_>) -> Result<redis::aio::MultiplexedConnection> {
    Ok(redis::Client::open(site.url())?.get_multiplexed_async_connection().await?)
}

/// A connection that sends ready-made commands, many at once.
pub(crate) struct Feeder(TcpStream);

impl Feeder {
    pub(crate) fn connect(site: Site<'_>) -> Result<Self> {
        let stream = TcpStream::connect(site.server.addr())?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends these commands, and reads an answer of one line to each.
    pub(crate) fn send(&mut self, commands: &[u8], n_commands: usize) -> Result<()> {
        self.0.write_all(commands)?;
        let mut n_lines = 0;
        let mut buffer = [0; 16 * 1024];
        while n_lines < n_commands {
            let n = self.0.read(&mut buffer)?;
            anyhow::ensure!(0 < n, "the server has closed the connection");
            n_lines += buffer.iter().take(n).filter(|it| **it == b'\n').count();
        }
        Ok(())
    }

    /// The same again and again for so long; returns how often.
    pub(crate) fn repeat(
        &mut self,
        commands: &[u8],
        n_commands: usize,
        duration: Duration,
    ) -> Result<u64> {
        let started = Instant::now();
        let mut n = 0;
        while started.elapsed() < duration {
            self.send(commands, n_commands)?;
            n += 1;
        }
        Ok(n)
    }
}

/// A command as the server reads it.
pub(crate) fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
