//! Judges a built `efflux` from outside: `judge EFFLUX PRODUCERS FOLDER SEED ROUNDS`.
//!
//! It knows the program by its command line alone: exit codes, what it prints, and the files it
//! keeps. In each round many producers are killed, then copies of the store are tampered with, cut,
//! robbed of a file, and denied space. The first fault ends it with code 1.

#[path = "judge/rounds.rs"]
mod rounds;
#[path = "judge/store.rs"]
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use rounds::Judge;

/// A sentence that says what is wrong.
type Verdict<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [efflux, producers, folder, seed, rounds] = arguments.as_slice() else {
        eprintln!("usage: judge EFFLUX PRODUCERS FOLDER SEED ROUNDS");
        return ExitCode::from(2);
    };
    let (Ok(seed), Ok(rounds)) = (seed.parse(), rounds.parse()) else {
        eprintln!("SEED and ROUNDS are whole numbers");
        return ExitCode::from(2);
    };
    let [efflux, producers, folder] = [efflux, producers, folder].map(PathBuf::from);
    match Judge::new(efflux, producers, folder, seed).judge(rounds) {
        Ok(checks) => {
            println!("seed {seed}, {rounds} rounds, {checks} checks: nothing is wrong");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("seed {seed}: {problem}");
            ExitCode::FAILURE
        }
    }
}
