//! Ports that are given to one server only, by all the test processes of a machine.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// A port that nobody listens on and that no other test gets, in this process or another one, as long as
/// this lives: also while its server is stopped.
///
/// Otherwise two tests that start servers at the same moment could look at the same port, and one of them
/// would talk to the server of the other.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// The system unlocks it when the process ends, however it does.
    _lock: File,
}

/// They are below those that systems give to connections that go out, so that none of them takes one
/// while its server is being started again.
const FIRST: u16 = 10_000;
const N: u64 = 22_000;

impl Port {
    /// Finds one.
    ///
    /// # Errors
    /// If there is none, or the files that are locked can not be made.
    pub(crate) fn reserve() -> io::Result<Self> {
        let dir = std::env::temp_dir().join("fanfare-test-ports");
        let told = |error: io::Error| {
            let message = format!(
                "{error}: cannot lock a file in {}, which may be another user's: remove it",
                dir.display()
            );
            io::Error::new(error.kind(), message)
        };
        fs::create_dir_all(&dir).map_err(told)?;
        for _ in 0..1_000 {
            let number = RandomState::new().build_hasher().finish() % N;
            let number = FIRST + u16::try_from(number).unwrap_or(0);
            let path = dir.join(number.to_string());
            let lock = File::options().create(true).append(true).open(path).map_err(told)?;
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "1,000 ports were tried"))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Keeps it until the process ends, and returns it.
    fn keep(self) -> u16 {
        static KEPT: Mutex<Vec<Port>> = Mutex::new(Vec::new());
        let number = self.number;
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(self);
        number
    }
}

/// A port that no other test gets, in this process or another one, until this process ends.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    match Port::reserve() {
        Ok(port) => port.keep(),
        Err(error) => panic!("no free port: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Port;

    #[test]
    fn a_port_is_given_once() {
        let ports: Vec<_> = (0..200).map(|_| Port::reserve().unwrap()).collect();
        let numbers: HashSet<_> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
        let lock =
            std::env::temp_dir().join("fanfare-test-ports").join(ports[0].number.to_string());
        let again = std::fs::File::open(lock).unwrap();
        assert!(again.try_lock().is_err(), "another process could have it");
        drop(ports);
        assert!(again.try_lock().is_ok());
    }
}
