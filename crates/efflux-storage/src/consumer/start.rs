//! Where a start is in a topic.

use efflux_particle::{Sequence, Timestamp};

use super::options::Start;
use super::source::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::log::ReadLimit;

/// Particles before the one that was found by halving that are looked at too: producers stamp their
/// messages before they are put in order, and clocks are set back, so times do not ascend strictly.
const LOOK_BACK: u64 = 1024;

/// The first place to deliver.
pub(super) async fn resolve(log: &dyn Source, start: Start) -> Result<Sequence> {
    let next = log.head().next();
    match start {
        Start::Root => Ok(Sequence::FIRST),
        Start::Head => Ok(next),
        Start::Sequence(sequence) if sequence > next => {
            let name = log.name();
            let why =
                format!("topic {name} has no particle {sequence} yet: use a place up to {next}");
            Err(Error::new(ErrorKind::Conflict, why))
        }
        Start::Sequence(sequence) => Ok(sequence.max(Sequence::FIRST)),
        Start::Time(time) => first_since(log, time, next).await,
    }
}

/// The first place whose particle entered Efflux at that time or later; `next` when there is none.
async fn first_since(log: &dyn Source, time: Timestamp, next: Sequence) -> Result<Sequence> {
    let (mut low, mut high) = (Sequence::FIRST, next);
    while low < high {
        let middle = low.plus(high.past(low) / 2);
        let read = log.read(middle, ReadLimit::particles(1)).await?;
        match read.first() {
            Some(particle) if particle.metadata().created() < time => low = middle.next(),
            _ => high = middle,
        }
    }
    let mut from = Sequence::new(low.get().saturating_sub(LOOK_BACK)).max(Sequence::FIRST);
    while from < low {
        let read = log.read(from, ReadLimit::default()).await?;
        let Some(last) = read.last() else { break };
        from = last.sequence().next();
        if let Some(found) = read
            .iter()
            .find(|particle| particle.metadata().created() >= time)
        {
            return Ok(found.sequence().min(low));
        }
    }
    Ok(low)
}
