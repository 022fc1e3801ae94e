//! Orders are put into a stream and worked through; one of them always fails, and ends among the
//! dead letters: `cargo run -p fanfare --example work [URL]`. Without a URL, on an embedded broker.
//! Two of these programs share the work, and if one is killed the other one does its part.

use std::{sync::Arc, time::Duration};

use fanfare::{Backoff, Fanfare, stream::Entry, worker::Context};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let orders = fanfare.stream("example:orders");
    for amount in ["3", "1", "many"] {
        orders.add([("item", "tea"), ("amount", amount)]).await?;
    }
    let billing = orders.group("billing");
    let ms = Duration::from_millis;
    let worker = billing
        .worker()
        .concurrency(2)
        .retry(Backoff { first: ms(50), cap: ms(500) })
        .deliveries_max(3)
        .spawn(handle)?;
    while {
        let counts = worker.stats().counts;
        counts.acknowledged + counts.dead_lettered < 3
    } {
        tokio::time::sleep(ms(10)).await;
    }
    let counts = worker.drain(Duration::from_secs(10)).await.counts;
    println!("{} acknowledged, {} dead", counts.acknowledged, counts.dead_lettered);
    for letter in billing.dead_letters().list(None, 10).await? {
        println!("{} after {} deliveries: {}", letter.id, letter.deliveries, letter.error);
    }
    Ok(())
}

async fn handle(entry: Arc<Entry>, context: Context) -> Result<(), String> {
    let amount = entry.text("amount").map_err(|error| error.to_string())?;
    let amount: u32 = amount.parse().map_err(|_| format!("`{amount}` is no number"))?;
    println!("{amount} for the {}. time", context.deliveries());
    Ok(())
}
