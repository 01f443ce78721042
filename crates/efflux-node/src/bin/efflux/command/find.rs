//! `efflux find`: particles by a query over their metadata.

use clap::Args;
use efflux_node::particle::{Sequence, TopicName};
use efflux_node::storage::FindOptions;

use crate::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::expectation;
use crate::output::Shown;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux find orders 'type = order.paid and properties.customer = c-7'
  efflux find orders 'timestamp >= 2026-03-01 and not group = c-7' --limit 5
  efflux find orders 'type ^= order.' --reverse -o json
  efflux find orders 'properties.country in (de, fr)' --count

The fields: id, sequence, timestamp, created, type, group, content_type, properties.NAME";

/// What `efflux find` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
    /// The query; docs/query.md describes the language
    query: String,
    /// The first sequence to look at; 0 is the topic's root [default: 1]
    #[arg(long, value_name = "SEQUENCE")]
    from: Option<Sequence>,
    /// The last sequence to look at
    #[arg(long, value_name = "SEQUENCE")]
    until: Option<Sequence>,
    /// The newest first
    #[arg(long)]
    reverse: bool,
    /// Stop after this many particles
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Print only how many there are
    #[arg(long)]
    count: bool,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let query = expectation::query(&arguments.query)?;
    let topic = context.open_to_look_up(&arguments.topic).await?;
    let options = options(&arguments);
    let mut printer = context.printer()?;
    let mut finder = topic.find(&query, options).await?;
    let shown = Shown::of(topic.name());
    let mut count = 0;
    loop {
        let particles = finder.next_batch().await?;
        if particles.is_empty() {
            break;
        }
        count += particles.len();
        if !arguments.count {
            for particle in &particles {
                printer.particle(particle, shown)?;
            }
        }
        if context.interrupt.is_asked() {
            printer.flush()?;
            return Ok(Exit::Interrupted);
        }
    }
    if arguments.count {
        printer.result(&serde_json::json!({ "count": count }), &count.to_string())?;
    }
    printer.flush()?;
    Ok(Exit::Success)
}

fn options(arguments: &Arguments) -> FindOptions {
    // The root is no message; it is found when it is asked for with `--from 0`.
    let mut options = FindOptions::default()
        .with_from(arguments.from.unwrap_or(Sequence::FIRST))
        .with_reverse(arguments.reverse);
    if let Some(until) = arguments.until {
        options = options.with_until(until);
    }
    if let Some(limit) = arguments.limit {
        options = options.with_limit(limit);
    }
    options
}
