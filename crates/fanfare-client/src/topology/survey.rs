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
    /// Connects to a server, by the deadline.
    ///
    /// Boxed, since this is a part of finding out where to connect to: the type would contain
    /// itself.
    pub(super) fn dial(
        &self,
        address: &Address,
        role: Role,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Connection<()>, Error>> {
        let dialer = Dialer {
            role,
            options: Arc::new(self.options.clone().address(address.clone())),
            connector: self.connector.clone(),
            locator: Locator::Fixed(address.clone()),
            status: Arc::new(Status::new()),
        };
        Box::pin(async move { dialer.establish_by(deadline).await })
    }
}

/// What came of the questions: answers, and why others have none.
///
/// Each question ends by itself, at its deadline: a second clock for all of them could ring first,
/// and what each of them has to say of the server that hangs would be lost.
pub(super) async fn answers<T>(
    questions: impl Iterator<Item = impl Future<Output = Result<T, Error>>>,
) -> (Vec<T>, Vec<Error>) {
    let mut asking: FuturesUnordered<_> = questions.collect();
    let (mut answers, mut errors) = (Vec::new(), Vec::new());
    while let Some(result) = asking.next().await {
        match result {
            Ok(answer) => {
                answers.push(answer);
                break;
            }
            Err(error) => errors.push(error),
        }
    }
    let end = Instant::now() + GRACE;
    while let Ok(Some(result)) = tokio::time::timeout_at(end, asking.next()).await {
        match result {
            Ok(answer) => answers.push(answer),
            Err(error) => errors.push(error),
        }
    }
    (answers, errors)
}
