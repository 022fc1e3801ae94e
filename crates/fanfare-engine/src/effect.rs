//! What a write did, as commands that do the same wherever and whenever they are run again.
//!
//! `SPOP` becomes the `SREM` of what it popped, `EXPIRE` an absolute `PEXPIREAT`; most writes are their own effect.
//! Effects are handed to the host while the stripes of their keys are still locked, so their order is the order in
//! which the keys changed.

/// One command, to be run in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The database.
    pub db: u16,
    /// The command's name and its arguments.
    pub args: Vec<Box<[u8]>>,
}

impl Effect {
    /// A command in `db`.
    pub fn new<'a>(db: u16, args: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self { db, args: args.into_iter().map(Box::from).collect() }
    }
}

/// The effects of one call, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Somebody wants them; otherwise nothing is collected.
    pub(crate) wanted: bool,
    pub(crate) list: Vec<Effect>,
    /// The running command said what it did, so its request is not its effect.
    pub(crate) replaced: bool,
}

impl Effects {
    #[inline]
    pub(crate) fn push<'a>(&mut self, db: u16, args: impl IntoIterator<Item = &'a [u8]>) {
        if self.wanted {
            self.list.push(Effect::new(db, args));
        }
    }
}
