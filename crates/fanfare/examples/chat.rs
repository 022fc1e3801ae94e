//! A chat in the terminal, for any number of processes:
//! `cargo run -p fanfare --example chat [URL [USER [SECONDS]]]`. Without a URL, on an embedded broker, alone.
//!
//! A line is said in the room that was joined last. `/join ROOM`, `/leave`, `/msg USER TEXT`, `/who`,
//! `/quit`. SECONDS: after how long without a sign of life a user counts as gone.

use std::{io::BufRead, time::Duration};

use fanfare::{
    Fanfare,
    chat::{Chat, ChatError, ChatEvent, ChatLimits, History, Member},
};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "embedded:".to_owned());
    let user = args.next().unwrap_or_else(|| "ada".to_owned());
    let mut limits = ChatLimits::default();
    if let Some(seconds) = args.next() {
        limits.presence_ttl = Duration::from_secs(seconds.parse()?);
    }
    let fanfare = Fanfare::connect(&url).await?;
    let chat = Chat::new(&fanfare).limits(limits);
    // The process is the connection: two of one user are told apart by it.
    let member = chat.connect(&user, &std::process::id().to_string()).await?;
    let mut room = "hall".to_owned();
    member.join(&room, History::Last(20)).await?;
    println!("{user} is in {room}");

    let (sender, mut lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    loop {
        tokio::select! {
            line = lines.recv() => match line.as_deref().map(str::trim) {
                None | Some("/quit") => break,
                Some("") => {}
                Some(line) => {
                    if let Err(error) = obey(&chat, &member, &mut room, line).await {
                        println!("! {error}");
                    }
                }
            },
            event = member.next() => match event {
                Some(event) => show(&event),
                None => break,
            },
        }
    }
    member.close().await?;
    println!("{user} has left");
    Ok(())
}

async fn obey(
    chat: &Chat,
    member: &Member,
    room: &mut String,
    line: &str,
) -> Result<(), ChatError> {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    match command {
        "/join" => {
            member.join(rest, History::Last(20)).await?;
            rest.clone_into(room);
            println!("* you are in {room}");
        }
        "/leave" => {
            member.leave(room).await?;
            println!("* you have left {room}");
        }
        "/msg" => {
            let (user, text) = rest.split_once(' ').unwrap_or((rest, ""));
            member.send_private(user, text).await?;
        }
        "/who" => {
            let present = chat.presence(room).await?;
            let names: Vec<String> = present.into_iter().map(|it| it.user).collect();
            println!("* in {room}: {}", names.join(", "));
        }
        _ => drop(member.send(room, line).await?),
    }
    Ok(())
}

fn show(event: &ChatEvent) {
    match event {
        ChatEvent::Message { room, message } => {
            println!("[{room}] {}: {}", message.user, message.text);
        }
        ChatEvent::Private(message) => println!("[private] {}: {}", message.user, message.text),
        ChatEvent::Joined { room, user, .. } => println!("[{room}] * {user} came"),
        ChatEvent::Left { room, user, .. } => println!("[{room}] * {user} left"),
        ChatEvent::Expired { room, user, .. } => println!("[{room}] * {user} is gone"),
        ChatEvent::Lapsed { room } => println!("[{room}] * you were away"),
        ChatEvent::Gap { .. } => println!("* something is missing here"),
        other => println!("* {other:?}"),
    }
}
