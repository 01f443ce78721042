//! Terms that occur only a few times in a run: a short hash of each, with the offset.
//!
//! ```text
//! bucket  (hash  offset)*    ascending; hash: what it adds to the one before; varints both
//! ```
//!
//! A key for each of them would take five times the bytes. Looking one up may find particles that
//! have another term of the same hash, so that what is found must be checked. A bucket holds the
//! hashes that begin with its number; a run has as many as keep them at some hundred entries.

use super::varint;

/// Bits of a hash: with a million entries in a run, one look-up in sixteen finds one too many.
const HASH_BITS: u32 = 24;

/// Entries of a bucket, about.
const BUCKET_ENTRIES: usize = 256;

/// Most bits of a bucket's number.
const BUCKET_BITS_MAX: u32 = 16;

/// A term's hash, and the offset of a particle that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rare {
    pub(super) hash: u32,
    pub(super) offset: u32,
}

/// The hash of a term.
pub(super) fn hash(term: &[u8]) -> u32 {
    crc32c::crc32c(term) >> (32 - HASH_BITS)
}

/// The bucket of a hash in a run with buckets of that many bits.
pub(super) fn bucket(hash: u32, bits: u32) -> u16 {
    u16::try_from(hash >> (HASH_BITS - bits.min(BUCKET_BITS_MAX))).unwrap_or(u16::MAX)
}

fn bucket_bits(entries: usize) -> u32 {
    (entries / BUCKET_ENTRIES)
        .checked_ilog2()
        .unwrap_or(0)
        .min(BUCKET_BITS_MAX)
}

/// Sorts entries and puts them in buckets: how many bits the number of a bucket has, and each
/// bucket with its number, ascending.
pub(super) fn encode(mut entries: Vec<Rare>) -> (u32, Vec<(u16, Vec<u8>)>) {
    entries.sort_unstable();
    entries.dedup();
    let bits = bucket_bits(entries.len());
    let bucket_of = |entry: &Rare| bucket(entry.hash, bits);
    let buckets = entries
        .chunk_by(|a, b| bucket_of(a) == bucket_of(b))
        .map(|entries| {
            let mut bytes = Vec::new();
            let number = entries.first().map_or(0, bucket_of);
            let mut last = u32::from(number) << (HASH_BITS - bits);
            for entry in entries {
                varint::put(&mut bytes, u64::from(entry.hash - last));
                varint::put(&mut bytes, u64::from(entry.offset));
                last = entry.hash;
            }
            (number, bytes)
        })
        .collect();
    (bits, buckets)
}

/// Tells `visit` the entries of a bucket, ascending; none when the bytes are no bucket.
pub(super) fn decode(
    number: u16,
    bits: u32,
    mut bytes: &[u8],
    mut visit: impl FnMut(Rare),
) -> Option<()> {
    let mut hash = u32::from(number).checked_shl(HASH_BITS.checked_sub(bits)?)?;
    while !bytes.is_empty() {
        hash = hash.checked_add(varint::take_u32(&mut bytes)?)?;
        visit(Rare {
            hash,
            offset: varint::take_u32(&mut bytes)?,
        });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_read_back_from_their_buckets() {
        for count in [0, 1, 300, 100_000] {
            let mut entries: Vec<_> = (0..count)
                .map(|offset| Rare {
                    hash: hash(format!("order-{offset}").as_bytes()),
                    offset,
                })
                .collect();
            let (bits, buckets) = encode(entries.clone());
            let mut read = Vec::new();
            for (number, bytes) in &buckets {
                decode(*number, bits, bytes, |entry| {
                    assert_eq!(bucket(entry.hash, bits), *number);
                    read.push(entry);
                })
                .unwrap();
            }
            entries.sort_unstable();
            assert_eq!(read, entries);
        }
    }

    #[test]
    fn an_entry_takes_less_than_five_bytes() {
        let entries = (0..65_536)
            .map(|offset| Rare {
                hash: hash(format!("order-{offset}").as_bytes()),
                offset,
            })
            .collect();
        let bytes: usize = encode(entries).1.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes < 5 * 65_536, "{bytes}");
    }
}
