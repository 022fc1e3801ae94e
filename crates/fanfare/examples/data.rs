//! Sensors, whose newest readings are kept and whose changes are followed, and alerts; where both go is
//! a matter of configuration: `cargo run -p fanfare --example data [URL]`. Without a URL, on an embedded
//! broker.

use std::time::Duration;

use fanfare::{
    Fanfare,
    data::{Arrival, PublisherOptions, Received, SubscriberOptions},
};

#[derive(serde::Serialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;

    let on_alert = SubscriberOptions::new()
        .on_undecodable(|bad| println!("not JSON: {} bytes", bad.payload.len()))
        .handler(async |alert: Received| {
            println!("alert: {}", alert.json::<String>()?);
            Ok::<_, fanfare::Error>(())
        });
    let alerts = fanfare.data_subscriber_with("redischannel://alerts", on_alert)?;
    let changes = fanfare.data_subscriber("redis://sensors")?;
    alerts.start().await?;
    changes.start().await?;

    let options = PublisherOptions::new().key_member("sensor").ttl(Duration::from_secs(3_600));
    let sensors = fanfare.data_publisher_with("redis://sensors", options)?;
    for (sensor, celsius) in [("sensor:kitchen", 21.5), ("sensor:cellar", 12.0)] {
        sensors.publish(&Reading { sensor: sensor.to_owned(), celsius }).await?;
    }
    for _ in 0..2 {
        if let Arrival::Record(change) = changes.recv().await? {
            let (key, value) = (&change.source[..], &change.payload[..]);
            println!("{} is now {}", String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        }
    }
    fanfare.publish("alerts", "{").await?;
    fanfare.data_publisher("redischannel://alerts")?.publish("the cellar is cold").await?;
    while alerts.stats().delivered < 1 {
        tokio::task::yield_now().await;
    }
    let stats = alerts.stop().await;
    println!("published {}, {} undecodable", sensors.stop().await.published, stats.undecodable);
    Ok(())
}
