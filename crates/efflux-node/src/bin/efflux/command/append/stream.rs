//! `efflux append --stdin`: a message a line, acknowledged in order as soon as it is durable.

use std::io::{BufRead, BufReader};

use efflux_node::import::{Body, Format, LineReader, RECORD_BYTES_MAX, RecordOptions, Records};
use efflux_node::particle::{HEADER_ID, Message, Sequence};
use efflux_node::storage::{Receipt, Topic};

use super::{MetadataArguments, ReceiptJson};
use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::feed::{Feed, Feeder};
use crate::output::{OutputFormat, Printer};

/// What the reading thread hands on: a message, or why there are no more.
type Item = Result<Message, Failure>;

pub(super) async fn run(context: &Context, topic: &Topic, metadata: MetadataArguments) -> Outcome {
    let mut feed = Feed::start(move |feeder| read(&feeder, &metadata))
        .map_err(|error| Failure::io("cannot start a thread", &error))?;
    let mut printer = context.printer()?;
    loop {
        let waiting = tokio::select! {
            waiting = feed.take() => waiting,
            () = context.interrupt.asked() => return Ok(Exit::Interrupted),
        };
        if waiting.is_empty() {
            return Ok(Exit::Success);
        }
        let (mut messages, mut room, mut failure) = (Vec::new(), Vec::new(), None);
        for fed in waiting {
            match fed.item {
                Ok(message) => messages.push(message),
                Err(error) => failure = Some(error),
            }
            room.push(fed.room);
        }
        append(topic, messages, &mut printer).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
}

/// Appends what was waiting as one batch. When one message of it is refused, those before it are
/// appended all the same.
async fn append(
    topic: &Topic,
    messages: Vec<Message>,
    printer: &mut Printer,
) -> Result<(), Failure> {
    if messages.is_empty() {
        return Ok(());
    }
    let is_single = messages.len() == 1;
    match topic.append_batch(messages.clone()).await {
        Ok(receipts) => acknowledge(topic, &receipts, printer),
        Err(error) if is_single || error.may_have_applied() => Err(error.into()),
        Err(_) => {
            for message in messages {
                let receipt = topic.append(message).await?;
                acknowledge(topic, &[receipt], printer)?;
            }
            Ok(())
        }
    }
}

fn acknowledge(topic: &Topic, receipts: &[Receipt], printer: &mut Printer) -> Result<(), Failure> {
    for receipt in receipts {
        match printer.format() {
            OutputFormat::Json => printer.result(&ReceiptJson::new(topic.name(), receipt), "")?,
            _ => {
                let line = format!("ack {} {}\n", receipt.sequence, receipt.fingerprint);
                printer.bytes(line.as_bytes())?;
            }
        }
    }
    Ok(printer.flush()?)
}

/// Reads standard input to its end, or until nobody takes what is read.
fn read(feeder: &Feeder<Item>, metadata: &MetadataArguments) {
    let mut input = BufReader::with_capacity(256 * 1024, std::io::stdin());
    let failure = match input.fill_buf() {
        Ok(beginning) if beginning.starts_with(&HEADER_ID) => read_frames(feeder, input, metadata),
        Ok(_) => read_lines(feeder, input, metadata),
        Err(error) => Err(Failure::io("standard input", &error)),
    };
    if let Err(failure) = failure {
        feeder.put(Err(failure), 0);
    }
}

fn read_lines(
    feeder: &Feeder<Item>,
    input: impl BufRead,
    metadata: &MetadataArguments,
) -> Result<(), Failure> {
    let mut lines = LineReader::new(input);
    loop {
        let line = lines
            .next_line()
            .map_err(|error| Failure::io("standard input", &error))?;
        let Some(line) = line else { return Ok(()) };
        let refuse = |problem: String| {
            Failure::new(Exit::Failure, format!("<stdin>:{}: {problem}", line.number))
                .with_detail("the lines before it were appended")
        };
        if line.is_cut {
            return Err(refuse(format!(
                "the line is longer than {RECORD_BYTES_MAX} bytes"
            )));
        }
        let bytes = line.bytes.len();
        let message = metadata.message(line.bytes);
        message.check().map_err(|error| refuse(error.to_string()))?;
        if !feeder.put(Ok(message), bytes) {
            return Ok(());
        }
    }
}

fn read_frames(
    feeder: &Feeder<Item>,
    input: impl BufRead + Send + 'static,
    metadata: &MetadataArguments,
) -> Result<(), Failure> {
    if !metadata.is_empty() {
        return Err(
            Failure::usage("standard input holds frames, which keep their own metadata")
                .with_try("leave --type, --group, --prop, --content-type and --time out"),
        );
    }
    let refuse = |fault: efflux_node::import::Fault| match fault {
        efflux_node::import::Fault::Malformed(fault) => {
            let exit = if fault.is_altered {
                Exit::Integrity
            } else {
                Exit::Failure
            };
            Failure::new(exit, format!("<stdin>:{}: {}", fault.place, fault.problem))
                .with_detail("the frames before it were appended")
        }
        efflux_node::import::Fault::Io(error) => Failure::io("standard input", &error),
    };
    let records = Records::new(Format::Frames, Box::new(input), &RecordOptions::default());
    for record in records.map_err(refuse)? {
        let Body::Frame(particle) = record.map_err(refuse)?.body else {
            continue;
        };
        if particle.sequence() == Sequence::ROOT {
            continue;
        }
        let bytes = particle.frame().len();
        if !feeder.put(Ok(Message::from(&*particle)), bytes) {
            return Ok(());
        }
    }
    Ok(())
}
