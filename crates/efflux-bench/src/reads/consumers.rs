//! Consumers that receive and commit, against a scan of the same particles.

use std::time::Duration;

use efflux_node::storage::{Consumer, ConsumerOptions, Sync};

use super::{Bench, EFFLUX};
use crate::Result;
use crate::dataset::Dataset;
use crate::measure::{Lane, Measured, Outcome};

/// Workers that share a consumer where commits are to share syncs.
pub(super) const WORKERS: usize = 16;

/// Records that are received and committed in one run.
const CONSUMED: u64 = 20_000;
const BATCH: usize = 100;
const WAIT: Duration = Duration::from_secs(5);
const GOAL: f64 = 0.5;

impl Bench<'_> {
    pub(super) fn consumer_os(&self) -> Result<Measured> {
        self.consumer("consumer-os", &self.data, 1, Some(GOAL))
    }

    /// One worker waits for each sync; of many, each waits for a sync that all share.
    pub(super) fn consumer_always(&self, workers: usize) -> Result<Measured> {
        let own = tempfile::tempdir_in(self.folder)?;
        let append = Dataset::append(own.path(), &self.workload, CONSUMED, Sync::Always);
        let data = self.runtime.block_on(append)?;
        let measured = match workers {
            1 => self.consumer("consumer-always", &data, 1, None),
            many => self.consumer("consumer-always-16", &data, many, Some(GOAL)),
        };
        self.runtime.block_on(data.store.close())?;
        measured
    }

    fn consumer(
        &self,
        name: &str,
        data: &Dataset,
        workers: usize,
        goal: Option<f64>,
    ) -> Result<Measured> {
        let most = data.records.min(CONSUMED);
        let scan = || Outcome::timed(|| self.runtime.block_on(data.scan(most)));
        let mut consumers = (1..).map(|number| format!("consumer-{number}"));
        let consume = || {
            let name = consumers.next().unwrap_or_default().parse()?;
            let open = Consumer::open(&data.topic, &name, ConsumerOptions::default());
            let consumer = self.runtime.block_on(open)?;
            let outcome =
                Outcome::timed(|| self.runtime.block_on(consume_on(&consumer, workers, most)));
            self.runtime
                .block_on(Consumer::delete(&data.topic, &name))?;
            outcome
        };
        let lanes = vec![Lane::new("efflux scan", scan), Lane::new(EFFLUX, consume)];
        self.measure(name, goal, lanes)
    }
}

async fn consume_on(consumer: &Consumer, workers: usize, most: u64) -> Result<u64> {
    let share = most.div_ceil(workers as u64);
    let workers: Vec<_> = (0..workers)
        .map(|_| {
            let consumer = consumer.clone();
            tokio::spawn(async move { consume(&consumer, share).await })
        })
        .collect();
    let mut count = 0;
    for worker in workers {
        count += worker.await??;
    }
    Ok(count)
}

/// Receives and commits until it has `most`.
pub(crate) async fn consume(consumer: &Consumer, most: u64) -> Result<u64> {
    let mut count = 0;
    while count < most {
        let wanted = usize::try_from(most - count).map_or(BATCH, |left| left.min(BATCH));
        let received = consumer.receive(wanted, WAIT).await?;
        if received.is_empty() {
            break;
        }
        let tickets: Vec<_> = received.iter().map(|delivery| delivery.ticket).collect();
        consumer.commit(&tickets).await?;
        count += tickets.len() as u64;
    }
    Ok(count)
}
