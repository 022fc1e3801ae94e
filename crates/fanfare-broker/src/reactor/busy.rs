//! While a script runs too long on this thread: its other clients are told so, and may end it.
//!
//! The reactor's tasks can not run, since the script is deep inside one of them. So its sockets are read directly, and
//! whatever is answered goes the usual way: commands that do not need the keyspace run, others are told `BUSY`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fanfare_engine::host::ScriptTime;
use fanfare_engine::scripting::{Running, Scripting};

use super::inbox;
use super::input::UNREAD_BYTES_MAX;
use super::state::{READ_LEN, Reactor};
use super::thread::place;
use crate::shared::unix_us;

/// How often clients are looked after.
const EVERY_US: u64 = 10_000;

impl Reactor {
    /// This thread's interpreter; made when it is needed first.
    pub(super) fn take_scripting(&mut self) -> Option<Box<Scripting>> {
        self.scripting.take().or_else(|| {
            let made = Scripting::new();
            made.inspect_err(|error| tracing::error!(?error, "failed to make an interpreter"))
                .ok()
                .map(Box::new)
        })
    }

    /// A script asks whether it may go on.
    pub(super) fn poll_script(&mut self, running: &Running) -> ScriptTime {
        let now_us = unix_us();
        let ran = Duration::from_micros(now_us.saturating_sub(running.since_unix_us));
        if Duration::from_millis(self.live.busy_reply_ms) <= ran {
            if !self.shared.keyspace.gate().is_busy() {
                let command = if running.is_eval { "SCRIPT KILL" } else { "FUNCTION KILL" };
                tracing::warn!(
                    name = running.name,
                    ran_ms = u64::try_from(ran.as_millis()).unwrap_or(u64::MAX),
                    "slow script: clients are told BUSY from now on; {command} ends it"
                );
                self.shared.keyspace.gate().set_busy();
                // Those who were parked are told, too.
                self.shared.resume_all();
            }
            if EVERY_US <= now_us.saturating_sub(self.busy_since_us) {
                self.serve_while_busy();
                self.busy_since_us = unix_us();
            }
        }
        ScriptTime { ran, must_stop: self.shared.stop.is_asked() }
    }

    fn serve_while_busy(&mut self) {
        let wants = std::mem::take(&mut self.wants);
        let full = std::mem::take(&mut self.full);
        let last_command = self.last_command.take();
        let (now, clock) = (self.now, self.clock);
        self.refresh();
        if let Some(twin) = self.twin.take() {
            while let Some(incoming) = twin.accept_now() {
                place(self, incoming);
            }
            self.twin = Some(twin);
        }
        inbox::handle_inbox(self, true, |_| false);
        inbox::take_mail(self);
        inbox::handle_inbox(self, true, |_| false);
        let slots: Vec<u32> =
            self.conns.iter().filter_map(|(slot, _)| u32::try_from(slot).ok()).collect();
        let mut chunk = vec![0; READ_LEN];
        self.in_script = true;
        for slot in slots {
            self.serve_one_while_busy(slot, &mut chunk);
        }
        self.in_script = false;
        self.flush_dirty();
        self.wants = wants;
        self.full = full;
        self.last_command = last_command;
        (self.now, self.clock) = (now, clock);
    }

    pub(super) fn serve_one_while_busy(&mut self, slot: u32, chunk: &mut [u8]) {
        let Some(conn) = self.conn(slot) else { return };
        if std::mem::take(&mut conn.gated) {
            // It waits for the script: it has to be told BUSY now.
            conn.parked = false;
            self.parked.retain(|it| *it != slot);
        }
        let Some(conn) = self.conn(slot) else { return };
        let has_unread = UNREAD_BYTES_MAX < conn.outbox.n_bytes();
        if conn.parked || conn.closing || conn.is_waiting() || has_unread {
            return;
        }
        let Some(mut session) = conn.session.take() else { return };
        let read = conn.socket.as_mut().map(|it| it.read_now(chunk));
        let is_over = match read {
            Some(Ok(0)) | None => true,
            Some(Ok(n)) => {
                session.input.extend_from_slice(chunk.get(..n).unwrap_or_default());
                false
            }
            Some(Err(error)) => error.kind() != std::io::ErrorKind::WouldBlock,
        };
        let client_id = session.client.id;
        let ran = if session.input.is_empty() {
            Ok(())
        } else {
            let run = || self.run_arrived(slot, &mut session, &[]);
            catch_unwind(AssertUnwindSafe(run))
        };
        if self.live.query_bytes_max < session.input.len() {
            self.refuse_input(slot, session.input.len());
        }
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.session = Some(session);
            // What is left is run by its task when the script is over.
            conn.resumed = true;
            let waker = conn.waker.clone();
            waker.into_iter().for_each(|it| it.wake());
            if conn.subscriptions.is_some() && !conn.settled {
                self.settle(slot);
            }
        }
        if let Err(panic) = ran {
            // It must not go on into the script, whose client is another one.
            self.recover(slot, client_id, &*panic);
        } else if is_over {
            self.doom(slot);
        }
    }

    /// A script is over that others were parked for.
    pub(super) fn script_ended(&mut self) {
        self.shared.resume_all();
        self.schedule_turn();
    }
}
