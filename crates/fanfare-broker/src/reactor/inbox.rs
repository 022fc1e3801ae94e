//! In which order a mailbox's owner handles what was posted to it.
//!
//! Nothing here knows what an item does or where it leads: `tests/model` runs these very lines under other locks.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fanfare_engine::pubsub::ListId;

use super::mailbox::{Item, Mailbox, Queue};

/// Posted items that wait to be handled, in the order in which they were posted.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Queue,
    /// The first item that nobody has begun to handle.
    next: usize,
    /// The first of those in hand, which end before `next`.
    in_hand: usize,
    /// Items that came up while a command ran.
    deferred: VecDeque<Item>,
    /// Somebody waits for room in the mailbox that this was taken from.
    is_awaited: bool,
}

/// Whose mailbox it is.
pub(crate) trait Recipient {
    fn mailbox(&self) -> Option<&Mailbox>;
    fn inbox(&mut self) -> &mut Inbox;
    /// Hands out the message at `at`. It may take those behind it along, if it takes them in hand first.
    fn fan_out(&mut self, queue: &Queue, at: usize);
    /// Does what any other item asks for.
    fn handle(&mut self, item: Item);
    /// Sees to it that [`drain`] is called soon.
    fn schedule_turn(&mut self);
    /// There is room in the mailbox: tells those who wait for it.
    fn resume_all(&self);
    /// Messages that were in hand when handling them panicked.
    fn count_lost(&self, n_messages: usize);
}

impl Inbox {
    /// Takes the items up to `end` in hand, too.
    #[inline]
    pub(crate) fn take_in_hand(&mut self, end: usize) {
        self.next = end;
    }
}

/// Handles everything that was posted until now.
#[inline]
pub(crate) fn drain<R: Recipient>(recipient: &mut R) {
    while let Some(item) = recipient.inbox().deferred.pop_front() {
        recipient.handle(item);
    }
    handle_inbox(recipient, false, |_| false);
    take_mail(recipient);
    handle_inbox(recipient, false, |_| false);
    if std::mem::take(&mut recipient.inbox().is_awaited) {
        recipient.resume_all();
    }
}

/// Handles the messages and markers that were posted up to and including the marker that takes `slot` off a list.
///
/// This happens inside a command, which may hold key stripes and the monitors' lock. Everything else that was posted,
/// such as closing a client, may take those locks itself and waits for the end of the turn.
pub(crate) fn drain_until<R: Recipient>(recipient: &mut R, list: ListId, slot: u32) {
    let is_marker = |item: &Item| matches!(item, Item::Unsubscribe { list: l, slot: s } if *l == list && *s == slot);
    if handle_inbox(recipient, true, is_marker) {
        return;
    }
    recipient.schedule_turn();
    take_mail(recipient);
    handle_inbox(recipient, true, is_marker);
}

/// Empties the mailbox into the inbox, which must be empty.
#[inline]
pub(crate) fn take_mail<R: Recipient>(recipient: &mut R) {
    let mut queue = std::mem::take(&mut recipient.inbox().queue);
    let is_awaited = recipient.mailbox().is_some_and(|mailbox| mailbox.take(&mut queue));
    let inbox = recipient.inbox();
    inbox.queue = queue;
    inbox.is_awaited |= is_awaited;
}

/// Handles the inbox, to the end or to the item that `is_last` names, putting off what a command must not do; returns
/// whether that item was met.
///
/// If that panics, what was in hand is lost (messages are counted) and the rest stays for the next time.
#[inline]
pub(crate) fn handle_inbox<R: Recipient>(
    recipient: &mut R,
    in_command: bool,
    is_last: impl Fn(&Item) -> bool,
) -> bool {
    let mut queue = std::mem::take(&mut recipient.inbox().queue);
    let handle = || handle_items(recipient, &mut queue, in_command, is_last);
    let handled = catch_unwind(AssertUnwindSafe(handle));
    if handled.is_err() {
        count_lost(recipient, &queue);
    }
    let inbox = recipient.inbox();
    if queue.items.len() <= inbox.next {
        queue.clear();
        inbox.next = 0;
    }
    inbox.queue = queue;
    handled.unwrap_or_else(|panic| resume_unwind(panic))
}

#[inline]
fn handle_items<R: Recipient>(
    recipient: &mut R,
    queue: &mut Queue,
    in_command: bool,
    is_last: impl Fn(&Item) -> bool,
) -> bool {
    loop {
        let inbox = recipient.inbox();
        let at = inbox.next;
        let Some(item) = queue.items.get_mut(at) else { return false };
        inbox.in_hand = at;
        inbox.next += 1;
        let met = is_last(item);
        if item.is_message() {
            recipient.fan_out(queue, at);
            continue;
        }
        let item = std::mem::replace(item, Item::Resume);
        if in_command && !item.suits_commands() {
            recipient.inbox().deferred.push_back(item);
        } else {
            recipient.handle(item);
        }
        if met {
            return true;
        }
    }
}

#[cold]
pub(crate) fn count_lost<R: Recipient>(recipient: &mut R, queue: &Queue) {
    let inbox = recipient.inbox();
    let in_hand = queue.items.get(inbox.in_hand..inbox.next).unwrap_or_default();
    recipient.count_lost(in_hand.iter().filter(|it| it.is_message()).count());
}
