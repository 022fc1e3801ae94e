//! The few things that an outbox does with a database, the same on each.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sqlx::{Column, Row as _, TypeInfo, ValueRef};

/// The SQL that a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL 12 and above.
    #[cfg(feature = "postgres")]
    Postgres,
    /// SQLite 3.35 and above; a newer one is a part of this library.
    #[cfg(feature = "sqlite")]
    Sqlite,
}

/// A connection to a database in which an outbox can be: `sqlx::PgConnection`, `sqlx::SqliteConnection`.
///
/// A transaction, or a connection of a pool, is one by `&mut *it`.
pub trait Connection: Execute {}

/// What is behind [`Connection`].
pub trait Execute: Send {
    /// What it speaks.
    fn dialect(&self) -> Dialect;

    /// Runs one statement. Returns how many rows it changed.
    fn run<'a>(
        &'a mut self,
        sql: &'a str,
        args: Vec<Cell>,
    ) -> BoxFuture<'a, Result<u64, sqlx::Error>>;

    /// Runs one statement, and returns its rows.
    fn rows<'a>(
        &'a mut self,
        sql: &'a str,
        args: Vec<Cell>,
    ) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>>;

    /// Runs statements without arguments.
    fn script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// A value in a row, or of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A number.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
}

/// A row of an answer.
#[derive(Clone, Debug)]
pub struct Row(std::vec::IntoIter<Cell>);

impl Row {
    /// The next number; 0 if there is none.
    pub(super) fn int(&mut self) -> i64 {
        self.int_if_any().unwrap_or_default()
    }

    /// The next number.
    pub(super) fn int_if_any(&mut self) -> Option<i64> {
        match self.0.next() {
            Some(Cell::Int(n)) => Some(n),
            _ => None,
        }
    }

    /// The next number that is not below 0.
    pub(super) fn count(&mut self) -> u64 {
        u64::try_from(self.int()).unwrap_or_default()
    }

    /// How long it is from the next but one number to the next, in microseconds, which may be far apart.
    pub(super) fn age(&mut self) -> Duration {
        let (now, then) = (self.int(), self.int());
        Duration::from_micros(u64::try_from(now.saturating_sub(then)).unwrap_or_default())
    }

    /// The next bytes; none if there are none.
    pub(super) fn bytes(&mut self) -> Bytes {
        match self.0.next() {
            Some(Cell::Bytes(bytes)) => bytes.into(),
            Some(Cell::Text(text)) => text.into(),
            _ => Bytes::new(),
        }
    }

    /// The next text.
    pub(super) fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// Puts an argument into a query of whichever database.
macro_rules! bind {
    () => {
        |query, arg| match arg {
            Cell::Null => query.bind(None::<i64>),
            Cell::Int(n) => query.bind(n),
            Cell::Bytes(bytes) => query.bind(bytes),
            Cell::Text(text) => query.bind(text),
        }
    };
}

/// How a connection of sqlx does it. Its own traits can not be bounds here without a page of them at each
/// function.
macro_rules! connection {
    ($connection:ty, $row:ty, $dialect:expr) => {
        impl Connection for $connection {}

        impl Execute for $connection {
            fn dialect(&self) -> Dialect {
                $dialect
            }

            fn run<'a>(
                &'a mut self,
                sql: &'a str,
                args: Vec<Cell>,
            ) -> BoxFuture<'a, Result<u64, sqlx::Error>> {
                let query = sqlx::query(sql).persistent(!args.is_empty());
                let query = args.into_iter().fold(query, bind!());
                Box::pin(async move { Ok(query.execute(self).await?.rows_affected()) })
            }

            fn rows<'a>(
                &'a mut self,
                sql: &'a str,
                args: Vec<Cell>,
            ) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>> {
                let query = args.into_iter().fold(sqlx::query(sql), bind!());
                Box::pin(async move {
                    let rows = query.fetch_all(self).await?;
                    rows.iter()
                        .map(|row| -> Result<Row, sqlx::Error> {
                            let mut cells = Vec::new();
                            for column in <$row>::columns(row) {
                                let at = column.ordinal();
                                let raw = row.try_get_raw(at)?;
                                let name = raw.type_info().name().to_owned();
                                cells.push(match (raw.is_null(), name.as_str()) {
                                    (true, _) => Cell::Null,
                                    (_, "BYTEA" | "BLOB") => Cell::Bytes(row.try_get(at)?),
                                    (_, "INT8" | "INTEGER") => Cell::Int(row.try_get(at)?),
                                    (_, "TEXT") => row.try_get(at).map_or(Cell::Null, Cell::Text),
                                    // SQLite keeps what it is given, whatever the column's type.
                                    _ => Cell::Null,
                                });
                            }
                            Ok(Row(cells.into_iter()))
                        })
                        .collect()
                })
            }

            fn script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), sqlx::Error>> {
                use sqlx::Executor as _;
                let done = self.execute(sqlx::raw_sql(sql));
                Box::pin(async move { done.await.map(drop) })
            }
        }
    };
}

#[cfg(feature = "postgres")]
connection!(sqlx::PgConnection, sqlx::postgres::PgRow, Dialect::Postgres);

#[cfg(feature = "sqlite")]
connection!(sqlx::SqliteConnection, sqlx::sqlite::SqliteRow, Dialect::Sqlite);
