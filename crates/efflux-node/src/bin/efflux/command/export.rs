//! `efflux export`: the frames themselves.

use clap::Args;
use efflux_node::particle::{Sequence, TopicName};

use super::read::batch;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux export orders > orders.frames
  efflux export orders | python3 tests/verifier/verify.py
  efflux export orders | efflux --store other import orders - --format frames";

/// What `efflux export` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
    /// The first sequence
    #[arg(long, value_name = "SEQUENCE", default_value = "0")]
    from: Sequence,
    /// Stop after this many particles
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    if output::is_terminal() {
        return Err(
            Failure::usage("frames are binary, and standard output is a terminal")
                .with_try(format!("efflux export {0} > {0}.frames", arguments.topic)),
        );
    }
    let topic = context.topic_to_read(&arguments.topic).await?;
    let mut printer = context.printer()?;
    let mut from = arguments.from;
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let frames = topic.read_frames(from, batch(left)).await?;
        if frames.is_empty() {
            break;
        }
        from = frames.next();
        left = left.saturating_sub(frames.count() as u64);
        printer.bytes(frames.bytes())?;
        if context.interrupt.is_asked() {
            printer.flush()?;
            return Ok(Exit::Interrupted);
        }
    }
    printer.flush()?;
    Ok(Exit::Success)
}
