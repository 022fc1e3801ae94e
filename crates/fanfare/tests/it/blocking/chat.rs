//! The twin of a chat.

use std::{thread, time::Instant};

use fanfare::{
    blocking::{Chat, Fanfare, Member},
    chat::{ChatEvent, ChatLimits, History, Refusal},
};

use super::PATIENCE;
use crate::support::{Target as Server, TestResult};

on_everything!(members_talk_without_a_runtime);

fn members_talk_without_a_runtime(server: &Server) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let mut limits = ChatLimits::default();
    limits.rooms_max = 2;
    let chat = Chat::new(&fanfare).prefix("twin").limits(limits);
    let (ada, ben) = (chat.connect("ada", "phone")?, chat.connect("ben", "desk")?);
    assert!(ada.join("tea", History::None)? && !ada.join("tea", History::None)?);
    ada.send("tea", "early")?;
    assert!(ben.join("tea", History::Last(20))?);
    // One thread hears what another one of the same member provokes.
    thread::scope(|threads| {
        let hears = threads.spawn(|| said(&ben, 2));
        ben.send("tea", "late")?;
        let texts = hears.join().map_err(|_| "the thread that hears panicked")?;
        assert_eq!(texts, ["ada: early", "ben: late"]);
        TestResult::Ok(())
    })?;
    ben.send_private("ada", "just for you")?;
    assert_eq!(said(&ada, 3), ["ada: early", "ben: late", "ben privately: just for you"]);
    let inbox = ada.inbox(None, 10)?;
    assert_eq!(inbox.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), ["just for you"]);
    let history = chat.history("tea", None, 1)?;
    assert_eq!(history.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), ["late"]);

    let refused = ada.send("coffee", "is anybody here?").err().ok_or("it was said")?;
    assert!(matches!(refused.refusal(), Some(Refusal::NotInRoom { .. })), "{refused}");
    assert!(ada.join("coffee", History::None)?);
    let refused = ada.join("milk", History::None).err().ok_or("it is in three rooms")?;
    assert!(matches!(refused.refusal(), Some(Refusal::TooManyRooms { .. })), "{refused}");
    assert_eq!(ada.rooms(), ["coffee", "tea"]);
    assert_eq!(ada.stats().refused, 2);

    let stats = chat.stats()?;
    assert_eq!((stats.users, stats.rooms_total), (2, 2));
    assert!(ben.leave("tea")? && !ben.leave("tea")?);
    ben.close()?;
    let users: Vec<_> = chat.presence("tea")?.into_iter().map(|it| it.user).collect();
    assert_eq!(users, ["ada"]);
    ada.close()?;
    assert!(chat.presence("tea")?.is_empty());
    Ok(())
}

/// The next `n` things that were said, those of rooms first: only within a room there is an order.
fn said(member: &Member, n: usize) -> Vec<String> {
    let end = Instant::now() + PATIENCE;
    let (mut rooms, mut privately) = (Vec::new(), Vec::new());
    while rooms.len() + privately.len() < n && Instant::now() < end {
        match member.next_within(PATIENCE) {
            Some(ChatEvent::Message { message: it, .. }) => {
                rooms.push(format!("{}: {}", it.user, it.text));
            }
            Some(ChatEvent::Private(it)) => {
                privately.push(format!("{} privately: {}", it.user, it.text));
            }
            _ => {}
        }
    }
    rooms.extend(privately);
    rooms
}
