//! Orders come twice and a bank that stumbles; each is billed once: `cargo run -p fanfare --example
//! layers [URL]`. Without a URL, on an embedded broker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fanfare::{
    Backoff, BoxError, Call, Envelope, Fanfare, Json, Kind, Permanent,
    layers::{CircuitBreaker, DeadLetter, Idempotency, Layer, Retry, Stack, TraceParent},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let ms = Duration::from_millis;
    let bank = CircuitBreaker::new("bank");
    let once = Idempotency::new(&fanfare, "example:billing");
    let dead = DeadLetter::new(&fanfare, "example:billing:dead", "billing");
    let stack = Stack::new("billing")
        .dead_letter(dead.clone())
        .idempotency(once.clone())
        .retry(Retry::new().backoff(Backoff { first: ms(10), cap: ms(100) }))
        .breaker(bank.clone())
        .timeout(Duration::from_secs(5));

    let attempts = Arc::new(AtomicU32::new(0));
    let handler = move |Json(amount): Json<i32>, trace: TraceParent| {
        let attempt = attempts.fetch_add(1, Ordering::Relaxed);
        async move {
            if amount < 0 {
                return Err(BoxError::from(Permanent::new("nobody owes a negative amount")));
            }
            if attempt.is_multiple_of(2) {
                return Err("the bank has closed the connection".into());
            }
            println!("{amount} billed, in trace {:032x}", trace.trace_id());
            Ok(())
        }
    };
    let service = stack.layer(fanfare::service::<_, _, _, Call>(handler, ()));
    let router = fanfare.router().service(Kind::Channel, "example:orders", service).start().await?;
    for amount in [3, -1, 5] {
        let order = Envelope::new("order.created", amount).source("shop").to_payload()?;
        for _ in 0..2 {
            fanfare.publish("example:orders", &order).await?;
        }
    }
    router.wait_finished(6).await;
    let stats = once.stats();
    println!("{} recorded, {} duplicates", stats.recorded, stats.duplicates);
    println!("the bank failed {} times", bank.stats().failed);
    for letter in dead.list(None, 10).await? {
        println!("dead: {}", letter.error);
    }
    router.stop().await;
    Ok(())
}
