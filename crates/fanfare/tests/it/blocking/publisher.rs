//! Publishing values of one type without a runtime.

use std::{collections::HashMap, thread, time::Duration};

use fanfare::{ErrorKind, Json, Linger, Text, blocking::Fanfare};

use super::PATIENCE;
use crate::support::{Target, TestResult};

on_everything!(
    values_are_published_one_by_one_and_many_at_once,
    many_threads_share_sends_and_keep_their_orders,
);

fn values_are_published_one_by_one_and_many_at_once(server: &Target) -> TestResult {
    let fanfare = Fanfare::connect(&server.url())?;
    let mut subscription = fanfare.subscribe(["a", "b"])?;
    let numbers = fanfare.publisher::<Json<Vec<u64>>>("a");
    server.check_receivers(numbers.publish(vec![1_u64])?, 1);
    numbers.publish_to("b", vec![2_u64])?;
    let outcomes = numbers.chunks(2, 1_000).publish_batch((3..10).map(|n: u64| vec![n]));
    outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
    let mut seen = Vec::new();
    for _ in 1..10 {
        let message = subscription.next_within(PATIENCE).ok_or("no message within a minute")?;
        seen.push(message.json::<Vec<u64>>()?.remove(0));
    }
    // Of two channels of a cluster each has an order of its own.
    seen.sort_unstable();
    assert_eq!(seen, (1..10).collect::<Vec<_>>());

    let maps = fanfare.publisher::<Json<HashMap<Vec<u32>, u32>>>("s").sharded();
    let one = |entries: &[(Vec<u32>, u32)]| entries.iter().cloned().collect::<HashMap<_, _>>();
    let error = maps.publish(one(&[(vec![1], 1)])).err().ok_or("JSON has such keys")?;
    assert_eq!(error.kind(), ErrorKind::Encode);
    let mut subscription = fanfare.ssubscribe(["s"])?;
    assert_eq!(maps.publish_batch_to([("s", one(&[]))]).remove(0)?, 1);
    let message = subscription.next_within(PATIENCE).ok_or("no message within a minute")?;
    assert_eq!(message.payload, "{}");
    Ok(())
}

fn many_threads_share_sends_and_keep_their_orders(server: &Target) -> TestResult {
    const THREADS: usize = 8;
    const EACH: u64 = 50;
    let fanfare = Fanfare::connect(&server.url())?;
    let subscription = fanfare.ssubscribe(["s"])?;
    let texts = fanfare.publisher::<Text>("s").sharded();
    let texts = texts.linger(Linger::new(Duration::from_millis(2)));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let texts = texts.clone();
            thread::spawn(move || -> Result<(), fanfare::Error> {
                let mut receipts = Vec::new();
                for n in 0..EACH {
                    receipts.push(texts.enqueue(format!("{thread}:{n}"))?);
                }
                for receipt in receipts {
                    assert_eq!(receipt.wait()?, 1);
                }
                assert_eq!(texts.publish(format!("{thread}:{EACH}"))?, 1);
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    let mut expected = [0; THREADS];
    let all: u64 = (EACH + 1) * u64::try_from(THREADS)?;
    for message in subscription.take(usize::try_from(all)?) {
        let (thread, n) = message.text()?.split_once(':').ok_or("no colon")?;
        let expected = expected.get_mut(thread.parse::<usize>()?).ok_or("an unknown thread")?;
        assert_eq!(n.parse::<u64>()?, *expected);
        *expected += 1;
    }
    let stats = texts.flush();
    assert_eq!((stats.published, stats.waiting), (all, 0));
    assert!(stats.sends < all, "{stats:?}");
    assert_eq!(texts.close().enqueued, all);
    let closed = texts.enqueue("late").err().ok_or("it was taken")?;
    assert_eq!(closed.kind(), ErrorKind::Closed);
    Ok(())
}
