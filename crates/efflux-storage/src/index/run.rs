//! Runs: contiguous ranges of a topic's particles that are indexed together.
//!
//! ```text
//! sequence   0 ──────────── a ──────────── b ─── c        d
//!            └─ run 0..=a-1 ┘└─ run ──────┘└─ run ┘└ not indexed yet ┘ head
//! ```
//!
//! The runs of a topic follow each other without a gap from the root on. There is no other
//! watermark: the end of the last run is it, and each run names the fingerprint of its last
//! particle.

use efflux_particle::{Fingerprint, HASH_BYTES, Head, Sequence};

use super::TopicNumber;
use super::ids;
use super::key::RunName;
use super::varint;
use super::zones::Span;

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first particle's sequence.
    pub(super) start: u64,
    /// How often what is in it was merged, and one.
    pub(super) generation: u8,
    /// Particles, at least one.
    pub(super) count: u32,
    /// Entries of all its lists.
    pub(super) entries: u64,
    /// How many bits the numbers of its buckets of rare terms have; none when there are none.
    pub(super) rare_bits: Option<u32>,
    /// Its timestamps.
    pub(super) timestamps: Span,
    /// The times its particles were created.
    pub(super) created: Span,
    /// Its ids.
    pub(super) ids: ids::Span,
    /// The fingerprint of its last particle.
    pub(super) fingerprint: Fingerprint,
}

impl Run {
    /// The sequence after its last particle.
    pub(super) const fn end(&self) -> u64 {
        self.start.saturating_add(self.count as u64)
    }

    /// What tells it from all others.
    pub(super) const fn name(&self, topic: TopicNumber) -> RunName {
        RunName {
            topic,
            start: self.start,
            generation: self.generation,
        }
    }

    /// The last particle.
    pub(super) const fn head(&self) -> Head {
        Head {
            sequence: Sequence::new(self.end().saturating_sub(1)),
            fingerprint: self.fingerprint,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, u64::from(self.count));
        varint::put(&mut bytes, self.entries);
        varint::put(
            &mut bytes,
            self.rare_bits.map_or(0, |bits| u64::from(bits) + 1),
        );
        for span in [self.timestamps, self.created] {
            varint::put_signed(&mut bytes, span.first);
            varint::put_signed(&mut bytes, span.last);
        }
        self.ids.encode(&mut bytes);
        bytes.extend_from_slice(self.fingerprint.as_bytes());
        bytes
    }

    pub(super) fn decode(start: u64, generation: u8, mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        let count = varint::take_u32(from)?;
        let entries = varint::take(from)?;
        let rare_bits = varint::take_u32(from)?.checked_sub(1);
        let mut span = || {
            Some(Span {
                first: varint::take_signed(from)?,
                last: varint::take_signed(from)?,
            })
        };
        let (timestamps, created) = (span()?, span()?);
        let ids = ids::Span::decode(from)?;
        let fingerprint = read_fingerprint(from)?;
        (count > 0 && from.is_empty()).then_some(Self {
            start,
            generation,
            count,
            entries,
            rare_bits,
            timestamps,
            created,
            ids,
            fingerprint,
        })
    }
}

/// A head as it is stored in marks and in the records of topics, where the number is a topic's.
pub(super) fn encode_head(number: u64, fingerprint: &Fingerprint) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint::put(&mut bytes, number);
    bytes.extend_from_slice(fingerprint.as_bytes());
    bytes
}

/// Reads what [`encode_head`] wrote.
pub(super) fn decode_head(mut bytes: &[u8]) -> Option<(u64, Fingerprint)> {
    let number = varint::take(&mut bytes)?;
    let fingerprint = read_fingerprint(&mut bytes)?;
    bytes.is_empty().then_some((number, fingerprint))
}

fn read_fingerprint(from: &mut &[u8]) -> Option<Fingerprint> {
    let bytes = varint::take_bytes(from, HASH_BYTES)?.try_into().ok()?;
    Some(Fingerprint::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reads_back() {
        let run = Run {
            start: 7,
            generation: 2,
            count: 65_536,
            entries: 400_000,
            rare_bits: Some(0),
            timestamps: Span {
                first: i64::MIN,
                last: i64::MAX,
            },
            created: Span::at(1_700_000_000_000_000_000),
            ids: ids::Span::Any,
            fingerprint: Fingerprint::of(b"x"),
        };
        assert_eq!(Run::decode(7, 2, &run.encode()), Some(run.clone()));
        let mut bytes = run.encode();
        bytes.pop();
        assert_eq!(Run::decode(7, 2, &bytes), None);
        let (number, fingerprint) = (9, Fingerprint::of(b"y"));
        assert_eq!(
            decode_head(&encode_head(number, &fingerprint)),
            Some((number, fingerprint))
        );
    }
}
