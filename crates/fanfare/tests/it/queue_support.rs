//! What tests of queues have in common.

use std::{error::Error, time::Duration};

use fanfare::{
    Fanfare,
    queue::{Taken, TaskQueue},
};

use crate::support::TestResult;

pub(crate) const MS: fn(u64) -> Duration = Duration::from_millis;

/// What does not happen while a test runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// For what has to happen, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Says a command.
pub(crate) async fn say(fanfare: &Fanfare, args: &[&str]) -> TestResult {
    fanfare.command(args).await?;
    Ok(())
}

/// The next task.
pub(crate) async fn take_one(queue: &TaskQueue) -> Result<Taken, Box<dyn Error>> {
    let mut taken = queue.take_within(1, LONG).await?;
    assert!(taken.len() <= 1);
    taken.pop().ok_or_else(|| "no task".into())
}
