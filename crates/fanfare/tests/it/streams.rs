//! Streams: adding, reading, trimming.

use std::{ops::Bound, time::Duration};

use fanfare::{
    ErrorKind,
    stream::{AddOptions, NewId, StreamId, Trim},
};

use crate::support::{Target, TestResult, on_every_broker};

on_every_broker!(
    entries_are_added_and_read_in_both_directions,
    ids_are_chosen_or_given,
    what_is_not_kept_is_trimmed,
    a_batch_has_an_outcome_for_each_entry,
    any_byte_may_be_in_a_key_a_field_or_a_value,
    another_type_is_an_error,
    json_is_read_back_or_refused,
);

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

fn exact(ms: u64) -> AddOptions {
    AddOptions::new().id(NewId::Exact(id(ms)))
}

async fn entries_are_added_and_read_in_both_directions(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    assert!(stream.is_empty().await?);
    assert!(stream.range(.., None).await?.is_empty());
    for n in 1..=9 {
        stream.add_with(&exact(n), [("n", n.to_string()), ("n", "second".into())]).await?;
    }
    let read = async |range: (Bound<StreamId>, Bound<StreamId>), count, back| {
        let entries = match back {
            true => stream.rev_range(range, count).await?,
            false => stream.range(range, count).await?,
        };
        Ok::<Vec<u64>, fanfare::Error>(entries.iter().map(|entry| entry.id.ms).collect())
    };
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(read((Unbounded, Unbounded), None, false).await?, (1..=9).collect::<Vec<_>>());
    assert_eq!(read((Included(id(3)), Included(id(5))), None, false).await?, [3, 4, 5]);
    assert_eq!(read((Excluded(id(3)), Excluded(id(5))), None, false).await?, [4]);
    assert_eq!(read((Excluded(id(3)), Unbounded), Some(2), false).await?, [4, 5]);
    assert_eq!(read((Unbounded, Unbounded), Some(2), true).await?, [9, 8]);
    assert_eq!(read((Included(id(2)), Excluded(id(4))), None, true).await?, [3, 2]);
    assert_eq!(read((Unbounded, Unbounded), Some(0), false).await?, [0; 0]);

    let first = stream.range(.., Some(1)).await?.remove(0);
    assert_eq!(first.text("n")?, "1", "of two fields of one name, the first");
    assert_eq!(first.fields.len(), 2);
    assert_eq!(first.get("m"), None);
    assert_eq!(stream.delete([id(2), id(3), id(77)]).await?, 2);
    assert_eq!(stream.delete([]).await?, 0);
    assert_eq!(stream.len().await?, 7);
    Ok(())
}

async fn ids_are_chosen_or_given(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    let only_if_there = AddOptions::new().nomkstream();
    assert_eq!(stream.add_with(&only_if_there, [("a", "b")]).await?, None);
    assert_eq!(stream.add_with(&exact(5), [("a", "b")]).await?, Some(id(5)));
    let next_of_5 = AddOptions::new().id(NewId::Ms(5));
    assert_eq!(stream.add_with(&next_of_5, [("a", "b")]).await?, Some(StreamId::new(5, 1)));
    assert!(id(1_600_000_000_000) < stream.add([("a", "b")]).await?);
    assert!(stream.add_with(&only_if_there, [("a", "b")]).await?.is_some());
    let late = stream.add_with(&exact(5), [("a", "b")]).await.err().ok_or("it was added")?;
    assert_eq!(late.kind(), ErrorKind::Server);
    let no_fields = stream.add::<&str, &str>([]).await.err().ok_or("it was added")?;
    assert_eq!(no_fields.message(), "ERR wrong number of arguments for 'xadd' command");
    Ok(())
}

async fn what_is_not_kept_is_trimmed(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s").keep(Trim::maxlen(5));
    for n in 1..=9 {
        stream.add_with(&exact(n), [("n", "x")]).await?;
    }
    assert_eq!(stream.len().await?, 5);
    let by_id = exact(10).trim(Trim::minid(id(8)));
    stream.add_with(&by_id, [("n", "x")]).await?;
    let left: Vec<u64> = stream.range(.., None).await?.iter().map(|it| it.id.ms).collect();
    assert_eq!(left, [8, 9, 10]);
    assert_eq!(stream.trim(Trim::maxlen(1)).await?, 2);

    let stream = fanfare.stream("long").keep(Trim::maxlen(1_000).approximate());
    for outcome in stream.add_batch((0..5_000).map(|n| [("n", n.to_string())])).await {
        outcome?;
    }
    let len = stream.len().await?;
    assert!((1_000..1_500).contains(&len), "{len}");
    let usage = async || fanfare.command(["MEMORY", "USAGE", "long"]).await.map(|it| it.as_int());
    let half = usage().await?.and_then(|n| u64::try_from(n).ok()).ok_or("no usage")? / 2;
    let n_trimmed = stream.trim_to_bytes(half).await?;
    assert!((1..len).contains(&n_trimmed), "{n_trimmed} of {len}");
    assert!(usage().await?.is_some_and(|n| u64::try_from(n).is_ok_and(|n| n <= half)));
    assert_eq!(stream.trim_to_bytes(half).await?, 0);
    assert_eq!(stream.trim_to_bytes(0).await?, len - n_trimmed);
    assert_eq!(fanfare.stream("none").trim_to_bytes(0).await?, 0);

    let stream = fanfare.stream("aged");
    stream.add_with(&exact(5), [("n", "old")]).await?;
    let stream = stream.keep(Trim::max_age(Duration::from_secs(3_600)));
    for n in ["new", "newer"] {
        stream.add([("n", n)]).await?;
    }
    assert_eq!(stream.range(.., Some(1)).await?.remove(0).text("n")?, "new");
    assert_eq!((stream.len().await?, stream.trim(Trim::max_age(Duration::MAX)).await?), (2, 0));
    Ok(())
}

async fn a_batch_has_an_outcome_for_each_entry(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    let entries = (0..3_000).map(|n| if n == 1_500 { vec![] } else { vec![("n", n.to_string())] });
    let outcomes = stream.add_batch(entries).await;
    assert_eq!(outcomes.len(), 3_000);
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.iter().enumerate().partition(|(_, it)| it.is_ok());
    assert_eq!(bad.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1_500]);
    let ids: Vec<_> = good.iter().filter_map(|(_, it)| it.as_ref().ok()).collect();
    assert!(ids.is_sorted());
    let read = stream.range(.., None).await?;
    assert!(read.iter().map(|entry| &entry.id).eq(ids));
    Ok(())
}

async fn any_byte_may_be_in_a_key_a_field_or_a_value(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let all: Vec<u8> = (0..=255).collect();
    let stream = fanfare.stream(&all);
    stream.add([(&all, &all), (&b"".to_vec(), &b"\r\n$-1\r\n".to_vec())]).await?;
    let mut tail = stream.tail(fanfare::stream::Position::Start).await?;
    let entry = tail.next().await.ok_or("the tail ended")?;
    assert_eq!(stream.range(.., None).await?.first().map(|it| &it.fields), Some(&entry.fields));
    assert_eq!(entry.get(&all).map(|it| it.to_vec()), Some(all));
    assert_eq!(entry.get("").map(|it| it.to_vec()), Some(b"\r\n$-1\r\n".to_vec()));
    Ok(())
}

async fn another_type_is_an_error(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    fanfare.command(["SET", "s", "x"]).await?;
    let stream = fanfare.stream("s");
    let errors = [
        stream.len().await.err(),
        stream.add([("a", "b")]).await.err(),
        stream.range(.., None).await.err(),
        stream.trim(Trim::maxlen(1)).await.err(),
        stream.delete([id(1)]).await.err(),
        stream.tail(id(1)).await.err(),
    ];
    for error in errors {
        let error = error.ok_or("it worked")?;
        assert_eq!((error.kind(), error.server_code()), (ErrorKind::Server, Some("WRONGTYPE")));
    }
    Ok(())
}

async fn json_is_read_back_or_refused(server: Target) -> TestResult {
    let fanfare = server.connect().await?;
    let stream = fanfare.stream("s");
    stream.add_json("data", &vec![1, 2, 3]).await?;
    stream.add([("data", "no JSON"), ("binary", "x")]).await?;
    let entries = stream.range(.., None).await?;
    let [good, bad] = &entries[..] else { return Err("two entries".into()) };
    assert_eq!(good.json::<Vec<u8>>("data")?, [1, 2, 3]);
    for error in [bad.json::<Vec<u8>>("data").err(), bad.json::<u8>("none").err()] {
        assert_eq!(error.map(|it| it.kind()), Some(ErrorKind::Decode));
    }
    let no_json = std::collections::HashMap::from([(vec![1], 1)]);
    let error = stream.add_json("data", &no_json).await.err().ok_or("it was added")?;
    assert_eq!(error.kind(), ErrorKind::Encode);
    Ok(())
}
