//! The slow log: the last commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

use fanfare_engine::host::SlowEntry;

/// Arguments that are kept of one command, and bytes of each; as in redis-server.
const ARGS_MAX: usize = 32;
const ARG_LEN_MAX: usize = 128;

/// Newest entries first.
#[derive(Debug, Default)]
pub(crate) struct SlowLog {
    entries: VecDeque<SlowEntry>,
    next_id: u64,
}

/// Who ran a slow command, and when.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) addr: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) unix_s: u64,
}

impl SlowLog {
    pub(crate) fn add(&mut self, request: &[&[u8]], micros: u64, caller: Caller, len_max: usize) {
        let Caller { addr, name, unix_s } = caller;
        let args = shorten(request);
        self.entries.push_front(SlowEntry { id: self.next_id, unix_s, micros, args, addr, name });
        self.next_id += 1;
        self.entries.truncate(len_max);
    }

    pub(crate) fn newest(&self, n_max: usize) -> Vec<SlowEntry> {
        self.entries.iter().take(n_max).cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn shorten(request: &[&[u8]]) -> Vec<Vec<u8>> {
    let n_shown = if ARGS_MAX < request.len() { ARGS_MAX - 1 } else { request.len() };
    let mut args: Vec<Vec<u8>> = request.iter().take(n_shown).map(|it| shorten_arg(it)).collect();
    if n_shown < request.len() {
        args.push(format!("... ({} more arguments)", request.len() - n_shown).into_bytes());
    }
    args
}

fn shorten_arg(arg: &[u8]) -> Vec<u8> {
    match arg.get(..ARG_LEN_MAX) {
        Some(head) if ARG_LEN_MAX < arg.len() => {
            let mut shown = head.to_vec();
            shown.extend_from_slice(
                format!("... ({} more bytes)", arg.len() - ARG_LEN_MAX).as_bytes(),
            );
            shown
        }
        _ => arg.to_vec(),
    }
}
