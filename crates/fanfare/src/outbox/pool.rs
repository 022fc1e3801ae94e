//! The database that a relay reads, as a pool of connections.

use super::execute::{Dialect, Execute};

/// A pool of connections to the database of an outbox: made from an `sqlx::PgPool` or `sqlx::SqlitePool`.
///
/// A relay has one connection of it at a time, and none while it waits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Pool {
    /// Of PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
    /// Of SQLite.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::SqlitePool),
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for Pool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self::Postgres(pool)
    }
}

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for Pool {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self::Sqlite(pool)
    }
}

impl Pool {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// One of its connections.
    pub(super) async fn acquire(&self) -> Result<Lent, sqlx::Error> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => Ok(Lent::Postgres(pool.acquire().await?)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => Ok(Lent::Sqlite(pool.acquire().await?)),
        }
    }
}

/// A connection of a pool.
pub(super) enum Lent {
    #[cfg(feature = "postgres")]
    Postgres(sqlx::pool::PoolConnection<sqlx::Postgres>),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
}

impl Lent {
    pub(super) fn connection(&mut self) -> &mut dyn Execute {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(lent) => &mut **lent,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(lent) => &mut **lent,
        }
    }

    /// Does not give it back: it is closed instead. One that is in the middle of something would keep its
    /// place in the pool until the database answers.
    pub(super) fn discard(&mut self) {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(lent) => lent.close_on_drop(),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(lent) => lent.close_on_drop(),
        }
    }
}
