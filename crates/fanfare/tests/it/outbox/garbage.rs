//! Rows that somebody else wrote, and wrongly.

use fanfare::{Fanfare, outbox::RelayEvent};

use super::{
    LONG,
    database::{Database, order, with},
    on, orders,
};
use crate::support::TestResult;

on!([postgres, sqlite]:
    a_row_that_is_no_message_does_not_hold_up_the_rest,
    a_time_that_can_not_be_does_not_hold_up_the_rest,
);

on!([sqlite]: a_cell_of_another_type_does_not_hold_up_the_rest,);

/// Bytes as both databases read them.
fn blob(database: &Database, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
    match database {
        Database::Postgres { .. } => format!("'\\x{hex}'::bytea"),
        Database::Sqlite { .. } => format!("x'{hex}'"),
    }
}

fn words(words: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for word in words {
        body.extend(u32::try_from(word.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(word.as_bytes());
    }
    body
}

/// Good messages stand between bad ones: each bad one is a dead letter, each good one arrives once.
async fn among_good_ones(database: Database, fanfare: Fanfare, bad: Vec<String>) -> TestResult {
    let n_bad = u64::try_from(bad.len())?;
    for (n, row) in (0..).zip(&bad) {
        database.publish([n]).await?;
        let insert = "INSERT INTO fanfare_outbox (created_us, kind, name, message, words)";
        database.run(&format!("{insert} VALUES ({row})")).await?;
    }
    database.publish([n_bad]).await?;
    let relay = database.relay(&fanfare).start().await?;
    let mut events = relay.events();
    crate::support::until("the last one arrives", || n_bad < relay.stats().sent).await?;
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, (0..=n_bad).collect::<Vec<_>>());
    let letters = database.dead_letters().await?;
    for letter in &letters {
        println!("{letter:?}");
    }
    assert_eq!(u64::try_from(letters.len())?, n_bad);
    let stats = relay.close(LONG).await;
    assert_eq!((stats.buried, stats.sent, stats.duplicates), (n_bad, n_bad + 1, 0));
    assert_eq!((stats.database_errors, stats.broker_errors), (0, 0), "{stats:?}");
    drop(relay);
    let mut n_events = 0;
    while let Some(event) = events.next().await {
        n_events += u64::from(matches!(event, RelayEvent::Buried { .. }));
    }
    assert_eq!(n_events, n_bad);
    Ok(())
}

async fn a_row_that_is_no_message_does_not_hold_up_the_rest(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let bytes = |it: &[u8]| blob(&database, it);
    let (orders, none) = (bytes(b"orders"), bytes(b""));
    let good = bytes(&words(&["*", "field", "value"]));
    let many: Vec<&str> = std::iter::once("*").chain((0..9_000).map(|_| "x")).collect();
    let bad = vec![
        // Words that are none, not whole, none at all.
        format!("0, 0, {orders}, {none}, {}", bytes(b"{\"order\": 7}")),
        format!("0, 0, {orders}, {none}, {}", bytes(&[255, 255, 255, 255, 1])),
        format!("0, 0, {orders}, {none}, {none}"),
        // A field without a value, no id, more than a script hands on.
        format!("0, 0, {orders}, {none}, {}", bytes(&words(&["*", "field"]))),
        format!("0, 0, {orders}, {none}, {}", bytes(&words(&["field", "value"]))),
        format!("0, 0, {orders}, {none}, {}", bytes(&words(&many))),
        // Places that there are not.
        format!("0, 7, {orders}, {none}, {good}"),
        format!("0, -1, {orders}, {none}, {good}"),
        format!("0, 0, {}, {none}, {good}", bytes(b"a}b")),
        format!("0, 0, {none}, {none}, {good}"),
    ];
    among_good_ones(database, fanfare, bad).await
}

/// The difference to now is no number of 64 bits.
async fn a_time_that_can_not_be_does_not_hold_up_the_rest(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    database.publish(0..3).await?;
    for (id, time) in [(1, "-9223372036854775807"), (2, "9223372036854775807"), (3, "-5")] {
        let set = format!("UPDATE fanfare_outbox SET created_us = {time} WHERE id = {id}");
        assert_eq!(database.run(&set).await?, 1);
    }
    database.publish(3..6).await?;
    println!("{:?}", database.contents().await?);
    let relay = database.relay(&fanfare).start().await?;
    database.drained().await;
    assert_eq!(orders(&fanfare).await?, (0..6).collect::<Vec<_>>());
    let stats = relay.close(LONG).await;
    assert_eq!((stats.sent, stats.database_errors), (6, 0));
    // A dead letter of such a time can be read.
    fanfare.command(["SET", "text", "x"]).await?;
    let mut transaction = database.begin().await?;
    for n in 0..2 {
        with!(transaction, it => fanfare::outbox::Outbox::new().publish(it, "text", &order(n)).await?);
    }
    transaction.run("UPDATE fanfare_outbox SET created_us = 9223372036854775807").await?;
    transaction.commit().await?;
    let relay = database.relay(&fanfare).start().await?;
    database.drained().await;
    assert_eq!(database.dead_letters().await?.len(), 2);
    relay.close(LONG).await;
    Ok(())
}

/// SQLite keeps what it is given, whatever the column's type.
async fn a_cell_of_another_type_does_not_hold_up_the_rest(
    database: Database,
    fanfare: Fanfare,
) -> TestResult {
    let good = blob(&database, &words(&["*", "field", "value"]));
    let bad = vec![
        format!("0, 1.5, 'orders', x'', {good}"),
        format!("0, 'stream', 'orders', x'', {good}"),
        format!("0, 0, 1.5, x'', {good}"),
        format!("0, 0, 7, x'', {good}"),
        "0, 0, 'orders', x'', 1.5".to_owned(),
        "0, 0, 'orders', x'', 'words'".to_owned(),
        format!("1.5, 0, CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT), {}", blob(&database, b"no")),
    ];
    among_good_ones(database, fanfare, bad).await
}
