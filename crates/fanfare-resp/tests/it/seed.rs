//! Randomised tests that print their seed; `FANFARE_SEED` repeats a run.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]
#![expect(clippy::panic, reason = "a failed property fails the test")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner},
};

/// Checks `property` on `n_cases` random inputs.
pub(crate) fn check<S: Strategy>(
    n_cases: u32,
    inputs: S,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let seed = match std::env::var("FANFARE_SEED") {
        Ok(text) => text.parse().expect("FANFARE_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("FANFARE_SEED={seed}");
    let mut seed_bytes = [0; 32];
    for (to, from) in seed_bytes.iter_mut().zip(seed.to_le_bytes()) {
        *to = from;
    }
    let config = Config { cases: n_cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes);
    if let Err(failure) = TestRunner::new_with_rng(config, rng).run(&inputs, property) {
        panic!("{failure}\nrepeat with FANFARE_SEED={seed}");
    }
}
