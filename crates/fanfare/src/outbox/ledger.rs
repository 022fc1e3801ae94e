//! What a relay does with the tables of its outbox. Each is one transaction, and none hangs.

use std::{io, time::Duration};

use fanfare_client::Error;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    batch::Item,
    execute::{Cell, Row},
    failure::failed,
    outbox::{Contents, Outbox},
    pool::Pool,
    table::NUMBERED_MAX,
};

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) outbox: Outbox,
    pub(super) pool: Pool,
    /// For how long a lease is held.
    pub(super) lease: Duration,
    /// How long the database may take.
    pub(super) timeout: Duration,
}

/// What became of new rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// There are none.
    None,
    /// Some have a position now, none of which is above this one.
    UpTo(i64),
    /// The lease is somebody else's.
    NotOurs,
    /// The database was set back: it has given positions that it does not know of.
    SetBack,
}

impl Ledger {
    /// Takes the lease, unless somebody else has it. Returns whether it did.
    pub(super) async fn acquire(&self, holder: Uuid, before: Uuid) -> Result<bool, Error> {
        let sql = self.outbox.table.acquire(self.pool.dialect());
        let args = vec![bytes(holder), bytes(before), self.lease_ms()];
        Ok(0 < self.run("take the lease of", &sql, args).await?)
    }

    /// Holds the lease for longer. Returns whether it is held.
    pub(super) async fn renew(&self, holder: Uuid) -> Result<bool, Error> {
        let sql = self.outbox.table.renew(self.pool.dialect());
        let args = vec![bytes(holder), self.lease_ms()];
        Ok(!self.rows("renew the lease of", &sql, args).await?.is_empty())
    }

    /// Gives the lease back.
    pub(super) async fn release(&self, holder: Uuid) -> Result<(), Error> {
        let sql = self.outbox.table.release();
        self.run("give back the lease of", &sql, vec![bytes(holder)]).await.map(drop)
    }

    /// Gives positions to new rows, behind `known`, which is the last one that this holder has given.
    pub(super) async fn number(&self, holder: Uuid, known: i64) -> Result<Numbered, Error> {
        let sql = self.outbox.table.has_new();
        if self.rows("look into", &sql, Vec::new()).await?.is_empty() {
            return Ok(Numbered::None);
        }
        self.in_time("number messages of", self.number_new(holder, known)).await
    }

    async fn number_new(&self, holder: Uuid, known: i64) -> Result<Numbered, sqlx::Error> {
        let table = &self.outbox.table;
        let mut transaction = self.pool.begin().await?;
        let connection = transaction.connection();
        let renew = table.renew(self.pool.dialect());
        let rows = connection.rows(&renew, vec![bytes(holder), self.lease_ms()]).await?;
        let Some(position) = rows.into_iter().next().map(|mut row| row.int()) else {
            return Ok(Numbered::NotOurs);
        };
        if position < known {
            // A pool hides that connections were lost.
            return Ok(Numbered::SetBack);
        }
        let n = connection.run(&table.number(), vec![bytes(holder), Cell::Int(position)]).await?;
        if n == 0 {
            return Ok(Numbered::None);
        }
        // Numbers may be left out: fewer rows than that are new, or somebody deletes one meanwhile.
        let last = position.saturating_add(NUMBERED_MAX);
        connection.run(&table.advance(), vec![Cell::Int(last), bytes(holder)]).await?;
        transaction.commit().await?;
        Ok(Numbered::UpTo(last))
    }

    /// The oldest numbered rows.
    pub(super) async fn read(&self) -> Result<Vec<Item>, Error> {
        let sql = self.outbox.table.read(self.pool.dialect());
        let rows = self.rows("read", &sql, Vec::new()).await?;
        Ok(rows.into_iter().map(Item::from_row).collect())
    }

    /// Deletes rows that are done, by id and position.
    pub(super) async fn delete(&self, done: &[(i64, i64)]) -> Result<(), Error> {
        if done.is_empty() {
            return Ok(());
        }
        let sql = self.outbox.table.delete(done);
        self.run("delete what was sent from", &sql, Vec::new()).await.map(drop)
    }

    /// Makes a row a dead letter. Returns whether it did: not, if the lease is somebody else's.
    pub(super) async fn bury(
        &self,
        holder: Uuid,
        item: &Item,
        error: &Error,
    ) -> Result<bool, Error> {
        let sql = self.outbox.table.bury();
        let (id, position) = (Cell::Int(item.id), Cell::Int(item.position));
        let args = vec![Cell::Text(error.to_string()), id, position, bytes(holder)];
        Ok(0 < self.run("put a dead letter into", &sql, args).await?)
    }

    /// How much there is, each counted up to a limit.
    pub(super) async fn count(&self, limit: i64) -> Result<Contents, Error> {
        let count = async {
            let mut lent = self.pool.acquire().await?;
            self.outbox.count(lent.connection(), limit).await
        };
        self.in_time("count what is in", count).await
    }

    async fn run(&self, doing: &str, sql: &str, args: Vec<Cell>) -> Result<u64, Error> {
        let run = async { self.pool.acquire().await?.connection().run(sql, args).await };
        self.in_time(doing, run).await
    }

    async fn rows(&self, doing: &str, sql: &str, args: Vec<Cell>) -> Result<Vec<Row>, Error> {
        let read = async { self.pool.acquire().await?.connection().rows(sql, args).await };
        self.in_time(doing, read).await
    }

    async fn in_time<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Error> {
        let done = timeout(self.timeout, work).await.unwrap_or_else(|_| {
            let message = format!("no answer within {:?}", self.timeout);
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message)))
        });
        done.map_err(|source| failed(doing, &self.outbox.table, source))
    }

    fn lease_ms(&self) -> Cell {
        Cell::Int(i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX))
    }
}

fn bytes(id: Uuid) -> Cell {
    Cell::Bytes(id.as_bytes().to_vec())
}
