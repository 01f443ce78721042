//! `efflux pipeline`: checks, tries and runs declared pipelines.

mod examine;
mod run;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use efflux_node::pipeline::declared::Document;
use efflux_node::pipeline::file::Fault;

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::span;
use crate::telemetry::Telemetry;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux pipeline check orders.toml
  efflux pipeline test orders.toml
  efflux pipeline run orders.toml invoices.toml
  efflux pipeline run orders.toml --until-idle 5s
  efflux pipeline replay orders.toml orders-to-warehouse
  efflux pipeline schema > pipeline.schema.json";

/// What `efflux pipeline` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell all that is wrong with files of pipelines, with line and column
    Check(Check),
    /// Try the examples that files declare, with no outside system
    Test(Test),
    /// Run the pipelines of files until they end or are interrupted
    Run(Run),
    /// Send the dead letters of a pipeline through it again
    Replay(Replay),
    /// Print the JSON schema of such files, for editors
    Schema,
}

/// What `efflux pipeline check` takes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What `efflux pipeline test` takes.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only examples whose names contain this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Tell what became of the messages in each step, also where all is well
    #[arg(long)]
    trace: bool,
}

/// What `efflux pipeline run` takes.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this pipeline; may be given several times
    #[arg(long, value_name = "PIPELINE")]
    only: Vec<String>,
    /// End when nothing came and nothing was under way for this long
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    until_idle: Option<Duration>,
    #[command(flatten)]
    telemetry: Telemetry,
}

/// What `efflux pipeline replay` takes.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The pipeline
    #[arg(value_name = "PIPELINE")]
    pipeline: String,
    #[command(flatten)]
    telemetry: Telemetry,
}

pub(crate) async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Check(arguments) => examine::check(context, &arguments.files),
        Command::Test(arguments) => examine::test(context, &arguments).await,
        Command::Run(arguments) => run::run(context, &arguments).await,
        Command::Replay(arguments) => run::replay(context, &arguments).await,
        Command::Schema => examine::schema(),
    }
}

/// Reads a file of pipelines; every fault is told at once.
fn read(path: &Path) -> Result<Document, Failure> {
    examined(path)?.map_err(|faults| {
        let mut told = faults.iter().map(|fault| {
            let (line, column) = (fault.line, fault.column);
            format!("{}:{line}:{column}: {}", path.display(), fault.what)
        });
        let first = told.next().unwrap_or_default();
        told.fold(Failure::new(Exit::Usage, first), Failure::with_detail)
    })
}

/// What a file declares, or all that is wrong with it.
fn examined(path: &Path) -> Result<Result<Document, Vec<Fault>>, Failure> {
    let bytes = std::fs::read(path);
    let bytes = bytes.map_err(|error| Failure::io(&path.display().to_string(), &error))?;
    Ok(match std::str::from_utf8(&bytes) {
        Ok(text) => Document::read(text, &variable),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(valid);
            let what = "from here on it is no UTF-8, which TOML is";
            Err(vec![Fault::at(&text, text.len(), what)])
        }
    })
}

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
