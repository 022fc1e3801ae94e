//! What keeps a connection of a user alive, and carries what it says and hears.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fanfare_client::{Error, ErrorKind};
use futures_util::future::join_all;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

use super::{
    Chat, ChatError, ChatEvent, History, Refusal,
    limits::check_name,
    place::{BEAT, INBOX, JOIN, LEAVE, Own, Place, RESERVE, SEND, TOUCH, escaped, kept, member},
};
use crate::{
    commands::SortedSets,
    layers::TURN,
    stream::{Delivery, Position, StreamId, Tail},
};

#[derive(Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed_beats: AtomicU64,
    pub(super) lapses: AtomicU64,
    pub(super) unreadable: AtomicU64,
}

/// What its tasks and its owner share.
pub(super) struct Shared {
    pub(super) chat: Chat,
    pub(super) user: String,
    pub(super) connection: String,
    /// It, as scripts know it.
    pub(super) me: String,
    pub(super) own: Own,
    /// The rooms that it is in, and what reads them. Locked while one is joined or left, so that nothing of
    /// that happens twice at once.
    pub(super) rooms: Mutex<HashMap<String, Task>>,
    pub(super) events: mpsc::Sender<Option<ChatEvent>>,
    pub(super) counts: Counts,
}

/// A task that ends with its handle.
pub(super) struct Task(pub(super) JoinHandle<()>);

impl Task {
    /// Ends it, and returns when it does nothing any more.
    pub(super) async fn end(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared {
    pub(super) fn ttl_ms(&self) -> String {
        self.chat.limits.presence_ttl.as_millis().to_string()
    }

    pub(super) async fn join(
        self: Arc<Self>,
        room: &str,
        history: History,
    ) -> Result<bool, ChatError> {
        let place = self.chat.room(room)?;
        let mut rooms = self.rooms.lock().await;
        if rooms.contains_key(room) {
            return Ok(false);
        }
        self.reserve(room).await?;
        let limits = &self.chat.limits;
        let n_max = limits.members_max;
        let args = [self.me.as_str(), &self.ttl_ms(), &n_max.to_string()];
        let (outcome, last): (String, String) =
            place.run(&self.chat.client, limits, &JOIN, &args).await?;
        if outcome == "full" {
            self.release(room).await?;
            let (room, n) = (room.to_owned(), last.parse().unwrap_or_default());
            return Err(Refusal::RoomFull { room, n, n_max }.into());
        }
        match self.clone().follow(room, &place, history, &last).await {
            Ok(task) => {
                rooms.insert(room.to_owned(), task);
                Ok(true)
            }
            Err(error) => {
                // Who does not hear what is said is not there.
                if let Err(error) = self.leave(room).await {
                    tracing::debug!(%error, room, "others are told when its time is up");
                }
                Err(error.into())
            }
        }
    }

    /// Reads a room from some place on.
    async fn follow(
        self: Arc<Self>,
        room: &str,
        place: &Place,
        history: History,
        last: &str,
    ) -> Result<Task, Error> {
        let stream = self.chat.stream(&place.history());
        let last: StreamId = last.parse().map_err(|_| {
            Error::new(ErrorKind::Protocol, format!("{last:?} is no ID of a room's history"))
        })?;
        let begin = match history {
            History::After(id) => Position::After(id),
            History::None if last == StreamId::new(0, 0) => Position::Start,
            History::None => Position::After(last),
            History::Last(n) => {
                let entries = stream.rev_range(..=last, Some(n.saturating_add(1))).await?;
                let is_all = u64::try_from(entries.len()).is_ok_and(|len| len <= n);
                match entries.last() {
                    Some(before) if !is_all => Position::After(before.id),
                    _ => Position::Start,
                }
            }
        };
        let tail = stream.tail(begin).await?;
        let lobby = Place::lobby(&self.chat.prefix);
        let known = [self.ttl_ms(), escaped(room)?];
        let _: u64 = self.chat.client.run_script(&TOUCH, [lobby.rooms()], known).await?;
        Ok(Task(tokio::spawn(pump(self, Some(room.to_owned()), tail))))
    }

    /// Takes one of the user's rooms.
    async fn reserve(&self, room: &str) -> Result<(), ChatError> {
        let n_max = self.chat.limits.rooms_max;
        let args = [self.ttl_ms(), n_max.to_string(), member(room, &self.connection)?];
        let n: i64 = self.chat.client.run_script(&RESERVE, [self.own.rooms()], args).await?;
        match usize::try_from(n) {
            Ok(n) => Err(Refusal::TooManyRooms { n, n_max }.into()),
            // Below 0: there was a place.
            Err(_) => Ok(()),
        }
    }

    async fn release(&self, room: &str) -> Result<(), ChatError> {
        let entry = member(room, &self.connection)?;
        let _: u64 = self.chat.client.zrem(self.own.rooms(), [entry]).await?;
        Ok(())
    }

    pub(super) async fn leave(&self, room: &str) -> Result<(), ChatError> {
        let place = self.chat.room(room)?;
        let (client, limits) = (&self.chat.client, &self.chat.limits);
        let _: u64 = place.run(client, limits, &LEAVE, &[&self.me]).await?;
        self.release(room).await
    }

    pub(super) async fn send(&self, room: &str, text: &str) -> Result<StreamId, ChatError> {
        self.chat.limits.check_text(text)?;
        let absent = || ChatError::from(Refusal::NotInRoom { room: room.to_owned() });
        if !self.rooms.lock().await.contains_key(room) {
            return Err(absent());
        }
        self.take_turn().await?;
        let place = self.chat.room(room)?;
        let (client, limits) = (&self.chat.client, &self.chat.limits);
        let args = [self.me.as_str(), text];
        let say = || place.run::<String>(client, limits, &SEND, &args);
        let mut said = say().await?;
        if said == "absent" && self.beat(room).await? {
            said = say().await?;
        }
        said.parse().map_err(|_| absent())
    }

    pub(super) async fn send_private(&self, user: &str, text: &str) -> Result<StreamId, ChatError> {
        check_name(user)?;
        self.chat.limits.check_text(text)?;
        self.take_turn().await?;
        let inbox = Own::new(&self.chat.prefix, user)?.inbox();
        let (kept, age_ms) = kept(&self.chat.limits);
        let args = [kept.as_str(), &age_ms, &self.me, text];
        let id: String = self.chat.client.run_script(&INBOX, [inbox], args).await?;
        id.parse().map_err(|_| {
            let message = format!("{id:?} is no ID of an inbox");
            Error::new(ErrorKind::Protocol, message).into()
        })
    }

    /// Takes a turn of the user's rate, which all connections and processes share.
    async fn take_turn(&self) -> Result<(), ChatError> {
        let limits = &self.chat.limits;
        let interval = 1_000_000.0 / limits.per_second;
        let ahead = interval * f64::from(limits.burst - 1);
        let args = [interval.to_string(), ahead.to_string(), "0".to_owned()];
        let wait: i64 = self.chat.client.run_script(&TURN, [self.own.rate()], args).await?;
        if wait < 0 {
            let retry_after = Duration::from_micros(wait.unsigned_abs());
            return Err(Refusal::TooFast { retry_after }.into());
        }
        Ok(())
    }

    /// Gives a sign of life in a room, unless it was left.
    async fn beat(&self, room: &str) -> Result<bool, ChatError> {
        // It must not come back after it has left.
        let rooms = self.rooms.lock().await;
        if !rooms.contains_key(room) {
            return Ok(false);
        }
        self.beat_in(room).await?;
        Ok(true)
    }

    /// Gives a sign of life in a room. Whoever calls this has locked the rooms.
    async fn beat_in(&self, room: &str) -> Result<(), ChatError> {
        let place = self.chat.room(room)?;
        let args = [self.me.as_str(), &self.ttl_ms()];
        let has_lapsed: u64 = place.run(&self.chat.client, &self.chat.limits, &BEAT, &args).await?;
        if 0 < has_lapsed {
            count(&self.counts.lapses);
            // Signs of life do not wait for whoever takes no events; the count is there all the same.
            let _ = self.events.try_send(Some(ChatEvent::Lapsed { room: room.to_owned() }));
        }
        Ok(())
    }

    /// Gives a sign of life everywhere, also if it fails somewhere. Returns the first error.
    async fn beat_all(&self) -> Result<(), ChatError> {
        let Chat { client, prefix, limits } = &self.chat;
        let lobby = Place::lobby(prefix);
        let args = [self.me.as_str(), &self.ttl_ms()];
        let here: Result<u64, Error> = lobby.run(client, limits, &BEAT, &args).await;
        let rooms = self.rooms.lock().await;
        if rooms.is_empty() {
            return here.map(drop).map_err(ChatError::Failed);
        }
        let mut known = vec![self.ttl_ms()];
        let mut reserved = vec![self.ttl_ms(), limits.rooms_max.to_string()];
        for room in rooms.keys() {
            known.push(escaped(room)?);
            reserved.push(member(room, &self.connection)?);
        }
        let (beats, known, reserved) = tokio::join!(
            join_all(rooms.keys().map(|room| self.beat_in(room))),
            client.run_script::<u64>(&TOUCH, [lobby.rooms()], known),
            client.run_script::<i64>(&RESERVE, [self.own.rooms()], reserved),
        );
        let others = [here.map(drop), known.map(drop), reserved.map(drop)];
        let others = others.into_iter().map(|it| it.map_err(ChatError::Failed));
        beats.into_iter().chain(others).collect()
    }

    pub(super) fn noting<T>(&self, result: Result<T, ChatError>) -> Result<T, ChatError> {
        if let Err(ChatError::Refused(_)) = &result {
            count(&self.counts.refused);
        }
        result
    }

    pub(super) fn noting_sent(
        &self,
        sent: Result<StreamId, ChatError>,
    ) -> Result<StreamId, ChatError> {
        if sent.is_ok() {
            count(&self.counts.sent);
        }
        self.noting(sent)
    }
}

/// Gives signs of life for as long as the member is there.
pub(super) async fn beat(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.chat.limits.presence_ttl / 3).await;
        if let Err(error) = shared.beat_all().await {
            count(&shared.counts.failed_beats);
            tracing::debug!(%error, user = shared.user, "a sign of life could not be given");
        }
    }
}

/// Hands on what comes: of a room, or of the inbox.
pub(super) async fn pump(shared: Arc<Shared>, room: Option<String>, mut tail: Tail) {
    loop {
        let delivery = tokio::select! {
            // The member is gone: nothing is read for it any more.
            () = shared.events.closed() => return,
            delivery = tail.next_delivery() => delivery,
        };
        let event = match delivery {
            Some(Delivery::Entry(entry)) => match ChatEvent::read(room.as_deref(), &entry) {
                Ok(Some(event)) => Some(event),
                Ok(None) => continue,
                Err(error) => {
                    count(&shared.counts.unreadable);
                    tracing::warn!(%error, ?room, "an entry is nothing that a chat has written");
                    continue;
                }
            },
            Some(Delivery::Gap { .. } | Delivery::Reset) => {
                Some(ChatEvent::Gap { room: room.clone() })
            }
            // Nothing is lost by that.
            Some(Delivery::Down { .. } | Delivery::Resumed { .. }) => continue,
            None => None,
        };
        let is_end = event.is_none();
        if shared.events.send(event).await.is_err() || is_end {
            return;
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
