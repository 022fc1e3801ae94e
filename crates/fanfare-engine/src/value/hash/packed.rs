//! [`Packed`]: a small hash, all of it in one listpack.

use super::{Field, Lifetime, Part};
use crate::packed::{BYTES_MAX, Element, Full, Listpack, Position};
use crate::tree::Name;

/// What an element takes at most beyond its bytes.
const OVERHEAD_LEN: usize = 16;

/// Field, value, field, value, … in the order in which they were added; or, once a field expires, field, value, time
/// (0: never), … in the order of the times, those that never expire last. Both as Redis writes them to `DUMP`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    pub(super) elements: &'a Listpack,
    pub(super) is_timed: bool,
}

/// As [`Packed`], to be changed.
#[derive(Debug)]
pub(super) struct PackedMut<'a> {
    elements: &'a mut Listpack,
    is_timed: bool,
}

/// The elements with a time behind each field, which is never.
pub(super) fn with_times(elements: &Listpack) -> Listpack {
    let n_bytes = elements.as_bytes().len() + elements.len();
    let mut timed = Listpack::with_capacity(n_bytes);
    for (index, element) in elements.iter().enumerate() {
        sure(timed.push_back(element));
        if index % 2 == 1 {
            sure(timed.push_back(Element::Int(0)));
        }
    }
    timed
}

impl<'a> Packed<'a> {
    /// Of elements as described.
    #[inline]
    pub(super) fn new(elements: &'a Listpack, is_timed: bool) -> Self {
        Self { elements, is_timed }
    }

    /// Elements per field.
    #[inline]
    fn width(&self) -> usize {
        if self.is_timed { 3 } else { 2 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.elements.len() / self.width()
    }

    /// Whether a field can be added or changed without the listpack getting too large.
    pub(super) fn has_room(&self, name: &[u8], value: &[u8]) -> bool {
        let n_more = name.len().saturating_add(value.len()).saturating_add(3 * OVERHEAD_LEN);
        self.elements.as_bytes().len().saturating_add(n_more) <= BYTES_MAX
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<Position> {
        self.elements.find(name, self.elements.start(), self.width() - 1)
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'a>> {
        self.at(self.find(name)?)
    }

    fn at(&self, position: Position) -> Option<Field<'a>> {
        let mut elements = self.elements.range(position, self.elements.end());
        next_field(&mut elements, self.is_timed)
    }

    /// The field number `index`.
    pub(super) fn nth(&self, index: usize) -> Option<Field<'a>> {
        self.at(self.elements.seek(index.checked_mul(self.width())?)?)
    }

    /// When the next field expires.
    pub(super) fn soonest_ms(&self) -> Option<u64> {
        self.is_timed.then(|| time(self.elements.get(2)?)).flatten()
    }

    /// Where a field that expires then is to be: before the first one that expires later or never.
    fn position_of(&self, at_ms: u64) -> Position {
        let mut position = self.elements.start();
        while let Some((time_at, next)) = self.time_behind(position) {
            if self.elements.at(time_at).and_then(time).is_none_or(|it| at_ms < it) {
                break;
            }
            position = next;
        }
        position
    }

    /// Where the time of the field at `position` is, and where the next field begins.
    fn time_behind(&self, position: Position) -> Option<(Position, Position)> {
        let time_at = self.elements.next(self.elements.next(position)?)?;
        Some((time_at, self.elements.next(time_at)?))
    }

    pub(super) fn iter(&self) -> Iter<'a> {
        Iter { elements: self.elements.iter(), is_timed: self.is_timed }
    }
}

impl<'a> PackedMut<'a> {
    #[inline]
    pub(super) fn new(elements: &'a mut Listpack, is_timed: bool) -> Self {
        Self { elements, is_timed }
    }

    #[inline]
    fn view(&self) -> Packed<'_> {
        Packed::new(self.elements, self.is_timed)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.view().len()
    }

    /// Sets a field; there must be [room](Packed::has_room), and times if it expires. Returns whether it is new.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8], lifetime: Lifetime) -> bool {
        let found = self.view().find(name);
        let Some(at) = found else {
            self.add(name, value, lifetime.of_new());
            return true;
        };
        if let Some(value_at) = self.elements.next(at) {
            sure(self.elements.replace(value_at, value));
        }
        let before = self.is_timed.then(|| self.view().at(at)?.expires_at_ms).flatten();
        let after = lifetime.after(before);
        if before != after {
            self.put_time(name, after);
        }
        false
    }

    /// Changes when a field expires that is there; there must be times if it does.
    pub(super) fn put_time(&mut self, name: &[u8], expires_at_ms: Option<u64>) {
        let Some(field) = self.view().get(name) else { return };
        if field.expires_at_ms.is_none() && expires_at_ms.is_none() {
            return;
        }
        let value = field.value.to_name();
        self.remove(name);
        self.add(name, &value, expires_at_ms);
    }

    fn add(&mut self, name: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let Some(at_ms) = expires_at_ms else {
            sure(self.elements.push_back(name));
            sure(self.elements.push_back(value));
            if self.is_timed {
                sure(self.elements.push_back(Element::Int(0)));
            }
            return;
        };
        let position = self.view().position_of(at_ms);
        sure(
            self.elements.insert(position, Element::Int(i64::try_from(at_ms).unwrap_or(i64::MAX))),
        );
        sure(self.elements.insert(position, value));
        sure(self.elements.insert(position, name));
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.view().find(name);
        found.is_some_and(|at| self.elements.remove(at, self.view().width()) != 0)
    }

    /// Removes up to `n_max` fields whose time has come.
    pub(super) fn expire(&mut self, now_ms: u64, n_max: usize, removed: &mut Vec<Name>) {
        if !self.is_timed {
            return;
        }
        let is_due = |it: &Field<'_>| it.expires_at_ms.is_some_and(|it| it <= now_ms);
        let n_before = removed.len();
        removed
            .extend(self.view().iter().take(n_max).take_while(is_due).map(|it| it.name.to_name()));
        let n_removed = removed.len() - n_before;
        self.elements.remove(self.elements.start(), n_removed * self.view().width());
    }
}

/// There is room: [`Packed::has_room`] was asked.
fn sure(result: Result<(), Full>) {
    debug_assert_eq!(result, Ok(()), "a listpack is full");
}

/// The fields of a listpack.
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    elements: crate::packed::listpack::Iter<'a>,
    is_timed: bool,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        next_field(&mut self.elements, self.is_timed)
    }
}

#[inline]
fn next_field<'a>(
    elements: &mut crate::packed::listpack::Iter<'a>,
    is_timed: bool,
) -> Option<Field<'a>> {
    let name = Part::Packed(elements.next()?);
    let value = Part::Packed(elements.next()?);
    let expires_at_ms = if is_timed { time(elements.next()?) } else { None };
    Some(Field { name, value, expires_at_ms })
}

fn time(element: Element<'_>) -> Option<u64> {
    u64::try_from(element.as_int()?).ok().filter(|it| *it != 0)
}
