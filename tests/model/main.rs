//! Random actions on stores in files and in memory, and on plain lists: all must answer the same. A
//! failure prints its seed; `EFFLUX_MODEL_SEED` runs it again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod actions;
mod consumers;
mod oracle;
mod pair;
mod position;

use std::fmt::Write;

use consumers::World;
use pair::{Pair, Verdict};

const SEEDS: u64 = 150;
const ACTIONS: usize = 120;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(future)
}

/// What differs, after the newest of the actions that were done.
fn told(problem: &str, done: &[String]) -> String {
    let mut told = problem.to_owned();
    for action in done.iter().rev().take(12).rev() {
        let _ = write!(told, "\n  {action}");
    }
    told
}

/// The actions on two topics that follow from a seed.
async fn run_topics(seed: u64) -> Verdict {
    let mut pair = Pair::new(seed).await?;
    let mut done = Vec::new();
    for _ in 0..ACTIONS {
        let (action, outcome) = pair.act().await;
        done.push(action);
        outcome.map_err(|problem| told(&problem, &done))?;
    }
    pair.compare_all().await
}

/// The actions on a consumer that follow from a seed.
async fn run_consumer(seed: u64, url: &'static str) -> Verdict {
    let mut world = World::new(seed, url).await?;
    let mut done = Vec::new();
    for _ in 0..ACTIONS {
        let (action, outcome) = world.act().await;
        done.push(action);
        outcome.map_err(|problem| told(&problem, &done))?;
    }
    let drained = world.drain().await;
    drained.map_err(|problem| told(&problem, &done))
}

/// Runs the seeds that are asked for; the first that fails is told.
fn run_seeds(run: impl Fn(u64) -> Verdict) {
    let first = setting("EFFLUX_MODEL_SEED");
    let seeds = setting("EFFLUX_MODEL_SEEDS").unwrap_or(match first {
        Some(_) => 1,
        None => SEEDS,
    });
    for seed in (first.unwrap_or(1)..).take(usize::try_from(seeds).unwrap()) {
        if let Err(problem) = run(seed) {
            panic!(
                "seed {seed}: {problem}\n\nrun it again: EFFLUX_MODEL_SEED={seed} cargo test -p \
                 efflux-tests --test model\n"
            );
        }
    }
}

#[test]
fn a_store_in_files_answers_as_one_in_memory_and_as_a_plain_list() {
    run_seeds(|seed| block_on(run_topics(seed)));
}

#[test]
fn a_consumer_in_memory_answers_as_plain_lists_do() {
    run_seeds(|seed| block_on(run_consumer(seed, "mem:")));
}

#[test]
fn a_consumer_in_files_answers_as_plain_lists_do() {
    run_seeds(|seed| block_on(run_consumer(seed, "file:/model")));
}
