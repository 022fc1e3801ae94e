//! What it costs to compress, to expand and to check the data of a message.

use std::{hint::black_box, time::Duration};

use anyhow::{Context, Result};
use fanfare::{
    Algorithm, Compression, Envelope, Sealed,
    schema::{Contract, JsonSchema, Schema},
};
use serde::Serialize;

use crate::{
    clock::Clock,
    row::{MANY, Sample},
};

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Compress(Algorithm),
    Expand(Algorithm),
    Check,
}

/// Some 4 KiB of JSON.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "fanfare::schema::schemars")]
struct Order {
    id: u64,
    customer: String,
    lines: Vec<Line>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(crate = "fanfare::schema::schemars")]
struct Line {
    item: String,
    #[schemars(range(min = 1))]
    amount: u32,
    price: f64,
}

fn order() -> Order {
    let line = |n: u32| Line {
        item: format!("item number {}", n * 7_919 % 1_000),
        amount: n % 9 + 1,
        price: f64::from(n * 31 % 977) / 100.0,
    };
    Order { id: 4_711, customer: "anna".to_owned(), lines: (0..80).map(line).collect() }
}

/// Does it again and again. No server takes part.
pub(crate) fn measure(work: Work, duration: Duration) -> Result<Sample> {
    let sealed = Envelope::new("order.created", order()).seal()?;
    match work {
        Work::Compress(algorithm) => {
            let compression = Compression::new(algorithm)?;
            again(duration, || sealed.clone().compress(&compression).map(|it| it.body().len()))
        }
        Work::Expand(algorithm) => {
            let compressed = sealed.compress(&Compression::new(algorithm)?)?;
            compressed.head().content_encoding().context("it has not become smaller")?;
            again(duration, || compressed.clone().decompress(1 << 20).map(|it| it.body().len()))
        }
        Work::Check => {
            let contract = Contract::from(Schema::of::<Order>()?);
            again(duration, || contract.check(&sealed).map(|()| Sealed::body(&sealed).len()))
        }
    }
}

fn again(
    duration: Duration,
    mut work: impl FnMut() -> Result<usize, fanfare::Error>,
) -> Result<Sample> {
    let clock = Clock::start();
    let mut n = 0;
    while clock.elapsed() < duration {
        for _ in 0..MANY {
            black_box(work()?);
            n += 1;
        }
    }
    Ok(clock.stop(n))
}
