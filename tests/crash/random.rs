//! Random workloads with random crashes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::case;

const SEED: u64 = 1;
const CASES: u64 = 2000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the cases of seeds that follow each other, on all processors; the first that fails.
pub(crate) fn first_failure(
    seed: u64,
    cases: u64,
    check: impl Fn(u64) -> Result<(), String> + Sync,
) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let failure = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= cases || failure.lock().unwrap().is_some() {
                return;
            }
            let seed = seed.wrapping_add(at);
            if let Err(problem) = check(seed) {
                failure.lock().unwrap().get_or_insert((seed, problem));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    failure.into_inner().unwrap()
}

/// `cargo xtask crash --seed N --cases M` runs this test with that seed and that many cases.
#[test]
fn random_crashes_lose_nothing_that_was_acknowledged() {
    let seed = setting("EFFLUX_CRASH_SEED").unwrap_or(SEED);
    let cases = setting("EFFLUX_CRASH_CASES").unwrap_or(CASES);
    let began = std::time::Instant::now();
    if let Some((seed, problem)) = first_failure(seed, cases, |seed| case::run(seed, None)) {
        panic!(
            "seed {seed}: {problem}\n\nrun it again: cargo xtask crash --seed {seed} --cases 1\n"
        );
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{cases} cases from seed {seed} on, {seconds:.1} s, nothing lost");
}

#[test]
fn a_seed_is_the_same_case_each_time() {
    let failure = first_failure(1, 300, |seed| {
        let (first, again) = (case::run_traced(seed, None), case::run_traced(seed, None));
        match first == again {
            true => Ok(()),
            false => Err(format!("{first:#?}\nthen {again:#?}")),
        }
    });
    assert!(failure.is_none(), "{failure:?}");
}
