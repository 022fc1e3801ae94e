//! [`Gapped`]: a [`Buffer`] with room at both ends, for lists, which are pushed to and popped from there.
//!
//! Redis moves all elements of a node when one is added or removed at its front. Here the few bytes before it move, and
//! all of them only when the room at one end is used up: then that end gets most of what there is.

use super::buffer::Buffer;
use crate::memory::given_for;

/// Bytes that nobody else has, and before them room for more.
#[derive(Clone)]
pub struct Gapped {
    bytes: Box<[u8]>,
    /// Where they begin.
    front: usize,
}

/// The end that has not run out of room gets one of so many parts of what is left: who pushes at both ends in turn shall
/// not have everything moved each time.
const OTHER_END: usize = 4;

impl Gapped {
    /// How many bytes there are once there is room for `capacity` of them: as many as before, if that is enough.
    fn given(&self, capacity: usize) -> usize {
        if capacity <= self.bytes.len() { self.bytes.len() } else { given_for(capacity) }
    }

    /// How much room the other end keeps. In new memory it has none: most lists grow at one end.
    fn for_other_end(&self, capacity: usize) -> usize {
        self.bytes.len().saturating_sub(capacity) / OTHER_END
    }

    /// Moves the first `len` bytes so that they begin at `front`, in as much memory as `capacity` needs.
    #[cold]
    fn shift(&mut self, len: usize, front: usize, capacity: usize) {
        let old = self.front..self.front + len;
        let given = self.given(capacity);
        if given == self.bytes.len() {
            self.bytes.copy_within(old, front);
        } else {
            let mut bytes = vec![0; given].into_boxed_slice();
            if let (Some(to), Some(from)) = (bytes.get_mut(front..front + len), self.bytes.get(old))
            {
                to.copy_from_slice(from);
            }
            self.bytes = bytes;
        }
        self.front = front;
    }

    /// Has room for `n_more` bytes before the first `len`.
    #[inline]
    fn make_room_in_front(&mut self, len: usize, n_more: usize) {
        if self.front < n_more {
            let n_needed = len + n_more;
            let n_behind = self.for_other_end(n_needed);
            self.shift(len, self.given(n_needed) - len - n_behind, n_needed);
        }
    }
}

impl Buffer for Gapped {
    fn with_capacity(bytes: &[u8], capacity: usize) -> Self {
        let mut all = Vec::with_capacity(given_for(capacity.max(bytes.len())));
        all.extend_from_slice(bytes);
        all.resize(all.capacity(), 0);
        Self { bytes: all.into_boxed_slice(), front: 0 }
    }

    fn exact(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), front: 0 }
    }

    #[inline]
    fn all(&self) -> &[u8] {
        self.bytes.get(self.front..).unwrap_or_default()
    }

    #[inline]
    fn edit(&mut self, len: usize, capacity: usize) -> &mut [u8] {
        if self.bytes.len() - self.front < capacity {
            self.shift(len, self.for_other_end(capacity), capacity);
        }
        self.bytes.get_mut(self.front..).unwrap_or_default()
    }

    #[inline]
    fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn splice(
        &mut self,
        len: usize,
        at: usize,
        (n_old, n_new): (usize, usize),
    ) -> Option<&mut [u8]> {
        let old_end = at.checked_add(n_old).filter(|&it| it <= len)?;
        let n_behind = len - old_end;
        if n_old == n_new || n_behind <= at {
            let bytes = self.edit(len, at + n_new + n_behind);
            if n_old != n_new {
                bytes.copy_within(old_end..len, at + n_new);
            }
            return Some(bytes);
        }
        self.make_room_in_front(len, n_new.saturating_sub(n_old));
        let front = self.front + n_old - n_new;
        self.bytes.copy_within(self.front..self.front + at, front);
        self.front = front;
        self.bytes.get_mut(front..)
    }
}

#[cfg(test)]
mod tests {
    use fanfare_testkit::Rng;

    use super::{Buffer, Gapped};

    /// Against bytes that are simply moved, at both ends and in the middle.
    #[test]
    fn whatever_is_replaced_the_rest_stays() {
        let seed = fanfare_testkit::seed();
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let n = |rng: &mut Rng, below: usize| usize::try_from(rng.below(below as u64)).unwrap();
        for _ in 0..200 {
            let mut model: Vec<u8> = (0..=255).cycle().take(n(&mut rng, 300)).collect();
            let mut gapped = Gapped::with_capacity(&model, n(&mut rng, 500));
            for step in 0..200_u8 {
                let len = model.len();
                let n_old = n(&mut rng, 40).min(len);
                let at = match rng.below(3) {
                    0 => n(&mut rng, 8).min(len - n_old),
                    1 => (len - n_old).saturating_sub(n(&mut rng, 8)),
                    _ => n(&mut rng, len - n_old + 1),
                };
                let new = vec![step; n(&mut rng, 60)];
                let bytes = gapped.splice(len, at, (n_old, new.len())).unwrap();
                bytes[at..at + new.len()].copy_from_slice(&new);
                model.splice(at..at + n_old, new);
                if rng.below(20) == 0 {
                    let room = n(&mut rng, 1_000);
                    assert!(
                        model.len() + room <= gapped.edit(model.len(), model.len() + room).len()
                    );
                }
                gapped.give_back(model.len());
                assert_eq!(gapped.all()[..model.len()], model[..]);
                assert!(gapped.splice(model.len(), model.len() + 1, (0, 1)).is_none());
            }
            assert_eq!(&gapped.clone().all()[..model.len()], &model[..]);
        }
    }

    /// What a queue does: it is moved once for many pushes, and takes no more memory for it.
    #[test]
    fn at_both_ends_there_is_room_again_and_again() {
        let element = [7; 64];
        let mut queue = Gapped::with_capacity(&[0; 6], 0);
        let mut len = 6;
        let mut n_moved = 0;
        for n in 0..10_000 {
            let before = queue.all().as_ptr();
            let bytes = queue.splice(len, 6, (0, 64)).unwrap();
            bytes[6..70].copy_from_slice(&element);
            n_moved += u32::from(before.wrapping_sub(64) != bytes.as_ptr());
            len += 64;
            if 50 <= n {
                queue.splice(len, len - 64, (64, 0)).unwrap();
                len -= 64;
            }
        }
        assert!(n_moved < 2_600, "{n_moved}");
        assert_eq!((len, queue.n_bytes()), (6 + 50 * 64, 3584));
    }
}
