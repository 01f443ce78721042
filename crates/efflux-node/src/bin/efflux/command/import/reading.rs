//! The thread that reads a file and makes messages of its records.

use efflux_node::import::{Body, BytesRead, Fault, Format, Malformed, Place, Records};
use efflux_node::particle::{Message, Sequence};

use super::plan::Plan;
use crate::exit::Failure;
use crate::feed::{Feed, Feeder};

/// What the thread hands on.
#[derive(Debug)]
pub(super) enum Item {
    /// A record that became a message.
    Message(Place, Message),
    /// A record that cannot.
    Malformed(Malformed),
    /// Nothing more can be read.
    Failed(Failure),
    /// All was read; the fields that were mapped and that no record had.
    End {
        records: u64,
        never_found: Vec<String>,
    },
}

/// Starts to read the file that a plan names.
pub(super) fn start(mut plan: Plan, read: &BytesRead) -> Result<Feed<Item>, Failure> {
    let (format, records) = plan.open(read)?;
    let label = plan.source.label();
    Feed::start(move |feeder| {
        if let Err(error) = feed(&feeder, &mut plan, format, records) {
            feeder.put(Item::Failed(Failure::io(&label, &error)), 0);
        }
    })
    .map_err(|error| Failure::io("cannot start a thread", &error))
}

fn feed(
    feeder: &Feeder<Item>,
    plan: &mut Plan,
    format: Format,
    records: Records,
) -> std::io::Result<()> {
    let mut count = 0;
    for record in records {
        let item = match record {
            Ok(record) if is_root(&record.body) => continue,
            Ok(record) => {
                let place = record.place;
                match plan.mapping.message(&plan.identity, record) {
                    Ok(message) => Item::Message(place, message),
                    Err(malformed) => Item::Malformed(malformed),
                }
            }
            Err(Fault::Malformed(malformed)) => Item::Malformed(malformed),
            Err(Fault::Io(error)) => return Err(error),
        };
        count += 1;
        let bytes = match &item {
            Item::Message(_, message) => message.payload().len(),
            _ => 0,
        };
        if !feeder.put(item, bytes) {
            return Ok(());
        }
    }
    // Columns of a table are checked when it is opened, so an empty column is no mistake.
    let never_found = match format {
        Format::Csv => Vec::new(),
        _ => plan
            .mapping
            .never_found()
            .map(ToString::to_string)
            .collect(),
    };
    feeder.put(
        Item::End {
            records: count,
            never_found,
        },
        0,
    );
    Ok(())
}

/// The root names the topic it was exported from; the topic that is imported into has its own.
fn is_root(body: &Body) -> bool {
    matches!(body, Body::Frame(particle) if particle.sequence() == Sequence::ROOT)
}
