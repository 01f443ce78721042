//! `efflux append`: one message, or one a line from standard input.

mod stream;

use std::io::Read;

use clap::{ArgGroup, Args};
use efflux_node::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_node::particle::{Id, Message, Timestamp, TopicName};
use efflux_node::storage::{ErrorKind, Expect, Receipt, Store, Topic, TopicOptions};
use serde::Serialize;

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::expectation;
use crate::output::{OutputFormat, note};

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux append orders '{\"total\":12}' --type order.placed --group c-7 --prop country=de
  efflux append orders @invoice.pdf --content-type application/pdf --id invoice-7
  efflux append orders '{}' --expect head=$(efflux head orders)
  efflux append orders '{}' --expect no-match-after=300 --expect-query 'properties.seat = 12A'
  journalctl -f | efflux append logs --stdin --create";

/// What `efflux append` takes.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["payload", "stdin"]))]
pub(crate) struct Arguments {
    /// The topic
    topic: TopicName,
    /// The payload: a text, @FILE, - for all of standard input, or @@TEXT for a text with an @
    payload: Option<String>,
    /// Append each line of standard input, or each frame of an export, and print an
    /// acknowledgement for each as soon as it is durable
    #[arg(long)]
    stdin: bool,
    #[command(flatten)]
    metadata: MetadataArguments,
    /// The id; appending the same id and payload again adds nothing
    #[arg(long, conflicts_with = "stdin")]
    id: Option<Id>,
    /// What must hold, or nothing is appended: any, empty, head=SEQUENCE:FINGERPRINT,
    /// group=SEQUENCE, group=none, no-match-after=SEQUENCE (with --expect-query)
    #[arg(long, value_name = "EXPECTATION", conflicts_with = "stdin")]
    expect: Option<String>,
    /// The query that no particle after the given sequence may match
    #[arg(long, value_name = "QUERY", requires = "expect")]
    expect_query: Option<String>,
    /// Create the topic when it is not there
    #[arg(long)]
    create: bool,
}

/// The metadata that every appended message gets.
#[derive(Clone, Debug, Args)]
struct MetadataArguments {
    /// What kind of thing the payload tells, as order.placed
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// The message group: its particles are consumed strictly one after the other
    #[arg(long)]
    group: Option<String>,
    /// A property to find it by; may be given several times
    #[arg(long = "prop", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// The payload's media type, as application/json
    #[arg(long, value_name = "MEDIA_TYPE")]
    content_type: Option<String>,
    /// When the data came to be, as 2026-01-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<Timestamp>,
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

impl MetadataArguments {
    fn message(&self, payload: Vec<u8>) -> Message {
        let mut message = Message::new(payload);
        if let Some(data_type) = &self.data_type {
            message = message.with_data_type(data_type);
        }
        if let Some(group) = &self.group {
            message = message.with_message_group(group);
        }
        if let Some(content_type) = &self.content_type {
            message = message.with_content_type(content_type);
        }
        if let Some(time) = self.time {
            message = message.with_timestamp(time);
        }
        for (name, value) in &self.properties {
            message = message.with_property(name, value);
        }
        message
    }

    fn is_empty(&self) -> bool {
        self.data_type.is_none()
            && self.group.is_none()
            && self.properties.is_empty()
            && self.content_type.is_none()
            && self.time.is_none()
    }
}

/// A receipt as JSON.
#[derive(Serialize)]
struct ReceiptJson<'a> {
    topic: &'a str,
    sequence: u64,
    fingerprint: String,
    duplicate: bool,
}

impl<'a> ReceiptJson<'a> {
    fn new(topic: &'a TopicName, receipt: &Receipt) -> Self {
        Self {
            topic: topic.as_str(),
            sequence: receipt.sequence.get(),
            fingerprint: receipt.fingerprint.to_string(),
            duplicate: receipt.duplicate,
        }
    }
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    if arguments.stdin {
        let (store, topic) = open(context, &arguments).await?;
        let outcome = stream::run(context, &topic, arguments.metadata).await;
        store.close().await?;
        return outcome;
    }
    let payload = payload(arguments.payload.as_deref().unwrap_or_default())?;
    let mut message = arguments.metadata.message(payload);
    if let Some(id) = &arguments.id {
        message = message.with_id(id.clone());
    }
    message
        .check()
        .map_err(|error| Failure::usage(error.to_string()))?;
    let (group, query) = (
        arguments.metadata.group.as_deref(),
        arguments.expect_query.as_deref(),
    );
    let expect = match &arguments.expect {
        Some(text) => expectation::parse(text, group, query)?,
        None => Expect::Any,
    };
    let (store, topic) = open(context, &arguments).await?;
    let receipts = topic
        .append_expecting(vec![message], expect)
        .await
        .map_err(|error| {
            let kind = error.kind();
            let failure = Failure::from(error);
            match kind {
                ErrorKind::Conflict => failure.with_detail(format!(
                    "nothing was appended; the head is {}",
                    topic.head()
                )),
                _ => failure,
            }
        })?;
    let mut printer = context.printer()?;
    for receipt in &receipts {
        let text = format!("{}:{}", receipt.sequence, receipt.fingerprint);
        printer.result(&ReceiptJson::new(topic.name(), receipt), &text)?;
        if receipt.duplicate && printer.format() != OutputFormat::Json {
            note("it was there already: nothing was added");
        }
    }
    printer.flush()?;
    store.close().await?;
    Ok(Exit::Success)
}

async fn open(context: &Context, arguments: &Arguments) -> Result<(Store, Topic), Failure> {
    let name = &arguments.topic;
    let store = match arguments.create {
        true => context.open_or_create().await?,
        false => context.open_to_change().await.map_err(|failure| {
            let is_missing = failure.exit() == Exit::NotFound;
            if is_missing {
                failure.with_try(hint(name))
            } else {
                failure
            }
        })?,
    };
    let topic = match arguments.create {
        true => store.topic_or_create(name, TopicOptions::default()).await?,
        false => context.topic(&store, name).await.map_err(|failure| {
            let is_missing = failure.exit() == Exit::NotFound;
            if is_missing {
                failure.with_try(hint(name))
            } else {
                failure
            }
        })?,
    };
    Ok((store, topic))
}

fn hint(name: &TopicName) -> String {
    format!("efflux topic create {name}, or --create")
}

/// The payload that an argument names.
fn payload(argument: &str) -> Result<Vec<u8>, Failure> {
    if argument == "-" {
        return read("standard input", std::io::stdin().lock());
    }
    let Some(path) = argument.strip_prefix('@') else {
        return Ok(argument.as_bytes().to_vec());
    };
    if path.starts_with('@') {
        return Ok(path.as_bytes().to_vec());
    }
    let file = std::fs::File::open(path).map_err(|error| {
        Failure::io(path, &error).with_try(format!("@{argument} for the text itself"))
    })?;
    read(path, file)
}

/// Reads all of it, but no more than a payload may have.
fn read(what: &str, reader: impl Read) -> Result<Vec<u8>, Failure> {
    let mut payload = Vec::new();
    let bound = PAYLOAD_BYTES_MAX as u64 + 1;
    let read = reader.take(bound).read_to_end(&mut payload);
    read.map_err(|error| Failure::io(what, &error))?;
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(Failure::usage(format!(
            "{what} has more than the {PAYLOAD_BYTES_MAX} bytes a payload may have"
        ))
        .with_try("efflux append TOPIC --stdin appends each line on its own"));
    }
    Ok(payload)
}
