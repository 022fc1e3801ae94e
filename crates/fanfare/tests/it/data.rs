//! Publishers and subscribers of data: what each destination promises, on every kind of broker.

use std::{error::Error, time::Duration};

use fanfare::{
    Fanfare,
    data::{Arrival, DataSubscriber, Missing, Received},
};

use crate::support::Target;

mod channels;
mod keys;
mod pipelines;
mod refusals;
mod restarts;
mod streams;

/// After this, what is awaited is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

/// The next record.
async fn next(subscriber: &dyn DataSubscriber) -> Result<Received, Box<dyn Error>> {
    match subscriber.recv_within(PATIENCE).await? {
        Some(Arrival::Record(received)) => Ok(received),
        Some(Arrival::Missing(missing)) => Err(format!("missing: {missing:?}").into()),
        None => Err(format!("nothing came: {:?}", subscriber.stats()).into()),
    }
}

/// The next gap, and the records before it.
async fn next_missing(
    subscriber: &dyn DataSubscriber,
) -> Result<(Vec<Received>, Missing), Box<dyn Error>> {
    let mut records = Vec::new();
    loop {
        match subscriber.recv_within(PATIENCE).await? {
            Some(Arrival::Record(received)) => records.push(received),
            Some(Arrival::Missing(missing)) => return Ok((records, missing)),
            None => return Err(format!("no gap: {:?}", subscriber.stats()).into()),
        }
    }
}

/// A connection within a namespace.
async fn within(server: &Target, namespace: &str) -> Result<Fanfare, fanfare::Error> {
    Fanfare::builder(&server.url()).options(|it| it.namespace(namespace)).connect().await
}

/// The URL of a single server with another database.
fn url_of_database(server: &Target, db: u32) -> String {
    format!("redis://{}/{db}", server.addr())
}
