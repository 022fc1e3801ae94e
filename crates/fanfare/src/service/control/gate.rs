//! Judges orders. No I/O, no clock.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
};

use super::{
    ControlKeys,
    order::{Order, Signed},
};

/// How old an order may be, and how far ahead of the broker's clock, which in a cluster is that of several
/// machines.
const WINDOW_MS: u64 = 30_000;

/// How many orders are known that may come again. More within the window are refused.
const KNOWN_MAX: usize = 10_000;

/// Why an order was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedOrder {
    /// It is no order.
    Malformed,
    /// It has no signature.
    Unsigned,
    /// It is signed by a key that the service does not know.
    UnknownKey,
    /// The signature is not right: the order was changed, or the secret is another one.
    WrongSignature,
    /// It names a sender whose key it is not signed by.
    WrongSender,
    /// It was signed for somebody else.
    WrongTarget,
    /// It is older than 30 s, or than this instance.
    Old,
    /// It is of a time that is more than 30 s ahead of the broker's clock.
    Early,
    /// It has come before.
    Replayed,
    /// There have been more than 10,000 orders in a minute.
    TooMany,
}

impl fmt::Display for RefusedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the order can not be read",
            Self::Unsigned => "the order is not signed",
            Self::UnknownKey => "the order is signed by a key that is not known here",
            Self::WrongSignature => "the order's signature is wrong",
            Self::WrongSender => "the order names a sender whose key it is not signed by",
            Self::WrongTarget => "the order was signed for somebody else",
            Self::Old => "the order is older than 30 s, or than this instance: sign it anew",
            Self::Early => "the order's time is more than 30 s ahead of the broker's",
            Self::Replayed => "the order has come before: sign a new one",
            Self::TooMany => "there were more than 10,000 orders in a minute",
        })
    }
}

impl std::error::Error for RefusedOrder {}

/// What an instance needs to judge.
pub(super) struct Gate {
    keys: ControlKeys,
    targets: Vec<String>,
    begun_ms: u64,
    /// The nonces of what was obeyed, with the time from which on they are too old anyway.
    known: HashSet<(String, String)>,
    known_until: VecDeque<(u64, (String, String))>,
}

impl Gate {
    /// For orders to these targets, to an instance that began at this time.
    pub(super) fn new(keys: ControlKeys, targets: Vec<String>, begun_ms: u64) -> Self {
        Self { keys, targets, begun_ms, known: HashSet::new(), known_until: VecDeque::new() }
    }

    /// The order, if it is to be obeyed.
    pub(super) fn judge(&mut self, signed: &Signed, now_ms: u64) -> Result<Order, RefusedOrder> {
        let key = self.keys.get(&signed.key).ok_or(RefusedOrder::UnknownKey)?;
        let signature = signed.signature().ok_or(RefusedOrder::Malformed)?;
        // Before anything of it is believed.
        if !key.has_signed(&signed.order, &signature) {
            return Err(RefusedOrder::WrongSignature);
        }
        let order: Order =
            serde_json::from_str(&signed.order).map_err(|_| RefusedOrder::Malformed)?;
        if order.sender != key.sender || order.key != signed.key {
            return Err(RefusedOrder::WrongSender);
        }
        if !self.targets.contains(&order.target) {
            return Err(RefusedOrder::WrongTarget);
        }
        if order.time_ms < self.begun_ms || order.time_ms.saturating_add(WINDOW_MS) < now_ms {
            return Err(RefusedOrder::Old);
        }
        if now_ms.saturating_add(WINDOW_MS) < order.time_ms {
            return Err(RefusedOrder::Early);
        }
        self.forget(now_ms);
        let nonce = (order.key.clone(), order.nonce.clone());
        if self.known.contains(&nonce) {
            return Err(RefusedOrder::Replayed);
        }
        if KNOWN_MAX <= self.known.len() {
            return Err(RefusedOrder::TooMany);
        }
        // In the order in which they come they are never too old before this.
        let until = now_ms.saturating_add(2 * WINDOW_MS);
        self.known.insert(nonce.clone());
        self.known_until.push_back((until, nonce));
        Ok(order)
    }

    /// Forgets what is too old to be obeyed again.
    fn forget(&mut self, now_ms: u64) {
        while let Some((until, _)) = self.known_until.front()
            && *until < now_ms
        {
            if let Some((_, nonce)) = self.known_until.pop_front() {
                self.known.remove(&nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::control::{Command, Key};

    const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
    const OTHER: [u8; 32] = *b"fedcba9876543210fedcba9876543210";
    const NOW: u64 = 1_000_000;

    fn gate() -> Gate {
        let keys = ControlKeys::new().allow("ops", "new", SECRET).allow("ops", "old", OTHER);
        let keys = keys.allow("dev", "dev", OTHER);
        Gate::new(keys, vec!["services:control:orders".into()], NOW - 20_000)
    }

    fn order() -> Order {
        Order {
            sender: "ops".into(),
            key: "new".into(),
            target: "services:control:orders".into(),
            time_ms: NOW,
            nonce: "n".into(),
            command: Command::Shutdown { reason: "maintenance".into() },
        }
    }

    fn signed(order: &Order, secret: [u8; 32]) -> Signed {
        let sealed = order.sign(&Key::new("", secret)).unwrap();
        serde_json::from_slice(sealed.body()).unwrap()
    }

    #[test]
    fn what_is_not_right_is_refused_and_why() {
        let of = |change: fn(&mut Order), secret| {
            let mut order = order();
            change(&mut order);
            gate().judge(&signed(&order, secret), NOW).err()
        };
        assert_eq!(of(|_| {}, SECRET), None);
        assert_eq!(of(|it| it.key = "old".into(), OTHER), None);
        for (change, secret, reason) in [
            ((|_| {}) as fn(&mut Order), OTHER, RefusedOrder::WrongSignature),
            (|it| it.key = "gone".into(), SECRET, RefusedOrder::UnknownKey),
            (|it| it.key = "dev".into(), OTHER, RefusedOrder::WrongSender),
            (|it| it.target = "services:control:users".into(), SECRET, RefusedOrder::WrongTarget),
            (|it| it.time_ms = NOW - 20_001, SECRET, RefusedOrder::Old),
            (|it| it.time_ms = NOW + 30_001, SECRET, RefusedOrder::Early),
        ] {
            assert_eq!(of(change, secret), Some(reason));
        }
        let mut changed = signed(&order(), SECRET);
        changed.order = changed.order.replace("maintenance", "malice");
        assert_eq!(gate().judge(&changed, NOW), Err(RefusedOrder::WrongSignature));
        changed.signature = "zz".into();
        assert_eq!(gate().judge(&changed, NOW), Err(RefusedOrder::Malformed));
    }

    #[test]
    fn nothing_is_obeyed_twice_however_late_it_comes_again() {
        let mut gate = gate();
        // Signed by a clock that is ahead: it must be known for as long as it is not too old.
        let ahead = Order { time_ms: NOW + 30_000, ..order() };
        let once = signed(&ahead, SECRET);
        assert_eq!(gate.judge(&once, NOW), Ok(ahead));
        for (later_ms, reason) in [
            (0, RefusedOrder::Replayed),
            (59_999, RefusedOrder::Replayed),
            (60_000, RefusedOrder::Replayed),
            (60_001, RefusedOrder::Old),
        ] {
            assert_eq!(gate.judge(&once, NOW + later_ms), Err(reason), "{later_ms}");
        }
    }

    #[test]
    fn what_is_known_is_bounded_and_forgotten() {
        let mut gate = gate();
        for n in 0..KNOWN_MAX {
            let order = Order { nonce: n.to_string(), ..order() };
            gate.judge(&signed(&order, SECRET), NOW).unwrap();
        }
        let late = NOW + 60_001;
        assert_eq!(gate.judge(&signed(&order(), SECRET), NOW), Err(RefusedOrder::TooMany));
        let order = Order { time_ms: late, ..order() };
        assert_eq!(gate.judge(&signed(&order, SECRET), late), Ok(order));
        assert_eq!((gate.known.len(), gate.known_until.len()), (1, 1));
    }
}
