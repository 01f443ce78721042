//! `cargo xtask`: the commands that build, check and measure Efflux.
//!
//! One file per command; a new command is one `mod` line and one line in [`COMMANDS`].

mod bench;
mod ci;
mod crash;
mod fuzz;
mod guard;
mod interface;
mod layers;
mod process;
mod project;
mod setup;
mod tidy;
mod vectors;

use std::process::ExitCode;

use project::Project;

/// What a command returns: nothing, or one sentence that says what went wrong.
type Result<T = ()> = std::result::Result<T, String>;

/// A command: its name, its line in the help text, and the function that takes its arguments.
struct Entry {
    name: &'static str,
    help: &'static str,
    run: fn(&Project, &[String]) -> Result,
}

const COMMANDS: &[Entry] = &[
    entry("setup", setup::HELP, setup::main),
    entry("ci", ci::HELP, ci::main),
    entry("layers", layers::HELP, layers::main),
    entry("tidy", tidy::HELP, tidy::main),
    entry("vectors", vectors::HELP, vectors::main),
    entry("fuzz", fuzz::HELP, fuzz::main),
    entry("crash", crash::HELP, crash::main),
    entry("bench", bench::HELP, bench::main),
    entry("guard", guard::HELP, guard::main),
    entry("interface", interface::HELP, interface::main),
];

const fn entry(
    name: &'static str,
    help: &'static str,
    run: fn(&Project, &[String]) -> Result,
) -> Entry {
    Entry { name, help, run }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    if matches!(name.as_str(), "" | "help" | "--help" | "-h") || asks_for_help(&rest) {
        print!("{}", help());
        return if name.is_empty() {
            ExitCode::from(2)
        } else {
            ExitCode::SUCCESS
        };
    }
    let Some(entry) = COMMANDS.iter().find(|entry| entry.name == name) else {
        eprintln!("xtask: there is no command `{name}`\n\n{}", help());
        return ExitCode::from(2);
    };
    match Project::open().and_then(|project| (entry.run)(&project, &rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn asks_for_help(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
}

fn help() -> String {
    let mut text = String::from("cargo xtask COMMAND [ARGUMENTS]\n\n");
    for entry in COMMANDS {
        text.push_str(&format!("  {:<9} {}\n", entry.name, entry.help));
    }
    text
}

/// Fails when a command that takes no arguments was given some.
fn no_arguments(arguments: &[String]) -> Result {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(format!("unexpected argument `{argument}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_command_once() {
        let help = help();
        for entry in COMMANDS {
            assert_eq!(
                help.matches(&format!("\n  {} ", entry.name)).count(),
                1,
                "{}",
                entry.name
            );
        }
    }
}
