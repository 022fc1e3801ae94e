//! Random steps.

use std::fmt::{self, Display};

use fanfare_testkit::{Rng, escape};

use super::N_CLIENTS;
use super::side::{Side, State};

pub(super) const KEYS: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

/// Runs the commands that its arguments are: each with the number of its words before it.
const SCRIPT: &str = "local at = 1 while at <= #ARGV do local n = tonumber(ARGV[at]) \
                      redis.pcall(unpack(ARGV, at + 1, at + n)) at = at + n + 1 end \
                      return redis.call('EXISTS', KEYS[1], KEYS[2])";

/// A timeout that ends the step in which it began.
const SHORT: &str = "0.001";

/// A request.
pub(super) type Words = Vec<Vec<u8>>;

/// Something that happens to both servers.
#[derive(Debug)]
pub(super) enum Step {
    /// A client sends these at once.
    Send { client: usize, requests: Vec<Words> },
    /// `CLIENT UNBLOCK`
    Unblock { client: usize, with_error: bool },
    /// A client goes, and another one takes its place.
    HangUp { client: usize },
}

impl Step {
    /// Whether a client that blocks in it stays so: none of its timeouts is short.
    pub(super) fn waits_for_good(&self) -> bool {
        let Self::Send { requests, .. } = self else { return true };
        !requests.iter().any(|it| it.contains(&SHORT.into()))
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { client, requests } => {
                write!(f, "{client}>")?;
                for request in requests {
                    for word in request {
                        write!(f, " {}", escape(word).trim_matches('"'))?;
                    }
                    write!(f, ";")?;
                }
                Ok(())
            }
            Self::Unblock { client, with_error } => {
                write!(f, "CLIENT UNBLOCK {client} {with_error}")
            }
            Self::HangUp { client } => write!(f, "{client} hangs up"),
        }
    }
}

/// Values as `DUMP` shows them.
#[derive(Debug)]
pub(super) struct Payloads(Vec<Vec<u8>>);

impl Payloads {
    /// Of a list, a sorted set and a string.
    pub(super) fn made_by(side: &mut Side) -> Self {
        let makers: [&[&str]; 3] = [
            &["RPUSH", "made", "r1", "r2", "r3"],
            &["ZADD", "made", "1", "r1", "2", "r2"],
            &["SET", "made", "r"],
        ];
        let payloads = makers.map(|maker| {
            side.ask(&["CONFIG", "SET", "notify-keyspace-events", ""]);
            side.ask(maker);
            let dump = side.ask(&["DUMP", "made"]);
            side.ask(&["DEL", "made"]);
            side.ask(&["CONFIG", "SET", "notify-keyspace-events", "EA"]);
            let start = dump.iter().position(|it| *it == b'\n').map_or(0, |it| it + 1);
            dump[start..dump.len() - 2].to_vec()
        });
        Self(payloads.to_vec())
    }
}

/// A source of random steps.
#[derive(Debug)]
pub(super) struct Draw {
    rng: Rng,
    payloads: Payloads,
    n_elements: usize,
    /// What each client waited for last.
    waited_for: Vec<Words>,
    /// In which order `SWAPDB` serves the clients of several keys depends on redis-server's random seed.
    may_swap: bool,
}

impl Draw {
    pub(super) fn new(rng: Rng, payloads: Payloads) -> Self {
        let waited_for = vec![Words::new(); N_CLIENTS];
        Self { rng, payloads, n_elements: 0, waited_for, may_swap: false }
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.below(n as u64)).expect("it is below a usize")
    }

    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// The next step of clients in these states.
    pub(super) fn step(&mut self, states: &[State]) -> Step {
        let of = |is_blocked: bool| -> Vec<usize> {
            (0..states.len()).filter(|it| states[*it].is_blocked == is_blocked).collect()
        };
        let (blocked, idle) = (of(true), of(false));
        if !blocked.is_empty() && self.once_in(12) {
            let client = blocked[self.below(blocked.len())];
            return Step::Unblock { client, with_error: self.once_in(2) };
        }
        if self.once_in(25) {
            return Step::HangUp { client: self.below(states.len()) };
        }
        let client = idle[self.below(idle.len())];
        let mut waited_for: Vec<_> = blocked.iter().flat_map(|it| &self.waited_for[*it]).collect();
        waited_for.sort_unstable();
        waited_for.dedup();
        self.may_swap = !states[client].in_multi && waited_for.len() < 2;
        let requests = if states[client].in_multi {
            self.in_multi()
        } else if 1 < idle.len() && self.below(5) < 3 {
            self.waiting(client)
        } else {
            self.acting()
        };
        Step::Send { client, requests }
    }

    /// Of a client that waits, perhaps, and has sent more behind that.
    fn waiting(&mut self, client: usize) -> Vec<Words> {
        let mut requests = vec![self.blocking()];
        let is_key = |it: &&Vec<u8>| KEYS.iter().any(|key| key.as_bytes() == it.as_slice());
        self.waited_for[client] = requests[0].iter().filter(is_key).cloned().collect();
        match self.below(12) {
            0 => requests.push(words("PING")),
            // Who waits on the same keys next depends on who is told first.
            1 if !requests[0].contains(&SHORT.into()) => {
                requests.push(words(&format!("BLPOP own{client} 0")));
            }
            2 => requests.extend([words(&format!("RPUSH seen{client} x")), words("PING")]),
            _ => {}
        }
        requests
    }

    /// A command that may wait.
    fn blocking(&mut self) -> Words {
        let timeout = self.pick(&["0", "0", "0", "100", "1000.5", SHORT]);
        let keys: Vec<&str> = (0..=self.below(3)).map(|_| self.pick(&KEYS)).collect();
        let (n, all) = (keys.len(), keys.join(" "));
        let (a, b) = (self.pick(&KEYS), self.pick(&KEYS));
        let [from, to] = [(); 2].map(|()| self.pick(&["LEFT", "RIGHT"]));
        let count = self.pick(&["", " COUNT 2", " COUNT 10", " COUNT 0"]);
        let end = self.pick(&["MIN", "MAX"]);
        words(&match self.below(10) {
            0 | 1 => format!("BLPOP {all} {timeout}"),
            2 => format!("BRPOP {all} {timeout}"),
            3 | 4 => format!("BLMOVE {a} {b} {from} {to} {timeout}"),
            5 => format!("BRPOPLPUSH {a} {b} {timeout}"),
            6 => format!("BLMPOP {timeout} {n} {all} {from}{count}"),
            7 => format!("BZPOPMIN {all} {timeout}"),
            8 => format!("BZPOPMAX {all} {timeout}"),
            _ => format!("BZMPOP {timeout} {n} {all} {end}{count}"),
        })
    }

    fn in_multi(&mut self) -> Vec<Words> {
        match self.below(8) {
            0 => vec![words("EXEC")],
            1 => vec![words("DISCARD")],
            2 => vec![self.blocking()],
            _ => self.write(),
        }
    }

    /// Of a client that does not wait.
    fn acting(&mut self) -> Vec<Words> {
        match self.below(20) {
            0 => vec![words("MULTI")],
            1..4 => {
                let mut requests = vec![words("MULTI")];
                for _ in 0..=self.below(4) {
                    let more = if self.once_in(8) { vec![self.blocking()] } else { self.write() };
                    requests.extend(more);
                }
                requests.push(words("EXEC"));
                requests
            }
            4..7 => vec![self.script()],
            7 => vec![words(&format!("SELECT {}", self.below(2)))],
            _ => self.write(),
        }
    }

    fn script(&mut self) -> Words {
        let (a, b) = (self.pick(&KEYS), self.pick(&KEYS));
        let mut script = words("EVAL");
        script.push(SCRIPT.into());
        script.extend(words(&format!("2 {a} {b}")));
        for _ in 0..=self.below(4) {
            for command in self.write() {
                script.push(command.len().to_string().into());
                script.extend(command);
            }
        }
        script
    }

    /// An element that is pushed only once.
    fn element(&mut self) -> String {
        self.n_elements += 1;
        format!("e{}", self.n_elements)
    }

    /// A command that changes keys; with another before it where redis-server would not see that a key came to be.
    fn write(&mut self) -> Vec<Words> {
        match self.below(30) {
            0..9 => vec![self.push()],
            9..13 => vec![self.add()],
            13..16 => vec![self.take()],
            16..23 => vec![self.rename()],
            23..26 => self.store(),
            26 => vec![self.restore()],
            _ => vec![self.other()],
        }
    }

    fn push(&mut self) -> Words {
        let (key, other) = (self.pick(&KEYS), self.pick(&KEYS));
        let elements: Vec<String> = (0..=self.below(3)).map(|_| self.element()).collect();
        let elements = elements.join(" ");
        let [from, to] = [(); 2].map(|()| self.pick(&["LEFT", "RIGHT"]));
        words(&match self.below(9) {
            0..3 => format!("RPUSH {key} {elements}"),
            3..5 => format!("LPUSH {key} {elements}"),
            5 => format!("RPUSHX {key} {elements}"),
            6 => format!("LMOVE {key} {other} {from} {to}"),
            7 => format!("RPOPLPUSH {key} {other}"),
            _ => format!("LINSERT {key} BEFORE r2 {}", self.element()),
        })
    }

    fn add(&mut self) -> Words {
        let key = self.pick(&KEYS);
        let option = self.pick(&["", "", "", " NX", " XX", " CH"]);
        let mut members = String::new();
        for _ in 0..=self.below(3) {
            members += &format!(" {} {}", self.below(4), self.element());
        }
        words(&match self.below(6) {
            0 => format!("ZINCRBY {key} 2 {}", self.element()),
            1 => format!("ZADD {key} INCR 2 {}", self.element()),
            _ => format!("ZADD {key}{option}{members}"),
        })
    }

    fn take(&mut self) -> Words {
        let (key, other) = (self.pick(&KEYS), self.pick(&KEYS));
        words(&match self.below(10) {
            0 | 1 => format!("DEL {key}"),
            2 => format!("UNLINK {key} {other}"),
            3 => format!("LPOP {key} 2"),
            4 => format!("LMPOP 2 {key} {other} RIGHT COUNT 2"),
            5 => format!("ZPOPMIN {key}"),
            6 => format!("ZMPOP 2 {key} {other} MAX COUNT 2"),
            7 => format!("LTRIM {key} 1 2"),
            8 => format!("PEXPIRE {key} -1"),
            _ => format!("ZREMRANGEBYRANK {key} 0 1"),
        })
    }

    /// What gives a value to another key, or another database.
    fn rename(&mut self) -> Words {
        let (key, other) = (self.pick(&KEYS), self.pick(&KEYS));
        let replace = self.pick(&["", " REPLACE"]);
        let db = self.below(2);
        words(&match self.below(10) {
            0..2 => format!("RENAME {key} {other}"),
            2 => format!("RENAMENX {key} {other}"),
            3 => format!("COPY {key} {other}{replace}"),
            4 => format!("COPY {key} {other} DB {db}{replace}"),
            5..7 => format!("MOVE {key} {db}"),
            7 | 8 if self.may_swap => format!("SWAPDB {db} {}", self.below(2)),
            _ => format!("MOVE {key} {db}"),
        })
    }

    /// redis-server 7.0 serves nobody when a key is overwritten: see docs/differences.md, D25.
    fn store(&mut self) -> Vec<Words> {
        let (key, other, to) = (self.pick(&KEYS), self.pick(&KEYS), self.pick(&KEYS));
        let command = match self.below(6) {
            0 | 1 => format!("SORT {key} ALPHA STORE {to}"),
            2 => format!("ZUNIONSTORE {to} 2 {key} {other}"),
            3 => format!("ZDIFFSTORE {to} 2 {key} {other}"),
            4 => format!("ZINTERSTORE {to} 2 {key} {key}"),
            _ => format!("ZRANGESTORE {to} {key} 0 -1"),
        };
        vec![words(&format!("DEL {to}")), words(&command)]
    }

    fn restore(&mut self) -> Words {
        let key = self.pick(&KEYS);
        let nth = self.below(self.payloads.0.len());
        let mut restore = words(&format!("RESTORE {key} 0"));
        restore.push(self.payloads.0[nth].clone());
        if self.once_in(2) {
            restore.push(b"REPLACE".to_vec());
        }
        restore
    }

    fn other(&mut self) -> Words {
        let key = self.pick(&KEYS);
        words(&match self.below(12) {
            0 | 1 => format!("SET {key} x"),
            2 => format!("HSET {key} f x"),
            3 => format!("SADD {key} x y"),
            4 => format!("EXPIRE {key} 1000"),
            5 => format!("PERSIST {key}"),
            6 => "FLUSHDB".to_owned(),
            7 => "FLUSHALL".to_owned(),
            8 => format!("LSET {key} 0 {}", self.element()),
            9 => format!("LREM {key} 1 r1"),
            10 => format!("TYPE {key}"),
            _ => format!("LRANGE {key} 0 -1"),
        })
    }
}

fn words(text: &str) -> Words {
    text.split(' ').map(|it| it.as_bytes().to_vec()).collect()
}
