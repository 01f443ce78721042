//! What operations cost as a topic grows, and what it takes on disk and in memory.
//!
//! A child process appends, and at each stage asks, closes, opens again and weighs. It has nothing
//! else in memory, so the peak of its memory is what a program needs that embeds Efflux.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use efflux_node::particle::Sequence;
use efflux_node::storage::{Consumer, ConsumerOptions, Store, Sync, Topic, TopicOptions};

use crate::dataset::{BATCH, Dataset, TOPIC, find_like, get_id};
use crate::following::{self, until_indexed};
use crate::lag::Lag;
use crate::machine::{folder_bytes, memory_peak_bytes};
use crate::measure::{Figure, Measured};
use crate::reads::{consume, scattered};
use crate::workload::{Second, Workload};
use crate::{Result, child, seconds};

pub(crate) const NAME: &str = "growth";
pub(crate) const PAYLOAD_BYTES: usize = 100;
/// Numbers past this one are no record's that is asked for.
pub(crate) const FAR: u64 = 1 << 41;

const GETS: u64 = 2000;
const FINDS: u64 = 20;
const SCANNED: u64 = 200_000;
const CONSUMED: u64 = 2000;
/// Particles of the smallest stage. What a store takes at least says nothing of what one more costs.
const STAGE_MIN: u64 = 100_000;
/// Particles from which on the bytes of each are held against the goal.
const WEIGHED_MIN: u64 = 1_000_000;
const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// What issue 3 allows: bytes of index a particle, mebibytes of memory.
const INDEX_BYTES_MOST: f64 = 40.0;
const MEMORY_MOST: f64 = 256.0;

/// Lets a child grow a store in `folder`, and tells every stage.
pub(crate) fn rows(folder: &Path, particles: u64, show: &mut dyn FnMut(Measured)) -> Result {
    let mut stages = stages(particles).into_iter();
    child::figures("grow", folder, particles, &mut |figures| {
        let stage = stages.next().unwrap_or(particles);
        show(Measured::of(format!("{NAME} to {stage} x 100 B"), figures));
    })
}

/// The numbers of particles at which it is measured.
fn stages(particles: u64) -> Vec<u64> {
    let parts = [particles / 100, particles / 10];
    let parts = parts.into_iter().filter(|it| *it >= STAGE_MIN);
    parts.chain([particles]).collect()
}

/// Grows the store, in this process.
pub(crate) async fn grow(
    folder: &Path,
    particles: u64,
    tell: &dyn Fn(&[Figure]) -> Result,
) -> Result {
    let store = Store::open(&format!("file:{}", folder.display())).await?;
    let options = TopicOptions::default().with_sync(Sync::Os);
    store.create_topic(&TOPIC.parse()?, options).await?;
    store.close().await?;
    let mut from = 1;
    for stage in stages(particles) {
        let mut figures = Vec::new();
        let data = Dataset::open(folder, stage).await?;
        append(&data.topic, from..stage + 1, &mut figures).await?;
        ask(&data, &mut figures).await?;
        let start = Instant::now();
        data.store.close().await?;
        figures.push(Figure::new("close", millis(start.elapsed()), "ms"));
        reopen(folder, stage, &mut figures).await?;
        weigh(folder, stage, &mut figures)?;
        figures.push(memory(MEMORY_MOST)?);
        tell(&figures)?;
        from = stage + 1;
    }
    Ok(())
}

/// Appends, each message made as it goes, because those of millions would not fit in memory.
async fn append(topic: &Topic, numbers: Range<u64>, figures: &mut Vec<Figure>) -> Result {
    let workload = Workload::new(PAYLOAD_BYTES);
    let (mut lag, start) = (Lag::default(), Instant::now());
    for first in numbers.clone().step_by(usize::try_from(BATCH)?) {
        let batch = first..numbers.end.min(first + BATCH);
        let messages = batch.map(|number| workload.record(number).message(true));
        topic.append_batch(messages.collect()).await?;
        lag.look(topic);
    }
    let rate = float(numbers.end - numbers.start) / seconds(start.elapsed());
    figures.push(Figure::new(
        "append since the stage before",
        rate,
        "a second",
    ));
    figures.extend(following::figures(&lag));
    let behind = until_indexed(topic).await?;
    figures.push(Figure::new("index caught up after", millis(behind), "ms"));
    Ok(())
}

async fn ask(data: &Dataset, figures: &mut Vec<Figure>) -> Result {
    let (topic, records) = (&data.topic, data.records);
    let mut clock = Clock(Instant::now());
    for number in scattered(records, GETS) {
        let found = topic.get(Sequence::new(number)).await?;
        found.ok_or("a record is missing")?;
    }
    figures.push(clock.each("get", GETS));
    let workload = Workload::new(PAYLOAD_BYTES);
    for number in scattered(records, GETS) {
        get_id(topic, workload.record(number).id).await?;
    }
    figures.push(clock.each("get by id", GETS));
    for number in scattered(records, FINDS) {
        find_like(topic, number, Second::Kind).await?;
    }
    figures.push(clock.each("find, type and kind", FINDS));
    for number in scattered(records, FINDS) {
        find_like(topic, number, Second::Group).await?;
    }
    figures.push(clock.each("find, type and group", FINDS));
    let scanned = data.scan(SCANNED.min(records)).await?;
    figures.push(clock.each("scan, a particle", scanned));
    let name = format!("consumer-{records}").parse()?;
    let consumer = Consumer::open(topic, &name, ConsumerOptions::default()).await?;
    let consumed = consume(&consumer, CONSUMED.min(records)).await?;
    figures.push(clock.each("receive and commit, a particle", consumed));
    Consumer::delete(topic, &name).await?;
    Ok(())
}

async fn reopen(folder: &Path, stage: u64, figures: &mut Vec<Figure>) -> Result {
    let start = Instant::now();
    let data = Dataset::open(folder, stage).await?;
    figures.push(Figure::new("open", millis(start.elapsed()), "ms"));
    let id = Workload::new(PAYLOAD_BYTES).record(stage / 2).id;
    get_id(&data.topic, id).await?;
    let indexed = millis(start.elapsed());
    figures.push(Figure::new("open and first get by id", indexed, "ms"));
    Ok(data.store.close().await?)
}

/// What is on disk beside the frames, whose own overhead is 54 bytes each, whatever stands in them.
fn weigh(folder: &Path, particles: u64, figures: &mut Vec<Figure>) -> Result {
    let is = |path: &Path, extension: &str| path.extension().is_some_and(|it| it == extension);
    let frames = folder_bytes(folder, &|path| is(path, "seg"))?;
    let offsets = folder_bytes(folder, &|path| is(path, "off"))?;
    let all = folder_bytes(folder, &|_| true)?;
    let each = |bytes: u64| float(bytes) / float(particles);
    figures.push(Figure::new("frames, a particle", each(frames), "B"));
    figures.push(Figure::new("offsets, a particle", each(offsets), "B"));
    let derived = Figure::new("index and all else, a particle", each(all - frames), "B");
    figures.push(if particles < WEIGHED_MIN {
        derived
    } else {
        derived.at_most(INDEX_BYTES_MOST)
    });
    Ok(())
}

/// The peak of this process's memory.
pub(crate) fn memory(most: f64) -> Result<Figure> {
    let peak = float(memory_peak_bytes()?) / MEBIBYTE;
    Ok(Figure::new("memory, peak of the process", peak, "MiB").at_most(most))
}

struct Clock(Instant);

impl Clock {
    /// The time since the last call, as that of each of `count`.
    fn each(&mut self, name: &str, count: u64) -> Figure {
        let took = self.0.elapsed();
        self.0 = Instant::now();
        Figure::new(name, seconds(took) * 1e6 / float(count.max(1)), "µs")
    }
}

fn millis(time: Duration) -> f64 {
    seconds(time) * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_end_with_the_last_particle() {
        assert_eq!(stages(10_000_000), [100_000, 1_000_000, 10_000_000]);
        assert_eq!(stages(20_000), [20_000]);
    }
}
