//! Cuts its own subscription, and shows what a program is told of that:
//! `cargo run -p fanfare --example survive [URL]`. Without a URL, on an embedded broker. Stop the
//! server instead, or kill the master, and see the same.

use std::time::Duration;

use fanfare::{Delivery, Event, Fanfare};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let mut events = fanfare.events();
    let mut news = fanfare.subscribe(["example:news"]).await?;
    fanfare.publish("example:news", "before").await?;
    fanfare.command(["CLIENT", "KILL", "TYPE", "pubsub"]).await?;

    while let Some(event) = events.next().await {
        match event {
            Event::Down { role, error } => println!("down ({role}): {error}"),
            Event::Resubscribed { gap, .. } => {
                println!("subscribed again, {gap:?} later");
                break;
            }
            other => println!("{other:?}"),
        }
    }
    fanfare.publish("example:news", "after").await?;
    while let Some(delivery) = news.next_delivery().await {
        match delivery {
            Delivery::Message(message) if message.payload == "after" => break,
            Delivery::Message(message) => println!("message: {}", message.text()?),
            Delivery::Gap(gap) => println!("messages may be missing here: {:?}", gap.outage),
        }
    }
    println!("message: after");
    println!(
        "{}",
        match fanfare.health().check(Duration::from_secs(15)) {
            Ok(()) => "well".to_owned(),
            Err(unwell) => unwell.to_string(),
        }
    );
    Ok(())
}
