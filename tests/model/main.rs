//! Random actions on a store in files, on one in memory and on a plain list at once: all three must
//! answer the same. A failure prints its seed; `EFFLUX_MODEL_SEED` runs it again.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod actions;
mod oracle;
mod pair;

use std::fmt::Write;

use pair::Pair;

const SEEDS: u64 = 150;
const ACTIONS: usize = 120;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The actions that follow from a seed; what differs, after the newest of them.
fn run(seed: u64) -> Result<(), String> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime.block_on(async {
        let mut pair = Pair::new(seed).await?;
        let mut done = Vec::new();
        for _ in 0..ACTIONS {
            let (action, outcome) = pair.act().await;
            done.push(action);
            outcome.map_err(|problem| {
                let mut told = problem;
                for action in done.iter().rev().take(12).rev() {
                    let _ = write!(told, "\n  {action}");
                }
                told
            })?;
        }
        pair.compare_all().await
    })
}

#[test]
fn a_store_in_files_answers_as_one_in_memory_and_as_a_plain_list() {
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
