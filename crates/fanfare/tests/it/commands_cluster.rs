//! Typed commands of a cluster: which keys go together, and slots that move meanwhile.

use std::time::Duration;

use fanfare::{ErrorKind, Fanfare, commands::*};
use fanfare_testkit::ClusterGroup;

use crate::support::{run, until};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn keys_of_several_slots_go_together_only_in_a_pipeline() {
    let group = ClusterGroup::start();
    run(async move {
        let client = Fanfare::connect(&group.url()).await?.client();
        let pipeline = client.pipeline();
        let sums: Vec<_> =
            (0..300_u32).map(|n| pipeline.incr_by(n.to_string(), n.into())).collect();
        let mut answers = pipeline.send().await?;
        for (n, sum) in (0..).zip(sums) {
            assert_eq!(answers.take(sum)?, n);
        }
        let transaction = client.transaction();
        let (_, _) = (transaction.incr("a"), transaction.incr("b"));
        let refused = [
            transaction.exec().await.err(),
            client.watch(["a", "b"]).await.err(),
            client.blpop::<String>(["a", "b"], PATIENCE).await.err(),
        ];
        let [transaction, watch, wait] = refused.map(|error| error.map(|it| it.to_string()));
        for told in [transaction, watch] {
            let told = told.ok_or("it was done")?;
            assert!(told.contains("different slots") && told.contains("{user:7}"), "{told}");
        }
        assert!(wait.ok_or("it waits")?.starts_with("CROSSSLOT"));
        let across = client.mget::<String>(["a", "b"]).await.err().ok_or("it was done")?;
        assert_eq!((across.kind(), across.server_code()), (ErrorKind::Server, Some("CROSSSLOT")));
        assert_eq!(client.exists(["a"]).await?, 0);
        Ok(())
    });
}

#[test]
fn who_waits_and_who_watches_follows_a_slot_that_moves() {
    let group = ClusterGroup::start();
    run(async move {
        let client = Fanfare::connect(&group.url()).await?.client().with_timeout(PATIENCE);
        for round in 0..3 {
            let waiting = {
                let client = client.clone();
                tokio::spawn(async move { client.blpop::<u32>(["{a}queue"], PATIENCE).await })
            };
            let owner = group.owner("a").client();
            let mut owner = owner;
            until("somebody waits", || {
                let info = owner.call(&["INFO", "clients"]);
                String::from_utf8_lossy(&info).contains("blocked_clients:1")
            })
            .await?;
            tokio::task::block_in_place(|| group.move_slot("a", || {}));
            client.rpush("{a}queue", [round]).await?;
            assert_eq!(waiting.await??, Some(("{a}queue".into(), round)));
            let transaction = client.transaction();
            let sum = transaction.incr("{a}sum");
            assert_eq!(transaction.exec().await?.take(sum)?, i64::from(2 * round + 1));
            let add = async |watch: &fanfare::client::Watch| {
                let n: Option<u32> = watch.client().get("{a}sum").await?;
                let transaction = watch.transaction();
                let set = transaction.set("{a}sum", n.unwrap_or(0) + 1);
                Ok((transaction, set))
            };
            let (mut answers, set) = client.transact(["{a}sum"], add).await?;
            answers.take(set)?;
        }
        assert_eq!(client.get("{a}sum").await?, Some(6));
        Ok(())
    });
}
