//! Running the programs of a row in turn, and what came out of it.

use std::borrow::Cow;
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
    /// How long the program still worked once the clock had stopped, where it did.
    pub(crate) after: Option<Duration>,
}

impl Outcome {
    /// Runs `work`, which returns how much it did.
    pub(crate) fn timed(work: impl FnOnce() -> Result<u64>) -> Result<Self> {
        let start = Instant::now();
        let count = work()?;
        Ok(Self {
            count,
            took: start.elapsed(),
            ..Self::default()
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

/// A row to measure. Its first lane is what the others are told as ratios of.
pub(crate) struct Row<'a> {
    pub(crate) name: String,
    /// The ratio that issue 3 asks for, where it asks for one.
    pub(crate) goal: Option<f64>,
    /// The lane that is held against the goal, by its name.
    pub(crate) held: &'static str,
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
    /// The median of the waits of all rounds.
    pub(crate) p50: Option<Duration>,
    /// The 99th percentile of the waits of all rounds.
    pub(crate) p99: Option<Duration>,
    /// The median of what was done once the clock had stopped.
    pub(crate) after: Option<Duration>,
}

/// A single number that a row tells.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: Cow<'static, str>,
    /// What issue 3 allows at most, where it says so.
    pub(crate) most: Option<f64>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit: Cow::Borrowed(unit),
            most: None,
        }
    }

    pub(crate) const fn at_most(mut self, most: f64) -> Self {
        self.most = Some(most);
        self
    }
}

/// A row that was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) goal: Option<f64>,
    pub(crate) held: &'static str,
    pub(crate) lanes: Vec<Reached>,
    pub(crate) figures: Vec<Figure>,
}

impl Measured {
    /// A row that tells single numbers only.
    pub(crate) fn of(name: impl Into<String>, figures: Vec<Figure>) -> Self {
        Self {
            name: name.into(),
            goal: None,
            held: "",
            lanes: Vec::new(),
            figures,
        }
    }

    pub(crate) fn lane(&self, name: &str) -> Option<&Reached> {
        self.lanes.iter().find(|lane| lane.name == name)
    }
}

/// Runs each lane once in each round, one lane at a time.
pub(crate) fn measure(mut row: Row<'_>, rounds: usize) -> Result<Measured> {
    let mut rates: Vec<Vec<f64>> = row.lanes.iter().map(|_| Vec::new()).collect();
    let mut outcomes: Vec<Outcome> = row.lanes.iter().map(|_| Outcome::default()).collect();
    let mut afters: Vec<Vec<Duration>> = row.lanes.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        let sums = rates.iter_mut().zip(&mut outcomes).zip(&mut afters);
        for (lane, ((rates, sum), afters)) in row.lanes.iter_mut().zip(sums) {
            let outcome = (lane.run)().map_err(|error| format!("{}: {error}", lane.name))?;
            rates.push(outcome.rate());
            sum.waits.extend(outcome.waits);
            afters.extend(outcome.after);
        }
    }
    let first = rates.first().cloned().unwrap_or_default();
    let lanes = row.lanes.iter().zip(rates).zip(outcomes).zip(afters);
    let lanes = lanes.map(|(((lane, rates), sum), afters)| {
        let ratios = rates.iter().zip(&first).map(|(rate, first)| rate / first);
        let mut waits = sum.waits;
        waits.sort_unstable();
        Reached {
            name: lane.name,
            ratio: median(ratios.collect()),
            rate: median(rates),
            p50: waits.get(waits.len() / 2).copied(),
            p99: waits.get(waits.len() * 99 / 100).copied(),
            after: median_time(afters),
        }
    });
    Ok(Measured {
        name: row.name,
        goal: row.goal,
        held: row.held,
        lanes: lanes.collect(),
        figures: Vec::new(),
    })
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}

pub(crate) fn median_time(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
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
                ..Outcome::default()
            })
        };
        let lanes = vec![
            Lane::new("limit", move || run(counts.next())),
            Lane::new("efflux", move || run(halves.next())),
        ];
        let row = Row {
            name: "row".to_owned(),
            goal: None,
            held: "efflux",
            lanes,
        };
        let measured = measure(row, 3).unwrap();
        assert_eq!(measured.lanes[1].ratio, 0.5);
        assert_eq!(measured.lanes[0].rate, 100.0);
    }
}
