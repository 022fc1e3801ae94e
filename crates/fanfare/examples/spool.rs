//! Publishes while the broker is away, and shows that everything arrives:
//! `cargo run -p fanfare --example spool [URL]`. Without a URL, on an embedded broker.

use std::time::Duration;

use fanfare::{
    Envelope, Fanfare,
    spool::{Fsync, SpoolEvent},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let directory = std::env::temp_dir().join(format!("fanfare-example-{}", std::process::id()));
    let stream = format!("example:orders:{}", std::process::id());

    // Nobody listens at this address.
    let away = Fanfare::builder("redis://127.0.0.1:1").connect_lazy().await?;
    let spool = away.spool(&directory).fsync(Fsync::Always).open().await?;
    for id in 1..=3 {
        let order = Envelope::new("order.created", id).source("example");
        println!("order {id}: {:?}", spool.publish(stream.as_str(), &order).await?);
    }
    let stats = spool.close(Duration::ZERO).await;
    let why = stats.last_error.map(|it| it.to_string()).unwrap_or_default();
    println!("{} wait: {why}", stats.waiting);

    // The program starts again, and the broker is there.
    let fanfare = Fanfare::connect(&url).await?;
    let spool = fanfare.spool(&directory).open().await?;
    println!("found {}", spool.recovery().messages);
    let mut events = spool.events();
    while 0 < spool.stats().waiting {
        if let Some(SpoolEvent::Drained { n }) = events.next().await {
            println!("sent {n}");
        }
    }
    for entry in fanfare.stream(&stream).range(.., None).await? {
        let order: Envelope<u64> = Envelope::from_entry(&entry)?;
        println!("arrived: order {}, made by {}", order.data, order.head.source());
    }
    spool.close(Duration::from_secs(10)).await;
    let _ = std::fs::remove_dir_all(directory);
    Ok(())
}
