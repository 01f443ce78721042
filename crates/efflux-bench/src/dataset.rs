//! What the rows that read find there: a topic, and the same frames in a plain file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use efflux_node::particle::{Head, Particle, Sequence};
use efflux_node::storage::{FindOptions, Query, ReadLimit, Store, Sync, Topic, TopicOptions};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::frame::Encoder;
use crate::workload::Workload;

/// Records appended together.
const BATCH: u64 = 1000;
/// Frames that the limit of scans hashes, from memory.
const SAMPLE: u64 = 50_000;
/// Bytes read at a time at most; pieces are begun every half of it.
const PIECE_BYTES: usize = 2 * 1024 * 1024;
const METADATA_SIZE_AT: usize = 10;
const METADATA_AT: usize = 46;
const FOOTER_BYTES: usize = 8;
/// How long the index may take until it has everything.
const INDEX_WAIT: Duration = Duration::from_secs(120);
/// A find is answered faster than this once the index has everything.
const INDEXED_FIND: Duration = Duration::from_millis(20);

/// The frames of the limit programs, in a file and partly in memory.
pub(crate) struct Frames {
    pub(crate) file: File,
    /// Where each frame begins, and its bytes.
    pub(crate) places: Vec<(u64, usize)>,
    sample: Vec<u8>,
}

impl Frames {
    pub(crate) fn write(folder: &Path, workload: &Workload, records: u64) -> Result<Self> {
        let path = folder.join("frames");
        std::fs::write(&path, b"")?;
        let file = File::options().read(true).write(true).open(path)?;
        let (mut encoder, mut at) = (Encoder::default(), 0);
        let (mut places, mut sample) = (Vec::new(), Vec::new());
        for number in 1..=records {
            encoder.add(&workload.record(number), None);
            file.write_all_at(&encoder.buffer, at)?;
            places.push((at, encoder.buffer.len()));
            at += encoder.buffer.len() as u64;
            if number <= SAMPLE {
                sample.extend_from_slice(&encoder.buffer);
            }
            encoder.buffer.clear();
        }
        Ok(Self {
            file,
            places,
            sample,
        })
    }

    /// Hashes metadata and payload of every frame of the sample; how many frames.
    pub(crate) fn hash_all(&self) -> u64 {
        let (mut rest, mut count) = (&*self.sample, 0);
        for (_, bytes) in &self.places {
            let Some((frame, after)) = rest.split_at_checked(*bytes) else {
                break;
            };
            let size = frame.get(METADATA_SIZE_AT..).and_then(<[u8]>::first_chunk);
            let metadata_bytes = size.map_or(0, |size| u32::from_le_bytes(*size)) as usize;
            let payload_at = METADATA_AT + metadata_bytes;
            let metadata = frame.get(METADATA_AT..payload_at);
            let payload = frame.get(payload_at..frame.len() - FOOTER_BYTES);
            for part in [metadata, payload].into_iter().flatten() {
                std::hint::black_box(Sha256::digest(part));
            }
            rest = after;
            count += 1;
        }
        count
    }

    /// Reads the file in large pieces and computes the CRC-32C of every frame; how many frames.
    pub(crate) fn checksum_all(&self) -> Result<u64> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut count = 0;
        for frames in self.places.chunk_by(|(one, _), (other, _)| {
            one / (PIECE_BYTES as u64 / 2) == other / (PIECE_BYTES as u64 / 2)
        }) {
            let start = frames.first().map_or(0, |(at, _)| *at);
            let bytes = frames.iter().map(|(_, bytes)| bytes).sum::<usize>();
            let piece = piece
                .get_mut(..bytes)
                .ok_or("frames are larger than a piece")?;
            self.file.read_exact_at(piece, start)?;
            let mut rest = &*piece;
            for (_, bytes) in frames {
                let (frame, after) = rest.split_at_checked(*bytes).ok_or("a frame is cut")?;
                std::hint::black_box(crc32c::crc32c(frame));
                rest = after;
                count += 1;
            }
        }
        Ok(count)
    }

    /// One read of one frame, into bytes of its own.
    pub(crate) fn read(&self, number: u64) -> Result<Vec<u8>> {
        let at = usize::try_from(number.saturating_sub(1))?;
        let (place, bytes) = self.places.get(at).ok_or("there is no such frame")?;
        let mut frame = vec![0; *bytes];
        self.file.read_exact_at(&mut frame, *place)?;
        Ok(frame)
    }
}

/// A topic in a store on disk.
pub(crate) struct Dataset {
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) topic: Topic,
    pub(crate) records: u64,
}

pub(crate) const TOPIC: &str = "orders";

impl Dataset {
    /// Appends the records, each with its own id, and waits for the index.
    pub(crate) async fn append(
        folder: &Path,
        workload: &Workload,
        records: u64,
        sync: Sync,
    ) -> Result<Self> {
        let url = format!("file:{}", folder.display());
        let store = Store::open(&url).await?;
        let options = TopicOptions::default().with_sync(sync);
        let topic = store.create_topic(&TOPIC.parse()?, options).await?;
        for first in (1..=records).step_by(usize::try_from(BATCH)?) {
            let numbers = first..=records.min(first + BATCH - 1);
            let messages = numbers.map(|number| workload.record(number).message(true));
            topic.append_batch(messages.collect()).await?;
        }
        let dataset = Self {
            url,
            store,
            topic,
            records,
        };
        dataset.wait_for_index().await?;
        Ok(dataset)
    }

    /// Looks for the last record until that is fast.
    async fn wait_for_index(&self) -> Result<()> {
        let query = Query::property("order", format!("order-{}", self.records));
        let start = Instant::now();
        while start.elapsed() < INDEX_WAIT {
            let asked = Instant::now();
            let mut finder = self.topic.find(&query, FindOptions::default()).await?;
            while !finder.next_batch().await?.is_empty() {}
            if asked.elapsed() < INDEXED_FIND {
                return Ok(());
            }
        }
        Err("the index did not catch up in two minutes".into())
    }

    /// Reads the first `most` records in order; how many there were.
    pub(crate) async fn scan(&self, most: u64) -> Result<u64> {
        self.scan_with(most, &mut |_| Ok(())).await
    }

    /// Reads all records in order and checks both hashes of each and its link; how many.
    pub(crate) async fn scan_hashed(&self) -> Result<u64> {
        let root = self.topic.get(Sequence::ROOT).await?;
        let mut head = Head::on(&root.ok_or("the root is missing")?);
        let mut check = |particle: &Particle| {
            head = head.check(particle)?;
            Ok(())
        };
        self.scan_with(self.records, &mut check).await
    }

    async fn scan_with(
        &self,
        most: u64,
        check: &mut dyn FnMut(&Particle) -> Result<()>,
    ) -> Result<u64> {
        let (mut from, mut count) = (Sequence::FIRST, 0);
        while count < most {
            let read = self.topic.read(from, ReadLimit::default()).await?;
            read.iter().try_for_each(&mut *check)?;
            let Some(last) = read.last() else { break };
            from = last.sequence().next();
            count += read.len() as u64;
        }
        Ok(count)
    }
}
