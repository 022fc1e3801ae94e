//! The chat: what is said arrives once and in order, nobody haunts it, limits hold everywhere.

use std::{error::Error, time::Duration};

use fanfare::{
    chat::{Chat, ChatEvent, ChatLimits, History, Member, Refusal},
    testing,
};
use tokio::time::timeout;

use crate::support::{Target as Server, TestResult, on_everything};

on_everything!(
    what_is_said_arrives_once_and_in_order,
    nobody_haunts_a_room,
    names_that_look_alike_have_inboxes_of_their_own,
    a_room_that_was_left_is_not_heard,
    who_is_there_stays_though_the_history_is_brief,
    limits_hold_for_a_user_wherever_she_is,
    history_is_trimmed_and_paged,
    who_was_taken_for_dead_is_told,
);

const PATIENCE: Duration = Duration::from_secs(60);

/// Generous where nobody is to expire.
fn limits() -> ChatLimits {
    let mut limits = ChatLimits::default();
    limits.presence_ttl = Duration::from_secs(600);
    (limits.per_second, limits.burst) = (10_000.0, 10_000);
    limits
}

/// The next event, in few words.
async fn next(member: &Member) -> Result<String, Box<dyn Error>> {
    let event = timeout(PATIENCE, member.next()).await.map_err(|_| "no event")?;
    Ok(told(event.ok_or("the connection is closed")?))
}

fn told(event: ChatEvent) -> String {
    match event {
        ChatEvent::Message { room, message } => {
            format!("{room}: {}: {}", message.user, message.text)
        }
        ChatEvent::Private(message) => format!("private: {}: {}", message.user, message.text),
        ChatEvent::Joined { room, user, .. } => format!("{room}: {user} came"),
        ChatEvent::Left { room, user, .. } => format!("{room}: {user} left"),
        ChatEvent::Expired { room, user, .. } => format!("{room}: {user} is gone"),
        ChatEvent::Lapsed { room } => format!("{room}: lapsed"),
        ChatEvent::Gap { room } => format!("a gap in {room:?}"),
        other => format!("{other:?}"),
    }
}

async fn who(chat: &Chat, room: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let present = chat.presence(room).await?.into_iter();
    Ok(present.map(|it| format!("{} {}", it.user, it.connections)).collect())
}

async fn what_is_said_arrives_once_and_in_order(server: Server) -> TestResult {
    const N: usize = 30;
    let (here, there) = (server.connect().await?, server.connect().await?);
    let chat = Chat::new(&here).limits(limits());
    let elsewhere = Chat::new(&there).limits(limits());
    let ada = chat.connect("ada", "1").await?;
    assert!(ada.join("tea", History::None).await?);
    assert!(!ada.join("tea", History::None).await?);
    assert_eq!(next(&ada).await?, "tea: ada came");
    for n in 0..N {
        ada.send("tea", &n.to_string()).await?;
    }
    // Another one comes while more is said: the history, then what comes, nothing missing or twice.
    let ben = elsewhere.connect("ben", "1").await?;
    let speaking = async {
        for n in N..2 * N {
            ada.send("tea", &n.to_string()).await?;
        }
        Ok(())
    };
    let joining = ben.join("tea", History::Last(10_000));
    let ((), is_new) = tokio::try_join!(speaking, joining)?;
    assert!(is_new);
    let last = ben.send("tea", "that is all").await?;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|it| it != "tea: ben: that is all") {
        heard.push(next(&ben).await?);
    }
    assert_eq!(heard.iter().filter(|it| *it == "tea: ben came").count(), 1);
    assert_eq!(heard.first().map(String::as_str), Some("tea: ada came"));
    let said: Vec<String> = heard.into_iter().filter(|it| it.starts_with("tea: ada: ")).collect();
    let expected: Vec<String> = (0..2 * N).map(|n| format!("tea: ada: {n}")).collect();
    assert_eq!(said, expected);
    // Whoever has seen something goes on behind it.
    let later = elsewhere.connect("ben", "2").await?;
    later.join("tea", History::After(last)).await?;
    ada.send("tea", "more").await?;
    assert_eq!(next(&later).await?, "tea: ada: more");

    assert_eq!(who(&elsewhere, "tea").await?, ["ada 1", "ben 2"]);
    let stats = chat.stats().await?;
    assert_eq!((stats.users, stats.connections, stats.rooms_total), (2, 3, 1));
    let room = stats.rooms.first().ok_or("a room")?;
    assert_eq!((room.room.as_str(), room.users, room.connections), ("tea", 2, 3));
    // A user leaves with the last connection.
    later.close().await?;
    assert_eq!(who(&chat, "tea").await?, ["ada 1", "ben 1"]);
    ben.close().await?;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|it| it != "tea: ben left") {
        seen.push(next(&ada).await?);
    }
    assert_eq!(seen.iter().filter(|it| it.contains("came") || it.contains("left")).count(), 2);
    ada.close().await?;
    assert!(who(&chat, "tea").await?.is_empty());
    assert_eq!(chat.stats().await?.users, 0);
    Ok(())
}

async fn nobody_haunts_a_room(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let watching = Chat::new(&here).limits(limits());
    let mut short = limits();
    short.presence_ttl = Duration::from_secs(1);
    let ghosts = Chat::new(&there).limits(short);
    let ada = watching.connect("ada", "1").await?;
    let ben = watching.connect("ben", "1").await?;
    for member in [&ada, &ben] {
        member.join("tea", History::None).await?;
    }
    // Two connections of one user, and another one, that go without a word.
    let mut gone = Vec::new();
    for (user, connection) in [("eve", "1"), ("eve", "2"), ("ben", "2")] {
        let member = ghosts.connect(user, connection).await?;
        member.join("tea", History::None).await?;
        gone.push(member);
    }
    assert_eq!(who(&watching, "tea").await?, ["ada 1", "ben 2", "eve 2"]);
    drop(gone);
    // Many look at once, and each would tell it.
    testing::eventually("nobody is left", async || {
        let looks = futures_util::future::join_all((0..8).map(|_| who(&watching, "tea"))).await;
        looks.iter().all(|it| it.as_ref().is_ok_and(|it| it[..] == ["ada 1", "ben 1"]))
    })
    .await;
    ada.send("tea", "the end").await?;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|it| it != "tea: ada: the end") {
        seen.push(next(&ada).await?);
    }
    seen.sort();
    let expected = [
        "tea: ada came",
        "tea: ada: the end",
        "tea: ben came",
        "tea: eve came",
        "tea: eve is gone",
    ];
    assert_eq!(seen, expected);
    ada.close().await?;
    ben.close().await?;
    Ok(())
}

async fn names_that_look_alike_have_inboxes_of_their_own(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let chat = Chat::new(&fanfare).limits(limits());
    let users = ["a", "a:b", "b:c", "a}:inbox", "*", "{a}"];
    let mut members = Vec::new();
    for user in users {
        members.push(chat.connect(user, "c:1").await?);
    }
    let sender = chat.connect("a", "b:c:1").await?;
    for user in users {
        sender.send_private(user, &format!("for {user}")).await?;
    }
    for (user, member) in users.into_iter().zip(&members) {
        assert_eq!(next(member).await?, format!("private: a: for {user}"));
        let inbox = member.inbox(None, 10).await?;
        let senders: Vec<_> = inbox.iter().map(|it| it.connection.as_str()).collect();
        assert_eq!(senders, ["b:c:1"]);
        assert!(futures_util::FutureExt::now_or_never(member.next()).is_none());
    }
    // Who was away finds it.
    sender.send_private("later", "wait for me").await?;
    let later = chat.connect("later", "1").await?;
    let waiting = later.inbox(None, 10).await?;
    assert_eq!(waiting.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), ["wait for me"]);
    Ok(())
}

async fn limits_hold_for_a_user_wherever_she_is(server: Server) -> TestResult {
    let (here, there) = (server.connect().await?, server.connect().await?);
    let mut tight = limits();
    (tight.per_second, tight.burst) = (0.001, 3);
    (tight.rooms_max, tight.members_max) = (2, 2);
    let (chat, elsewhere) = (Chat::new(&here).limits(tight), Chat::new(&there).limits(tight));
    let (phone, desk) =
        (chat.connect("ada", "phone").await?, elsewhere.connect("ada", "desk").await?);
    phone.join("one", History::None).await?;
    desk.join("two", History::None).await?;
    desk.join("one", History::None).await?;
    let error = desk.join("three", History::None).await.err().ok_or("too many")?;
    assert_eq!(error.refusal(), Some(&Refusal::TooManyRooms { n: 2, n_max: 2 }));
    desk.leave("two").await?;
    desk.join("three", History::None).await?;

    let ben = chat.connect("ben", "1").await?;
    ben.join("one", History::None).await?;
    let eve = chat.connect("eve", "1").await?;
    let error = eve.join("one", History::None).await.err().ok_or("it is full")?;
    let full = Refusal::RoomFull { room: "one".to_owned(), n: 2, n_max: 2 };
    assert_eq!((error.refusal(), error.is_retryable()), (Some(&full), true));
    let error = eve.send("one", "x").await.err().ok_or("she is not there")?;
    assert!(matches!(error.refusal(), Some(Refusal::NotInRoom { .. })));
    // A place that was refused costs none of her own.
    eve.join("four", History::None).await?;
    eve.join("five", History::None).await?;
    // Another connection of who is there takes no place.
    let third = elsewhere.connect("ben", "2").await?;
    third.join("one", History::None).await?;

    phone.send("one", "1").await?;
    desk.send("one", "2").await?;
    desk.send_private("ben", "3").await?;
    let error = phone.send("one", "4").await.err().ok_or("too fast")?;
    assert!(matches!(error.refusal(), Some(Refusal::TooFast { .. })) && error.is_retryable());
    assert!(error.to_string().contains("after"), "{error}");
    for text in ["", "\u{7}", &"x".repeat(4_001)] {
        assert!(ben.send("one", text).await.is_err_and(|it| it.refusal().is_some()));
    }
    ben.send("one", "others may").await?;
    assert_eq!((ben.stats().sent, ben.stats().refused), (1, 3));
    assert!(chat.connect("", "1").await.is_err());
    assert!(ben.join("a\nb\u{1b}", History::None).await.is_err());
    Ok(())
}

async fn history_is_trimmed_and_paged(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let mut few = limits();
    few.history_max = 30;
    let chat = Chat::new(&fanfare).limits(few);
    let ada = chat.connect("ada", "1").await?;
    ada.join("tea", History::None).await?;
    for n in 0..40 {
        ada.send("tea", &n.to_string()).await?;
        if n % 10 == 9 {
            let ben = chat.connect("ben", "1").await?;
            ben.join("tea", History::None).await?;
            ben.close().await?;
        }
    }
    // Of 40 messages and 9 that came and went, the last 30.
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = chat.history("tea", before, 7).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        pages.push(page);
    }
    let texts: Vec<String> = pages.iter().flatten().map(|it| it.text.clone()).collect();
    let expected: Vec<String> = (16..40).rev().map(|n| n.to_string()).collect();
    assert_eq!(texts, expected);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 3]);
    let late = chat.connect("late", "1").await?;
    late.join("tea", History::Last(2)).await?;
    let first = [next(&late).await?, next(&late).await?, next(&late).await?];
    assert_eq!(first, ["tea: ben came", "tea: ben left", "tea: late came"]);

    // What is too old goes with the next that is said.
    let mut brief = limits();
    brief.history_age = Duration::from_secs(1);
    let chat = Chat::new(&fanfare).limits(brief).prefix("brief");
    let ada = chat.connect("ada", "1").await?;
    ada.join("tea", History::None).await?;
    ada.send("tea", "old").await?;
    testing::eventually("it is too old", async || {
        let _ = ada.join("tea", History::None).await;
        ada.send("tea", "new").await.is_ok()
            && chat
                .history("tea", None, 1_000)
                .await
                .is_ok_and(|it| it.iter().all(|it| it.text == "new"))
    })
    .await;
    Ok(())
}

/// They were forgotten with the history, came again with each sign of life, and were not told of as gone.
async fn who_is_there_stays_though_the_history_is_brief(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let mut brief = limits();
    brief.history_age = Duration::from_secs(1);
    brief.presence_ttl = Duration::from_secs(9);
    let chat = Chat::new(&fanfare).limits(brief);
    let ada = chat.connect("ada", "1").await?;
    ada.join("tea", History::None).await?;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(who(&chat, "tea").await?, ["ada 1"]);
    Ok(())
}

async fn a_room_that_was_left_is_not_heard(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let chat = Chat::new(&fanfare).limits(limits());
    let (ada, ben) = (chat.connect("ada", "1").await?, chat.connect("ben", "1").await?);
    for member in [&ada, &ben] {
        member.join("tea", History::None).await?;
        member.join("coffee", History::None).await?;
    }
    let n_tails = || {
        let live = fanfare.health().live;
        live.iter().filter(|it| it.name.contains("room:tea")).count()
    };
    assert_eq!(n_tails(), 2);
    assert!(ada.leave("tea").await?);
    assert!(!ada.leave("tea").await?);
    assert_eq!(ada.rooms().await, ["coffee"]);
    crate::support::until("nothing reads it for her", || n_tails() == 1).await?;
    ben.send("tea", "without her").await?;
    ben.send("coffee", "with her").await?;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|it| it != "coffee: ben: with her") {
        seen.push(next(&ada).await?);
    }
    assert!(!seen.iter().any(|it| it.contains("without her")), "{seen:?}");
    let error = ada.send("tea", "x").await.err().ok_or("she has left")?;
    assert!(matches!(error.refusal(), Some(Refusal::NotInRoom { .. })));
    // She comes back, once.
    assert!(ada.join("tea", History::None).await?);
    assert_eq!(who(&chat, "tea").await?, ["ada 1", "ben 1"]);
    // Nor is anything read for who has gone without a word, although nothing happens there.
    drop(ben);
    crate::support::until("nothing reads it for ben", || n_tails() == 1).await?;
    ada.close().await?;
    crate::support::until("nothing is read", || fanfare.health().live.is_empty()).await?;
    Ok(())
}

async fn who_was_taken_for_dead_is_told(server: Server) -> TestResult {
    let fanfare = server.connect().await?;
    let mut short = limits();
    short.presence_ttl = Duration::from_secs(8);
    let chat = Chat::new(&fanfare).limits(short);
    let ada = chat.connect("ada", "1").await?;
    ada.join("tea", History::None).await?;
    // As if its time were up and somebody had looked.
    let presence = "{chat:room:tea}:presence";
    fanfare.command(["ZADD", presence, "1", "ada:1"]).await?;
    assert!(who(&chat, "tea").await?.is_empty());
    // It speaks, so it is there.
    ada.send("tea", "still here").await?;
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.push(next(&ada).await?);
    }
    seen.retain(|it| it != "tea: lapsed");
    let expected = ["tea: ada came", "tea: ada is gone", "tea: ada came", "tea: ada: still here"];
    assert_eq!((seen, ada.stats().lapses), (expected.map(str::to_owned).to_vec(), 1));
    // And it is brought back by its signs of life alone.
    fanfare.command(["ZREM", presence, "ada:1"]).await?;
    fanfare.command(["HDEL", "{chat:room:tea}:users", "ada"]).await?;
    testing::eventually("it is back", async || {
        who(&chat, "tea").await.is_ok_and(|it| it[..] == ["ada 1"])
    })
    .await;
    Ok(())
}
