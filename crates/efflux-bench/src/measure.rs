//! Running the programs of a row in turn, and what came out of it.

use std::time::{Duration, Instant};

use crate::Result;

/// What one run of one program did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Records, gets, finds or openings: what the row counts.
    pub(crate) count: u64,
    pub(crate) took: Duration,
    /// How long each append was waited for, where that is of interest.
    pub(crate) waits: Vec<Duration>,
}

impl Outcome {
    /// Runs `work`, which returns how much it did.
    pub(crate) fn timed(work: impl FnOnce() -> Result<u64>) -> Result<Self> {
        let start = Instant::now();
        let count = work()?;
        Ok(Self {
            count,
            took: start.elapsed(),
            waits: Vec::new(),
        })
    }

    fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let count = self.count as f64;
        count / self.took.as_secs_f64().max(1e-9)
    }
}

/// One of the programs of a row.
pub(crate) struct Lane<'a> {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut() -> Result<Outcome> + 'a>,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(name: &'static str, run: impl FnMut() -> Result<Outcome> + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

/// A row to measure. Its second lane is Efflux, held against the first; the others stand beside.
pub(crate) struct Row<'a> {
    pub(crate) name: String,
    /// The ratio that issue 3 asks for, where it asks for one.
    pub(crate) goal: Option<f64>,
    pub(crate) lanes: Vec<Lane<'a>>,
}

/// What a lane reached.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) name: &'static str,
    /// The median of the rounds, a second.
    pub(crate) rate: f64,
    /// The median of the rounds' ratios to the first lane.
    pub(crate) ratio: f64,
    /// The 99th percentile of the waits of all rounds.
    pub(crate) p99: Option<Duration>,
}

/// A row that was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) goal: Option<f64>,
    pub(crate) lanes: Vec<Reached>,
}

/// Runs each lane once in each round, one lane at a time.
pub(crate) fn measure(mut row: Row<'_>, rounds: usize) -> Result<Measured> {
    let mut rates: Vec<Vec<f64>> = row.lanes.iter().map(|_| Vec::new()).collect();
    let mut waits: Vec<Vec<Duration>> = row.lanes.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for ((lane, rates), waits) in row.lanes.iter_mut().zip(&mut rates).zip(&mut waits) {
            let outcome = (lane.run)().map_err(|error| format!("{}: {error}", lane.name))?;
            rates.push(outcome.rate());
            waits.extend(outcome.waits);
        }
    }
    let first = rates.first().cloned().unwrap_or_default();
    let lanes = row.lanes.iter().zip(rates).zip(waits);
    let lanes = lanes.map(|((lane, rates), mut waits)| {
        let ratios = rates.iter().zip(&first).map(|(rate, first)| rate / first);
        waits.sort_unstable();
        Reached {
            name: lane.name,
            ratio: median(ratios.collect()),
            rate: median(rates),
            p99: waits.get(waits.len() * 99 / 100).copied(),
        }
    });
    Ok(Measured {
        name: row.name,
        goal: row.goal,
        lanes: lanes.collect(),
    })
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut counts = [100, 10, 1000].into_iter();
        let mut halves = [50, 5, 500].into_iter();
        let run = |count: Option<u64>| {
            Ok(Outcome {
                count: count.unwrap_or(0),
                took: Duration::from_secs(1),
                waits: Vec::new(),
            })
        };
        let lanes = vec![
            Lane::new("limit", move || run(counts.next())),
            Lane::new("efflux", move || run(halves.next())),
        ];
        let row = Row {
            name: "row".to_owned(),
            goal: None,
            lanes,
        };
        let measured = measure(row, 3).unwrap();
        assert_eq!(measured.lanes[1].ratio, 0.5);
        assert_eq!(measured.lanes[0].rate, 100.0);
    }
}
