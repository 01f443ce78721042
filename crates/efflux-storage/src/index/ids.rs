//! The ids of a run: a hash of each, with the offset.
//!
//! ```text
//! bucket  u64*          hash, 44 bits, then offset, 20 bits; ascending; the hashes of a bucket
//!                       begin with its number
//! filter  (64 bytes)*   a hash has six bits in one of these blocks
//! ```
//!
//! A look-up asks every run: first whether the id lies between the least and the greatest of it,
//! which leaves out nearly all runs when ids hold the time; then the filter, which is held in
//! memory and is wrong once in a hundred times; then one bucket. What is found must be checked: two
//! ids may have one hash.
//!
//! As keys of their own, ids would be most of what is written to the table, and its merging would
//! write each of them a dozen times more, because they come in no order.

use efflux_particle::Id;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::varint;

/// Bits of an offset: a run has at most a million particles.
const OFFSET_BITS: u32 = 20;

/// Bits of a hash: among ten million ids, one look-up in a million finds one too many.
const HASH_BITS: u32 = 64 - OFFSET_BITS;

/// Ids of a bucket, about: 2 KiB.
const BUCKET_IDS: u32 = 256;

/// Bytes of a block of a filter: what a processor fetches at once.
const BLOCK_BYTES: usize = 64;

/// Ids for each block of a filter: some ten bits an id.
const BLOCK_IDS: usize = 51;

/// Bits that a hash has in its block.
const BITS: u32 = 6;

/// Odd numbers without pattern, which spread a hash anew.
const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// A hash of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdHash(u64);

impl IdHash {
    /// The hash of an id in a topic whose seed this is.
    pub(super) fn of(id: &Id, seed: u64) -> Self {
        let hash = match (id.uuid(), id.text()) {
            (Some(uuid), _) => xxh3_64_with_seed(uuid, seed),
            (None, text) => {
                xxh3_64_with_seed(text.unwrap_or_default().as_bytes(), seed.wrapping_add(1))
            }
        };
        Self(hash >> OFFSET_BITS)
    }

    /// With an offset, as it stands in a bucket.
    pub(super) const fn at(self, offset: u32) -> Entry {
        Entry(self.0 << OFFSET_BITS | offset as u64)
    }

    /// The bucket of the hash in a run with that many particles.
    pub(super) fn bucket(self, count: u32) -> u16 {
        u16::try_from(self.0 >> (HASH_BITS - bucket_bits(count))).unwrap_or(u16::MAX)
    }

    /// Which of so many blocks of a filter has its bits, and which bits.
    fn in_filter(self, blocks: usize) -> (usize, u64) {
        let spread = self.0.wrapping_mul(SPREAD[0]);
        let block = ((spread >> 32) * blocks as u64) >> 32;
        let bits = (spread ^ self.0).wrapping_mul(SPREAD[1]) >> (64 - 9 * BITS);
        (usize::try_from(block).unwrap_or(0), bits)
    }
}

/// A hash with the offset of its particle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u64);

impl Entry {
    const fn hash(self) -> IdHash {
        IdHash(self.0 >> OFFSET_BITS)
    }

    const fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }

    /// In a run that has the entry's run in it, from this offset on.
    pub(super) const fn moved(self, base: u32) -> Self {
        let offset = (self.offset() + base as u64) & ((1 << OFFSET_BITS) - 1);
        Self(self.0 >> OFFSET_BITS << OFFSET_BITS | offset)
    }
}

fn bucket_bits(count: u32) -> u32 {
    (count / BUCKET_IDS).checked_ilog2().unwrap_or(0).min(16)
}

/// The buckets of a run with their numbers, and its filter.
pub(super) struct Encoded {
    pub(super) buckets: Vec<(u16, Vec<u8>)>,
    pub(super) filter: Vec<u8>,
}

/// Sorts the ids of a run and puts them in buckets.
pub(super) fn encode(mut entries: Vec<Entry>) -> Encoded {
    entries.sort_unstable();
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let blocks = entries.len().div_ceil(BLOCK_IDS).max(1);
    let mut filter = vec![0; blocks * BLOCK_BYTES];
    for entry in &entries {
        let (block, mut bits) = entry.hash().in_filter(blocks);
        let start = block * BLOCK_BYTES;
        let Some(block) = filter.get_mut(start..start + BLOCK_BYTES) else {
            continue;
        };
        for _ in 0..BITS {
            let (byte, bit) = bit_of(bits);
            if let Some(byte) = block.get_mut(byte) {
                *byte |= 1 << bit;
            }
            bits >>= 9;
        }
    }
    let bucket_of = |entry: &Entry| entry.hash().bucket(count);
    let buckets = entries.chunk_by(|a, b| bucket_of(a) == bucket_of(b));
    let buckets = buckets.map(|entries| {
        let number = entries.first().map_or(0, bucket_of);
        let bytes = entries.iter().flat_map(|entry| entry.0.to_le_bytes());
        (number, bytes.collect())
    });
    Encoded {
        buckets: buckets.collect(),
        filter,
    }
}

/// The byte and the bit in it that the lowest nine bits tell.
fn bit_of(bits: u64) -> (usize, u8) {
    let [low, ..] = (bits & 7).to_le_bytes();
    let [byte, ..] = (bits >> 3 & 63).to_le_bytes();
    (usize::from(byte), low)
}

/// Whether a run with this filter may have an id of this hash.
///
/// All bits are looked at, whatever the first ones say: who asks many filters then does not wait for
/// one to be fetched before the next one is.
pub(super) fn may_have(filter: &[u8], hash: IdHash) -> bool {
    let (blocks, _) = filter.as_chunks::<BLOCK_BYTES>();
    let (block, mut bits) = hash.in_filter(blocks.len());
    let Some(block) = blocks.get(block) else {
        return true;
    };
    let mut is_in = 1;
    for _ in 0..BITS {
        let (byte, bit) = bit_of(bits);
        is_in &= block.get(byte).map_or(1, |byte| byte >> bit);
        bits >>= 9;
    }
    is_in & 1 == 1
}

/// The offsets that a bucket has for a hash; none when the bytes are no bucket.
pub(super) fn find(bucket: &[u8], hash: IdHash) -> Option<Vec<u32>> {
    let (entries, rest) = bucket.as_chunks();
    let entry = |bytes: &[u8; 8]| Entry(u64::from_le_bytes(*bytes));
    let from = entries.partition_point(|bytes| entry(bytes).hash().0 < hash.0);
    let same = entries.iter().skip(from).map(entry);
    let same = same.take_while(|entry| entry.hash() == hash);
    let offsets = same.filter_map(|entry| u32::try_from(entry.offset()).ok());
    rest.is_empty().then(|| offsets.collect())
}

/// Tells `visit` the entries of a bucket; none when the bytes are no bucket.
pub(super) fn decode(bucket: &[u8], visit: impl FnMut(Entry)) -> Option<()> {
    let (entries, rest) = bucket.as_chunks();
    let entries = entries
        .iter()
        .map(|bytes| Entry(u64::from_le_bytes(*bytes)));
    entries.for_each(visit);
    rest.is_empty().then_some(())
}

/// Between which UUIDs the ids of a run lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// There are none.
    Empty,
    /// From the least to the greatest.
    Uuids([u8; 16], [u8; 16]),
    /// Some are texts.
    Any,
}

impl Span {
    pub(super) fn of(id: &Id) -> Self {
        id.uuid()
            .map_or(Self::Any, |uuid| Self::Uuids(*uuid, *uuid))
    }

    pub(super) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Empty, some) | (some, Self::Empty) => some,
            (Self::Uuids(a, b), Self::Uuids(c, d)) => Self::Uuids(a.min(c), b.max(d)),
            (Self::Any, _) | (_, Self::Any) => Self::Any,
        }
    }

    pub(super) fn may_have(&self, id: &Id) -> bool {
        match self {
            Self::Empty => false,
            Self::Uuids(first, last) => id.uuid().is_some_and(|it| first <= it && it <= last),
            Self::Any => true,
        }
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        match self {
            Self::Empty => into.push(0),
            Self::Uuids(first, last) => {
                into.push(1);
                into.extend_from_slice(first);
                into.extend_from_slice(last);
            }
            Self::Any => into.push(2),
        }
    }

    pub(super) fn decode(from: &mut &[u8]) -> Option<Self> {
        let uuid = |from: &mut &[u8]| varint::take_bytes(from, 16)?.try_into().ok();
        match varint::take_bytes(from, 1)? {
            [0] => Some(Self::Empty),
            [1] => Some(Self::Uuids(uuid(from)?, uuid(from)?)),
            [2] => Some(Self::Any),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> Id {
        let mut uuid = [3; 16];
        uuid[..8].copy_from_slice(&number.to_le_bytes());
        Id::from_uuid(uuid)
    }

    fn check(count: u32) {
        let hash = |number: u32| IdHash::of(&id(u64::from(number)), 7);
        let encoded = encode((0..count).map(|offset| hash(offset).at(offset)).collect());
        let bucket = |hash: IdHash| {
            let number = hash.bucket(count);
            let at = encoded.buckets.binary_search_by_key(&number, |it| it.0);
            at.map_or(&[][..], |at| &encoded.buckets[at].1)
        };
        for offset in 0..count {
            assert!(may_have(&encoded.filter, hash(offset)), "{offset}");
            assert_eq!(find(bucket(hash(offset)), hash(offset)), Some(vec![offset]));
        }
        let others = (count..count + 10_000).map(hash);
        let wrong = others.filter(|hash| may_have(&encoded.filter, *hash));
        assert!(wrong.clone().count() < 300, "{}", wrong.count());
        let other = hash(count);
        assert_eq!(find(bucket(other), other), Some(Vec::new()));
    }

    #[test]
    fn every_id_is_found_and_few_others_pass_the_filter() {
        for count in [1, 2, 300, 5000, 65_536] {
            check(count);
        }
    }

    #[test]
    fn entries_move_into_a_longer_run() {
        let hash = IdHash::of(&id(1), 0);
        assert_eq!(hash.at(5).moved(1_000_000), hash.at(1_000_005));
    }

    #[test]
    fn a_text_never_has_the_hash_of_a_uuid_by_its_bytes() {
        let text: Id = "0123456789abcdef".parse().unwrap();
        let uuid = Id::from_uuid(*b"0123456789abcdef");
        assert_ne!(IdHash::of(&text, 1), IdHash::of(&uuid, 1));
    }

    #[test]
    fn spans_hold_what_was_added() {
        let text: Id = "text".parse().unwrap();
        let uuids = Span::of(&id(3)).with(Span::of(&id(5))).with(Span::Empty);
        assert!(uuids.may_have(&id(4)) && !uuids.may_have(&id(6)) && !uuids.may_have(&text));
        let any = uuids.with(Span::of(&text));
        assert!(any.may_have(&id(6)) && any.may_have(&text));
        for span in [uuids, any, Span::Empty] {
            let mut bytes = Vec::new();
            span.encode(&mut bytes);
            assert_eq!(Span::decode(&mut bytes.as_slice()), Some(span));
            bytes.pop();
            assert_eq!(Span::decode(&mut bytes.as_slice()), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let hash = IdHash::of(&id(1), 0);
            may_have(&bytes, hash);
            find(&bytes, hash);
            decode(&bytes, |_| {});
            Span::decode(&mut bytes.as_slice());
        }
    }
}
