//! An expiry among the arguments of SET, SETEX and GETEX.

use crate::commands::unit::Unit;
use crate::{Now, WireError, number, wire_error};

/// An expiry as it was given.
#[derive(Clone, Copy)]
pub(super) struct Expiry<'a> {
    pub(super) unit: Unit,
    raw: &'a [u8],
}

impl<'a> Expiry<'a> {
    /// Takes the argument behind the option, if there is one.
    pub(super) fn read(unit: Unit, raw: Option<&'a [u8]>) -> Result<Self, WireError> {
        Ok(Self { unit, raw: raw.ok_or(wire_error::SYNTAX)? })
    }

    /// When that is, in milliseconds since the Unix epoch; `command` is named if it can not be.
    pub(super) fn resolve(self, now: Now, command: &str) -> Result<u64, WireError> {
        let number = number::parse_int(self.raw).ok_or(wire_error::NOT_AN_INTEGER)?;
        let invalid = || WireError::invalid_expire(command);
        let amount = u64::try_from(number).ok().filter(|&it| it != 0).ok_or_else(invalid)?;
        let at_ms = self.unit.resolve(amount, now);
        at_ms.filter(|&it| i64::try_from(it).is_ok()).ok_or_else(invalid)
    }
}
