//! `efflux read`: particles in order, either way, and what comes later.

use clap::Args;
use efflux_node::particle::{Particle, Sequence, TopicName};
use efflux_node::storage::{ReadLimit, Topic};

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Printer, Shown};

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux read orders --limit 10
  efflux read orders --from 100 -o json | jq .data
  efflux read orders --reverse --limit 1
  efflux read orders --follow";

/// What `efflux read` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
    /// The first sequence; 0 is the topic's root [default: 1, with --reverse the head]
    #[arg(long, value_name = "SEQUENCE")]
    from: Option<Sequence>,
    /// Stop after this many particles
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Read downwards
    #[arg(long, conflicts_with = "follow")]
    reverse: bool,
    /// Go on with what is appended later, until interrupted
    #[arg(long)]
    follow: bool,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let topic = context.topic_to_read(&arguments.topic).await?;
    let mut reader = Reader {
        context,
        topic,
        printer: context.printer()?,
        left: arguments.limit.unwrap_or(u64::MAX),
    };
    let outcome = match arguments.reverse {
        true => {
            reader
                .downwards(arguments.from.unwrap_or(Sequence::MAX))
                .await
        }
        false => {
            let from = arguments.from.unwrap_or(Sequence::FIRST);
            reader.upwards(from, arguments.follow).await
        }
    };
    reader.printer.flush()?;
    outcome
}

struct Reader<'a> {
    context: &'a Context,
    topic: Topic,
    printer: Printer,
    left: u64,
}

impl Reader<'_> {
    async fn upwards(&mut self, mut from: Sequence, is_followed: bool) -> Outcome {
        while self.left > 0 {
            let particles = self.topic.read(from, batch(self.left)).await?;
            let Some(last) = particles.last() else {
                if !is_followed {
                    break;
                }
                self.printer.flush()?;
                let before = from.previous().unwrap_or(Sequence::ROOT);
                tokio::select! {
                    head = self.topic.wait_past(before) => { head?; }
                    () = self.context.interrupt.asked() => return Ok(Exit::Interrupted),
                }
                continue;
            };
            from = last.sequence().next();
            if self.print(&particles)? {
                return Ok(Exit::Interrupted);
            }
        }
        Ok(Exit::Success)
    }

    async fn downwards(&mut self, mut from: Sequence) -> Outcome {
        while self.left > 0 {
            let mut particles = self.topic.read_back(from, batch(self.left)).await?;
            let next = particles.last().and_then(|last| last.sequence().previous());
            // The root is no message; it is shown when it is asked for with `--from 0`.
            if from != Sequence::ROOT {
                particles.retain(|particle| particle.sequence() != Sequence::ROOT);
            }
            if self.print(&particles)? {
                return Ok(Exit::Interrupted);
            }
            match next {
                Some(next) if next != Sequence::ROOT => from = next,
                _ => break,
            }
        }
        Ok(Exit::Success)
    }

    /// Prints particles; true when the user wants the program to stop.
    fn print(&mut self, particles: &[Particle]) -> Result<bool, Failure> {
        let shown = Shown::of(self.topic.name());
        for particle in particles {
            self.printer.particle(particle, shown)?;
        }
        self.left = self.left.saturating_sub(particles.len() as u64);
        Ok(self.context.interrupt.is_asked())
    }
}

/// How much to read at once when `left` particles are wanted.
pub(super) fn batch(left: u64) -> ReadLimit {
    let limit = ReadLimit::default();
    let particles = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(limit.particles);
    ReadLimit { particles, ..limit }
}
