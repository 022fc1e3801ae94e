//! The two databases in which an outbox can be, behind one face.

use std::{
    cell::{RefCell, RefMut},
    error::Error,
    time::Duration,
};

use fanfare::{
    Envelope, Fanfare,
    outbox::{
        Contents, DeadLetter, Destination, Outbox, Pool, RelayBuilder,
        sqlx::{
            self, PgPool, SqlitePool,
            postgres::PgPoolOptions,
            sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
        },
    },
    testing::eventually,
};
use fanfare_testkit::{Postgres, TempDir};

/// A database with the tables of an outbox, and one of what was committed.
pub(super) enum Database {
    Postgres { pool: PgPool, server: RefCell<Postgres> },
    Sqlite { pool: SqlitePool, directory: TempDir },
}

/// A transaction in one of them.
pub(super) enum Transaction {
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
}

/// Does something with a transaction's connection, whichever it is.
macro_rules! with {
    ($transaction:expr, $connection:ident => $do:expr) => {
        match &mut $transaction {
            crate::outbox::database::Transaction::Postgres(it) => {
                let $connection = &mut **it;
                $do
            }
            crate::outbox::database::Transaction::Sqlite(it) => {
                let $connection = &mut **it;
                $do
            }
        }
    };
}

pub(super) type Outcome<T> = Result<T, Box<dyn Error>>;

impl Database {
    pub(super) async fn postgres() -> Outcome<Self> {
        let server = Postgres::start();
        let pool = postgres_pool(&server.url()).await?;
        Self::Postgres { pool, server: server.into() }.prepared().await
    }

    pub(super) async fn sqlite() -> Outcome<Self> {
        let directory = TempDir::new()?;
        let pool = sqlite_pool(&url_in(&directory)).await?;
        Self::Sqlite { pool, directory }.prepared().await
    }

    async fn prepared(self) -> Outcome<Self> {
        let mut transaction = self.begin().await?;
        with!(transaction, it => Outbox::new().create(it).await?);
        transaction.run("CREATE TABLE committed (n BIGINT)").await?;
        transaction.commit().await?;
        Ok(self)
    }

    /// As another process opens it.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Postgres { server, .. } => server.borrow().url(),
            Self::Sqlite { directory, .. } => url_in(directory),
        }
    }

    /// The process, to be killed, frozen and started again.
    pub(super) fn server(&self) -> RefMut<'_, Postgres> {
        match self {
            Self::Postgres { server, .. } => server.borrow_mut(),
            Self::Sqlite { .. } => panic!("SQLite is no process"),
        }
    }

    pub(super) fn pool(&self) -> Pool {
        match self {
            Self::Postgres { pool, .. } => pool.clone().into(),
            Self::Sqlite { pool, .. } => pool.clone().into(),
        }
    }

    /// A relay that does not let a test wait.
    pub(super) fn relay(&self, fanfare: &Fanfare) -> RelayBuilder {
        let relay = fanfare.relay(&Outbox::new(), self.pool());
        relay.poll(Duration::from_millis(10)).try_for(Duration::from_millis(500))
    }

    pub(super) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match self {
            Self::Postgres { pool, .. } => Transaction::Postgres(pool.begin().await?),
            Self::Sqlite { pool, .. } => {
                Transaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)
            }
        })
    }

    /// One statement, committed.
    pub(super) async fn run(&self, sql: &str) -> Outcome<u64> {
        let mut transaction = self.begin().await?;
        let n = transaction.run(sql).await?;
        transaction.commit().await?;
        Ok(n)
    }

    /// One transaction for each of these numbers.
    pub(super) async fn publish(&self, numbers: impl IntoIterator<Item = u64>) -> Outcome<()> {
        for n in numbers {
            let mut transaction = self.begin().await?;
            transaction.publish("orders", n).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// What was committed, of each writer in its order.
    pub(super) async fn committed(&self) -> Outcome<Vec<u64>> {
        let sql = "SELECT n FROM committed ORDER BY n";
        let numbers: Vec<i64> = match self {
            Self::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_all(pool).await?,
            Self::Sqlite { pool, .. } => sqlx::query_scalar(sql).fetch_all(pool).await?,
        };
        Ok(numbers.into_iter().map(i64::cast_unsigned).collect())
    }

    pub(super) async fn contents(&self) -> Outcome<Contents> {
        let mut transaction = self.begin().await?;
        Ok(with!(transaction, it => Outbox::new().contents(it).await?))
    }

    /// Waits until nothing waits.
    pub(super) async fn drained(&self) {
        eventually("an empty outbox", async || {
            self.contents().await.is_ok_and(|it| it.waiting == 0)
        })
        .await;
    }

    pub(super) async fn dead_letters(&self) -> Outcome<Vec<DeadLetter>> {
        let mut transaction = self.begin().await?;
        Ok(with!(transaction, it => Outbox::new().dead_letters(it, 100).await?))
    }
}

impl Transaction {
    pub(super) async fn run(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Postgres(it) => sqlx::query(sql).execute(&mut **it).await?.rows_affected(),
            Self::Sqlite(it) => sqlx::query(sql).execute(&mut **it).await?.rows_affected(),
        })
    }

    /// An order with this number, noted as committed if it will be.
    pub(super) async fn publish(&mut self, to: impl Into<Destination>, n: u64) -> Outcome<i64> {
        let id = with!(*self, it => Outbox::new().publish(it, to, &order(n)).await?);
        self.run(&format!("INSERT INTO committed VALUES ({n})")).await?;
        Ok(id)
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(it) => it.commit().await,
            Self::Sqlite(it) => it.commit().await,
        }
    }

    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(it) => it.rollback().await,
            Self::Sqlite(it) => it.rollback().await,
        }
    }
}

pub(super) use with;

pub(super) fn order(n: u64) -> Envelope<u64> {
    Envelope::new("order.created", n).id(format!("id {n}"))
}

/// The pool of a child process.
pub(super) async fn pool_of(url: &str) -> Outcome<Pool> {
    match url.starts_with("postgres:") {
        true => Ok(postgres_pool(url).await?.into()),
        false => Ok(sqlite_pool(url).await?.into()),
    }
}

async fn postgres_pool(url: &str) -> Result<PgPool, sqlx::Error> {
    // A pool asks a server that is away again and again, and tells only then.
    let options = PgPoolOptions::new().max_connections(12).acquire_timeout(Duration::from_secs(2));
    options.connect(url).await
}

async fn sqlite_pool(url: &str) -> Result<SqlitePool, sqlx::Error> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let options = options.busy_timeout(Duration::from_secs(20));
    SqlitePoolOptions::new().max_connections(4).connect_with(options).await
}

fn url_in(directory: &TempDir) -> String {
    format!("sqlite:{}", directory.path().join("shop.db").display())
}
