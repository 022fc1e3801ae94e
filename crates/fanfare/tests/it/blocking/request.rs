//! The twin of requests.

use std::{thread, time::Duration};

use fanfare::{
    BoxError, Call, ErrorKind, Json,
    blocking::Fanfare,
    request::{Gather, Target},
};

use super::PATIENCE;
use crate::support::{Target as Server, TestResult};

on_everything!(answers_come_without_a_runtime);

fn answers_come_without_a_runtime(server: &Server) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let double = |call: Call| -> Result<Json<u32>, BoxError> {
        // It may wait: it has a thread of its own.
        thread::sleep(Duration::from_millis(1));
        let n: u32 = std::str::from_utf8(call.payload()?)?.parse()?;
        assert_ne!(n, 13, "as asked");
        Ok(Json(n * 2))
    };
    let responder = fanfare.respond("double", double).sharded(["double"]).concurrency(4).start()?;
    let requester = fanfare.requester()?.deadline(PATIENCE);
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let requester = requester.clone();
            thread::spawn(move || requester.request("double", &n)?.json::<u32>())
        })
        .collect();
    for (n, thread) in (0..8).zip(threads) {
        assert_eq!(thread.join().map_err(|_| "it panicked")??, 2 * n);
    }
    let shard = Target::Shard("double".into());
    let mut answers = requester.request_many(shard, &4, Gather::new().at_most(1))?;
    assert_eq!(answers.receivers(), Some(1));
    assert_eq!(answers.next().ok_or("no answer")??.json::<u32>()?, 8);
    assert!(answers.next().is_none());
    for (value, code) in [("13", "(panicked)"), ("\"tea\"", "(failed)")] {
        let value: serde_json::Value = serde_json::from_str(value)?;
        let error = requester.request("double", &value).err().ok_or("it is refused")?;
        assert!(error.to_string().contains(code), "{error}");
    }
    assert_eq!(responder.finish().answered, 9);
    let nobody = requester.request(Target::Shard("nobody".into()), &1);
    assert_eq!(nobody.err().map(|it| it.kind()), Some(ErrorKind::NoResponders));
    assert_eq!(requester.stats().answers, 11);
    Ok(())
}
