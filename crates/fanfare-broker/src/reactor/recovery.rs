//! After a panic in a command: its client is closed, and everybody else goes on.
//!
//! Unwinding has released the command's locks, and what it had taken out of the reactor (the session, the inbox, the
//! buffer that is read into) was put back on the way. What it changed before it panicked stays.

use std::any::Any;

use fanfare_engine::pubsub::ReactorSet;

use super::state::{READ_LEN, Reactor, Wants};

impl Reactor {
    /// Closes the connection that was served when `panic` came up, with its watches and subscriptions.
    pub(super) fn recover(&mut self, slot: u32, client_id: u64, panic: &(dyn Any + Send)) {
        let command = self.last_command.take().map(usize::from);
        let command = command.and_then(|it| self.shared.table.specs().get(it)).map(|it| it.name);
        self.scratch.resize(READ_LEN, 0);
        // What it changed may have been forgotten for those who hold copies, and not told.
        self.invalidate_all(None);
        self.wants = Wants::default();
        self.full = ReactorSet::default();
        self.own_invalidations.clear();
        if let Some(stats) = self.stats() {
            stats.n_panic_kills.add(1);
        }
        // What is in the inbox is handled at the end of the turn.
        self.schedule_turn();
        let Some(conn) = self.conn(slot).filter(|it| it.facts.id == client_id) else { return };
        tracing::error!(
            client = client_id,
            addr = &*conn.facts.addr,
            command = command.unwrap_or("none"),
            panic = message(panic),
            "client closed: its command panicked, which is a bug in the broker; please report it"
        );
        if command.is_some() {
            // Earlier commands were answered, and messages were handed out.
            self.flush(slot);
        }
        self.close(slot);
    }
}

/// What the code that panicked said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(not a text)")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::sync::Weak;
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    use crate::Broker;
    use crate::config::{Allow, Config};

    /// Sends inline commands and returns what comes back until `end`, or until the connection is closed.
    fn talk(stream: &mut TcpStream, commands: &str, end: &str) -> String {
        stream.write_all(commands.as_bytes()).unwrap();
        let mut received = Vec::new();
        let mut chunk = [0; 1024];
        while !received.ends_with(end.as_bytes()) || end.is_empty() {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(n) => received.extend_from_slice(&chunk[..n]),
            }
        }
        String::from_utf8(received).unwrap()
    }

    /// The mark of the only client that watches something.
    fn mark(broker: &Broker) -> Weak<AtomicBool> {
        let all = broker.shared.clients.all();
        all.iter().find_map(|it| it.watch_mark()).expect("somebody watches")
    }

    #[test]
    fn a_client_whose_command_panics_leaves_no_watch_behind() {
        let config = Config { enable_debug_command: Allow::Yes, reactors: 2, ..Config::default() };
        let broker = Broker::builder().config(config).any_port().start().unwrap();
        for ending in ["DEBUG PANIC\r\n", "MULTI\r\nSET k 1\r\nDEBUG PANIC\r\nEXEC\r\n"] {
            let mut client = TcpStream::connect(broker.addr().unwrap()).unwrap();
            assert_eq!(talk(&mut client, "WATCH k l m\r\nPING\r\n", "+PONG\r\n").len(), 12);
            let mark = mark(&broker);
            assert!(mark.upgrade().is_some());
            let answered = talk(&mut client, ending, "");
            assert!(!answered.contains("PONG"), "{answered}");
            // The keyspace holds the mark for as long as a key is watched.
            let deadline = Instant::now() + Duration::from_secs(60);
            while mark.upgrade().is_some() {
                assert!(Instant::now() < deadline, "the keys are watched for ever");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
