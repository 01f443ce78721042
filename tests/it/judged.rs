//! The judge, for a few rounds. `cargo xtask crash --judge ROUNDS` lets it judge for longer.

use std::process::Command;

use crate::program::efflux;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_judge_who_kills_tampers_cuts_and_fills_finds_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let seed = setting("EFFLUX_SEED").unwrap_or(1).to_string();
    let rounds = setting("EFFLUX_JUDGE_ROUNDS").unwrap_or(2).to_string();
    let judged = Command::new(env!("CARGO_BIN_EXE_judge"))
        .arg(efflux())
        .arg(env!("CARGO_BIN_EXE_producers"))
        .arg(folder.path())
        .args([seed, rounds])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}");
    println!("{}", String::from_utf8_lossy(&judged.stdout));
}

#[test]
fn the_judge_believes_no_program_that_says_yes_to_everything() {
    let folder = tempfile::tempdir().unwrap();
    let judged = Command::new(env!("CARGO_BIN_EXE_judge"))
        .args(["true", env!("CARGO_BIN_EXE_producers")])
        .arg(folder.path())
        .args(["1", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(
        !judged.status.success() && said.contains("is missing"),
        "{said}"
    );
}
