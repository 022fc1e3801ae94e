//! What a relay does with the tables of its outbox. Each is one transaction, and none hangs.

use std::{io, time::Duration};

use fanfare_client::Error;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{
    batch::Item,
    execute::{Cell, Dialect, Row},
    failure::failed,
    outbox::{Contents, Outbox, code},
    pool::{Lent, Pool},
    table::NUMBERED_MAX,
};
use crate::once::{Numbered as _, Place};

#[derive(Clone, Debug)]
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
    /// Fails if the tables are not there.
    pub(super) async fn look(&self) -> Result<(), Error> {
        self.rows("look into", &self.outbox.table.look(), Vec::new()).await.map(drop)
    }

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
        let table = &self.outbox.table;
        let mut session = self.session("number messages of").await?;
        let Some(position) = session.begin_as(holder).await? else { return Ok(Numbered::NotOurs) };
        if position < known {
            // A pool hides that connections were lost.
            return Ok(Numbered::SetBack);
        }
        let n = session.run(&table.number(), vec![bytes(holder), Cell::Int(position)]).await?;
        // Numbers may be left out: fewer rows than that are new, or somebody deletes one meanwhile.
        let last = position.saturating_add(NUMBERED_MAX);
        session.run(&table.advance(), vec![Cell::Int(last), bytes(holder)]).await?;
        session.commit().await?;
        Ok(if n == 0 { Numbered::None } else { Numbered::UpTo(last) })
    }

    /// The oldest numbered rows, but those to some places.
    pub(super) async fn read(&self, besides: &[Place]) -> Result<Vec<Item>, Error> {
        let sql = self.outbox.table.read(self.pool.dialect(), besides.len());
        let args = besides
            .iter()
            .flat_map(|place| [Cell::Int(code(place.kind)), Cell::Bytes(place.name.to_vec())]);
        let rows = self.rows("read", &sql, args.collect()).await?;
        Ok(rows.into_iter().map(Item::from_row).collect())
    }

    /// Deletes rows that are done, of one generation, by id and position. Returns how many there were.
    pub(super) async fn delete(&self, generation: Uuid, done: &[(i64, i64)]) -> Result<u64, Error> {
        let sql = self.outbox.table.delete(done);
        self.run("delete what was sent from", &sql, vec![bytes(generation)]).await
    }

    /// Makes a row a dead letter. Returns whether it did: not, if the lease is somebody else's.
    pub(super) async fn bury(
        &self,
        holder: Uuid,
        item: &Item,
        error: &Error,
    ) -> Result<bool, Error> {
        let table = &self.outbox.table;
        let mut args = vec![Cell::Text(plain(&error.to_string())), Cell::Int(item.id)];
        let sql = match item.flaw {
            // Its position and generation may be anything.
            Some(_) => table.bury_flawed(),
            None => {
                args.extend([Cell::Int(item.position), bytes(item.generation())]);
                table.bury()
            }
        };
        let mut session = self.session("put a dead letter into").await?;
        if session.begin_as(holder).await?.is_none() {
            return Ok(false);
        }
        let n = session.run(&sql, args).await?;
        session.commit().await?;
        Ok(0 < n)
    }

    /// How much there is, each counted up to a limit.
    pub(super) async fn count(&self, limit: i64) -> Result<Contents, Error> {
        let table = &self.outbox.table;
        let mut session = self.session("count what is in").await?;
        let dialect = self.pool.dialect();
        let mut rows = session.rows(&table.waiting(dialect), vec![Cell::Int(limit)]).await?;
        rows.extend(session.rows(&table.dead(), vec![Cell::Int(limit)]).await?);
        session.end();
        Ok(Contents::from_rows(rows))
    }

    async fn run(&self, doing: &'static str, sql: &str, args: Vec<Cell>) -> Result<u64, Error> {
        let mut session = self.session(doing).await?;
        let n = session.run(sql, args).await?;
        session.end();
        Ok(n)
    }

    async fn rows(
        &self,
        doing: &'static str,
        sql: &str,
        args: Vec<Cell>,
    ) -> Result<Vec<Row>, Error> {
        let mut session = self.session(doing).await?;
        let rows = session.rows(sql, args).await?;
        session.end();
        Ok(rows)
    }

    async fn session(&self, doing: &'static str) -> Result<Session<'_>, Error> {
        let until = Instant::now() + self.timeout;
        let lent = match timeout_at(until, self.pool.acquire()).await {
            Ok(lent) => lent.map_err(|source| failed(doing, &self.outbox.table, source))?,
            Err(_) => return Err(self.late(doing)),
        };
        Ok(Session { ledger: self, doing, until, lent, is_whole: false })
    }

    fn late(&self, doing: &str) -> Error {
        let message = format!("no answer within {:?}", self.timeout);
        let source = sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message));
        failed(doing, &self.outbox.table, source)
    }

    fn lease_ms(&self) -> Cell {
        Cell::Int(i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A connection for one piece of work, which ends in time. If it does not come to its end, for whatever reason,
/// the connection is closed: it is in the middle of something.
struct Session<'l> {
    ledger: &'l Ledger,
    doing: &'static str,
    until: Instant,
    lent: Lent,
    is_whole: bool,
}

impl Session<'_> {
    /// Begins a transaction, if the lease is held. Returns the last position that was given; until the commit
    /// nobody else takes the lease.
    async fn begin_as(&mut self, holder: Uuid) -> Result<Option<i64>, Error> {
        let dialect = self.ledger.pool.dialect();
        let begin = match dialect {
            // It sees what was committed before each of its statements. A process that is suspended in it for
            // longer than its lease loses it, and what it has locked.
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; \
                 SET LOCAL idle_in_transaction_session_timeout = {}",
                self.ledger.lease.as_millis()
            ),
            // SQLite has nothing like that.
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => "BEGIN IMMEDIATE".to_owned(),
        };
        let begun = timeout_at(self.until, self.lent.connection().script(&begin)).await;
        self.judge(begun.ok())?;
        let renew = self.ledger.outbox.table.renew(dialect);
        let rows = self.rows(&renew, vec![bytes(holder), self.ledger.lease_ms()]).await?;
        Ok(rows.into_iter().next().map(|mut row| row.int()))
    }

    async fn commit(mut self) -> Result<(), Error> {
        self.run("COMMIT", Vec::new()).await?;
        self.end();
        Ok(())
    }

    /// All is done. The connection goes back to the pool.
    fn end(mut self) {
        self.is_whole = true;
    }

    async fn run(&mut self, sql: &str, args: Vec<Cell>) -> Result<u64, Error> {
        let done = timeout_at(self.until, self.lent.connection().run(sql, args)).await;
        self.judge(done.ok())
    }

    async fn rows(&mut self, sql: &str, args: Vec<Cell>) -> Result<Vec<Row>, Error> {
        let done = timeout_at(self.until, self.lent.connection().rows(sql, args)).await;
        self.judge(done.ok())
    }

    fn judge<T>(&self, done: Option<Result<T, sqlx::Error>>) -> Result<T, Error> {
        let Some(done) = done else { return Err(self.ledger.late(self.doing)) };
        done.map_err(|source| failed(self.doing, &self.ledger.outbox.table, source))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.lent.discard();
        }
    }
}

fn bytes(id: Uuid) -> Cell {
    Cell::Bytes(id.as_bytes().to_vec())
}

/// A text that databases of all encodings take.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars().take(1_000) {
        match letter {
            '\n' | ' '..='~' => plain.push(letter),
            _ => plain.extend(letter.escape_unicode()),
        }
    }
    plain
}
