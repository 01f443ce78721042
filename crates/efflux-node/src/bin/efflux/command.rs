//! The commands, one file each.

pub(crate) mod append;
pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod consume;
pub(crate) mod consumer;
pub(crate) mod export;
pub(crate) mod find;
pub(crate) mod get;
pub(crate) mod head;
pub(crate) mod import;
pub(crate) mod pipeline;
pub(crate) mod read;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod topic;
pub(crate) mod verify;

use std::io::{self, BufRead, IsTerminal, Write};

use crate::Outcome;
use crate::arguments::Command;
use crate::context::Context;
use crate::exit::Failure;

/// Runs the command that was asked for.
pub(crate) async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Topic(command) => topic::run(context, command).await,
        Command::Append(arguments) => append::run(context, arguments).await,
        Command::Import(arguments) => import::run(context, *arguments).await,
        Command::Read(arguments) => read::run(context, arguments).await,
        Command::Get(arguments) => get::run(context, arguments).await,
        Command::Find(arguments) => find::run(context, arguments).await,
        Command::Head(arguments) => head::run(context, arguments).await,
        Command::Verify(arguments) => verify::run(context, arguments).await,
        Command::Export(arguments) => export::run(context, arguments).await,
        Command::Consume(arguments) => consume::run(context, arguments).await,
        Command::Consumer(command) => consumer::run(context, command).await,
        Command::Backup(arguments) => backup::run(context, arguments).await,
        Command::Restore(arguments) => restore::run(context, arguments).await,
        Command::Pipeline(command) => pipeline::run(context, command).await,
        Command::Serve(arguments) => serve::run(context, arguments).await,
        Command::Token(command) => token::run(context, command),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Asks before something is deleted for good; without a terminal, `--yes` is the answer.
fn confirm(what: &str, is_sure: bool) -> Result<(), Failure> {
    if is_sure {
        return Ok(());
    }
    let refused = |why: &str| {
        Failure::usage(format!("{what} was not deleted: {why}")).with_try("--yes deletes it")
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refused("there is no terminal to ask on"));
    }
    write!(io::stderr(), "Delete {what} for good? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::io("cannot read the answer", &error))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused("you did not agree")),
    }
}
