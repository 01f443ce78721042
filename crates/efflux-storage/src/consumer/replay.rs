//! From the records of a journal to the state that wrote them.

use efflux_particle::{ConsumerName, Sequence, TopicName};

use super::entry::{Entry, Reader};
use super::groups::GroupKey;
use super::ledger::Ledger;
use super::limits::REDELIVER_PARTICLES;
use super::source::Source;
use super::status::ConsumerStatus;
use crate::error::{Damage, Error, Result};

/// One entry a nanosecond for 36 years; what says more was not written by this program.
const ENTRIES_MAX: u64 = 1 << 60;

/// The state that these records tell, and the number of the last entry; none for a new consumer.
pub(super) fn replay(
    topic: &TopicName,
    name: &ConsumerName,
    records: &[Vec<u8>],
) -> Result<Option<(Ledger, u64)>> {
    let mut state: Option<(Ledger, u64)> = None;
    for (at, record) in records.iter().enumerate() {
        let damage = |problem: &str| {
            Error::corrupt(Damage {
                topic: topic.clone(),
                file: format!("consumers/{name}.journal"),
                offset: 0,
                sequence: None,
                problem: format!(
                    "record {at} {problem}; delete the consumer, make it anew and move it to \
                     where it should go on"
                ),
            })
        };
        let mut reader = Reader::new(record);
        while !reader.is_empty() {
            let (number, entry) = reader
                .entry()
                .filter(|(number, _)| *number <= ENTRIES_MAX)
                .ok_or_else(|| damage("holds no entry of a consumer"))?;
            match (&mut state, &entry) {
                (None, Entry::Summary(summary)) => {
                    state = Some((Ledger::from_summary((**summary).clone()), number));
                }
                (None, _) => return Err(damage("is not the summary it should be")),
                // It was written twice: whoever wrote it first went away before the answer came.
                (Some((_, last)), _) if number <= *last => {}
                (Some((ledger, last)), _) if number == *last + 1 => {
                    ledger.apply(&entry);
                    *last = number;
                }
                (Some(_), _) => return Err(damage("comes after one that is missing")),
            }
        }
    }
    Ok(state)
}

/// Tells the ledger the groups of what was delivered before: the journal does not keep them.
pub(super) async fn tell_groups(log: &dyn Source, ledger: &mut Ledger) -> Result<()> {
    let open: Vec<Sequence> = ledger.open().collect();
    for part in open.chunks(REDELIVER_PARTICLES) {
        for particle in log.read_each(part).await? {
            if let Some(group) = particle.metadata().message_group() {
                ledger.set_group(particle.sequence(), GroupKey::of(group));
            }
        }
    }
    Ok(())
}

/// How a consumer stands.
pub(super) fn status(ledger: &Ledger, head: Sequence) -> ConsumerStatus {
    ConsumerStatus {
        position: ledger.position(),
        head,
        lag: ledger.lag(head),
        in_flight: ledger.in_flight(),
        delayed: ledger.delayed(),
        redelivered: ledger.redelivered(),
        dead_lettered: ledger.dead_lettered(),
        epoch: ledger.epoch(),
        options: ledger.options().clone(),
    }
}
