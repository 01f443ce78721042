//! `efflux get`: particles by sequence or id.

use clap::Args;
use efflux_node::particle::{Id, Sequence, TopicName};

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{OutputFormat, Shown};

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux get orders 17
  efflux get orders --id o-1001 -o json
  efflux get orders 17 -o raw > payload.bin";

/// What `efflux get` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
    /// Sequences; 0 is the topic's root
    #[arg(value_name = "SEQUENCE", required_unless_present = "id")]
    sequences: Vec<Sequence>,
    /// An id; may be given several times
    #[arg(long, value_name = "ID")]
    id: Vec<Id>,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let topic = match arguments.id.is_empty() {
        true => context.topic_to_read(&arguments.topic).await?,
        false => context.open_to_look_up(&arguments.topic).await?,
    };
    let mut particles = Vec::new();
    for sequence in &arguments.sequences {
        let particle = topic.get(*sequence).await?;
        particles.push(particle.ok_or_else(|| {
            let head = topic.head().sequence;
            missing(&arguments.topic, &format!("sequence {sequence}"))
                .with_detail(format!("its last particle has sequence {head}"))
        })?);
    }
    for id in &arguments.id {
        let particle = topic.get_id(id).await?;
        particles.push(particle.ok_or_else(|| {
            missing(
                &arguments.topic,
                &format!("particle with id {:?}", id.to_string()),
            )
            .with_try(format!(
                "efflux find {} 'id = …' or another id",
                arguments.topic
            ))
        })?);
    }
    // A single payload is printed byte for byte, so that a file comes back as it was.
    let separator = if particles.len() == 1 { "" } else { "\n" };
    let mut printer = context.printer_with(separator)?;
    let shown = Shown::of(topic.name());
    for (at, particle) in particles.iter().enumerate() {
        if at > 0 && printer.format() == OutputFormat::Text {
            printer.bytes(b"\n")?;
        }
        printer.whole(particle, shown)?;
    }
    printer.flush()?;
    Ok(Exit::Success)
}

fn missing(topic: &TopicName, what: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("topic {topic} has no {what}"))
}
