//! `docs/benchmarks.md`: the results with all that one needs to judge them.

use std::fmt::Write as _;

use super::machine::Machine;
use super::results::{Line, Verdict};
use super::table;

/// The document.
pub(super) fn markdown(machine: &Machine, command: &str, lines: &[Line]) -> String {
    let mut out = String::from(INTRODUCTION);
    let facts = [
        ("date", machine.date.clone()),
        ("command", format!("`{command}`")),
        ("processor", format!("{} × {}", machine.n_processors, machine.processor)),
        ("kernel", machine.kernel.clone()),
        ("redis-server", machine.redis.clone()),
        ("fanfare", format!("{} (commit {})", machine.fanfare, machine.commit)),
        ("compiler", machine.rustc.clone()),
    ];
    out.push_str("| | |\n|---|---|\n");
    for (name, value) in facts {
        let _ = writeln!(out, "| {name} | {value} |");
    }
    let verdicts = || lines.iter().filter_map(|line| line.verdict);
    let (n_met, n_targets) =
        (verdicts().filter(|it| *it == Verdict::Met).count(), verdicts().count());
    let n_beyond = verdicts().filter(|it| *it == Verdict::BeyondNull).count();
    let _ = write!(out, "\n{n_met} of {n_targets} targets are met");
    if n_beyond != 0 {
        let _ = write!(out, "; {n_beyond} are beyond what `null` reaches on this machine");
    }
    out.push_str(".\n");
    for (group, title) in TITLES {
        let chosen: Vec<Line> = lines.iter().filter(|line| line.group == group).cloned().collect();
        if !chosen.is_empty() {
            let _ = write!(out, "\n## {title}\n\n{}", table::markdown(&chosen));
        }
    }
    out.push_str(&generator(lines));
    out
}

const TITLES: [(&str, &str); 14] = [
    ("fanout", "Fan-out"),
    ("pattern", "Patterns"),
    ("publish", "PUBLISH without subscribers"),
    ("setget", "SET and GET"),
    ("types", "Lists, hashes and sorted sets"),
    ("rank", "Ranks"),
    ("stream", "Streams"),
    ("push", "Streams that are pushed"),
    ("blocked", "Blocked clients"),
    ("eval", "Scripts"),
    ("memory", "Memory"),
    ("keys", "Memory of keys"),
    ("latency", "Latency"),
    ("reactors", "Two reactors"),
];

/// How much more the load generator could have taken.
fn generator(lines: &[Line]) -> String {
    let mut out = String::from(
        "\n## Is the load generator the bottleneck?\n\nDeliveries per second that it took from the \
         bare sender, and from the fastest server:\n\n| workload | ceiling/s | fastest server/s | \
         headroom |\n|---|--:|--:|--:|\n",
    );
    for line in lines.iter().filter(|line| line.setup == "1 reactor") {
        let Some(ceiling) = line.ceiling_rate else { continue };
        let rates = [line.baseline_rate, line.fanfare_rate];
        let fastest = rates.into_iter().flatten().fold(0.0, f64::max);
        let _ = writeln!(
            out,
            "| {} | {ceiling:.0} | {fastest:.0} | {:.2} × |",
            line.name,
            ceiling / fastest
        );
    }
    out
}

const INTRODUCTION: &str = "\
# Benchmarks

Written by `cargo xtask bench`; do not edit. Fanfare and redis-server were measured in turn on the
same machine, each time with a fresh server; figures are medians of all rounds, ratios are medians of the
rounds' ratios. What misses its target, or meets it by less than a tenth, is measured in further rounds.

* **µs CPU/op**: processor time of the server (user and system, all threads) per delivery, or per
  command where nothing is delivered. On a machine whose processors serve both sides this is the
  figure to trust; rates depend on the load generator too.
* **1 reactor**: `fanfare serve --reactors 1` pinned to the first processor, the load generator to
  the second, redis-server likewise. **default**: no option, nothing pinned, redis-server likewise;
  the load generator, which polls without rest, runs at the lowest priority.
* **in flight**: messages that the publisher sends at once; it goes on when all of them have arrived
  at all subscribers. The payload is 64 bytes unless said.
* **idle patterns**: a channel with 10 pattern subscribers and 16 messages in flight, while another
  connection holds 10,000 patterns that do not match: `00042:*` (distinct prefixes), `bench:00042:*`
  (one head, which the channel `bench:00` shares), `bench:*:00042` (one shared prefix), `*:00042`.
* **PUBLISH**, **SET and GET**, and all commands below them come from 50 connections, each with that
  many in flight. SET and GET share 1,000 keys; LPUSH, RPOP, HSET and ZADD go to 20 keys of each
  connection in turn (ZADD to two), as follows.
* **LPUSH and RPOP in turn**: on queues of 50. **LPUSH**: 99 to each list, the hundredth command is
  its DEL. **RPOP**: 99 from each list, before which one LPUSH has made it. **HSET**: 20 fields of
  each hash are added and each of them is changed some four times, then comes its DEL. **ZADD**: new
  random scores for the members of sorted sets of 1,000.
* **ZRANK** and **ZRANGE** ask for random members and ranks; scores are integers.
* **XADD**: one field of 64 bytes, to a stream of each connection, whose every 2,000th command is its
  DEL. **XREADGROUP and XACK of 100**: each connection reads 100 entries of 64 bytes of a stream of
  its own and acknowledges them, both sent at once; after 2,000 entries XGROUP SETID leads back to the
  first. An operation is one entry.
* **XRANGE of 1,000** reads from random places of a stream of 10,000,000 entries of 16 bytes; an
  operation is the whole command, as below.
* **of 1,000,000**: that many entries are pending and belong to ten consumers, by a thousand each.
  **XPENDING** asks for 100 from a random place on, and **XPENDING IDLE** for 100 of the tenth that
  has been idle for very long. **XAUTOCLAIM** is sent with JUSTID and COUNT 100, from a random place
  on: where *none is idle*, the server looks at 1,000 entries, and otherwise ten consumers claim 100
  of each other at a time. To fill a server takes long: these four rows, and likewise ZRANK and ZRANGE,
  ask the same servers one after the other.
* **XSUBSCRIBE by 1,000**: a stream to which entries of one field of 64 bytes are added, and 1,000
  connections to which each of them is pushed, against the fan-out of messages to 1,000 by the same
  server. An operation is one delivery.
* **1,000 clients in BLPOP** wait on one key, and each that was served waits again; *in flight* are
  elements pushed at once, each by an RPUSH of its own. An operation is all that it takes to serve
  one client: its BLPOP and the RPUSH. **1,000 clients in XREAD of one stream** are all served by each
  XADD, and ask for what follows; an operation is one delivery and the XREAD behind it.
* **EVAL of five lines**: a rate limit by GET, INCR and PEXPIRE on one of 1,000 keys.
* **per string, per list ...**: keys of 12 bytes; members, elements and values have 16 bytes and
  integers are beyond those that Redis shares. Stream entries have the IDs of ten entries a
  millisecond; *short fields* have a name of some five bytes and a word or a number; what is pending was
  read by ten consumers, and comes on top of the entries. The number of keys, or of members, fills the tables of
  redis-server almost fully, which is where it needs the least.
* **null**: a server that only finds the frames and writes ready-made bytes, with one thread beside
  *1 reactor* and with one per processor beside *default*. Where Fanfare is compared with itself, so
  is this. A target that it misses too is *beyond null*: on this machine no server with as many
  threads reaches it.
* **per core**: beside *default*: one redis-server per processor, each with all the keys; connections
  go to them in turn. They share no lock and no memory, so this is what it costs Redis to use all
  processors here, one of which the load generator uses, too.
* **ceiling**: a bare sender, one write per subscriber and batch, no broker at all.
* **latency**: fan-out to 100 at half of the rate that redis-server reached in the same round with 16
  in flight, open loop, counted from when a message was due. Here the load generator has the same
  priority as the server: it is the clock.
* **after a while**: redis-server is told to shrink its buffers and to return memory, so that it is
  compared at its best.

";
