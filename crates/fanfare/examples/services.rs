//! Users and orders, each a service of its own, tell each other what has happened:
//! `cargo run -p fanfare --example services [URL [users|orders]]`. Without a role, both in one process;
//! without a URL, on an embedded broker.

use std::{sync::Arc, time::Duration};

use fanfare::{
    Error, Fanfare, Json, State,
    request::Gather,
    service::{Console, Emitter, Scope, Service, Target},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[derive(Serialize, Deserialize)]
struct User {
    user_id: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Order {
    order_id: String,
    customer_id: String,
    cents: u64,
}

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    match args.next().as_deref() {
        Some("users") => users(&fanfare).await,
        Some("orders") => orders(&fanfare).await,
        _ => tokio::try_join!(orders(&fanfare), users(&fanfare)).map(drop),
    }
}

/// Creates a user, and pays for what that one orders.
async fn users(fanfare: &Fanfare) -> Result<(), Error> {
    let done = Arc::new(Notify::new());
    let users = Service::new(fanfare, "users")
        .state(done.clone())
        .on("welcome_offer_sent", async |Json(user): Json<User>, emitter: Emitter| {
            println!("users: {} is welcome, and orders", user.name);
            let order =
                Order { order_id: "order-1".into(), customer_id: user.user_id, cents: 9_999 };
            emitter.emit(Scope::Service("orders".into()), "order_requested", &order).await.map(drop)
        })
        .on("order_created", async |Json(order): Json<Order>, emitter: Emitter| {
            println!("users: {} pays for {}", order.customer_id, order.order_id);
            emitter.emit(Scope::Other, "payment_processed", &order).await.map(drop)
        })
        .on(
            "order_status_updated",
            async |Json(order): Json<Order>, State(done): State<Arc<Notify>>| {
                println!("users: {} is paid", order.order_id);
                done.notify_one();
            },
        )
        .start()
        .await?;
    // A service that has never been there has no group yet, and would miss it.
    let console = Console::connect(fanfare).await?;
    let one = Gather::new().at_most(1);
    while console.health(Target::Service("orders".into()), one).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let user = User { user_id: "user-7".into(), name: "John Doe".into() };
    users.emitter().emit(Scope::Other, "user_created", &user).await?;
    users.run_until(done.notified(), PATIENCE).await;
    Ok(())
}

/// Welcomes users, and creates their orders.
async fn orders(fanfare: &Fanfare) -> Result<(), Error> {
    let done = Arc::new(Notify::new());
    let orders = Service::new(fanfare, "orders")
        .state(done.clone())
        .on("user_created", async |Json(user): Json<User>, emitter: Emitter| {
            println!("orders: welcome, {}", user.name);
            emitter.emit(Scope::Other, "welcome_offer_sent", &user).await.map(drop)
        })
        .on("order_requested", async |Json(order): Json<Order>, emitter: Emitter| {
            println!("orders: {} is created", order.order_id);
            emitter.emit(Scope::Other, "order_created", &order).await.map(drop)
        })
        .on(
            "payment_processed",
            async |Json(order): Json<Order>, emitter: Emitter, State(done): State<Arc<Notify>>| {
                println!("orders: {} cents for {}", order.cents, order.order_id);
                emitter.emit(Scope::Other, "order_status_updated", &order).await?;
                done.notify_one();
                Ok::<_, Error>(())
            },
        )
        .start()
        .await?;
    orders.run_until(done.notified(), PATIENCE).await;
    Ok(())
}
