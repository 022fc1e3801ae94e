//! Prices are asked for, by one and by all, and a request that nobody answers is told at once:
//! `cargo run -p fanfare --example request [URL]`. Without a URL, on an embedded broker.

use std::time::Duration;

use fanfare::{
    ErrorKind, Fanfare, Json, State,
    request::{Gather, Target},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let mut shops = Vec::new();
    for price in [3.2, 2.9, 3.5] {
        let handler = async |State(price): State<f64>, Json(item): Json<String>| match item.as_str()
        {
            "tea" => Ok(Json(price)),
            other => Err(format!("there is no {other}")),
        };
        shops.push(fanfare.respond_with("prices", handler, price).start().await?);
    }

    let requester = fanfare.requester().await?.deadline(Duration::from_secs(10));
    println!("the first: {}", requester.request("prices", "tea").await?.json::<f64>()?);
    let all = Gather::new().at_most(3);
    let mut best = f64::INFINITY;
    for answer in requester.request_many("prices", "tea", all).await?.all().await {
        best = best.min(answer?.json()?);
    }
    println!("the best of all: {best}");
    if let Err(error) = requester.request("prices", "a unicorn").await {
        println!("{error}");
    }
    match requester.request(Target::Shard("nobody".to_owned()), "tea").await {
        Err(error) if error.kind() == ErrorKind::NoResponders => println!("{error}"),
        other => println!("{other:?}"),
    }
    for shop in shops {
        shop.stop().await;
    }
    Ok(())
}
