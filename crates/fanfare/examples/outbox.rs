//! Takes orders in a database, some of which fail, and shows that a message arrives for each that was
//! committed: `cargo run -p fanfare --features sqlite --example outbox [URL]`. Without a URL, on an embedded broker.

use std::time::Duration;

use fanfare::{
    Envelope, Fanfare,
    outbox::{Outbox, sqlx},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let path = std::env::temp_dir().join(format!("fanfare-example-{}.db", std::process::id()));
    let stream = format!("example:orders:{}", std::process::id());

    let database = format!("sqlite:{}?mode=rwc", path.display());
    let pool = sqlx::SqlitePool::connect(&database).await?;
    let outbox = Outbox::new();
    outbox.create(&mut *pool.acquire().await?).await?;
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)").execute(&pool).await?;

    for (id, item) in [(1, "tea"), (2, "coffee"), (2, "cocoa"), (3, "milk")] {
        // SQLite has one writer at a time: who says at once that it will write waits for its turn.
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        let envelope = Envelope::new("order.created", item).id(format!("order-{id}"));
        outbox.publish(&mut *transaction, stream.as_str(), &envelope).await?;
        let order = sqlx::query("INSERT INTO orders VALUES ($1, $2)").bind(id).bind(item);
        match order.execute(&mut *transaction).await {
            Ok(_) => transaction.commit().await?,
            Err(error) => {
                println!("order {id} of {item} is rolled back: {error}");
                transaction.rollback().await?;
            }
        }
    }
    let contents = outbox.contents(&mut *pool.acquire().await?).await?;
    println!("{} messages wait", contents.waiting);

    let fanfare = Fanfare::connect(&url).await?;
    let relay = fanfare.relay(&outbox, pool.clone()).start().await?;
    let stats = relay.close(Duration::from_secs(10)).await;
    println!("sent {}", stats.sent);
    for entry in fanfare.stream(&stream).range(.., None).await? {
        let order: Envelope<String> = Envelope::from_entry(&entry)?;
        println!("arrived: {} of {}", order.head.id(), order.data);
    }
    pool.close().await;
    std::fs::remove_file(path)?;
    Ok(())
}
