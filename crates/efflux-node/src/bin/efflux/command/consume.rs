//! `efflux consume`: particles for a named consumer, committed when they are printed.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use efflux_node::particle::{ConsumerName, TopicName};
use efflux_node::storage::{Consumer, Start, Ticket};

use super::consumer::{settings, start};
use crate::Outcome;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{OutputFormat, Printer, Shown, note};
use crate::span;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux consume orders --consumer billing --max 10
  efflux consume orders --consumer billing --wait 1h -o raw | ./bill
  efflux consume orders --consumer audit --start head --follow
  efflux consume orders --consumer billing --commit none --max 1";

/// Most particles asked for at once.
const BATCH_MAX: usize = 256;

/// What `efflux consume` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
    /// The consumer: its position is kept, and shared by all who use the name
    #[arg(long, value_name = "NAME")]
    consumer: ConsumerName,
    /// Stop after this many particles
    #[arg(long, value_name = "COUNT")]
    max: Option<u64>,
    /// How long to wait for the next particle; when none came at all, the exit code is 6
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span::parse)]
    wait: Duration,
    /// Wait until interrupted
    #[arg(long, conflicts_with = "wait")]
    follow: bool,
    /// When particles count as done; with none, they are handed out again after the lease
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    commit: CommitWhen,
    /// Where a new consumer starts: root, head, a sequence or a time [default: root]
    #[arg(long, value_name = "PLACE", value_parser = start)]
    start: Option<Start>,
    /// How long a particle is this reader's before it is handed out again [default: 90s]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    lease: Option<Duration>,
}

/// When particles count as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CommitWhen {
    /// When they were printed and standard output took them
    #[default]
    AfterPrint,
    /// Not at all
    None,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let store = context.open_to_change().await?;
    let topic = context.topic(&store, &arguments.topic).await?;
    let mut options = settings(&topic, &arguments.consumer).await?;
    if let Some(start) = arguments.start {
        options = options.with_start(start);
    }
    if let Some(lease) = arguments.lease {
        options = options.with_lease(lease);
    }
    let consumer = Consumer::open(&topic, &arguments.consumer, options).await?;
    let mut printer = context.printer()?;
    let outcome = take(context, &arguments, &consumer, &mut printer).await;
    // What was committed is durable already; a store that cannot be closed is worth a word.
    let closed = store.close().await;
    let exit = outcome?;
    closed?;
    if exit == Exit::NothingInTime && context.global.output == OutputFormat::Text {
        note(&format!("nothing came within {:?}", arguments.wait));
    }
    Ok(exit)
}

async fn take(
    context: &Context,
    arguments: &Arguments,
    consumer: &Consumer,
    printer: &mut Printer,
) -> Outcome {
    let mut left = arguments.max.unwrap_or(u64::MAX);
    let mut exit = Exit::NothingInTime;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(BATCH_MAX);
        let deliveries = tokio::select! {
            deliveries = receive(arguments, consumer, count) => deliveries?,
            () = context.interrupt.asked() => return Ok(Exit::Interrupted),
        };
        if deliveries.is_empty() {
            break;
        }
        exit = Exit::Success;
        left = left.saturating_sub(deliveries.len() as u64);
        for delivery in &deliveries {
            let mut shown = Shown::of(&arguments.topic);
            shown.deliveries = Some(delivery.deliveries);
            printer.particle(&delivery.particle, shown)?;
        }
        printer.flush()?;
        if arguments.commit == CommitWhen::AfterPrint {
            let tickets: Vec<Ticket> = deliveries.iter().map(|delivery| delivery.ticket).collect();
            consumer.commit(&tickets).await?;
        }
        if context.interrupt.is_asked() {
            return Ok(Exit::Interrupted);
        }
    }
    Ok(exit)
}

/// What is handed out, waiting for as long as the user said.
async fn receive(
    arguments: &Arguments,
    consumer: &Consumer,
    count: usize,
) -> efflux_node::storage::Result<Vec<efflux_node::storage::Delivery>> {
    /// A wait without an end is made of waits of this length.
    const ROUND: Duration = Duration::from_secs(3600);
    let begin = Instant::now();
    loop {
        let left = match arguments.follow {
            true => ROUND,
            false => arguments.wait.saturating_sub(begin.elapsed()),
        };
        let deliveries = consumer.receive(count, left).await?;
        if !deliveries.is_empty() || !arguments.follow {
            return Ok(deliveries);
        }
    }
}
