//! The command line program `efflux`.

mod arguments;
mod command;
mod context;
mod exit;
mod expectation;
mod feed;
mod interrupt;
mod output;
mod progress;
mod span;
mod telemetry;
#[cfg(feature = "otlp")]
mod traces;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use context::Context;
use exit::{Exit, Failure};

fn main() -> ExitCode {
    let Arguments { global, command } = Arguments::parse();
    let output = global.output;
    let outcome = Context::new(global, &command).and_then(|context| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::io("cannot start threads", &error))?;
        let outcome = runtime.block_on(command::run(&context, command));
        // A thread may still wait for standard input; the program does not wait for it.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(output);
            failure.exit().into()
        }
    }
}

/// What a command returns: how the program ends.
type Outcome = Result<Exit, Failure>;
