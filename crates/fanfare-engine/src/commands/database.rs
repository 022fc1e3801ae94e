//! The number of a database as an argument.

use crate::{Keyspace, WireError, number, wire_error};

/// The database that `raw` names.
///
/// # Errors
/// It is no number, or no database has it.
pub(super) fn parse(raw: &[u8], keyspace: &Keyspace) -> Result<u16, WireError> {
    let index = number::parse_int(raw).ok_or(wire_error::NOT_AN_INTEGER)?;
    if i32::try_from(index).is_err() {
        return Err(wire_error::NOT_A_32_BIT_INTEGER);
    }
    keyspace.database(index).ok_or(wire_error::DB_OUT_OF_RANGE)
}
