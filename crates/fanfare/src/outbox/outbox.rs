//! What writers have of an outbox.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fanfare_client::{Error, Namespace};
use serde::Serialize;

use super::{
    execute::{Cell, Connection, Dialect, Row},
    failure::failed,
    table::Table,
};
use crate::{
    Envelope, Sealed,
    agreed::Agreed,
    once::{Destination, Parcel, Place, PlaceKind, fields_of, words},
};

/// Messages in a table of the program's own database, written in the transaction in which the program
/// writes what they tell.
///
/// It has no connection: each method takes the one, or the transaction, in which it is to do its part. Cheap
/// to make and to clone. Who sends what it has is the [`Relay`](super::Relay).
///
/// Everything here fails with [`ErrorKind::Database`](crate::ErrorKind::Database) if the database does, and with
/// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if it has no such table. In PostgreSQL a statement
/// that failed has ended its transaction: all that is left is to roll back.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub(super) table: Table,
}

/// How much there is in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// Messages that are committed and not yet sent.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest_age: Option<Duration>,
    /// Dead letters.
    pub dead: u64,
}

/// A message that the broker refused for good, or a row that is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The id of its row.
    pub id: i64,
    /// Where it was to go.
    pub destination: Destination,
    /// The id of its envelope, if it has one.
    pub message_id: Option<String>,
    /// When it was written, by the database's clock.
    pub time: SystemTime,
    /// Why it was not sent.
    pub error: String,
    /// The fields of the entry; of a message to a channel one, `payload`.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl Outbox {
    /// The outbox in the table `fanfare_outbox`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses another table: lower-case letters, digits and underscores, 48 at most, in PostgreSQL with a schema
    /// and a dot before it if need be. Beside it there is one of the same name and `_lease`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption): it is no such name.
    pub fn table(mut self, name: &str) -> Result<Self, Error> {
        self.table = Table::new(name)?;
        Ok(self)
    }

    /// The statements that make the tables where there are none, for programs that have migrations.
    pub fn ddl(&self, dialect: Dialect) -> String {
        self.table.ddl(dialect)
    }

    /// Makes the tables where there are none. Any number of processes may do so at the same time.
    ///
    /// # Errors
    /// The database's: no right to make tables, for example.
    pub async fn create<C: Connection>(&self, connection: &mut C) -> Result<(), Error> {
        let failed = |source| failed("make the tables of", &self.table, source);
        let dialect = connection.dialect();
        let there = connection.rows(&self.table.is_there(dialect), Vec::new()).await;
        if !there.map_err(failed)?.is_empty() {
            return Ok(());
        }
        connection.script(&self.table.create(dialect)).await.map_err(failed)
    }

    /// Writes an envelope into the outbox: it is sent if and when the transaction is committed, as the fields
    /// of an entry to a stream, as one payload to a channel. Returns the id of its row.
    ///
    /// On a connection that is in no transaction, it is committed at once.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode), [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge),
    /// [`ErrorKind::InvalidRecord`](crate::ErrorKind::InvalidRecord) if it breaks the destination's contract,
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) if no stream can have this name in a cluster: the
    /// transaction is as it was. And those of the database.
    ///
    /// # Cancel safety
    /// As the connection's own: roll back a transaction in which it was dropped.
    pub async fn publish<C: Connection, T: Serialize>(
        &self,
        connection: &mut C,
        to: impl Into<Destination>,
        envelope: &Envelope<T>,
    ) -> Result<i64, Error> {
        self.publish_sealed(connection, to, &envelope.seal()?).await
    }

    /// The same with an envelope whose data is bytes: in another form, or compressed.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_sealed<C: Connection>(
        &self,
        connection: &mut C,
        to: impl Into<Destination>,
        envelope: &Sealed,
    ) -> Result<i64, Error> {
        self.insert(connection, Parcel::envelope(to.into(), envelope)?).await
    }

    /// Writes an entry of these fields, for a stream. It has no id and no time but those that are among its
    /// fields.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if there are
    /// no fields, or the destination is a channel.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn add<C: Connection, F: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        connection: &mut C,
        to: impl Into<Destination>,
        fields: impl IntoIterator<Item = (F, V)>,
    ) -> Result<i64, Error> {
        let parcel = Parcel::entry(to.into(), fields)?;
        self.insert(connection, parcel).await
    }

    async fn insert<C: Connection>(
        &self,
        connection: &mut C,
        Parcel { place, id, words }: Parcel,
    ) -> Result<i64, Error> {
        // Whatever the relay's namespace is: it is put in front of all names.
        place.check(&Namespace::default())?;
        let mut body = Vec::new();
        words.iter().for_each(|word| words::put(&mut body, word));
        let args = vec![
            Cell::Int(code(place.kind)),
            Cell::Bytes(place.name.to_vec()),
            Cell::Bytes(id.to_vec()),
            Cell::Bytes(body),
        ];
        let sql = self.table.insert(connection.dialect());
        let rows = connection.rows(&sql, args).await;
        let rows = rows.map_err(|source| failed("write into", &self.table, source))?;
        Ok(rows.into_iter().next().map_or(0, |mut row| row.int()))
    }

    /// How much there is in it that is committed. It counts rows, so it takes longer the more there are.
    ///
    /// # Errors
    /// The database's.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn contents<C: Connection>(&self, connection: &mut C) -> Result<Contents, Error> {
        let failed = |source| failed("count what is in", &self.table, source);
        let all = || vec![Cell::Int(i64::MAX)];
        let sql = self.table.waiting(connection.dialect());
        let mut rows = connection.rows(&sql, all()).await.map_err(failed)?;
        rows.extend(connection.rows(&self.table.dead(), all()).await.map_err(failed)?);
        Ok(Contents::from_rows(rows))
    }

    /// The oldest dead letters, so many at most. They stay in the table until somebody
    /// [requeues](Self::requeue) or [discards](Self::discard) them.
    ///
    /// # Errors
    /// The database's.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Example
    #[cfg_attr(feature = "sqlite", doc = "```")]
    #[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
    /// # use fanfare::outbox::{Outbox, sqlx};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
    /// # let mut connection = pool.acquire().await?;
    /// # let outbox = Outbox::new();
    /// # outbox.create(&mut *connection).await?;
    /// for letter in outbox.dead_letters(&mut *connection, 100).await? {
    ///     println!("{} to {:?}: {}", letter.id, letter.destination, letter.error);
    /// }
    /// // When the reason is gone; or discard_all.
    /// let n = outbox.requeue_all(&mut *connection).await?;
    /// # assert_eq!(n, 0);
    /// # Ok(()) }
    /// ```
    pub async fn dead_letters<C: Connection>(
        &self,
        connection: &mut C,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Error> {
        let rows = connection.rows(&self.table.letters(), vec![Cell::Int(limit.into())]).await;
        let rows = rows.map_err(|source| failed("read", &self.table, source))?;
        Ok(rows.into_iter().map(DeadLetter::from_row).collect())
    }

    /// Makes dead letters messages again that wait; when the reason for which they were refused is gone, they
    /// arrive, behind what was sent meanwhile. Returns how many of these ids there were.
    ///
    /// # Errors
    /// The database's; nothing is changed.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn requeue<C: Connection>(
        &self,
        connection: &mut C,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<u64, Error> {
        let ids: Vec<i64> = ids.into_iter().collect();
        self.change(connection, &self.table.requeue(Some(&ids))).await
    }

    /// The same with all dead letters.
    ///
    /// # Errors
    /// As [`requeue`](Self::requeue).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn requeue_all<C: Connection>(&self, connection: &mut C) -> Result<u64, Error> {
        self.change(connection, &self.table.requeue(None)).await
    }

    /// Deletes dead letters. Returns how many of these ids there were.
    ///
    /// # Errors
    /// The database's; nothing is changed.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn discard<C: Connection>(
        &self,
        connection: &mut C,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<u64, Error> {
        let ids: Vec<i64> = ids.into_iter().collect();
        self.change(connection, &self.table.discard(Some(&ids))).await
    }

    /// The same with all dead letters.
    ///
    /// # Errors
    /// As [`discard`](Self::discard).
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn discard_all<C: Connection>(&self, connection: &mut C) -> Result<u64, Error> {
        self.change(connection, &self.table.discard(None)).await
    }

    async fn change<C: Connection>(&self, connection: &mut C, sql: &str) -> Result<u64, Error> {
        let n = connection.run(sql, Vec::new()).await;
        n.map_err(|source| failed("change", &self.table, source))
    }
}

impl Contents {
    /// Of the answers to both questions.
    pub(super) fn from_rows(rows: Vec<Row>) -> Self {
        let mut counts = rows.into_iter();
        let (mut waiting, mut age) = (0, Duration::ZERO);
        if let Some(mut row) = counts.next() {
            (waiting, age) = (row.count(), row.age());
        }
        let dead = counts.next().map_or(0, |mut row| row.count());
        let oldest_age = (0 < waiting).then_some(age);
        Self { waiting, oldest_age, dead }
    }
}

impl DeadLetter {
    fn from_row(mut row: Row) -> Self {
        let (id, time) = (row.int(), Duration::from_micros(row.count()));
        let (kind, error) = (kind(row.int_if_any()), row.text());
        let place = Place { kind: kind.unwrap_or(PlaceKind::Stream), name: row.bytes() };
        let (message_id, body) = (row.text(), row.bytes());
        let words = words::get_all(&body).unwrap_or_else(|| vec![body]);
        let fields = fields_of(&place, words);
        Self {
            id,
            destination: Destination { place, trim: None, agreed: Agreed::default() },
            message_id: (!message_id.is_empty()).then_some(message_id),
            time: UNIX_EPOCH + time,
            error,
            fields,
        }
    }
}

/// A kind of place as it is in a row.
pub(super) fn code(kind: PlaceKind) -> i64 {
    match kind {
        PlaceKind::Stream => 0,
        PlaceKind::Channel => 1,
    }
}

/// And back.
pub(super) fn kind(code: Option<i64>) -> Option<PlaceKind> {
    match code? {
        0 => Some(PlaceKind::Stream),
        1 => Some(PlaceKind::Channel),
        _ => None,
    }
}
