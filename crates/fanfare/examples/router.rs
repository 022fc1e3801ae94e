//! Orders are published by several callers at once and handled by a router:
//! `cargo run -p fanfare --example router [URL]`. Without a URL, on an embedded broker.

use std::time::Duration;

use fanfare::{Channel, Failed, Fanfare, Json, Linger, Raw};

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    id: u64,
    item: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let router = fanfare
        .router()
        .channel("orders", async |Json(order): Json<Order>| {
            println!("order {}: {}", order.id, order.item);
        })
        .pattern("ord*", async |channel: Channel, Raw(payload): Raw| {
            println!("audit: {} bytes on {}", payload.len(), channel.name());
        })
        .on_error(async |failed: Failed| println!("not handled: {}", failed.reason))
        .start()
        .await?;

    let linger = Linger::new(Duration::from_millis(2));
    let orders = fanfare.publisher::<Json<Order>>("orders").linger(linger);
    for (id, item) in (1..).zip(["tea", "milk", "sugar"]) {
        drop(orders.enqueue(Order { id, item: item.to_owned() }).await?);
    }
    let sent = orders.close().await;
    fanfare.publish("orders", "not an order").await?;
    let stats = router.wait_finished(8).await;
    println!("published {} in {} sends", sent.published, sent.sends);
    for route in &stats.routes {
        println!("{:?}: {} handled, {} undecodable", route.name, route.handled, route.undecodable);
    }
    Ok(())
}
