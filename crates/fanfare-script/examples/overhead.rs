//! What a run costs beyond its commands: `cargo run --release -p fanfare-script --example overhead`, and
//! how many runs.

use std::{hint::black_box, time::Instant};

use fanfare_resp::{Request, Value, Version};
use fanfare_script::{Caller, Runtime, Settings, Verdict};

/// Answers at once.
struct Instantly;

impl Caller for Instantly {
    fn call(&mut self, request: Request<'_>, _: Version) -> Value {
        black_box(request);
        Value::BulkString(bytes::Bytes::from_static(b"value"))
    }

    fn poll(&mut self) -> Verdict {
        Verdict::GoOn
    }
}

fn main() -> Result<(), fanfare_script::ScriptError> {
    let n_runs = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(200_000);
    let bodies: [&[u8]; 3] = [
        b"return 1",
        b"return redis.call('GET', KEYS[1])",
        b"local n = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return n",
    ];
    for memory_bytes_max in [0, 1 << 30] {
        let settings = Settings { memory_bytes_max, ..Settings::default() };
        let mut runtime = Runtime::new(settings)?;
        for body in bodies {
            let script = runtime.load(body)?;
            let begin = Instant::now();
            for _ in 0..n_runs {
                black_box(runtime.eval(&script, &[b"key:1"], &[b"value"], Instantly));
            }
            let each = begin.elapsed() / n_runs;
            println!("{each:?} with limit {memory_bytes_max}: {}", String::from_utf8_lossy(body));
        }
    }
    Ok(())
}
