//! Connects by the options in the environment (`REDIS_URL`, `REDIS_HOST`, `REDIS_NAMESPACE` ...) or
//! a URL, and makes sure that messages go there and back:
//! `cargo run -p fanfare --example connect [URL]`. Without either, an embedded broker.

use std::time::Duration;

use fanfare::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let is_set = std::env::vars().any(|(name, _)| name.starts_with("REDIS_"));
    let config = match std::env::args().nth(1) {
        Some(url) => Config::new().url(url),
        None if is_set => Config::from_env("REDIS_")?,
        None => Config::new().url("embedded:"),
    };
    let fanfare =
        config.client_name("example").socket_timeout(Duration::from_secs(2)).connect().await?;
    let took = fanfare.self_test().await?;
    println!("subscribed in {:?}", took.subscribed_in);
    println!("published in {:?}", took.published_in);
    println!("arrived after {:?}", took.arrived_in);
    Ok(())
}
