//! The limit programs of the append rows: the same bytes encoded, hashed, written and synced by a
//! bare loop with no queue, no index and no API.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::append::Work;
use crate::frame::Encoder;
use crate::measure::Outcome;
use crate::workload::Record;

/// Bytes that are written and synced together at most.
const GROUP_BYTES: usize = 256 * 1024;
/// Groups that are encoded while another one is written.
const GROUPS_AHEAD: usize = 2;
const ZEROS_BYTES: usize = 1024 * 1024;
/// More than the metadata of a record and the frame around it.
const FRAME_BYTES_BEYOND_PAYLOAD: usize = 400;

/// Writes every batch by itself, and syncs it when the work is to be durable.
pub(crate) fn one_by_one(folder: &Path, work: &Work) -> Result<Outcome> {
    let file = file(folder, work)?;
    Outcome::timed(|| {
        let (mut encoder, mut at) = (Encoder::default(), 0);
        for batch in work.callers.iter().flatten() {
            add(&mut encoder, batch);
            file.write_all_at(&encoder.buffer, at)?;
            at += encoder.buffer.len() as u64;
            encoder.buffer.clear();
            if work.is_durable {
                file.sync_data()?;
            }
        }
        Ok(encoder.sequence)
    })
}

/// Writes and syncs together what all callers have at a time, and tells how long each group took.
pub(crate) fn group_by_group(folder: &Path, work: &Work) -> Result<Outcome> {
    let file = file(folder, work)?;
    let rounds = work.callers.iter().map(Vec::len).max().unwrap_or(0);
    let (mut encoder, mut at) = (Encoder::default(), 0);
    let (mut waits, mut took) = (Vec::with_capacity(rounds), Duration::ZERO);
    for round in 0..rounds {
        for caller in &work.callers {
            add(&mut encoder, caller.get(round).map_or(&[], Vec::as_slice));
        }
        let start = Instant::now();
        file.write_all_at(&encoder.buffer, at)?;
        file.sync_data()?;
        waits.push(start.elapsed());
        took += start.elapsed();
        at += encoder.buffer.len() as u64;
        encoder.buffer.clear();
    }
    Ok(Outcome {
        count: encoder.sequence,
        took,
        waits,
        after: None,
    })
}

/// Encodes and hashes groups on one thread while another one writes and syncs those before.
pub(crate) fn overlapped(folder: &Path, work: &Work) -> Result<Outcome> {
    let file = file(folder, work)?;
    Outcome::timed(|| {
        let (full, to_write) = sync_channel(GROUPS_AHEAD);
        let (written, empty) = sync_channel(GROUPS_AHEAD + 2);
        thread::scope(|scope| {
            let writer = scope.spawn(move || write_groups(&file, &to_write, &written));
            let mut encoder = Encoder::default();
            for batch in work.callers.iter().flatten() {
                add(&mut encoder, batch);
                if encoder.buffer.len() >= GROUP_BYTES {
                    let next = empty.try_recv().unwrap_or_default();
                    full.send(std::mem::replace(&mut encoder.buffer, next))?;
                }
            }
            full.send(std::mem::take(&mut encoder.buffer))?;
            drop(full);
            writer.join().map_err(|_| "the writer panicked")??;
            Ok(encoder.sequence)
        })
    })
}

fn write_groups(
    file: &File,
    groups: &Receiver<Vec<u8>>,
    written: &SyncSender<Vec<u8>>,
) -> Result<()> {
    let mut at = 0;
    for mut group in groups {
        file.write_all_at(&group, at)?;
        file.sync_data()?;
        at += group.len() as u64;
        group.clear();
        let _ = written.try_send(group);
    }
    Ok(())
}

fn add(encoder: &mut Encoder, batch: &[Record]) {
    let is_batch = batch.len() > 1;
    for (record, remaining) in batch.iter().zip((0..batch.len()).rev()) {
        let remaining = u32::try_from(remaining).ok().filter(|_| is_batch);
        encoder.add(record, remaining);
    }
}

/// A file to write to, full of durable zeros when the work is to be durable.
fn file(folder: &Path, work: &Work) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(folder.join("limit"))?;
    if work.is_durable {
        let records = work.callers.iter().flatten().flatten();
        let bytes: usize = records
            .map(|record| record.payload.len() + FRAME_BYTES_BEYOND_PAYLOAD)
            .sum();
        let zeros = vec![0; ZEROS_BYTES];
        for at in (0..bytes).step_by(ZEROS_BYTES) {
            file.write_all_at(&zeros, at as u64)?;
        }
        file.sync_all()?;
    }
    Ok(file)
}
