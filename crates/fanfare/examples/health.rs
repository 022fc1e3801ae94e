//! Watches over a subscription: `cargo run -p fanfare --example health redis://localhost`. Stop the
//! server, or send it SIGSTOP, and see health turn bad and good again.

use std::time::Duration;

use fanfare::Fanfare;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let _news = fanfare.subscribe(["news"]).await?;
    println!("there and back in {:?}", fanfare.self_test().await?.arrived_in);
    let mut monitor = fanfare.monitor(Duration::from_secs(15), Duration::from_millis(500));
    // The embedded broker does not break, so there would be nothing to wait for.
    let n_changes = if url == "embedded:" { 0 } else { 10 };
    for _ in 0..n_changes {
        match monitor.changed().await {
            Ok(()) => println!("well"),
            Err(unwell) => println!("unwell: {unwell}"),
        }
    }
    Ok(())
}
