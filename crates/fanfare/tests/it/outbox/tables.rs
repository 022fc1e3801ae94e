//! The tables of an outbox.

use fanfare::{ErrorKind, Fanfare, outbox::Outbox};

use super::{
    LONG,
    database::{Database, order, with},
    on, orders,
};
use crate::support::{TestResult, until};

on!([postgres, sqlite]: whoever_makes_the_tables_first);

on!([postgres]: a_table_may_be_in_a_schema);

/// Processes that are started together do so all at once.
async fn whoever_makes_the_tables_first(database: Database, fanfare: Fanfare) -> TestResult {
    let outbox = Outbox::new().table("shop_outbox2")?;
    let error = fanfare.relay(&outbox, database.pool()).start().await.err().ok_or("it started")?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let mut transaction = database.begin().await?;
    let written = with!(transaction, it => outbox.publish(it, "orders", &order(1)).await);
    let message = written.err().ok_or("it was written")?.to_string();
    for part in ["shop_outbox2", "Outbox::create", "Outbox::ddl"] {
        assert!(message.contains(part) && error.to_string().contains(part), "{message}; {error}");
    }
    drop(transaction);
    let made = (0..4).map(|_| async {
        let mut transaction = database.begin().await?;
        with!(transaction, it => outbox.create(it).await?);
        transaction.commit().await.map_err(Box::<dyn std::error::Error>::from)
    });
    for outcome in futures_util::future::join_all(made).await {
        outcome?;
    }
    let relay = fanfare.relay(&outbox, database.pool()).start().await?;
    let mut transaction = database.begin().await?;
    with!(transaction, it => outbox.publish(it, "orders", &order(1)).await?);
    transaction.commit().await?;
    // Two outboxes in one database do not know of each other.
    database.publish([2]).await?;
    until("it is sent", || relay.stats().sent == 1).await?;
    assert_eq!((orders(&fanfare).await?, database.contents().await?.waiting), (vec![1], 1));
    for wrong in ["Orders", "drop table x", "a.b.c", "", &"x".repeat(49)] {
        let error = Outbox::new().table(wrong).err().ok_or("it was taken")?;
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        let message = error.to_string();
        assert!(message.contains(&format!("{wrong:?}")) && message.contains("48"), "{message}");
    }
    Ok(())
}

async fn a_table_may_be_in_a_schema(database: Database, fanfare: Fanfare) -> TestResult {
    database.run("CREATE SCHEMA shop").await?;
    let outboxes = [Outbox::new().table("shop.outbox")?, Outbox::new().table("outbox")?];
    for (n, outbox) in (0..).zip(&outboxes) {
        let mut transaction = database.begin().await?;
        with!(transaction, it => outbox.create(it).await?);
        with!(transaction, it => outbox.publish(it, "orders", &order(n)).await?);
        transaction.commit().await?;
        let relay = fanfare.relay(outbox, database.pool()).start().await?;
        assert_eq!(relay.close(LONG).await.sent, 1);
    }
    assert_eq!(orders(&fanfare).await?, [0, 1]);
    Ok(())
}
