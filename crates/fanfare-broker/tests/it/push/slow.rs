//! Who does not read is not cut, but reads on from where it was; and nobody else notices.

use super::{Pushed, connect, id, next, subscribe};
use crate::peer::{Frame, Peer, addr_of, broker, command, info, wait_until};

const KEY: &str = "s";
/// More than sockets and limits have room for.
const N_ENTRIES: usize = 20_000;
const ENTRY_LEN: usize = 1000;
const BATCH: usize = 500;

/// Adds entries and waits until they are; their IDs are 1-0, 2-0 and so on.
fn write(peer: &mut Peer, from: usize, to: usize) {
    let value = "x".repeat(ENTRY_LEN);
    for first in (from..to).step_by(BATCH) {
        let last = to.min(first + BATCH);
        let add = |n: usize| command(&["XADD", KEY, &format!("{n}-0"), "f", &value]);
        peer.write(&(first..last).flat_map(add).collect::<Vec<u8>>());
        for n in first..last {
            assert_eq!(id(&peer.read().text()), (n as u64, 0));
        }
    }
}

fn expect_entries(peer: &mut Peer, from: usize, to: usize) {
    for n in from..to {
        match next(peer, KEY) {
            Pushed::Entry(id, _) => assert_eq!(id, (n as u64, 0)),
            other => panic!("{other:?} instead of {n}-0"),
        }
    }
}

#[test]
fn one_that_does_not_read_falls_back_and_catches_up() {
    for version in [2, 3] {
        let broker = broker(|config| config.reactors = 2);
        let addr = addr_of(&broker);
        let (mut writer, mut admin) = (Peer::connect(addr), Peer::connect(addr));
        let (mut slow, mut fast) = (connect(addr, version), connect(addr, version));
        subscribe(&mut slow, "$", KEY);
        subscribe(&mut fast, "$", KEY);
        std::thread::scope(|scope| {
            scope.spawn(|| write(&mut writer, 1, N_ENTRIES));
            expect_entries(&mut fast, 1, N_ENTRIES);
        });
        assert!(0 < info(&mut admin, "stream_push_fallbacks"));
        assert_eq!(info(&mut admin, "stream_subscriptions_reading"), 1);
        assert_eq!(info(&mut admin, "stream_subscriptions"), 2);
        assert_eq!(info(&mut admin, "pubsub_output_limit_kills"), 0);
        expect_entries(&mut slow, 1, N_ENTRIES);
        wait_until("it is live", || info(&mut admin, "stream_subscriptions_reading") == 0);
        write(&mut writer, N_ENTRIES, N_ENTRIES + 10);
        expect_entries(&mut slow, N_ENTRIES, N_ENTRIES + 10);
        expect_entries(&mut fast, N_ENTRIES, N_ENTRIES + 10);
    }
}

#[test]
fn limits_of_output_send_it_back_before_they_cut_it() {
    let broker = broker(|config| {
        config.reactors = 1;
        config.output_limits.pubsub.hard_bytes = 200_000;
        config.output_limits.pubsub.soft_bytes = 100_000;
    });
    let addr = addr_of(&broker);
    let (mut writer, mut slow) = (Peer::connect(addr), connect(addr, 3));
    subscribe(&mut slow, "0", KEY);
    write(&mut writer, 1, N_ENTRIES);
    // One that is larger than the limit comes all the same, if nothing else waits.
    let large = "y".repeat(150_000);
    writer.call(&["XADD", KEY, &format!("{N_ENTRIES}-0"), "f", &large]);
    expect_entries(&mut slow, 1, N_ENTRIES + 1);
    assert_eq!(info(&mut writer, "pubsub_output_limit_kills"), 0);
}

#[test]
fn what_was_cut_off_before_it_was_read_is_told() {
    let broker = broker(|config| config.reactors = 2);
    let addr = addr_of(&broker);
    let (mut writer, mut slow) = (Peer::connect(addr), connect(addr, 3));
    subscribe(&mut slow, "0", KEY);
    write(&mut writer, 1, N_ENTRIES);
    writer.call(&["XTRIM", KEY, "MAXLEN", "100"]);
    let mut expected = 1;
    let gap = loop {
        match next(&mut slow, KEY) {
            Pushed::Entry(id, _) => assert_eq!(id, (expected, 0)),
            Pushed::Gap(after, upto) => break (after, upto),
            Pushed::Reset => panic!("it is the same stream"),
        }
        expected += 1;
    };
    let n_left = 100;
    assert_eq!(gap, ((expected - 1, 0), ((N_ENTRIES - 1 - n_left) as u64, 0)));
    expect_entries(&mut slow, N_ENTRIES - n_left, N_ENTRIES);
}

#[test]
fn one_that_leaves_while_it_is_behind_gets_nothing_more() {
    let broker = broker(|config| config.reactors = 2);
    let addr = addr_of(&broker);
    let (mut writer, mut slow) = (Peer::connect(addr), connect(addr, 3));
    subscribe(&mut slow, "$", KEY);
    write(&mut writer, 1, N_ENTRIES);
    assert_eq!(info(&mut writer, "stream_subscriptions_reading"), 1);
    slow.send(&["XUNSUBSCRIBE", KEY]);
    wait_until("it has left", || info(&mut writer, "stream_subscriptions") == 0);
    write(&mut writer, N_ENTRIES, N_ENTRIES + 10);
    slow.send(&["ECHO", "over"]);
    let mut expected = 1;
    loop {
        let frame = slow.read();
        match frame.kind() {
            Some(b"xmessage") => {
                let entry = frame.items()[2].items();
                assert_eq!(id(&entry[0].text()), (expected, 0));
                expected += 1;
            }
            _ => break assert_eq!(frame.items()[2], Frame::Int(0), "{frame:?}"),
        }
    }
    assert_eq!(slow.read().text(), "over");
}

#[test]
fn what_was_replaced_before_it_was_read_is_told() {
    let broker = broker(|config| config.reactors = 2);
    let addr = addr_of(&broker);
    let (mut writer, mut slow) = (Peer::connect(addr), connect(addr, 3));
    subscribe(&mut slow, "0", KEY);
    write(&mut writer, 1, N_ENTRIES);
    writer.call(&["RENAME", KEY, "away"]);
    write(&mut writer, N_ENTRIES + 1, N_ENTRIES + 10);
    let mut expected = 1;
    loop {
        match next(&mut slow, KEY) {
            Pushed::Entry(id, _) => assert_eq!(id, (expected, 0)),
            Pushed::Gap(..) => panic!("nothing was cut off"),
            Pushed::Reset => break,
        }
        expected += 1;
    }
    assert!(expected < N_ENTRIES as u64, "it was not behind");
    expect_entries(&mut slow, N_ENTRIES + 1, N_ENTRIES + 10);
}
