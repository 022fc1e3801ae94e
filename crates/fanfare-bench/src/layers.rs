//! What the default stack of layers costs, around a handler that does next to nothing.

use std::{
    future::poll_fn,
    hint::black_box,
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail};
use fanfare::{
    BoxError, Call, Kind, Message, Raw,
    layers::{CallService, Layer, Stack},
};

use crate::{
    Site,
    clock::Clock,
    row::{Contender, MANY, PAYLOAD, Sample},
};

/// Calls a service again and again. No server takes part.
pub(crate) async fn measure(site: Site<'_>, contender: Contender) -> Result<Sample> {
    let handler = async |Raw(payload): Raw| {
        black_box(payload.len());
    };
    let handler = fanfare::service::<_, _, _, Call>(handler, ());
    let called = match contender {
        Contender::Fanfare => calls(&Stack::new("bench").layer(handler), site.duration).await,
        Contender::Bare => calls(&handler, site.duration).await,
        Contender::RedisRs | Contender::RedisPy | Contender::Loop | Contender::OneByOne => {
            bail!("takes no part")
        }
    };
    called.map_err(|error| anyhow::anyhow!(error))
}

async fn calls<S: CallService>(service: &S, duration: Duration) -> Result<Sample, BoxError> {
    let (channel, payload) = (b"orders".as_slice().into(), PAYLOAD.to_vec().into());
    let message = Message::new(Kind::Channel, channel, payload, SystemTime::UNIX_EPOCH);
    let clock = Clock::start();
    let mut n = 0;
    while clock.elapsed() < duration {
        for _ in 0..MANY {
            let mut service = service.clone();
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            service.call(message.clone().into()).await.map_err(Into::into)?;
            n += 1;
        }
    }
    Ok(clock.stop(n))
}
