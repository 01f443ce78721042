//! `efflux topic`: create, list, show and delete topics.

use clap::{Args, Subcommand};
use efflux_node::particle::{Sequence, TopicName};
use efflux_node::storage::{Consumer, ErrorKind, Sync, TopicOptions};
use serde::Serialize;

use super::confirm;
use super::head::HeadJson;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{OutputFormat, grouped};

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux topic create orders
  efflux topic create metrics --sync 250ms --if-not-exists
  efflux topic list -o json
  efflux topic show orders
  efflux topic delete orders --yes";

/// The commands of `efflux topic`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a topic, and the store when it is not there
    Create(Create),
    /// List the topics and their heads
    List,
    /// Show a topic's head, settings and consumers
    Show {
        /// The topic
        topic: TopicName,
    },
    /// Delete a topic with all its particles and consumers
    Delete {
        /// The topic
        topic: TopicName,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// What `efflux topic create` takes.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The topic: letters, digits, `.`, `_` and `-`, at most 200
    topic: TopicName,
    /// When an append counts as done: always (after fdatasync), a time such as 250ms, or os
    #[arg(long, default_value = "always", value_parser = sync)]
    sync: Sync,
    /// Bytes at which a segment file is sealed
    #[arg(long, value_name = "BYTES")]
    segment_bytes: Option<u64>,
    /// Succeed when the topic is there already; its settings stay as they are
    #[arg(long)]
    if_not_exists: bool,
}

fn sync(text: &str) -> Result<Sync, String> {
    Sync::parse(text).map_err(|error| error.to_string())
}

pub(crate) async fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Create(arguments) => create(context, arguments).await,
        Command::List => list(context).await,
        Command::Show { topic } => show(context, &topic).await,
        Command::Delete { topic, yes } => delete(context, &topic, yes).await,
    }
}

async fn create(context: &Context, arguments: Create) -> Outcome {
    let mut options = TopicOptions::default().with_sync(arguments.sync);
    if let Some(bytes) = arguments.segment_bytes {
        options = options.with_segment_bytes(bytes);
    }
    options.check()?;
    let store = context.open_or_create().await?;
    let made = store.create_topic(&arguments.topic, options).await;
    let topic = match made {
        Err(error) if error.kind() == ErrorKind::Conflict && arguments.if_not_exists => {
            store.topic(&arguments.topic).await?
        }
        Err(error) if error.kind() == ErrorKind::Conflict => {
            return Err(Failure::from(error).with_try("--if-not-exists, or another name"));
        }
        made => made?,
    };
    let head = topic.head();
    let mut printer = context.printer()?;
    if printer.format() == OutputFormat::Json {
        printer.result(&HeadJson::new(topic.name(), head), "")?;
        printer.flush()?;
    }
    store.close().await?;
    Ok(Exit::Success)
}

async fn list(context: &Context) -> Outcome {
    let store = context.open_to_read().await?;
    let mut printer = context.printer()?;
    let names = store.topics().await?;
    let width = names
        .iter()
        .map(|name| name.as_str().len())
        .max()
        .unwrap_or(0);
    for name in names {
        // A topic whose files are damaged is listed all the same; `verify` says what is wrong.
        let (json, text) = match store.topic(&name).await {
            Ok(topic) => {
                let head = topic.head();
                let text = format!("{name:<width$}  {head}");
                (serde_json::to_value(HeadJson::new(&name, head)), text)
            }
            Err(error) => {
                let text = format!("{name:<width$}  cannot be opened: {error}");
                let json = serde_json::json!({"topic": name.as_str(), "error": error.to_string()});
                (Ok(json), text)
            }
        };
        printer.result(&json.unwrap_or_default(), &text)?;
    }
    printer.flush()?;
    Ok(Exit::Success)
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    created: Option<String>,
    last_appended: Option<String>,
    sync: String,
    segment_bytes: u64,
    consumers: Vec<String>,
}

async fn show(context: &Context, name: &TopicName) -> Outcome {
    let topic = context.topic_to_read(name).await?;
    let (head, options) = (topic.head(), topic.options().await?);
    let created = topic.get(Sequence::ROOT).await?;
    let last = topic.get(head.sequence).await?;
    let consumers = Consumer::list(&topic).await?;
    let shown = Shown {
        head: HeadJson::new(name, head),
        created: created.map(|root| root.metadata().created().to_string()),
        last_appended: last.map(|particle| particle.metadata().created().to_string()),
        sync: options.sync.to_string(),
        segment_bytes: options.segment_bytes,
        consumers: consumers.iter().map(ToString::to_string).collect(),
    };
    let unknown = || "unknown".to_owned();
    let text = format!(
        "topic          {name}\nmessages       {}\nhead           {head}\ncreated        {}\n\
         last appended  {}\nsync           {}\nsegment bytes  {}\nconsumers      {}",
        grouped(head.sequence.get()),
        shown.created.clone().unwrap_or_else(unknown),
        shown.last_appended.clone().unwrap_or_else(unknown),
        shown.sync,
        grouped(shown.segment_bytes),
        if shown.consumers.is_empty() {
            "none".to_owned()
        } else {
            shown.consumers.join(", ")
        },
    );
    let mut printer = context.printer()?;
    printer.result(&shown, &text)?;
    printer.flush()?;
    Ok(Exit::Success)
}

async fn delete(context: &Context, name: &TopicName, is_sure: bool) -> Outcome {
    let store = context.open_to_change().await?;
    let topics = store.topics().await?;
    if !topics.contains(name) {
        context.topic(&store, name).await?;
    }
    confirm(
        &format!("topic {name} with all its particles and consumers"),
        is_sure,
    )?;
    store.delete_topic(name).await?;
    store.close().await?;
    Ok(Exit::Success)
}
