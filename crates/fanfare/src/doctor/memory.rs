//! Memory, and what happens when there is none left.

use super::{Ailment, Diagnosis, evidence::Evidence};
use crate::monitor::Severity::{Critical, Warning};

pub(super) const NO_MAXMEMORY: Ailment = Ailment::new(
    "no-maxmemory",
    Warning,
    "Streams and slow subscribers can take all memory of the machine; then the system ends the broker, or the machine swaps.",
    "Set maxmemory below what the machine has, and leave room for snapshots and buffers.",
);

pub(super) const EVICTION: Ailment = Ailment::new(
    "eviction-policy",
    Warning,
    "When maxmemory is reached, the server deletes keys that it thinks unused, whole streams with their groups and pending entries among them, without a word.",
    "Use noeviction where there are messages: writes fail then, which somebody notices.",
);

pub(super) const FULL: Ailment = Ailment::new(
    "memory-full",
    Warning,
    "Soon writes are refused, or keys deleted, as maxmemory-policy says.",
    "Trim streams (XTRIM), give keys a time to live, or raise maxmemory.",
);

pub(super) const EVICTED: Ailment = Ailment::new(
    "evicted-keys",
    Warning,
    "Keys were deleted to make room; if they were streams, their messages and pending entries are lost.",
    "Make room, and use noeviction where there are messages.",
);

pub(super) const FRAGMENTED: Ailment = Ailment::new(
    "memory-fragmented",
    Warning,
    "The process has far more memory than its data needs.",
    "Let the server defragment itself (a Redis with its own jemalloc can), or restart it.",
);

/// Below this, fragmentation is a large share of nothing.
const FRAGMENTATION_MATTERS: u64 = 100 << 20;

pub(super) fn check(node: &Evidence, has_streams: bool, diagnosis: &mut Diagnosis) {
    let (info, name) = (&node.info, &node.name);
    let limit = info.number("maxmemory");
    let used = info.number("used_memory").unwrap_or(0);
    if limit == Some(0) {
        let evidence = format!("maxmemory is 0, which is no limit; {} MiB are in use", used >> 20);
        let sensible = info.number("total_system_memory").map_or(1 << 30, |it| it / 10 * 6);
        let command = node.set("maxmemory", &format!("{}mb", sensible >> 20));
        diagnosis.add(NO_MAXMEMORY.found(name, evidence).command(command));
    }
    let policy = info.text("maxmemory_policy").or_else(|| node.directive("maxmemory-policy"));
    if let Some(policy) = policy.filter(|it| it.starts_with("allkeys-")) {
        let worse = if has_streams { Critical } else { Warning };
        let what = if has_streams { ", and there are streams" } else { "" };
        let finding = EVICTION.found(name, format!("maxmemory-policy is {policy}{what}"));
        let command = node.set("maxmemory-policy", "noeviction");
        diagnosis.add(finding.severity(worse).command(command));
    }
    if let Some(limit) = limit.filter(|it| *it != 0 && it / 5 * 4 < used) {
        let (used, limit) = (used >> 20, limit >> 20);
        let command = node.set("maxmemory", &format!("{}mb", (limit * 2).max(1)));
        let evidence = format!("{used} MiB of {limit} MiB are in use");
        diagnosis.add(FULL.found(name, evidence).command(command));
    }
    if let Some(n) = info.number("evicted_keys").filter(|it| *it != 0) {
        let command = node.set("maxmemory-policy", "noeviction");
        let evidence = format!("{n} keys were evicted since the start");
        diagnosis.add(EVICTED.found(name, evidence).command(command));
    }
    let ratio = info.float("mem_fragmentation_ratio").filter(|it| 1.5 < *it);
    if let Some(ratio) = ratio.filter(|_| FRAGMENTATION_MATTERS < used) {
        let command = node.set("activedefrag", "yes");
        let evidence = format!("it has {ratio} times the {} MiB in RAM that it uses", used >> 20);
        diagnosis.add(FRAGMENTED.found(name, evidence).command(command));
    }
}
