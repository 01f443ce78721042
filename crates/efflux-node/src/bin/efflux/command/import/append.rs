//! Appends what was read, batch by batch, and keeps count.

use std::path::Path;

use efflux_node::import::{BytesRead, Malformed, Place};
use efflux_node::particle::Message;
use efflux_node::storage::{Error, ErrorKind, Receipt, Topic};

use super::plan::Plan;
use super::reading::{self, Item};
use super::rejects::Rejects;
use super::summary::Summary;
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::grouped;
use crate::progress::ProgressLine;

/// What appends the records of one file after the other.
pub(super) struct Importer<'a> {
    context: &'a Context,
    topic: &'a Topic,
    rejects: Option<Rejects>,
    summary: Summary,
}

/// Messages that wait to be appended, and where they came from.
type Waiting = Vec<(Place, Message)>;

impl<'a> Importer<'a> {
    pub(super) fn new(
        context: &'a Context,
        topic: &'a Topic,
        rejects: Option<&Path>,
    ) -> Result<Self, Failure> {
        let rejects = rejects.map(Rejects::create).transpose()?;
        Ok(Self {
            context,
            topic,
            rejects,
            summary: Summary::begin(),
        })
    }

    /// Imports one file. What was appended before an error stays.
    pub(super) async fn import(&mut self, plan: Plan) -> Outcome {
        let label = plan.source.label();
        self.summary.begin_file(&label);
        let (read, bytes) = (BytesRead::default(), plan.source.bytes());
        let mut feed = reading::start(plan, &read)?;
        let line = ProgressLine::over(bytes);
        loop {
            let items = tokio::select! {
                items = feed.take() => items,
                () = self.context.interrupt.asked() => return Ok(Exit::Interrupted),
            };
            if items.is_empty() {
                return Ok(Exit::Success);
            }
            let (mut waiting, mut room) = (Waiting::new(), Vec::new());
            for fed in items {
                room.push(fed.room);
                match fed.item {
                    Item::Message(place, message) => waiting.push((place, message)),
                    Item::Malformed(malformed) => {
                        self.append(&label, std::mem::take(&mut waiting)).await?;
                        self.reject(&label, &malformed)?;
                    }
                    Item::Failed(failure) => {
                        self.append(&label, std::mem::take(&mut waiting)).await?;
                        return Err(failure);
                    }
                    Item::End {
                        records,
                        never_found,
                    } => {
                        for field in never_found.iter().filter(|_| records > 0) {
                            line.print(&format!("note: no record of {label} has a field {field}"));
                        }
                    }
                }
            }
            self.append(&label, waiting).await?;
            line.tell(
                read.get(),
                format!("{} records", grouped(self.summary.appended())),
            );
            if self.context.interrupt.is_asked() {
                return Ok(Exit::Interrupted);
            }
        }
    }

    /// Appends a batch. When it is refused because of one of its messages, the others are appended
    /// one by one, so that the fault is laid to its record and nothing else suffers.
    async fn append(&mut self, label: &str, waiting: Waiting) -> Result<(), Failure> {
        if waiting.is_empty() {
            return Ok(());
        }
        let messages = waiting.iter().map(|(_, message)| message.clone()).collect();
        match self.topic.append_batch(messages).await {
            Ok(receipts) => self.count(&receipts),
            Err(error) if !is_about_a_message(&error) => return Err(error.into()),
            Err(_) => {
                for (place, message) in waiting {
                    self.append_one(label, place, message).await?;
                }
            }
        }
        Ok(())
    }

    async fn append_one(
        &mut self,
        label: &str,
        place: Place,
        message: Message,
    ) -> Result<(), Failure> {
        match self.topic.append(message.clone()).await {
            Ok(receipt) => {
                self.count(&[receipt]);
                Ok(())
            }
            Err(error) if is_about_a_message(&error) => {
                let is_conflict = error.kind() == ErrorKind::Conflict;
                let fault = Malformed::new(place, error.to_string(), message.payload());
                self.reject(label, &fault)
                    .map_err(|failure| match is_conflict {
                        true => failure.with_exit(Exit::Conflict),
                        false => failure,
                    })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn count(&mut self, receipts: &[Receipt]) {
        let there = receipts.iter().filter(|receipt| receipt.duplicate).count();
        self.summary.count(receipts.len() - there, there);
    }

    /// Puts a record aside, or ends the import where no file for such records was named.
    fn reject(&mut self, label: &str, fault: &Malformed) -> Result<(), Failure> {
        let what = format!("{label}:{}: {fault}", fault.place);
        let exit = if fault.is_altered {
            Exit::Integrity
        } else {
            Exit::Failure
        };
        let Some(rejects) = &mut self.rejects else {
            return Err(Failure::new(exit, what)
                .with_detail(shown(&fault.text))
                .with_try("--rejects FILE puts such records aside and goes on"));
        };
        rejects.add(label, fault.place, &fault.problem, &fault.text)?;
        self.summary.reject();
        match fault.can_go_on {
            true => Ok(()),
            false => Err(Failure::new(exit, what).with_detail("nothing after it can be read")),
        }
    }

    /// Prints what was done.
    pub(super) fn finish(mut self, outcome: &Outcome) -> Result<(), Failure> {
        if let Some(rejects) = &mut self.rejects {
            rejects.flush()?;
        }
        let rejects = self.rejects.as_ref().map(Rejects::path);
        let mut printer = self.context.printer()?;
        self.summary
            .print(&mut printer, self.topic, outcome, rejects)
    }
}

/// Whether an append was refused because of what one of its messages is.
fn is_about_a_message(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid)
}

/// The beginning of a record, for an error.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(CHARS_MAX)
        .collect();
    let more = if text.chars().nth(CHARS_MAX).is_some() {
        "…"
    } else {
        ""
    };
    format!("| {plain}{more}")
}
