//! `efflux verify`: a check of every byte.

use std::time::{Duration, Instant};

use clap::Args;
use efflux_node::particle::{Head, TopicName};
use efflux_node::storage::{Progress, Store, Verified};
use serde_json::{Value, json};

use crate::Outcome;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{OutputFormat, Printer, grouped, megabytes};
use crate::progress::ProgressLine;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux verify
  efflux verify orders
  efflux verify orders --contains 300:5c1f…   (a head that was noted down earlier)
  efflux verify -o json";

/// What `efflux verify` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topics [default: all]
    topics: Vec<TopicName>,
    /// A head that was noted down earlier, which the chain must still contain
    #[arg(long, value_name = "SEQUENCE:FINGERPRINT")]
    contains: Vec<Head>,
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Outcome {
    if !arguments.contains.is_empty() && arguments.topics.len() != 1 {
        return Err(Failure::usage("--contains goes with exactly one topic"));
    }
    let store = context.open_to_read().await?;
    let topics = match arguments.topics.is_empty() {
        true => store.topics().await?,
        false => arguments.topics,
    };
    let mut printer = context.printer()?;
    let mut worst = None;
    for name in &topics {
        let checked = tokio::select! {
            checked = check(context, &store, name, &arguments.contains) => checked,
            () = context.interrupt.asked() => return Ok(Exit::Interrupted),
        };
        match checked {
            Ok((verified, taken)) => {
                printer.result(
                    &json_of(name, &verified, taken),
                    &text_of(name, &verified, taken),
                )?;
            }
            Err(failure) if failure.exit() == Exit::Integrity => {
                broken(&mut printer, name, &failure)?;
                if let Some(earlier) = worst.replace(failure) {
                    earlier.print(context.global.output);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    printer.flush()?;
    match worst {
        None => Ok(Exit::Success),
        Some(failure) => Err(failure),
    }
}

async fn check(
    context: &Context,
    store: &Store,
    name: &TopicName,
    contains: &[Head],
) -> Result<(Verified, Duration), Failure> {
    let line = ProgressLine::over(None);
    let begin = Instant::now();
    let topic = context.topic(store, name).await?;
    let verified = topic.verify(Progress::new(line.teller())).await?;
    let taken = begin.elapsed();
    for head in contains {
        let found = topic
            .get(head.sequence)
            .await?
            .map(|particle| Head::on(&particle));
        if found != Some(*head) {
            let found = found.map_or("nothing".to_owned(), |found| found.to_string());
            return Err(Failure::new(
                Exit::Integrity,
                format!("topic {name} no longer contains {head}: found {found}"),
            )
            .with_detail("the chain checks in itself, but it is not the one that was noted down"));
        }
    }
    Ok((verified, taken))
}

/// At a break, JSON output says so on standard output too; the error follows in either case.
fn broken(printer: &mut Printer, name: &TopicName, failure: &Failure) -> Result<(), Failure> {
    if printer.format() != OutputFormat::Json {
        return Ok(());
    }
    let damage = failure.damage().map(|damage| {
        json!({
            "segment": damage.file,
            "offset": damage.offset,
            "sequence": damage.sequence.map(efflux_node::particle::Sequence::get),
            "problem": damage.problem,
        })
    });
    let json = json!({
        "topic": name.as_str(), "ok": false, "damage": damage, "message": failure.what(),
    });
    printer.result(&json, "")?;
    Ok(())
}

fn per_second(count: u64, taken: Duration) -> u64 {
    let nanos = taken.as_nanos().max(1);
    u64::try_from(u128::from(count) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

fn text_of(name: &TopicName, verified: &Verified, taken: Duration) -> String {
    let segments = if verified.segments == 1 {
        "segment"
    } else {
        "segments"
    };
    let mut text = format!(
        "{name}: ok, {} particles, {} in {} {segments}, {:.2} s ({}/s, {}/s)\n  head {}",
        grouped(verified.particles),
        megabytes(verified.bytes),
        grouped(verified.segments),
        taken.as_secs_f64(),
        grouped(per_second(verified.particles, taken)),
        megabytes(per_second(verified.bytes, taken)),
        verified.head,
    );
    for note in &verified.notes {
        text.push_str(&format!("\n  note: {note}"));
    }
    text
}

fn json_of(name: &TopicName, verified: &Verified, taken: Duration) -> Value {
    json!({
        "topic": name.as_str(),
        "ok": true,
        "particles": verified.particles,
        "bytes": verified.bytes,
        "segments": verified.segments,
        "sequence": verified.head.sequence.get(),
        "fingerprint": verified.head.fingerprint.to_string(),
        "seconds": taken.as_secs_f64(),
        "particles_per_second": per_second(verified.particles, taken),
        "bytes_per_second": per_second(verified.bytes, taken),
        "notes": verified.notes,
    })
}
