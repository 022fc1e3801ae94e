//! What does not fit its schema is neither sent nor handled, and what the program does is told to others: `cargo run -p
//! fanfare --example schemas [URL]`. Without a URL, on an embedded broker.

use fanfare::{
    Algorithm, Compression, Envelope, Fanfare, Json, Kind, Publisher,
    layers::{DeadLetter, Decompress, Layer, Stack, Validate},
    schema::{AsyncApi, Contract, JsonSchema, Schema, Schemas, compare},
};

#[derive(Debug, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(crate = "fanfare::schema::schemars")]
struct Order {
    #[schemars(length(min = 1))]
    item: String,
    /// Came with version 1.1; those of 1.0 have the default.
    #[serde(default)]
    amount: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let orders = Schemas::new().with("order.created", "1.1", Schema::of::<Order>()?)?;
    let orders = Contract::from(orders);

    let validate = Validate::new(orders.clone());
    let dead = DeadLetter::new(&fanfare, "example:schemas:dead", "billing");
    let stack = Stack::new("billing")
        .dead_letter(dead.clone())
        .decompress(Decompress::new(1 << 20))
        .validate(validate.clone());
    let handler = async |Json(order): Json<Order>| println!("{} × {}", order.amount, order.item);
    let service = stack.layer(fanfare::service(handler, ()));
    let router = fanfare.router().service(Kind::Channel, "example:schemas:orders", service);
    let publisher: Publisher<Json<u32>> = fanfare.publisher("example:schemas:bills");
    let publisher = publisher.contract(Schema::of::<u32>()?);
    let document = AsyncApi::new("billing", "1.1.0")
        .router(&router)
        .messages("example:schemas:orders", orders.clone())
        .publisher("bill", &publisher)
        .to_json();
    println!("{document:#}");
    let router = router.start().await?;

    // Of the version before, of this one and compressed, of an unknown one, and what is no order.
    let order = Order { item: "tea".to_owned(), amount: 3 };
    let compression = Compression::new(Algorithm::Gzip)?.threshold(0);
    let messages = [
        Envelope::new("order.created", serde_json::json!({"item": "milk"})).to_payload()?,
        Envelope::new("order.created", order)
            .version("1.1")
            .seal()?
            .compress(&compression)?
            .to_payload()?,
        Envelope::new("order.created", ()).version("2.0").to_payload()?,
        Envelope::new("order.created", serde_json::json!({"item": ""})).to_payload()?,
    ];
    for message in messages {
        fanfare.publish("example:schemas:orders", message).await?;
    }
    router.wait_finished(4).await;
    for letter in dead.list(None, 10).await? {
        println!("dead: {}", letter.error);
    }
    println!("{} valid, {} invalid", validate.stats().valid, validate.stats().invalid);

    let refused = fanfare.stream("example:schemas:stream").contract(orders);
    if let Err(error) = refused.add(Envelope::new("order.created", "tea").to_fields()?).await {
        println!("not sent: {error}");
    }
    let old = Schema::from_json(r#"{"type": "object", "required": ["amount"]}"#)?;
    for change in compare(&old, &Schema::of::<Order>()?).breaks_readers {
        println!("a reader of the old version could not read: {change}");
    }
    router.stop().await;
    Ok(())
}
