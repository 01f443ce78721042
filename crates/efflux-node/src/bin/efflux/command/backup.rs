//! `efflux backup`: topics into a folder of frames.

use std::path::PathBuf;

use clap::Args;
use efflux_node::backup::{Backup, Taken, TakenTopic};
use efflux_node::particle::TopicName;
use efflux_node::storage::{Error, Progress};
use serde_json::{Value, json};

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{OutputFormat, grouped, megabytes, note};
use crate::progress::ProgressLine;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux backup /backups/efflux
  efflux backup /backups/efflux orders invoices
  efflux backup /backups/efflux && efflux restore /backups/efflux --verify-only";

/// What `efflux backup` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder of the backup; made when it is not there, else what is new is added
    folder: PathBuf,
    /// The topics [default: all]
    topics: Vec<TopicName>,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let store = context.open_to_read().await?;
    let mut backup = Backup::open_or_create(&arguments.folder)?;
    let line = ProgressLine::over(None);
    let progress = Progress::new(line.teller());
    let taken = tokio::select! {
        taken = backup.take(&store, &arguments.topics, &progress) => taken?,
        () = context.interrupt.asked() => {
            drop(line);
            note("interrupted: the same command goes on from here");
            return Ok(Exit::Interrupted);
        }
    };
    drop(line);
    print(context, taken)
}

fn print(context: &Context, taken: Taken) -> Outcome {
    let mut printer = context.printer()?;
    for topic in &taken.topics {
        printer.result(&json_of(topic), &text_of(topic))?;
    }
    if printer.format() == OutputFormat::Json {
        for (name, error) in &taken.refused {
            printer.result(&refused(name, error), "")?;
        }
    }
    printer.flush()?;
    for name in &taken.gone {
        note(&format!(
            "note: topic {name} is not in the store; the backup keeps what it has of it"
        ));
    }
    let mut refused = taken.refused.into_iter();
    let Some((name, error)) = refused.next_back() else {
        return Ok(Exit::Success);
    };
    let failure = |name: &TopicName, error: Error| {
        Failure::from(error).with_detail(format!("topic {name} was not backed up"))
    };
    let mut worst = failure(&name, error);
    for (name, error) in refused {
        let other = failure(&name, error);
        let is_worse = other.exit() == Exit::Integrity && worst.exit() != Exit::Integrity;
        let earlier = if is_worse {
            std::mem::replace(&mut worst, other)
        } else {
            other
        };
        earlier.print(context.global.output);
    }
    Err(worst)
}

/// So many of a thing, as people write it.
pub(super) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", grouped(count))
}

fn text_of(topic: &TakenTopic) -> String {
    let (particles, bytes) = topic.added;
    format!(
        "{}: {}, {}, {}\n  head {}",
        topic.name,
        counted(particles, "new particle"),
        megabytes(bytes),
        counted(topic.consumers as u64, "consumer"),
        topic.head,
    )
}

fn json_of(topic: &TakenTopic) -> Value {
    json!({
        "topic": topic.name.as_str(),
        "ok": true,
        "new_particles": topic.added.0,
        "new_bytes": topic.added.1,
        "consumers": topic.consumers,
        "sequence": topic.head.sequence.get(),
        "fingerprint": topic.head.fingerprint.to_string(),
    })
}

fn refused(name: &TopicName, error: &Error) -> Value {
    json!({"topic": name.as_str(), "ok": false, "message": error.to_string()})
}
