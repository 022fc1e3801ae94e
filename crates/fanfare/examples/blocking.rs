//! Orders go through a router and a worker, without an async runtime in sight:
//! `cargo run -p fanfare --example blocking [URL]`. Without a URL, on an embedded broker.

use std::{thread, time::Duration};

use fanfare::{Json, Linger, blocking::Fanfare};

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    id: u64,
    item: String,
}

fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url)?;

    // Whoever hears of an order puts it where it is not lost; handlers may block.
    let bills = fanfare.stream("bills");
    let router = fanfare
        .router()
        .state(bills.clone())
        .channel("orders", |fanfare::State(bills): fanfare::State<_>, Json(order): Json<Order>| {
            file(&bills, &order)
        })
        .start()?;
    let worker = bills.group("billing").worker().concurrency(4).spawn(|entry, _context| {
        let order: Order = entry.json("order")?;
        println!("order {}: {} is billed", order.id, order.item);
        Ok::<_, fanfare::Error>(())
    })?;

    let linger = Linger::new(Duration::from_millis(2));
    let orders = fanfare.publisher::<Json<Order>>("orders").linger(linger);
    for (id, item) in (1..).zip(["tea", "milk", "sugar"]) {
        drop(orders.enqueue(Order { id, item: item.to_owned() })?);
    }
    println!("published {}", orders.close().published);
    let filed = router.wait_finished(3);
    println!("filed {}", filed.routes.iter().map(|it| it.handled).sum::<u64>());
    while worker.stats().counts.finished() < 3 {
        thread::sleep(Duration::from_millis(10));
    }
    router.finish();
    println!("billed {}", worker.drain(Duration::from_secs(10)).counts.handled);
    Ok(())
}

fn file(bills: &fanfare::blocking::Stream, order: &Order) -> Result<(), fanfare::Error> {
    bills.add_json("order", order).map(drop)
}
