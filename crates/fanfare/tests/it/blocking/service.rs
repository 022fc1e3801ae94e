//! The twin of services.

use std::{sync::mpsc, thread, time::Duration};

use fanfare::{
    Json, State,
    blocking::{Emitter, Fanfare, Service},
    service::Scope,
};

use super::PATIENCE;
use crate::support::{Target as Server, TestResult};

on_everything!(services_talk_without_a_runtime);

fn services_talk_without_a_runtime(server: &Server) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let (sender, welcomed) = mpsc::channel::<String>();
    let orders = Service::new(&fanfare, "orders")
        .on("user_created", |Json(name): Json<String>, emitter: Emitter| {
            // It may wait: it has a thread of its own.
            thread::sleep(Duration::from_millis(1));
            emitter.emit(Scope::Other, "welcome_offer_sent", &name).map(drop)
        })
        .describe(|service| service.check(|| Err("as asked".to_owned())))
        .start()?;
    let users = Service::new(&fanfare, "users")
        .state(sender)
        .on(
            "welcome_offer_sent",
            |Json(name): Json<String>, State(to): State<mpsc::Sender<String>>| to.send(name),
        )
        .start()?;
    users.emitter().emit(Scope::Other, "user_created", "ada")?;
    assert_eq!(welcomed.recv_timeout(PATIENCE)?, "ada");
    assert_eq!(orders.health().reasons, ["as asked"]);
    assert_eq!(orders.stop(PATIENCE).stats.counts.handled, 1);
    assert!(users.stop(PATIENCE).announced.is_ok());
    Ok(())
}
