//! The bytes of a journal file, and what they tell when they are read.
//!
//! ```text
//!    0  "EFXJRNL1"  8 | generation  8 | CRC-32C of both  4 | zeros
//!  512  mark: durable bytes  8 | generation  8 | CRC-32C of both  4 | zeros
//! 1024  the other mark
//! 1536  record: length  4 | number  8 | CRC-32C  4 | bytes
//!       record ...
//!       zeros, in a file that was synced
//! ```
//!
//! Integers are little-endian. Records are numbered from 0. A record's checksum is over the checksum
//! before it (that of the generation for the first one), its length, its number and its bytes: a
//! record that belongs elsewhere does not check. Each sync is followed by a mark, in turn the one and the
//! other, which is not synced itself. It tells a torn tail from a rotten one: what does not check
//! past the durable bytes was never promised and is cut, anything before is damage. What stays open
//! is the last group before a power cut, whose mark may be lost with the power.

use std::io;
use std::path::Path;

use efflux_particle::TopicName;

use crate::disk::{Disk, DiskFile, read_exact_at};
use crate::error::{Damage, Error, Result};

const MAGIC: [u8; 8] = *b"EFXJRNL1";
/// Each in a sector of its own, so that writing one leaves the others whole.
const MARKS_AT: [u64; 2] = [512, 1024];
const RECORDS_AT: usize = 1536;
const RECORD_HEAD_BYTES: usize = 16;
const STAMP_BYTES: usize = 20;

/// Longest record in bytes: 16 MiB, several times the longest summary of a consumer.
pub(crate) const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One replacement a nanosecond for 36 years; what says more was not written by this program.
const GENERATION_MAX: u64 = 1 << 60;

/// What a journal file holds.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) records: Vec<Vec<u8>>,
    pub(super) generation: u64,
}

/// Where the next record goes, and what it is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) generation: u64,
    pub(super) offset: u64,
    number: u64,
    checksum: u32,
}

impl End {
    /// Encodes a record; the end after it.
    pub(super) fn encode(self, record: &[u8], out: &mut Vec<u8>) -> Result<Self> {
        let length = u32::try_from(record.len())
            .ok()
            .filter(|_| record.len() <= RECORD_BYTES_MAX)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "a journal's record of {} bytes is too long: at most {RECORD_BYTES_MAX}",
                    record.len()
                ))
            })?;
        let checksum = chained(self.checksum, length, self.number, record);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(record);
        Ok(Self {
            offset: self.offset + RECORD_HEAD_BYTES as u64 + u64::from(length),
            number: self.number + 1,
            checksum,
            ..self
        })
    }

    /// The mark that all before this end is durable, and where it goes: the `turn`th of the file.
    pub(super) fn mark(self, turn: u64) -> (u64, Vec<u8>) {
        let [first, second] = MARKS_AT;
        (
            if turn.is_multiple_of(2) {
                first
            } else {
                second
            },
            stamp(self.offset, self.generation),
        )
    }
}

/// A whole file with these records, all of them marked durable, and its end.
pub(super) fn encode_file(generation: u64, records: &[impl AsRef<[u8]>]) -> Result<(Vec<u8>, End)> {
    let mut bytes = stamp(u64::from_le_bytes(MAGIC), generation);
    let checksum = first_checksum(generation);
    bytes.resize(RECORDS_AT, 0);
    let mut end = End {
        generation,
        offset: RECORDS_AT as u64,
        number: 0,
        checksum,
    };
    for record in records {
        end = end.encode(record.as_ref(), &mut bytes)?;
    }
    for at in MARKS_AT {
        let mark = stamp(end.offset, generation);
        let place = usize::try_from(at).unwrap_or(RECORDS_AT);
        if let Some(place) = bytes.get_mut(place..place + STAMP_BYTES) {
            place.copy_from_slice(&mark);
        }
    }
    Ok((bytes, end))
}

/// Reads a journal; none when there is no such file. Nothing is written.
pub(super) fn load(disk: &dyn Disk, path: &Path, topic: &TopicName) -> Result<Option<Loaded>> {
    let unreadable = |error| Error::io(format!("reading {}", path.display()), error);
    let file = match disk.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let damage = |offset: u64, problem: String| {
        let name = path
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        Error::corrupt(Damage {
            topic: topic.clone(),
            file: format!("consumers/{name}"),
            offset,
            sequence: None,
            problem: format!(
                "{problem}; delete the consumer and make it anew where it should go on"
            ),
        })
    };
    // The marks come first: while a writer goes on, the file only grows past what they promise.
    let head = read_upto(&*file, RECORDS_AT).map_err(unreadable)?;
    let bytes = usize::try_from(file.len().map_err(unreadable)?)
        .map_err(|_| damage(0, "the file is too long".to_owned()))?;
    let rest = bytes.saturating_sub(RECORDS_AT);
    let rest = read_exact_at(&*file, RECORDS_AT as u64, rest).map_err(unreadable)?;

    let generation = head
        .get(..STAMP_BYTES)
        .and_then(unstamp)
        .filter(|(magic, of)| magic.to_le_bytes() == MAGIC && *of <= GENERATION_MAX)
        .map(|(_, generation)| generation)
        .ok_or_else(|| damage(0, "the file does not begin as a journal does".to_owned()))?;
    let durable = MARKS_AT
        .iter()
        .filter_map(|at| mark(&head, *at))
        .filter_map(|(durable, of)| (of == generation).then_some(durable))
        .max()
        .ok_or_else(|| {
            damage(
                MARKS_AT[0].min(bytes as u64),
                "neither mark of what is durable checks".to_owned(),
            )
        })?;
    let (records, end, problem) = walk(generation, &rest);
    if end < durable {
        let problem = problem.unwrap_or_else(|| "the file ends".to_owned());
        return Err(damage(
            end.min(bytes as u64),
            format!("{problem}, before byte {durable} that was durable"),
        ));
    }
    Ok(Some(Loaded {
        records,
        generation,
    }))
}

/// Reads and checks a journal, and writes nothing. A torn tail is no damage.
pub(crate) fn check(disk: &dyn Disk, path: &Path, topic: &TopicName) -> Result<()> {
    load(disk, path, topic).map(drop)
}

/// The records up to the first that does not check, where they end, and what is wrong there.
fn walk(generation: u64, mut rest: &[u8]) -> (Vec<Vec<u8>>, u64, Option<String>) {
    let mut checksum = first_checksum(generation);
    let mut records = Vec::new();
    let mut offset = RECORDS_AT as u64;
    let problem = loop {
        if rest.is_empty() {
            break None;
        }
        let Some((record, after, found)) = next(rest, records.len() as u64, checksum) else {
            break Some(format!("record {} does not check", records.len()));
        };
        offset += (RECORD_HEAD_BYTES + record.len()) as u64;
        records.push(record.to_vec());
        checksum = found;
        rest = after;
    };
    (records, offset, problem)
}

/// The record that the bytes begin with, what follows it, and its checksum.
fn next(bytes: &[u8], expected: u64, before: u32) -> Option<(&[u8], &[u8], u32)> {
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let (number, bytes) = bytes.split_first_chunk::<8>()?;
    let (checksum, bytes) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let number = u64::from_le_bytes(*number);
    let checksum = u32::from_le_bytes(*checksum);
    let (record, after) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    let checks = number == expected
        && record.len() <= RECORD_BYTES_MAX
        && chained(before, length, number, record) == checksum;
    checks.then_some((record, after, checksum))
}

/// What the first record of a file is chained to: another value for each generation.
fn first_checksum(generation: u64) -> u32 {
    // Not over the whole stamp: a checksum over bytes that end with their checksum is a constant.
    crc32c::crc32c(&generation.to_le_bytes())
}

fn chained(before: u32, length: u32, number: u64, record: &[u8]) -> u32 {
    let mut head = [0; RECORD_HEAD_BYTES];
    let fields = before
        .to_le_bytes()
        .into_iter()
        .chain(length.to_le_bytes())
        .chain(number.to_le_bytes());
    head.iter_mut()
        .zip(fields)
        .for_each(|(to, from)| *to = from);
    crc32c::crc32c_append(crc32c::crc32c(&head), record)
}

/// Two numbers with their checksum.
fn stamp(one: u64, two: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(STAMP_BYTES);
    bytes.extend_from_slice(&one.to_le_bytes());
    bytes.extend_from_slice(&two.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn unstamp(bytes: &[u8]) -> Option<(u64, u64)> {
    let (one, rest) = bytes.split_first_chunk::<8>()?;
    let (two, _) = rest.split_first_chunk::<8>()?;
    let (one, two) = (u64::from_le_bytes(*one), u64::from_le_bytes(*two));
    (stamp(one, two) == bytes).then_some((one, two))
}

fn mark(head: &[u8], at: u64) -> Option<(u64, u64)> {
    let at = usize::try_from(at).ok()?;
    unstamp(head.get(at..at + STAMP_BYTES)?)
}

/// The file's first bytes, fewer when it is shorter.
fn read_upto(file: &dyn DiskFile, count: usize) -> io::Result<Vec<u8>> {
    let count = usize::try_from(file.len()?).unwrap_or(count).min(count);
    read_exact_at(file, 0, count)
}
