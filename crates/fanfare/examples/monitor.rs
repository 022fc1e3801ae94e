//! Watches a stream grow and be trimmed: `cargo run -p fanfare --example monitor redis://localhost`.
//! An alert is raised when it is too long, and resolved when it is short again.

use std::time::Duration;

use fanfare::{
    Fanfare,
    monitor::{Metric, Notice, Rule, Severity},
    stream::Trim,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let jobs = fanfare.stream("monitored jobs");
    jobs.trim(Trim::maxlen(0)).await?;

    let rule = Rule::new(Metric::Length, Severity::Warning, 2.0).resolve_at(1.0);
    let mut monitor = fanfare
        .broker_monitor()
        .every(Duration::from_millis(100))
        .streams(["monitored jobs"])
        .rules([rule])
        .start()?;
    let mut notices = monitor.notices();
    if let Some(snapshot) = monitor.next().await {
        for node in &snapshot.nodes {
            println!("{}: {} clients", node.name, node.clients.unwrap_or(0));
        }
    }
    jobs.add_batch((0..3).map(|n| [("n", n.to_string())])).await;
    while let Some(notice) = notices.next().await {
        match notice {
            Notice::Raised(alert) => {
                println!("raised: {} ({})", alert.text, alert.cure);
                jobs.trim(Trim::maxlen(0)).await?;
            }
            Notice::Resolved(alert) => {
                println!("resolved: {}", alert.id);
                break;
            }
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
