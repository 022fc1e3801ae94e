//! Model checks of what reactors share, the mailbox and the registry, and of the order in which a mailbox is read, under
//! schedules that shuttle chooses.
//!
//! Their sources are compiled here a second time, with shuttle's locks and atomics in the place of the real
//! ones, so what is checked is what runs. A lost wake-up shows as a deadlock. Shuttle explores interleavings, not
//! reorderings of memory accesses: every atomic is as if it were sequentially consistent.

#[path = "../../../fanfare-engine/src/pubsub/counted.rs"]
mod counted;
#[path = "../../src/reactor/inbox.rs"]
mod inbox;
#[path = "../../src/reactor/mailbox.rs"]
#[expect(dead_code, reason = "the models use what has an order to keep")]
mod mailbox;
mod order;
#[path = "../../../fanfare-engine/src/pubsub/registry.rs"]
#[expect(dead_code, unreachable_pub, reason = "the models use what has an order to keep")]
mod registry;
mod sync;
mod thread;
mod wake;

// What the sources name besides.
use fanfare_engine::pubsub::Patterns;
use fanfare_engine::{glob, host};
use registry::{ReactorId, ReactorSet};

mod net {
    //! No connections here.

    #[derive(Debug)]
    pub(crate) struct Incoming;
}

mod carry {
    //! Nor does anybody move.

    #[derive(Debug)]
    pub(crate) struct Carried;
}

mod tracking {
    //! No copies here.

    #[derive(Debug)]
    pub(crate) struct Invalidation;
}

use fanfare_testkit::{Rng, seed};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

/// Runs `model` under many schedules.
fn check(model: fn()) {
    let n = if std::env::var_os("FANFARE_FULL").is_some() { 100_000 } else { 2000 };
    let mut seeds = Rng::new(seed());
    run(RandomScheduler::new_from_seed(seeds.next_u64(), n), model);
    for depth in 1..=3 {
        run(PctScheduler::new_from_seed(seeds.next_u64(), depth, n / 3), model);
    }
}

fn run(scheduler: impl Scheduler + 'static, model: fn()) {
    shuttle::Runner::new(scheduler, shuttle::Config::default()).run(model);
}
