//! Mails are put into a queue and sent; one of them has no address, and ends among the dead letters:
//! `cargo run -p fanfare --example queue [URL]`. Without a URL, on an embedded broker. Two of these
//! programs share the work, and if one is killed the other one does its part.

use std::time::Duration;

use fanfare::{
    Backoff, Fanfare, Json,
    queue::{Ending, Job, Task},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanfare::Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "embedded:".to_owned());
    let fanfare = Fanfare::connect(&url).await?;
    let ms = Duration::from_millis;
    let backoff = Backoff { first: ms(50), cap: ms(500) };
    let mails = fanfare.task_queue("example:mails").retry(backoff).deliveries_max(3);
    let mut tickets = Vec::new();
    for (to, priority) in [("ada", 0), ("", 0), ("grace", 5)] {
        let job = Job::json(&Mail { to: to.to_owned() })?.priority(priority).delay(ms(20));
        tickets.push(mails.enqueue(job).await?);
    }
    let worker = mails.worker().concurrency(2).spawn_with(send, ())?;
    let (mut n_sent, mut n_dead) = (0, 0);
    for ticket in tickets {
        match ticket.outcome(Duration::from_secs(60)).await? {
            Some(Ending::Done(result)) => {
                n_sent += 1;
                println!("{}", String::from_utf8_lossy(&result.unwrap_or_default()));
            }
            Some(Ending::Dead(error)) => {
                n_dead += 1;
                println!("{}: {error}", ticket.id());
            }
            other => println!("{}: {other:?}", ticket.id()),
        }
    }
    worker.drain(Duration::from_secs(10)).await;
    println!("{n_sent} sent, {n_dead} dead");
    let dead = mails.dead_letters();
    for letter in dead.list(10).await? {
        println!("{} after {} deliveries", letter.id, letter.deliveries);
        dead.purge([letter.id]).await?;
    }
    Ok(())
}

async fn send(Json(mail): Json<Mail>, task: Task) -> Result<(), String> {
    if mail.to.is_empty() {
        return Err("no address".to_owned());
    }
    task.set_result(format!("sent to {} at the {}. attempt", mail.to, task.deliveries()));
    Ok(())
}
