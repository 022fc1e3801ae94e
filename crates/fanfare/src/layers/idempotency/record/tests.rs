//! The scripts of a record against a model, by a clock that now and then is set, with claims that are lost, held for
//! too long and finished too late.

use fanfare_testkit::Rng;

use super::*;
use crate::Fanfare;

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Gone,
    Busy {
        token: u64,
        until_ms: u64,
    },
    Done {
        token: u64,
        result: Option<Bytes>,
    },
    Free,
}

/// What the record should be, and which claim each token believes to have.
#[derive(Debug, Default)]
struct Model {
    state: State,
    fence: u64,
    believed: [Option<u64>; N_TOKENS],
}

const N_TOKENS: usize = 4;
const LEASE_MS: u64 = 1_000;

/// Scripts that are told what time it is.
struct Scripts {
    client: Client,
    claim: Script,
    change: Script,
}

impl Scripts {
    async fn say(
        &self,
        script: &Script,
        key: &str,
        mut args: Vec<Bytes>,
        now_us: Option<u64>,
    ) -> crate::Value {
        let now = now_us.into_iter().flat_map(|it| [it / 1_000_000, it % 1_000_000]);
        args.extend(now.map(|it| Bytes::from(it.to_string())));
        self.client.run_script(script, [key], args).await.unwrap()
    }

    async fn claim(&self, key: &str, token: u64, now_us: u64) -> Vec<String> {
        let args = [token.to_string(), LEASE_MS.to_string(), "3600000".to_owned()];
        let said = self.say(&self.claim, key, args.map(Bytes::from).into(), Some(now_us)).await;
        let crate::Value::Array(said) = said else { panic!("{said:?}") };
        said.iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
    }

    async fn change(
        &self,
        key: &str,
        (token, fence): (u64, u64),
        next: Next,
        now_us: u64,
    ) -> String {
        let (state, result, now_us) = match next {
            Next::Busy => ("busy", None, Some(now_us)),
            Next::Done(result) => ("done", result, None),
            Next::Free => ("free", None, None),
        };
        let (lease, fence) = (LEASE_MS.to_string(), fence.to_string());
        let args = [token.to_string(), lease, "3600000".to_owned(), fence, state.to_owned()];
        let args = args.map(Bytes::from).into_iter().chain(result).collect();
        let said = self.say(&self.change, key, args, now_us).await;
        said.as_str().unwrap().to_owned()
    }
}

impl Model {
    fn claim(&mut self, token: u64, now_us: u64) -> Vec<String> {
        let now_ms = now_us / 1_000;
        let is_taken_over = match &self.state {
            State::Done { result, .. } => {
                let result = result.iter().map(|it| String::from_utf8(it.to_vec()).unwrap());
                return ["done".to_owned(), self.fence.to_string()]
                    .into_iter()
                    .chain(result)
                    .collect();
            }
            State::Busy { token: other, until_ms } if *other != token => {
                if now_ms < *until_ms {
                    return vec!["busy".to_owned(), (until_ms - now_ms).to_string()];
                }
                true
            }
            _ => false,
        };
        self.fence = now_us.max(self.fence + 1);
        self.state = State::Busy { token, until_ms: now_ms + LEASE_MS };
        let what = if is_taken_over { "taken" } else { "claimed" };
        vec![what.to_owned(), self.fence.to_string()]
    }

    fn change(&mut self, (token, fence): (u64, u64), next: Next, now_us: u64) -> &'static str {
        match &self.state {
            State::Busy { token: other, .. } if *other != token => return "busy",
            State::Done { token: other, .. } if *other != token => return "done",
            State::Free => return "free",
            State::Done { .. } if next == Next::Busy => return "ours",
            _ => {}
        }
        self.fence = fence;
        self.state = match next {
            Next::Busy => State::Busy { token, until_ms: now_us / 1_000 + LEASE_MS },
            Next::Done(result) => State::Done { token, result },
            Next::Free => State::Free,
        };
        "ours"
    }
}

/// Some time later, if nobody has set the clock.
fn later(now_us: u64, rng: &mut Rng) -> u64 {
    match rng.below(20) {
        0 => now_us - 5_000_000,
        1 => now_us + 3_600_000_000,
        _ => now_us + rng.below(400_000),
    }
}

/// What whoever has claimed it does with it: mostly it goes on.
fn next_of(choice: u64, token: u64) -> Next {
    match choice {
        0..4 => Next::Done(None),
        4..6 => Next::Done(Some(Bytes::from(format!("by {token}")))),
        6..16 => Next::Free,
        _ => Next::Busy,
    }
}

#[tokio::test]
async fn records_are_those_of_a_model() {
    let mut rng = Rng::new(fanfare_testkit::seed());
    let fanfare = Fanfare::connect("embedded:").await.unwrap();
    let timed = |script: &Script, time: &str| {
        let code = script.text().replace("redis.call('TIME')", time);
        assert_ne!(code, script.text());
        Script::new(code)
    };
    let client = fanfare.client();
    let (claim, change) =
        (timed(&CLAIM, "{ ARGV[4], ARGV[5] }"), timed(&CHANGE, "{ ARGV[6], ARGV[7] }"));
    let scripts = Scripts { client, claim, change };
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for n in 0..200 {
        let (key, mut model) = (format!("record:{n}"), Model::default());
        let mut now_us: u64 = 1_700_000_000_000_000;
        for step in 0..40 {
            now_us = later(now_us, &mut rng);
            let index = usize::try_from(rng.below(N_TOKENS as u64)).unwrap();
            let token = index as u64;
            let what = format!("record {n}, step {step}, token {token}, {model:?}");
            let believed = model.believed[index];
            match (rng.below(40), believed) {
                (0, _) => {
                    // The broker has lost it.
                    use crate::commands::Keys;
                    scripts.client.del([&key]).await.unwrap();
                    model.state = State::Gone;
                    model.fence = 0;
                }
                (_, None) => {
                    let said = scripts.claim(&key, token, now_us).await;
                    assert_eq!(said, model.claim(token, now_us), "{what}");
                    *seen.entry(said[0].clone()).or_default() += 1;
                    if matches!(&*said[0], "claimed" | "taken") {
                        let fence = said[1].parse().unwrap();
                        let before = model.believed.iter().flatten().max();
                        let is_set_back = model.believed.iter().flatten().any(|it| now_us < *it);
                        assert!(is_set_back || before.is_none_or(|it| *it < fence), "{what}");
                        model.believed[index] = Some(fence);
                    }
                }
                (at, Some(fence)) => {
                    let next = next_of(at, token);
                    let is_last = next != Next::Busy;
                    let said = scripts.change(&key, (token, fence), next.clone(), now_us).await;
                    assert_eq!(said, model.change((token, fence), next, now_us), "{what}");
                    *seen.entry(format!("change: {said}")).or_default() += 1;
                    if is_last || said != "ours" {
                        model.believed[index] = None;
                    }
                }
            }
        }
    }
    let all = [
        "busy",
        "claimed",
        "done",
        "taken",
        "change: busy",
        "change: done",
        "change: free",
        "change: ours",
    ];
    assert!(
        all.iter().all(|it| 3 < *seen.get(*it).unwrap_or(&0)),
        "not everything was seen: {seen:?}"
    );
}
