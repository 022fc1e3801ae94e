//! Asking servers what they know of others: many at once, one question each, over a connection of
//! its own.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;

use crate::{
    Address, Error, Options, Role,
    connection::{
        dial::Dialer,
        driver::{Connection, Status},
    },
    net::Connector,
    topology::locator::Locator,
};

/// Once one server has answered, how long the others may take.
const GRACE: Duration = Duration::from_millis(250);

/// How to reach those who are asked.
pub(super) struct Survey {
    pub(super) options: Options,
    pub(super) connector: Connector,
}

impl Survey {
    /// Connects to a server.
    ///
    /// Boxed, since this is a part of finding out where to connect to: the type would contain
    /// itself.
    pub(super) fn dial(
        &self,
        address: &Address,
        role: Role,
    ) -> BoxFuture<'_, Result<Connection<()>, Error>> {
        let dialer = Dialer {
            role,
            options: Arc::new(self.options.clone().address(address.clone())),
            connector: self.connector.clone(),
            locator: Locator::Fixed(address.clone()),
            status: Arc::new(Status::new()),
        };
        Box::pin(async move { dialer.establish().await })
    }
}

/// What came of the questions by the deadline: answers, and why others have none.
pub(super) async fn answers<T>(
    questions: impl Iterator<Item = impl Future<Output = Result<T, Error>>>,
    deadline: Instant,
) -> (Vec<T>, Vec<Error>) {
    let mut asking: FuturesUnordered<_> = questions.collect();
    let (mut answers, mut errors, mut end) = (Vec::new(), Vec::new(), deadline);
    while let Ok(Some(result)) = tokio::time::timeout_at(end, asking.next()).await {
        match result {
            Ok(answer) => {
                end = end.min(Instant::now() + GRACE);
                answers.push(answer);
            }
            Err(error) => errors.push(error),
        }
    }
    (answers, errors)
}
