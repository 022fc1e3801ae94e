//! Commands that hold up everybody.

use std::time::Duration;

use super::{Ailment, Diagnosis, evidence::Evidence};
use crate::monitor::{Severity::Warning, info::word};

pub(super) const KEYS_COMMAND: Ailment = Ailment::new(
    "keys-command",
    Warning,
    "KEYS looks at all keys at once; nobody else is served meanwhile, and clients run into their time limits.",
    "Use SCAN, and UNLINK what is found; better, give keys a time to live.",
);

pub(super) const SLOW_COMMANDS: Ailment = Ailment::new(
    "slow-commands",
    Warning,
    "Nobody else is served while they run: messages are late, and clients run into their time limits.",
    "Split them: SCAN, COUNT and LIMIT, smaller values; run scripts that do less.",
);

pub(super) const FAR_AWAY: Ailment = Ailment::new(
    "slow-answers",
    Warning,
    "Every command takes at least so long; time limits in clients pass.",
    "Look at the network and the load of the machine; publish in batches.",
);

/// What takes so long holds up everybody for longer than anybody wants.
const SLOW: Duration = Duration::from_millis(100);

pub(super) fn check(node: &Evidence, diagnosis: &mut Diagnosis) {
    let name = &node.name;
    let calls =
        node.info.text("cmdstat_keys").and_then(|it| word(it, "calls")?.parse::<u64>().ok());
    if let Some(n) = calls.filter(|it| *it != 0) {
        let command =
            format!("{} --scan --pattern 'old:*' | xargs -r {} UNLINK", node.cli, node.cli);
        let evidence = format!("KEYS was called {n} times since the start");
        diagnosis.add(KEYS_COMMAND.found(name, evidence).command(command));
    }
    let slow = node.slow.iter().flatten().filter(|it| SLOW <= it.took);
    let n_slow = slow.clone().count();
    if let Some(worst) = slow.max_by_key(|it| it.took) {
        let (ms, words) = (worst.took.as_millis(), &worst.words);
        let evidence = format!(
            "{n_slow} commands of the slow log took 100 ms or more; the slowest: {words}, {ms} ms"
        );
        let command = format!("{} SLOWLOG GET 10", node.cli);
        diagnosis.add(SLOW_COMMANDS.found(name, evidence).command(command));
    }
    if let Some(took) = node.round_trip.filter(|it| SLOW <= *it) {
        let evidence = format!("the fastest of five round trips took {} ms", took.as_millis());
        let command = format!("{} --latency", node.cli);
        diagnosis.add(FAR_AWAY.found(name, evidence).command(command));
    }
}
