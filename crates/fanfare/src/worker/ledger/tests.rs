//! A ledger by itself: times are made up.

use fanfare_client::{Backoff, Value};

use super::{outbox::BURIED_BYTES_MAX, *};

const LEASE: Duration = Duration::from_secs(30);

fn ledger(change: impl FnOnce(&mut Rules)) -> Ledger {
    let mut rules = Rules {
        concurrency: 2,
        prefetch: 2,
        lease: LEASE,
        backoff: Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(60) },
        deliveries_max: 3,
        is_ordered: false,
    };
    change(&mut rules);
    Ledger::new(rules, None)
}

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

fn entry(ms: u64) -> Entry {
    let text = |text: String| Value::bulk(text.into_bytes());
    let fields = Value::Array(vec![text("n".to_owned()), text(ms.to_string())]);
    let reply = Value::Array(vec![Value::Array(vec![text(id(ms).to_string()), fields])]);
    fanfare_client::stream::entries(reply).unwrap().remove(0)
}

fn deliver(ledger: &mut Ledger, ids: impl IntoIterator<Item = u64>, at: Instant) {
    for ms in ids {
        ledger.handle_delivered(entry(ms), 1, None, at);
    }
}

fn start(ledger: &mut Ledger, at: Instant) -> Vec<Job> {
    std::iter::from_fn(|| ledger.poll_start(at)).collect()
}

fn ids(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| job.id.ms).collect()
}

fn done(ledger: &mut Ledger, job: &Job, ending: Ending, at: Instant) {
    ledger.handle_done((job.id, job.generation), ending, at);
}

fn failed() -> Ending {
    Ending::Failed("no".to_owned())
}

#[test]
fn entries_are_begun_in_order_and_held_until_the_server_knows() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    assert_eq!(ledger.poll_read(), Some(4));
    deliver(&mut ledger, 1..=4, now);
    assert_eq!(ledger.poll_read(), None, "it is full");
    assert_eq!(ledger.room_for_claims(), 2, "what others left has room of its own");
    let jobs = start(&mut ledger, now);
    assert_eq!(ids(&jobs), [1, 2]);
    done(&mut ledger, &jobs[1], Ending::Handled, now);
    assert_eq!(ids(&start(&mut ledger, now)), [3]);
    assert_eq!(ledger.poll_read(), Some(1), "it makes room");
    deliver(&mut ledger, [5], now);
    assert_eq!((ledger.poll_read(), ledger.holds(id(2))), (None, true));
    assert_eq!(ledger.take_acks(10), [id(2)]);
    ledger.handle_settled([id(2)]);
    assert_eq!((ledger.poll_read(), ledger.holds(id(2))), (None, false));
    for round in 0..10 {
        start(&mut ledger, now).iter().for_each(|it| done(&mut ledger, it, Ending::Handled, now));
        deliver(&mut ledger, 10 * round + 10..10 * round + 12, now);
    }
    assert_eq!(ledger.poll_read(), None, "but not for ever");
}

#[test]
fn what_fails_rests_on_the_server_and_dies_at_last() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    deliver(&mut ledger, [1], now);
    let jobs = start(&mut ledger, now);
    done(&mut ledger, &jobs[0], failed(), now);
    assert_eq!(ledger.take_rests(10, now), [id(1)]);
    ledger.handle_settled([id(1)]);
    let first_at = ledger.past.get(&id(1)).unwrap().first_at;
    ledger.handle_delivered(entry(1), 3, None, now);
    let jobs = start(&mut ledger, now);
    assert_eq!(jobs[0].deliveries, 3);
    done(&mut ledger, &jobs[0], Ending::TimedOut(LEASE), now);
    let burial = ledger.take_burials(10, now).remove(0);
    assert_eq!((burial.deliveries, burial.first_at), (3, first_at));
    assert_eq!(burial.error, "the handler took longer than 30s");
    ledger.put_burials(vec![burial]);
    assert!(ledger.has_errands());
    assert_eq!(ledger.take_burials(10, now + LEASE).len(), 0, "it may be another one's by now");
    assert!(!ledger.holds(id(1)));
}

#[test]
fn what_is_refused_waits_here_and_that_does_not_count() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    let wait = Duration::from_secs(600);
    let refused = || {
        let error = "the circuit breaker is open".to_owned();
        Ending::Refused(crate::worker::ending::Refusal { error, wait, is_general: true })
    };
    deliver(&mut ledger, 1..=4, now);
    for job in start(&mut ledger, now) {
        done(&mut ledger, &job, refused(), now);
    }
    for job in start(&mut ledger, now) {
        done(&mut ledger, &job, refused(), now);
    }
    assert!(!ledger.has_errands() && start(&mut ledger, now).is_empty());
    assert_eq!(ledger.poll_read(), None, "nothing more is read while all is refused");
    assert_eq!(ledger.poll_renewals(now + LEASE).len(), 4);
    assert_eq!(ledger.poll_timeout(), Some(now + wait));
    let jobs = start(&mut ledger, now + wait);
    assert!(jobs.len() == 2 && jobs.iter().all(|it| it.deliveries == 1));
    assert!(ledger.take_recounts(now).is_empty(), "the server is told of no delivery");
    assert_eq!((ledger.counts.refused, ledger.counts.failed, ledger.counts.retried), (4, 0, 0));
    done(&mut ledger, &jobs[0], Ending::Handled, now + wait);
    // What fails counts as always, and what still waits goes back as if it had not been begun.
    done(&mut ledger, &jobs[1], failed(), now + wait);
    ledger.handle_renewed(&[id(1), id(2), id(3), id(4)], now + wait);
    assert_eq!(ledger.take_rests(10, now + wait).len(), 1);
    ledger.handle_drain();
    let returns = ledger.take_returns(10, now + wait);
    assert!(returns.len() == 2 && returns.iter().all(|it| !it.is_begun && it.deliveries == 1));
}

#[test]
fn leases_are_renewed_and_what_is_lost_is_told() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    deliver(&mut ledger, 1..=3, now);
    let jobs = start(&mut ledger, now);
    assert_eq!(ledger.poll_renewals(now + LEASE / 4), []);
    let later = now + LEASE / 2;
    assert_eq!(ledger.poll_renewals(later), [id(1), id(2), id(3)]);
    ledger.handle_renewed(&[id(2), id(3)], later);
    ledger.handle_lost(id(1));
    assert_eq!(ledger.poll_renewals(later), []);
    assert!(jobs[0].lease.is_lost() && !jobs[1].lease.is_lost());
    // It failed, but it is somebody else's: there is nothing to be told to the server.
    done(&mut ledger, &jobs[0], failed(), later);
    assert!(!ledger.has_errands());
    // It comes back while the other one's handler runs: what that does no longer matters.
    done(&mut ledger, &jobs[1], Ending::Handled, later);
    assert_eq!(ledger.take_acks(1), [id(2)]);
    ledger.handle_delivered(entry(2), 1, None, later);
    assert_eq!(ledger.take_acks(1), [id(2)], "delivered once more before it was confirmed");
    assert_eq!(ledger.counts.lost, 1);
}

#[test]
fn those_of_a_key_wait_for_each_other_also_while_one_rests() {
    let (mut ledger, now) = (ledger(|it| it.is_ordered = true), Instant::now());
    for (ms, lane) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
        ledger.handle_delivered(entry(ms), 1, Some(Bytes::from(lane)), now);
    }
    let jobs = start(&mut ledger, now);
    assert_eq!(ids(&jobs), [1, 3]);
    done(&mut ledger, &jobs[0], failed(), now);
    done(&mut ledger, &jobs[1], Ending::Handled, now);
    assert!(start(&mut ledger, now).is_empty(), "those behind it wait");
    assert!(ledger.take_rests(10, now).is_empty(), "it stays here");
    let due = ledger.poll_timeout().unwrap();
    assert!(now < due && due <= now + Duration::from_secs(1));
    let jobs = start(&mut ledger, due);
    assert_eq!((ids(&jobs), jobs[0].deliveries), (vec![1], 2));
    assert_eq!(ledger.take_recounts(due), [(id(1), 2)]);
    done(&mut ledger, &jobs[0], Ending::Handled, due);
    let jobs = start(&mut ledger, due);
    assert_eq!(ids(&jobs), [2]);
    ledger.handle_lost(id(2));
    assert_eq!(ids(&start(&mut ledger, due)), [4], "the next one gets its turn");
}

#[test]
fn draining_gives_back_what_is_not_begun_and_in_the_end_the_rest() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    deliver(&mut ledger, 1..=4, now);
    let jobs = start(&mut ledger, now);
    ledger.handle_drain();
    let back = |ms, is_begun| Return { id: id(ms), deliveries: 1, is_begun };
    let mut returns = ledger.take_returns(10, now);
    returns.sort_by_key(|it| it.id);
    assert_eq!(returns, [back(3, false), back(4, false)]);
    assert_eq!((ledger.poll_read(), ledger.room_for_claims()), (None, 0));
    deliver(&mut ledger, [5], now);
    assert_eq!(ledger.take_returns(10, now), [back(5, false)], "it was under way");
    done(&mut ledger, &jobs[0], failed(), now);
    assert_eq!(ledger.take_returns(10, now), [back(1, true)]);
    ledger.handle_cut();
    assert_eq!(ledger.take_returns(10, now), [back(2, true)]);
}

#[test]
fn another_stream_with_the_same_ids_is_not_acknowledged_for_the_old_one() {
    let (ledger, now) = (ledger(|_| {}), Instant::now());
    let mut ledger = Ledger { rules: Rules { concurrency: 3, ..ledger.rules().clone() }, ..ledger };
    deliver(&mut ledger, 1..=3, now);
    let old = start(&mut ledger, now);
    done(&mut ledger, &old[1], Ending::Handled, now);
    ledger.handle_reset();
    assert!(!ledger.has_errands() && old[0].lease.is_lost());
    deliver(&mut ledger, [1, 3], now);
    done(&mut ledger, &old[0], failed(), now);
    done(&mut ledger, &old[2], Ending::Handled, now);
    assert!(ledger.holds(id(1)) && !ledger.has_errands(), "those were the old ones");
    assert_eq!(ids(&start(&mut ledger, now)), [1, 3]);
}

#[test]
fn the_oldest_past_makes_room_for_a_new_one() {
    let many = PASTS_MAX + 1;
    let (mut ledger, now) =
        (ledger(|it| (it.concurrency, it.prefetch) = (many, 0)), Instant::now());
    let n = u64::try_from(many).unwrap();
    deliver(&mut ledger, 1..=n, now);
    for job in start(&mut ledger, now) {
        done(&mut ledger, &job, failed(), now);
    }
    ledger.take_rests(many, now).into_iter().for_each(|id| ledger.handle_settled([id]));
    assert_eq!(ledger.past.len(), PASTS_MAX);
    ledger.handle_exhausted(entry(n), 3, now);
    ledger.handle_exhausted(entry(1), 3, now);
    let errors: Vec<_> = ledger.take_burials(2, now).into_iter().map(|it| it.error).collect();
    assert_eq!(errors[0], "no");
    assert!(errors[1].starts_with("it was never finished"), "{errors:?}");
}

#[test]
fn big_entries_are_buried_a_few_at_a_time() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    let big = |ms| {
        let field = (Bytes::from("n"), Bytes::from(vec![b'x'; BURIED_BYTES_MAX / 2 - 1]));
        let mut entry = entry(ms);
        entry.fields = vec![field];
        entry
    };
    for ms in 1..=4 {
        ledger.handle_exhausted(big(ms), 3, now);
    }
    let mut huge = big(5);
    huge.fields = vec![huge.fields.remove(0); 4];
    ledger.handle_exhausted(huge, 3, now);
    let mut round = || ledger.take_burials(10, now).len();
    assert_eq!([round(), round(), round(), round()], [2, 2, 1, 0]);
}

#[test]
fn what_is_held_is_not_buried_beside() {
    let (mut ledger, now) = (ledger(|_| {}), Instant::now());
    deliver(&mut ledger, [1], now);
    let jobs = start(&mut ledger, now);
    ledger.handle_exhausted(entry(1), 3, now);
    assert!(!ledger.has_errands());
    done(&mut ledger, &jobs[0], Ending::Handled, now);
    assert_eq!(ledger.take_acks(1), [id(1)]);
}
