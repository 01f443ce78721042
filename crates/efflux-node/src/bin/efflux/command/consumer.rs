//! `efflux consumer`: list, show, move and delete consumers.

use clap::Subcommand;
use efflux_node::particle::{ConsumerName, Sequence, Timestamp, TopicName};
use efflux_node::storage::{Consumer, ConsumerOptions, ConsumerStatus, Start, Topic};
use serde_json::{Value, json};

use super::confirm;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux consumer list orders
  efflux consumer show orders billing
  efflux consumer seek orders billing root
  efflux consumer seek orders billing 2026-03-01T00:00:00Z
  efflux consumer delete orders billing --yes";

/// The commands of `efflux consumer`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the consumers of a topic and how they stand
    List {
        /// The topic
        topic: TopicName,
    },
    /// Show a consumer's position, lag and settings
    Show {
        /// The topic
        topic: TopicName,
        /// The consumer
        consumer: ConsumerName,
    },
    /// Move a consumer; what it holds leases on is handed out again only past the new place
    Seek {
        /// The topic
        topic: TopicName,
        /// The consumer
        consumer: ConsumerName,
        /// Where to: root, head, a sequence, or a time such as 2026-03-01T00:00:00Z
        #[arg(value_parser = start)]
        to: Start,
    },
    /// Delete a consumer
    Delete {
        /// The topic
        topic: TopicName,
        /// The consumer
        consumer: ConsumerName,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Reads a place to start at.
pub(super) fn start(text: &str) -> Result<Start, String> {
    match text {
        "root" | "first" => return Ok(Start::Root),
        "head" | "last" => return Ok(Start::Head),
        _ => {}
    }
    if let Ok(sequence) = text.parse::<Sequence>() {
        return Ok(Start::Sequence(sequence));
    }
    text.parse::<Timestamp>().map(Start::Time).map_err(|_| {
        "use root, head, a sequence such as 17, or a time such as 2026-03-01T00:00:00Z".to_owned()
    })
}

pub(crate) async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::List { topic } => list(context, &topic).await,
        Command::Show { topic, consumer } => show(context, &topic, &consumer).await,
        Command::Seek {
            topic,
            consumer,
            to,
        } => seek(context, &topic, &consumer, to).await,
        Command::Delete {
            topic,
            consumer,
            yes,
        } => delete(context, &topic, &consumer, yes).await,
    }
}

async fn list(context: &Context, topic: &TopicName) -> Outcome {
    let topic = context.topic_to_read(topic).await?;
    let mut printer = context.printer()?;
    let names = Consumer::list(&topic).await?;
    let width = names
        .iter()
        .map(|name| name.as_str().len())
        .max()
        .unwrap_or(0);
    for name in names {
        let status = Consumer::inspect(&topic, &name).await?;
        let text = format!(
            "{name:<width$}  position {}  lag {}  in flight {}",
            status.position, status.lag, status.in_flight
        );
        printer.result(&json_of(topic.name(), &name, &status), &text)?;
    }
    printer.flush()?;
    Ok(Exit::Success)
}

async fn show(context: &Context, topic: &TopicName, name: &ConsumerName) -> Outcome {
    let topic = context.topic_to_read(topic).await?;
    known(&topic, name).await?;
    let status = Consumer::inspect(&topic, name).await?;
    let deliveries = status.options.max_deliveries;
    let text = format!(
        "consumer        {name}\ntopic           {}\nposition        {}\nhead            {}\n\
         lag             {}\nin flight       {}\ndelayed         {}\nredelivered     {}\n\
         dead-lettered   {}\nlease           {:?}\nmax deliveries  {}",
        topic.name(),
        status.position,
        status.head,
        status.lag,
        status.in_flight,
        status.delayed,
        status.redelivered,
        status.dead_lettered,
        status.options.lease,
        deliveries.map_or("none".to_owned(), |max| max.to_string()),
    );
    let mut printer = context.printer()?;
    printer.result(&json_of(topic.name(), name, &status), &text)?;
    printer.flush()?;
    Ok(Exit::Success)
}

fn json_of(topic: &TopicName, name: &ConsumerName, status: &ConsumerStatus) -> Value {
    json!({
        "topic": topic.as_str(),
        "consumer": name.as_str(),
        "position": status.position.get(),
        "head": status.head.get(),
        "lag": status.lag,
        "in_flight": status.in_flight,
        "delayed": status.delayed,
        "redelivered": status.redelivered,
        "dead_lettered": status.dead_lettered,
        "lease_ms": u64::try_from(status.options.lease.as_millis()).unwrap_or(u64::MAX),
        "max_in_flight": status.options.max_in_flight,
        "max_deliveries": status.options.max_deliveries,
    })
}

/// The settings that a consumer has, or the usual ones for a new one.
pub(super) async fn settings(
    topic: &Topic,
    name: &ConsumerName,
) -> Result<ConsumerOptions, Failure> {
    if Consumer::list(topic).await?.contains(name) {
        return Ok(Consumer::inspect(topic, name).await?.options);
    }
    Ok(ConsumerOptions::default())
}

/// Fails when the topic has no consumer of this name.
async fn known(topic: &Topic, name: &ConsumerName) -> Result<(), Failure> {
    let names = Consumer::list(topic).await?;
    if names.contains(name) {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::NotFound,
        format!("topic {} has no consumer {name}", topic.name()),
    );
    let known: Vec<_> = names.iter().map(ConsumerName::as_str).collect();
    Err(match known.is_empty() {
        true => failure.with_detail("it has no consumers"),
        false => failure.with_detail(format!("its consumers: {}", known.join(", "))),
    }
    .with_try(format!(
        "efflux consume {} --consumer {name} makes it",
        topic.name()
    )))
}

async fn seek(context: &Context, topic: &TopicName, name: &ConsumerName, to: Start) -> Outcome {
    let store = context.open_to_change().await?;
    let topic = context.topic(&store, topic).await?;
    known(&topic, name).await?;
    let consumer = Consumer::open(&topic, name, settings(&topic, name).await?).await?;
    consumer.seek(to).await?;
    let status = Consumer::inspect(&topic, name).await?;
    let text = format!("{name}  position {}  lag {}", status.position, status.lag);
    let mut printer = context.printer()?;
    printer.result(&json_of(topic.name(), name, &status), &text)?;
    printer.flush()?;
    store.close().await?;
    Ok(Exit::Success)
}

async fn delete(
    context: &Context,
    topic: &TopicName,
    name: &ConsumerName,
    is_sure: bool,
) -> Outcome {
    let store = context.open_to_change().await?;
    let topic = context.topic(&store, topic).await?;
    known(&topic, name).await?;
    confirm(
        &format!("consumer {name} of topic {}", topic.name()),
        is_sure,
    )?;
    Consumer::delete(&topic, name).await?;
    store.close().await?;
    Ok(Exit::Success)
}
