//! `efflux restore`: topics back from a folder of frames.

use std::path::PathBuf;

use clap::Args;
use efflux_node::backup::{Backup, Checked, CheckedTopic, Restored};
use efflux_node::particle::{Head, TopicName};
use efflux_node::storage::{Progress, Result};
use serde_json::{Value, json};

use super::backup::counted;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{megabytes, note};
use crate::progress::ProgressLine;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux restore /backups/efflux --store file:./restored
  efflux restore /backups/efflux orders
  efflux restore /backups/efflux --verify-only";

/// What `efflux restore` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder of the backup
    folder: PathBuf,
    /// The topics [default: all]
    topics: Vec<TopicName>,
    /// Check every byte of the backup and restore nothing; no store is needed
    #[arg(long)]
    verify_only: bool,
    /// Restore also topics whose first backup was cut off, as far as it went
    #[arg(long)]
    unfinished: bool,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    let backup = Backup::open(&arguments.folder)?;
    let Some(checked) = check(context, &backup, &arguments.topics).await? else {
        return interrupted();
    };
    let topics: Vec<CheckedTopic> = checked.topics().collect();
    let mut printer = context.printer()?;
    if arguments.verify_only {
        for topic in &topics {
            printer.result(&json_of_checked(topic), &text_of_checked(topic))?;
        }
        printer.flush()?;
        return Ok(Exit::Success);
    }
    if !arguments.unfinished {
        refuse_unfinished(&topics)?;
    }
    let store = context.open_or_create().await?;
    let line = ProgressLine::over(Some(topics.iter().map(|topic| topic.bytes).sum()));
    let progress = Progress::new(line.teller());
    let restored = tokio::select! {
        restored = checked.restore(&store, &progress) => Some(restored),
        () = context.interrupt.asked() => None,
    };
    drop(line);
    let closed = store.close().await;
    let Some(restored) = restored else {
        return interrupted();
    };
    for topic in restored? {
        printer.result(&json_of(&topic), &text_of(&topic))?;
    }
    closed?;
    printer.flush()?;
    Ok(Exit::Success)
}

/// Checks every byte before anything is changed; none when the user interrupts.
async fn check<'a>(
    context: &Context,
    backup: &'a Backup,
    topics: &[TopicName],
) -> Result<Option<Checked<'a>>> {
    let line = ProgressLine::over(None);
    let progress = Progress::new(line.teller());
    tokio::select! {
        checked = backup.check(topics, &progress) => checked.map(Some),
        () = context.interrupt.asked() => Ok(None),
    }
}

fn interrupted() -> Outcome {
    note("interrupted: the same command goes on from here");
    Ok(Exit::Interrupted)
}

fn refuse_unfinished(topics: &[CheckedTopic]) -> Result<(), Failure> {
    match topics.iter().find(|topic| !topic.is_complete) {
        None => Ok(()),
        Some(topic) => Err(Failure::new(
            Exit::Failure,
            format!(
                "the first backup of topic {} was cut off: nothing was restored",
                topic.name
            ),
        )
        .with_detail(format!("it goes up to {}", topic.head))
        .with_try("efflux backup, if the store is still there; --unfinished takes what there is")),
    }
}

fn head_of(head: Head) -> (u64, String) {
    (head.sequence.get(), head.fingerprint.to_string())
}

fn text_of_checked(topic: &CheckedTopic) -> String {
    let end = match topic.is_complete {
        true => "",
        false => "\n  note: its first backup was cut off",
    };
    format!(
        "{}: ok, {}, {} in {}, {}\n  head {}{end}",
        topic.name,
        counted(topic.particles, "particle"),
        megabytes(topic.bytes),
        counted(topic.files as u64, "file"),
        counted(topic.consumers as u64, "consumer"),
        topic.head,
    )
}

fn json_of_checked(topic: &CheckedTopic) -> Value {
    let (sequence, fingerprint) = head_of(topic.head);
    json!({
        "topic": topic.name.as_str(),
        "ok": true,
        "complete": topic.is_complete,
        "particles": topic.particles,
        "bytes": topic.bytes,
        "files": topic.files,
        "consumers": topic.consumers,
        "sequence": sequence,
        "fingerprint": fingerprint,
    })
}

fn text_of(topic: &Restored) -> String {
    if topic.was_there {
        return format!(
            "{}: already there with this head, left as it is\n  head {}",
            topic.name, topic.head
        );
    }
    format!(
        "{}: restored and checked, {}, {}\n  head {}",
        topic.name,
        counted(topic.particles, "particle"),
        counted(topic.consumers as u64, "consumer"),
        topic.head,
    )
}

fn json_of(topic: &Restored) -> Value {
    let (sequence, fingerprint) = head_of(topic.head);
    json!({
        "topic": topic.name.as_str(),
        "restored": !topic.was_there,
        "particles": topic.particles,
        "consumers": topic.consumers,
        "sequence": sequence,
        "fingerprint": fingerprint,
    })
}
