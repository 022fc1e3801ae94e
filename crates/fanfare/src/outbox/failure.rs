//! What a database says, as an error.

use fanfare_client::{Error, ErrorKind};

use super::table::Table;

/// An outbox could not do what it was to do.
pub(super) fn failed(doing: &str, table: &Table, source: sqlx::Error) -> Error {
    let name = table.name();
    if is_missing(&source) {
        let message = format!(
            "could not {doing} the outbox: the database has no table \"{name}\", or no \"{name}_lease\"; \
             make them by Outbox::create, or by a migration with what Outbox::ddl returns"
        );
        return Error::new(ErrorKind::InvalidRequest, message).with_source(source);
    }
    let message = format!("could not {doing} the outbox \"{name}\": {source}");
    Error::new(ErrorKind::Database, message).with_source(source)
}

fn is_missing(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    // PostgreSQL's code of a table that is not there, or the text of SQLite, which has no code for it.
    error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
}
