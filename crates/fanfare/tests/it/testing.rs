//! `fanfare::testing` itself: what stands between the other tests and their servers.

mod clock;
mod expect;
mod nodes;
mod proxy;
mod random;

use std::time::Duration;

use fanfare::{
    Fanfare,
    testing::{Proxy, TestBroker},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A broker, a proxy in front of it, and a program that talks through it.
async fn through_proxy() -> Result<(TestBroker, Proxy, Fanfare), Box<dyn std::error::Error>> {
    let broker = TestBroker::start()?;
    let proxy = Proxy::start(broker.addr())?;
    let fanfare = Fanfare::connect(&proxy.url()).await?;
    Ok((broker, proxy, fanfare))
}
