//! Callers that append records on threads of their own, as those of every alternative do.

use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::append::Work;
use crate::measure::Outcome;
use crate::workload::Record;

/// A slow store or server ends its run after this time; its rate is that of the appends it did.
const RUN_MAX: Duration = Duration::from_millis(500);

/// Runs the work: each caller appends its batches, one after the other, by the function it has.
pub(crate) fn run<F>(work: &Work, callers: impl IntoIterator<Item = F>) -> Result<Outcome>
where
    F: FnMut(&[Record]) -> Result<()> + Send,
{
    let start = Instant::now();
    let mut outcome = Outcome::default();
    thread::scope(|scope| -> Result<()> {
        let callers = callers.into_iter().zip(&work.callers);
        let callers: Vec<_> = callers
            .map(|(append, batches)| scope.spawn(move || append_all(append, batches, start)))
            .collect();
        for caller in callers {
            let (count, waits) = caller.join().map_err(|_| "a caller panicked")??;
            outcome.count += count;
            outcome.waits.extend(waits);
        }
        Ok(())
    })?;
    outcome.took = start.elapsed();
    Ok(outcome)
}

fn append_all(
    mut append: impl FnMut(&[Record]) -> Result<()>,
    batches: &[Vec<Record>],
    start: Instant,
) -> Result<(u64, Vec<Duration>)> {
    let (mut count, mut waits) = (0, Vec::with_capacity(batches.len()));
    for batch in batches {
        let begun = Instant::now();
        append(batch)?;
        waits.push(begun.elapsed());
        count += batch.len() as u64;
        if start.elapsed() > RUN_MAX {
            break;
        }
    }
    Ok((count, waits))
}
