//! `MONITOR`: every command that runs, to whoever asked for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_engine::pubsub::{ReactorId, ReactorSet};
use parking_lot::{Mutex, MutexGuard};

use crate::reactor::Mailbox;

/// The clients that monitor. Their lock gives the lines one order over all reactors.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    n: AtomicUsize,
    list: Mutex<Vec<Monitor>>,
}

/// The monitors while nobody else shows anything.
#[derive(Debug)]
pub(crate) struct Held<'a>(MutexGuard<'a, Vec<Monitor>>);

#[derive(Clone, Copy, Debug)]
struct Monitor {
    reactor: ReactorId,
    slot: u32,
    client_id: u64,
}

impl Monitors {
    /// Whether anybody monitors.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.n.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn add(&self, reactor: ReactorId, slot: u32, client_id: u64) {
        let mut list = self.list.lock();
        list.push(Monitor { reactor, slot, client_id });
        self.n.store(list.len(), Ordering::SeqCst);
    }

    pub(crate) fn remove(&self, client_id: u64) {
        let mut list = self.list.lock();
        list.retain(|it| it.client_id != client_id);
        self.n.store(list.len(), Ordering::SeqCst);
    }

    /// Keeps others from showing lines: what is done meanwhile has its place among them.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self.list.lock())
    }
}

impl Held<'_> {
    /// Posts a line to all monitors; returns the reactors whose mailboxes are beyond their bound now.
    pub(crate) fn show(&self, mailboxes: &[Mailbox], line: &Arc<[u8]>) -> ReactorSet {
        let mut full = ReactorSet::default();
        for monitor in &*self.0 {
            if let Some(mailbox) = mailboxes.get(usize::from(monitor.reactor.0)) {
                if mailbox.show(monitor.slot, monitor.client_id, line) {
                    full.insert(monitor.reactor);
                }
                mailbox.wake();
            }
        }
        full
    }
}

/// One line, in the form of redis-server: `+1700000000.000000 [0 127.0.0.1:1] "SET" "a" "1"`.
pub(crate) fn line(unix_us: u64, db: u16, addr: &str, request: &[&[u8]]) -> Arc<[u8]> {
    let mut line =
        format!("+{}.{:06} [{db} {addr}]", unix_us / 1_000_000, unix_us % 1_000_000).into_bytes();
    for arg in request {
        line.extend_from_slice(b" \"");
        arg.iter().for_each(|byte| escape(*byte, &mut line));
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line.into()
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x07 => out.extend_from_slice(b"\\a"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x20..=0x7e => out.push(byte),
        _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
    }
}
