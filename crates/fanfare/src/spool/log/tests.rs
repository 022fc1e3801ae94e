//! The log against a model, cut, damaged, full, and on a disk that fails.

use std::{fs, path::Path, sync::Arc};

use fanfare_client::ErrorKind;
use fanfare_testkit::{Rng, seed};

use super::{
    super::{
        disk::tests::{Fault, Faults},
        record::tests::record,
        stats::Recovery,
        tests::Folder,
    },
    *,
};

fn rules() -> Rules {
    Rules {
        messages_max: 1_000,
        bytes_max: 1 << 20,
        age_max: None,
        segment_bytes: 400,
        dead_bytes_max: 1_000,
        when_full: WhenFull::Refuse,
        fsync: Fsync::Never,
    }
}

fn open_with(folder: &Path, rules: Rules) -> (Log, Recovery, Arc<Faults>) {
    let disk = Disk::default();
    let faults = disk.faults.clone();
    let (log, recovery) = Log::open(folder.to_owned(), rules, disk).unwrap();
    (log, recovery, faults)
}

fn open(folder: &Path) -> (Log, Recovery) {
    let (log, recovery, _) = open_with(folder, rules());
    (log, recovery)
}

/// Appends messages with these texts; how many were taken.
fn add(log: &mut Log, texts: impl IntoIterator<Item = u64>) -> usize {
    let records: Vec<Record> =
        texts.into_iter().map(|it| record(log.number(), &it.to_string())).collect();
    log.append(&records, 0).into_iter().filter(Result::is_ok).count()
}

fn text(item: &Item) -> u64 {
    std::str::from_utf8(item.record.words.last().unwrap()).unwrap().parse().unwrap()
}

/// Reads and settles everything.
fn drain(log: &mut Log) -> Vec<u64> {
    let mut texts = Vec::new();
    loop {
        let batch = log.read_batch(7, 1_000).unwrap();
        if batch.is_empty() {
            return texts;
        }
        texts.extend(batch.iter().map(text));
        log.settle(&batch);
    }
}

fn n_files(folder: &Path, end: &str) -> usize {
    let paths = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    paths.filter(|it| it.to_string_lossy().ends_with(end)).count()
}

#[test]
fn what_is_appended_is_read_in_order_and_its_files_go() {
    let folder = Folder::new();
    let (mut log, recovery) = open(folder.path());
    assert_eq!(recovery, Recovery::default());
    assert_eq!(add(&mut log, 0..100), 100);
    assert!(10 < n_files(folder.path(), ".log"));
    assert_eq!((log.waiting().messages, log.oldest()), (100, Some(1_700_000_000_000_001)));
    let batch = log.read_batch(10, usize::MAX).unwrap();
    // Nothing else is read while that is under way, and all of it once more if it has failed.
    assert!(log.read_batch(10, usize::MAX).unwrap().is_empty());
    log.settle(&batch[..3]);
    log.rewind();
    assert_eq!(log.oldest(), Some(1_700_000_000_000_004));
    assert_eq!(drain(&mut log), (3..100).collect::<Vec<_>>());
    assert_eq!((log.waiting(), log.oldest()), (Waiting::default(), None));
    assert_eq!(n_files(folder.path(), ".log"), 0);
    assert_eq!(add(&mut log, [100]), 1);
    assert_eq!(drain(&mut log), [100]);
}

#[test]
fn who_opens_it_next_goes_on_where_it_was() {
    let folder = Folder::new();
    let mut expected = std::collections::VecDeque::new();
    let (mut next, mut generations) = (0, std::collections::HashSet::new());
    for _ in 0..10 {
        let (mut log, recovery) = open(folder.path());
        assert_eq!(recovery.messages, expected.len() as u64);
        assert!(generations.insert(log.generation()));
        let again = Log::open(folder.path().to_owned(), rules(), Disk::default()).unwrap_err();
        let told = again.to_string();
        assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
        add(&mut log, next..next + 20);
        expected.extend(next..next + 20);
        next += 20;
        let batch = log.read_batch(15, usize::MAX).unwrap();
        log.settle(&batch);
        let sent = expected.drain(..batch.len());
        assert_eq!(batch.iter().map(text).collect::<Vec<_>>(), sent.collect::<Vec<_>>());
    }
    let (mut log, _) = open(folder.path());
    assert_eq!(drain(&mut log), Vec::from(expected));
}

#[test]
fn numbers_never_come_again_under_one_generation() {
    let folder = Folder::new();
    let (mut log, _) = open(folder.path());
    add(&mut log, 0..5);
    drain(&mut log);
    drop(log);
    let (mut log, _) = open(folder.path());
    assert_eq!(log.number(), 6);
}

#[test]
fn a_full_log_says_which_limit_it_is() {
    let folder = Folder::new();
    let few = Rules { messages_max: 3, ..rules() };
    let (mut log, ..) = open_with(folder.path(), few);
    assert_eq!(add(&mut log, 0..5), 3);
    let records = [record(log.number(), "x")];
    let error = log.append(&records, 0).pop().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SpoolFull);
    assert!(error.to_string().contains("3 messages wait, and 3 are allowed (`messages_max`)"));
    assert_eq!(drain(&mut log), [0, 1, 2]);
    drop(log);
    let small = Rules { bytes_max: 1_024, ..rules() };
    let (mut log, ..) = open_with(folder.path(), small);
    let n = add(&mut log, 0..50);
    assert!(5 < n && n < 20, "{n}");
    let large = [record(log.number(), &"x".repeat(2_000))];
    let error = log.append(&large, 0).pop().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let records = [record(log.number(), "x")];
    let error = log.append(&records, 0).pop().unwrap().unwrap_err();
    assert!(error.to_string().contains("1024 are allowed (`bytes_max`)"), "{error}");
}

#[test]
fn the_oldest_make_room_but_not_those_in_flight() {
    let folder = Folder::new();
    let rules = Rules { messages_max: 10, when_full: WhenFull::DropOldest, ..rules() };
    let (mut log, ..) = open_with(folder.path(), rules);
    assert_eq!(add(&mut log, 0..12), 12);
    assert_eq!(log.take_incidents().dropped, 2);
    let flight = log.read_batch(4, usize::MAX).unwrap();
    assert_eq!(flight.iter().map(text).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(add(&mut log, 12..15), 3);
    assert_eq!(log.take_incidents().dropped, 3);
    // It fails, and goes once more, in one piece; then the gap behind it is skipped.
    log.rewind();
    let flight = log.read_batch(9, usize::MAX).unwrap();
    assert_eq!(flight.iter().map(text).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(add(&mut log, [15]), 1);
    log.settle(&flight);
    assert_eq!(drain(&mut log), [10, 11, 12, 13, 14, 15]);
    assert_eq!((log.take_incidents().dropped, log.waiting().messages), (1, 0));
}

#[test]
fn what_is_too_old_makes_room() {
    let folder = Folder::new();
    let age_max = Some(std::time::Duration::from_micros(5));
    let (mut log, ..) = open_with(folder.path(), Rules { messages_max: 3, age_max, ..rules() });
    assert_eq!(add(&mut log, 0..3), 3);
    let late = [record(log.number(), "3")];
    // The first two are more than 5 µs old then.
    assert!(log.append(&late, 1_700_000_000_000_008)[0].is_ok());
    assert_eq!(log.take_incidents().expired, 1);
    assert_eq!(drain(&mut log), [1, 2, 3]);
}

#[test]
fn a_log_that_is_cut_at_any_byte_keeps_all_whole_messages() {
    let folder = Folder::new();
    let (mut log, _) = open(folder.path());
    // Two files, the second one with three messages.
    log.rules.segment_bytes = 100;
    add(&mut log, 0..1);
    log.rules.segment_bytes = 10_000;
    add(&mut log, 1..4);
    drop(log);
    let path = segment::path(folder.path(), 1);
    let whole = fs::read(&path).unwrap();
    let ends: Vec<u64> = segment::scan(&whole).records.iter().map(|it| it.end).collect();
    assert_eq!(ends.len(), 4);
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let (mut log, recovery) = open(folder.path());
        let n_whole = ends.iter().filter(|end| **end <= len as u64).count();
        let end = n_whole.checked_sub(1).map_or(segment::HEADER_LEN, |at| ends[at]);
        let cut = if len < 36 { len as u64 } else { len as u64 - end };
        assert_eq!((recovery.cut_bytes, recovery.messages), (cut, n_whole as u64), "{len}");
        assert!(recovery.quarantined.is_empty());
        // It goes on behind them.
        add(&mut log, [77]);
        drop(log);
        let (mut log, recovery) = open(folder.path());
        assert_eq!((recovery.cut_bytes, recovery.messages), (0, n_whole as u64 + 1), "{len}");
        let expected: Vec<u64> = (0..n_whole as u64).chain([77]).collect();
        assert_eq!(drain(&mut log), expected, "{len}");
        drop(log);
        fs::remove_file(folder.path().join("mark")).unwrap();
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_the_rest_goes_on() {
    let folder = Folder::new();
    let (mut log, _) = open(folder.path());
    add(&mut log, 0..20);
    drop(log);
    let n_logs = n_files(folder.path(), ".log");
    // Within the third message of the first file.
    let path = segment::path(folder.path(), 1);
    let mut file = fs::read(&path).unwrap();
    let third = usize::try_from(segment::scan(&file).records[2].start).unwrap();
    file[third + 30] ^= 1;
    fs::write(&path, &file).unwrap();
    let (mut log, recovery) = open(folder.path());
    assert_eq!((recovery.messages, recovery.cut_bytes), (19, 0));
    let [aside] = &recovery.quarantined[..] else { panic!("{recovery:?}") };
    assert!(aside.to_string_lossy().ends_with(".log.corrupt"));
    assert_eq!(fs::read(aside).unwrap(), file);
    assert_eq!(n_files(folder.path(), ".log"), n_logs);
    // While it is open, in a file that has been read in part.
    let flight = log.read_batch(2, usize::MAX).unwrap();
    log.settle(&flight);
    let mut file = fs::read(&path).unwrap();
    let fourth = usize::try_from(segment::scan(&file).records[3].start).unwrap();
    file[fourth + 5] ^= 1;
    fs::write(&path, &file).unwrap();
    let expected: Vec<u64> = (0..20).filter(|it| ![0, 1, 2, 4].contains(it)).collect();
    assert_eq!(drain(&mut log), expected);
    assert_eq!(log.take_incidents().quarantined.len(), 1);
    assert_eq!(n_files(folder.path(), ".corrupt"), 2);
    assert_eq!(log.waiting(), Waiting::default());
}

#[test]
fn a_damaged_header_costs_no_message() {
    let folder = Folder::new();
    let (mut log, _) = open(folder.path());
    add(&mut log, 0..3);
    drop(log);
    let path = segment::path(folder.path(), 1);
    let mut file = fs::read(&path).unwrap();
    file[9] ^= 1;
    fs::write(&path, &file).unwrap();
    let (mut log, recovery) = open(folder.path());
    assert_eq!((recovery.messages, recovery.quarantined.len()), (3, 1));
    assert_eq!(drain(&mut log), [0, 1, 2]);
}

#[test]
fn a_full_disk_is_told_and_costs_nothing_that_was_taken() {
    for fsync in [Fsync::Never, Fsync::Always] {
        let folder = Folder::new();
        let (mut log, _, faults) = open_with(folder.path(), Rules { fsync, ..rules() });
        for faulty in [&[Fault::Create][..], &[Fault::Write], &[Fault::Write, Fault::Cut]] {
            let mut n = 0;
            add(&mut log, [n]);
            for _ in 0..5 {
                faults.set(faulty);
                let records = [record(log.number(), "lost"), record(log.number(), "lost")];
                let outcomes = log.append(&records, 0);
                // An open file is written to without making one.
                if faulty != [Fault::Create] {
                    for outcome in outcomes {
                        let error = outcome.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Storage);
                        assert!(error.to_string().contains("free some"), "{error}");
                    }
                }
                faults.set(&[]);
                n += 1;
                assert_eq!(add(&mut log, [n]), 1);
            }
            let mut kept = Vec::new();
            while let [item, ..] = &log.read_batch(1, usize::MAX).unwrap()[..] {
                kept.extend(
                    std::str::from_utf8(item.record.words.last().unwrap()).ok().map(str::to_owned),
                );
                log.settle(std::slice::from_ref(item));
            }
            // Where no file had to be made, nothing failed.
            kept.retain(|it| it != "lost");
            assert_eq!(kept, ["0", "1", "2", "3", "4", "5"], "{faulty:?}");
        }
    }
}

#[test]
fn a_file_that_could_not_be_synced_is_not_written_to_again() {
    let folder = Folder::new();
    let (mut log, _, faults) = open_with(folder.path(), Rules { fsync: Fsync::Always, ..rules() });
    add(&mut log, [0]);
    faults.set(&[Fault::Sync]);
    let records = [record(log.number(), "lost")];
    let error = log.append(&records, 0).pop().unwrap().unwrap_err();
    assert!(error.to_string().contains("durable") && !error.may_have_been_delivered(), "{error}");
    faults.set(&[Fault::Sync, Fault::Cut]);
    let records = [record(log.number(), "1")];
    let error = log.append(&records, 0).pop().unwrap().unwrap_err();
    assert!(!error.may_have_been_delivered(), "its file is removed: {error}");
    faults.set(&[]);
    add(&mut log, [2]);
    assert_eq!(n_files(folder.path(), ".log"), 2);
    assert_eq!(drain(&mut log), [0, 2]);
    drop(log);
    // In the background: whoever comes next is told, and another file is begun.
    let every = Fsync::Every(Duration::from_secs(1));
    let (mut log, _, faults) = open_with(folder.path(), Rules { fsync: every, ..rules() });
    add(&mut log, [0, 1]);
    faults.set(&[Fault::Sync]);
    let error = log.sync().unwrap_err();
    assert!(error.to_string().contains("2 messages which it has taken"), "{error}");
    faults.set(&[]);
    assert!(!log.is_unsynced());
    add(&mut log, [2]);
    assert_eq!(n_files(folder.path(), ".log"), 2);
    log.sync().unwrap();
    assert_eq!(drain(&mut log), [0, 1, 2]);
}

#[test]
fn dead_letters_are_kept_apart_and_come_back() {
    let folder = Folder::new();
    let (mut log, _) = open(folder.path());
    add(&mut log, 0..30);
    let refused = fanfare_client::Error::server(b"WRONGTYPE it is a list");
    let batch = log.read_batch(30, usize::MAX).unwrap();
    for item in &batch[..3] {
        assert!(log.bury(item, &refused).unwrap());
        assert!(!log.bury(item, &refused).unwrap(), "it is there already");
    }
    log.settle(&batch);
    drop(log);
    let (mut log, _) = open(folder.path());
    let letters = log.dead.read().unwrap();
    assert_eq!(letters.iter().map(|it| it.record.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(letters[0].error, "WRONGTYPE it is a list");
    assert_eq!(log.requeue(Some(&[2, 77])).unwrap(), 1);
    assert_eq!((log.dead.len(), drain(&mut log)), (2, vec![1]));
    assert_eq!(log.requeue(None).unwrap(), 2);
    assert_eq!((log.dead.len(), drain(&mut log)), (0, vec![0, 2]));
    // Too many of them: the oldest go.
    for item in &batch {
        log.bury(item, &refused).unwrap();
    }
    let dropped = log.take_incidents().dead_dropped;
    let sequences: Vec<_> = log.dead.read().unwrap().iter().map(|it| it.record.sequence).collect();
    assert!(10 < dropped);
    assert_eq!(sequences, (dropped + 1..=30).collect::<Vec<_>>());
    drop(log);
    // A torn end costs one letter.
    let path = folder.path().join("dead.letters");
    let file = fs::read(&path).unwrap();
    fs::write(&path, &file[..file.len() - 1]).unwrap();
    let (mut log, recovery) = open(folder.path());
    assert!(0 < recovery.cut_bytes);
    assert_eq!(log.dead.len(), 30 - dropped - 1);
    assert!(log.bury(&batch[29], &refused).unwrap());
    assert_eq!(log.dead.read().unwrap().len() as u64, 30 - dropped);
}

/// Appends, reads, settles, fails, crashes with a torn tail and is opened again, at random, beside a
/// list that says what must be there.
#[test]
fn any_history_with_crashes_keeps_what_was_taken() {
    let mut rng = Rng::new(seed());
    for _ in 0..30 {
        let folder = Folder::new();
        let fsync = [Fsync::Never, Fsync::Always][usize::try_from(rng.below(2)).unwrap()];
        let rules = Rules { fsync, segment_bytes: 100 + rng.below(1_000), ..rules() };
        let (mut log, _, mut faults) = open_with(folder.path(), rules.clone());
        let mut model = std::collections::VecDeque::new();
        let mut next = 0;
        for _ in 0..60 {
            match rng.below(10) {
                0..4 => {
                    let n = rng.below(6);
                    assert_eq!(add(&mut log, next..next + n), usize::try_from(n).unwrap());
                    model.extend(next..next + n);
                    next += n;
                }
                4..7 => {
                    let n_max = usize::try_from(1 + rng.below(8)).unwrap();
                    let batch = log.read_batch(n_max, usize::MAX).unwrap();
                    assert!(batch.iter().map(text).eq(model.iter().copied().take(batch.len())));
                    let n = usize::try_from(rng.below(batch.len() as u64 + 1)).unwrap();
                    log.settle(&batch[..n]);
                    log.rewind();
                    model.drain(..n);
                }
                7 => {
                    faults.set(&[Fault::Write]);
                    assert_eq!(add(&mut log, [u64::MAX]), 0);
                    faults.set(&[]);
                }
                _ => {
                    drop(log);
                    tear(folder.path(), &mut rng);
                    (log, _, faults) = open_with(folder.path(), rules.clone());
                }
            }
            assert_eq!(log.waiting().messages, model.len() as u64);
        }
        assert_eq!(drain(&mut log), Vec::from(model));
    }
}

/// A log that is always full, while some messages are in flight, beside a list.
#[test]
fn any_history_of_a_full_log_drops_the_oldest_that_are_not_in_flight() {
    let mut rng = Rng::new(seed());
    for _ in 0..100 {
        let folder = Folder::new();
        let rules = Rules {
            messages_max: 10,
            when_full: WhenFull::DropOldest,
            segment_bytes: 100 + rng.below(600),
            ..rules()
        };
        let (mut log, ..) = open_with(folder.path(), rules);
        let mut model: Vec<u64> = Vec::new();
        let mut flight: Vec<Item> = Vec::new();
        for next in 0..150 {
            match rng.below(10) {
                0..6 => {
                    let n_in_flight = flight.len();
                    assert_eq!(add(&mut log, [next]), 1, "there is something behind {n_in_flight}");
                    if model.len() == 10 {
                        model.remove(n_in_flight);
                    }
                    model.push(next);
                }
                6 | 7 if flight.is_empty() => {
                    flight = log.read_batch(256, usize::MAX).unwrap();
                    let texts: Vec<u64> = flight.iter().map(text).collect();
                    assert_eq!(texts, model[..flight.len()]);
                    assert!(!flight.is_empty() || model.is_empty());
                }
                8 => {
                    log.rewind();
                    flight.clear();
                }
                _ => {
                    let n = usize::try_from(rng.below(flight.len() as u64 + 1)).unwrap();
                    let n = if rng.below(2) == 0 { n } else { flight.len() };
                    log.settle(&flight[..n]);
                    log.rewind();
                    model.drain(..n);
                    flight.clear();
                }
            }
            assert_eq!(log.waiting().messages, model.len() as u64);
            assert_eq!(log.oldest().is_some(), !model.is_empty());
        }
        log.rewind();
        assert_eq!(drain(&mut log), model);
        assert_eq!((log.waiting(), n_files(folder.path(), ".log")), (Waiting::default(), 0));
    }
}

/// Leaves at the end of the last file what a crash in the middle of a write leaves.
fn tear(folder: &Path, rng: &mut Rng) {
    let paths = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let Some(last) = paths.filter(|it| segment::first_of(it).is_some()).max() else { return };
    let mut frame = Vec::new();
    super::super::frame::write(&record(99, "torn").encode(), &mut frame).unwrap();
    let len = usize::try_from(rng.below(frame.len() as u64)).unwrap();
    let mut file = fs::read(&last).unwrap();
    file.extend_from_slice(&frame[..len]);
    fs::write(&last, &file).unwrap();
}
