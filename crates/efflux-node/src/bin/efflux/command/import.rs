//! `efflux import`: records from files become messages of a topic.

mod append;
mod plan;
mod reading;
mod rejects;
mod summary;

use std::path::PathBuf;

use clap::Args;
use efflux_node::import::{FieldPath, Format, PropertyRule, TimeFormat};
use efflux_node::particle::TopicName;
use efflux_node::storage::{ErrorKind, Store, Topic, TopicOptions};

use self::append::Importer;
use self::plan::Plan;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::note;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux import orders orders.ndjson --id id --time-from at --type-from type --prop customer
  efflux import zips zipcodes.csv --id zip_code --type zip --prop state --prop city
  efflux import quakes earthquakes.json --id id --time-from properties.time \\
      --prop mag=properties.mag --group-from properties.net
  zcat app.log.gz | efflux import logs - --format lines --source app.log
  efflux export orders | efflux --store copy import orders - --format frames";

/// What `efflux import` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topic; it is created when it is not there
    topic: TopicName,
    /// The files, gzip or not; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The files' format: ndjson, json, csv, lines or frames [default: told by name and content]
    #[arg(long)]
    format: Option<Format>,
    /// Where in a JSON document the array of records is, as a.b [default: the document itself;
    /// features for a feature collection]
    #[arg(long, value_name = "PATH")]
    records: Option<FieldPath>,
    /// What stands between the values of a CSV row; \t is a tab [default: a comma, a tab for .tsv]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    #[command(flatten)]
    mapping: MappingArguments,
    /// The name that ids are derived from when none is mapped [default: the file's whole path]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Write malformed records to this file and go on
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// Which field becomes which metadata.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Fields (a.b or /a/b reaches into objects)")]
struct MappingArguments {
    /// The field that holds the id
    #[arg(long, value_name = "FIELD")]
    id: Option<FieldPath>,
    /// The data type of every record that has none of its own
    #[arg(long = "type", value_name = "TYPE")]
    data_type: Option<String>,
    /// The field that holds the data type
    #[arg(long, value_name = "FIELD")]
    type_from: Option<FieldPath>,
    /// The field that holds the time
    #[arg(long, value_name = "FIELD")]
    time_from: Option<FieldPath>,
    /// How times are spelt, as %d.%m.%Y [default: RFC 3339, RFC 2822, since 1970 in s to ns, …]
    #[arg(long, value_name = "FORMAT", requires = "time_from")]
    time_format: Option<TimeFormat>,
    /// The field that holds the message group
    #[arg(long, value_name = "FIELD")]
    group_from: Option<FieldPath>,
    /// A field to find particles by; may be given several times
    #[arg(long = "prop", value_name = "NAME[=FIELD]", value_parser = property)]
    properties: Vec<PropertyRule>,
}

fn property(text: &str) -> Result<PropertyRule, String> {
    let (name, field) = text.split_once('=').unwrap_or((text, text));
    let field: FieldPath = field.parse().map_err(|error| format!("{error}"))?;
    Ok(PropertyRule {
        name: name.to_owned(),
        field,
    })
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("use one ASCII character, or \\t".to_owned()),
    }
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    // What can be said before anything is changed is said first.
    let plans = Plan::of_all(&arguments)?;
    let (store, topic) = open(context, &arguments.topic).await?;
    let mut importer = Importer::new(context, &topic, arguments.rejects.as_deref())?;
    let mut outcome = Ok(Exit::Success);
    for plan in plans {
        outcome = importer.import(plan).await;
        if !matches!(outcome, Ok(Exit::Success)) {
            break;
        }
    }
    let finished = importer.finish(&outcome);
    let closed = store.close().await;
    let exit = outcome?;
    finished?;
    closed?;
    Ok(exit)
}

/// Opens the topic, and makes it and its store when they are not there.
async fn open(context: &Context, name: &TopicName) -> Result<(Store, Topic), Failure> {
    let store = context.open_or_create().await?;
    match store.topic(name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let topic = store.create_topic(name, TopicOptions::default()).await?;
            note(&format!("created topic {name} in {}", store.url()));
            Ok((store, topic))
        }
        opened => Ok((store, opened?)),
    }
}
