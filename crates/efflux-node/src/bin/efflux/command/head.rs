//! `efflux head`: where a topic's chain stands.

use clap::Args;
use efflux_node::particle::{Head, TopicName};
use serde::Serialize;

use crate::Outcome;
use crate::context::Context;
use crate::exit::Exit;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux head orders
  efflux append orders '{}' --expect head=$(efflux head orders)";

/// What `efflux head` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
}

/// A head as JSON.
#[derive(Debug, Serialize)]
pub(super) struct HeadJson<'a> {
    pub(super) topic: &'a str,
    pub(super) sequence: u64,
    pub(super) fingerprint: String,
}

impl<'a> HeadJson<'a> {
    pub(super) fn new(topic: &'a TopicName, head: Head) -> Self {
        Self {
            topic: topic.as_str(),
            sequence: head.sequence.get(),
            fingerprint: head.fingerprint.to_string(),
        }
    }
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let topic = context.topic_to_read(&arguments.topic).await?;
    let head = topic.head();
    let mut printer = context.printer()?;
    printer.result(&HeadJson::new(topic.name(), head), &head.to_string())?;
    printer.flush()?;
    Ok(Exit::Success)
}
