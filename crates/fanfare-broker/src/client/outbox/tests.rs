//! Outboxes and segments, with a socket that takes a few bytes at a time.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::sync::Arc;

use fanfare_resp::Version;

use super::{BufferPool, Outbox, Press, SHARE_MIN, WriteNow};

/// Takes `room` bytes at a time, then would block.
struct Pipe {
    taken: RefCell<Vec<u8>>,
    room: RefCell<usize>,
}

impl Pipe {
    fn new(room: usize) -> Self {
        Self { taken: RefCell::default(), room: RefCell::new(room) }
    }
}

impl WriteNow for Pipe {
    fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.borrow_mut();
        if *room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = bytes.len().min(*room).min(7);
        *room -= n;
        self.taken.borrow_mut().extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn write_vectored_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = slices.iter().flat_map(|it| it.iter().copied()).collect();
        self.write_now(&all)
    }
}

fn send(outbox: &mut Outbox, pool: &mut BufferPool) -> Vec<u8> {
    let pipe = Pipe::new(usize::MAX);
    assert!(outbox.write_to(pool, &pipe, &mut 0).unwrap());
    assert!(outbox.is_empty() && outbox.n_chunks() == 0);
    pipe.taken.into_inner()
}

#[test]
fn bytes_leave_in_the_order_in_which_they_came() {
    let (mut outbox, mut pool, mut press) =
        (Outbox::default(), BufferPool::default(), Press::default());
    outbox.reply(Version::Resp2, &mut pool, |out| out.simple(b"OK"));
    let message = press.encode(3, |out| out.extend_from_slice(b"abc"));
    outbox.push_slice(&message, &mut pool);
    outbox.push_payload(Arc::from(&b"payload"[..]), 0);
    outbox.copy(b"end", &mut pool);
    assert_eq!(outbox.n_bytes(), 5 + 3 + 7 + 3);
    assert_eq!(send(&mut outbox, &mut pool), b"+OK\r\nabcpayloadend");
}

#[test]
fn a_full_socket_keeps_the_rest() {
    let (mut outbox, mut pool) = (Outbox::default(), BufferPool::default());
    outbox.copy(b"0123456789", &mut pool);
    let pipe = Pipe::new(8);
    assert!(!outbox.write_to(&mut pool, &pipe, &mut 0).unwrap());
    assert_eq!(outbox.n_bytes(), 2);
    assert_eq!(send(&mut outbox, &mut pool), b"89");
}

#[test]
fn adjacent_ranges_become_one() {
    let (mut outbox, mut pool, mut press) =
        (Outbox::default(), BufferPool::default(), Press::default());
    let mut held = Vec::new();
    for n in 0u8..100 {
        let message = press.encode(1, |out| out.push(n));
        outbox.push_slice(&message, &mut pool);
        held.push(message);
    }
    assert_eq!(outbox.n_chunks(), 1);
    assert_eq!(send(&mut outbox, &mut pool), (0..100).collect::<Vec<u8>>());
}

#[test]
fn short_ranges_that_do_not_touch_are_copied_and_long_ones_are_shared() {
    let (mut outbox, mut pool, mut press) =
        (Outbox::default(), BufferPool::default(), Press::default());
    let first = press.encode(1, |out| out.push(1));
    let _gap = press.encode(1, |out| out.push(9));
    let second = press.encode(SHARE_MIN, |out| out.resize(out.len() + SHARE_MIN, 2));
    let _gap = press.encode(1, |out| out.push(9));
    let third = press.encode(1, |out| out.push(3));
    for slice in [&first, &second, &third] {
        outbox.push_slice(slice, &mut pool);
    }
    assert_eq!(outbox.n_chunks(), 3);
    outbox.settle_last(&mut pool);
    let mut expected = vec![1];
    expected.resize(1 + SHARE_MIN, 2);
    expected.push(3);
    assert_eq!(send(&mut outbox, &mut pool), expected);
}

#[test]
fn a_segment_that_nobody_holds_is_used_again() {
    let mut press = Press::default();
    for _ in 0..1000 {
        let slice = press.encode(1000, |out| out.resize(out.len() + 1000, 0));
        assert_eq!(slice.start, 0);
    }
}
