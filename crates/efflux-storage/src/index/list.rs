//! Lists of offsets within a run, compressed.
//!
//! ```text
//! flat     0  (difference)*                              the first offset, then what each adds
//! chunked  1  (chunk  kind  bytes  payload)*             for each chunk of 65,536 that has any
//!             chunk: how many further than the last one begins; kind and payload:
//!             0  (difference)*    1  bits, the lowest first, without zero bytes at the end
//!             2  first  last      all places between these two
//! ```
//!
//! All numbers are [`varint`](super::varint)s but for the first byte, the kinds and the bits. A
//! reader of one chunk steps over the others.

use super::set::{CHUNK, Set};
use super::varint;

const FLAT: u8 = 0;
const CHUNKED: u8 = 1;

const DIFFERENCES: u8 = 0;
const BITS: u8 = 1;
const RANGE: u8 = 2;

/// Offsets up to which a list is flat: stepping over chunks saves nothing in it.
const FLAT_MAX: usize = 32;

/// Compresses offsets, which ascend.
pub(super) fn encode(offsets: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if offsets.len() <= FLAT_MAX {
        bytes.push(FLAT);
        put_differences(&mut bytes, offsets.iter().copied());
        return bytes;
    }
    bytes.push(CHUNKED);
    let mut after_last = 0;
    let mut payload = Vec::new();
    for chunk in offsets.chunk_by(|a, b| a / CHUNK == b / CHUNK) {
        let number = chunk.first().map_or(0, |first| first / CHUNK);
        payload.clear();
        let kind = put_chunk(&mut payload, chunk);
        varint::put(&mut bytes, u64::from(number - after_last));
        bytes.push(kind);
        varint::put(&mut bytes, payload.len() as u64);
        bytes.extend_from_slice(&payload);
        after_last = number + 1;
    }
    bytes
}

fn put_chunk(payload: &mut Vec<u8>, chunk: &[u32]) -> u8 {
    let places = || chunk.iter().map(|offset| offset % CHUNK);
    let (first, last) = (
        places().next().unwrap_or(0),
        places().next_back().unwrap_or(0),
    );
    if last as usize - first as usize + 1 == chunk.len() {
        varint::put(payload, u64::from(first));
        varint::put(payload, u64::from(last));
        return RANGE;
    }
    put_differences(payload, places());
    let bits_bytes = last as usize / 8 + 1;
    if payload.len() <= bits_bytes {
        return DIFFERENCES;
    }
    payload.clear();
    payload.resize(bits_bytes, 0);
    for place in places() {
        if let Some(byte) = payload.get_mut(place as usize / 8) {
            *byte |= 1 << (place % 8);
        }
    }
    BITS
}

fn put_differences(bytes: &mut Vec<u8>, offsets: impl Iterator<Item = u32>) {
    let mut last = 0;
    for offset in offsets {
        varint::put(bytes, u64::from(offset - last));
        last = offset;
    }
}

/// Tells `visit` every offset, ascending; none when the bytes are no list.
pub(super) fn decode(bytes: &[u8], mut visit: impl FnMut(u32)) -> Option<()> {
    let (kind, mut rest) = bytes.split_first()?;
    if *kind == FLAT {
        return differences(rest, visit);
    }
    let mut chunks = Chunks {
        bytes: &mut rest,
        after_last: 0,
    };
    while !chunks.bytes.is_empty() {
        let (number, kind, payload) = chunks.take()?;
        let base = number.checked_mul(CHUNK)?;
        decode_chunk(kind, payload)?
            .places()
            .into_iter()
            .for_each(|p| visit(base + u32::from(p)));
    }
    Some(())
}

/// The places of one chunk; none when the bytes are no list.
pub(super) fn chunk(bytes: &[u8], chunk: u32) -> Option<Set> {
    let (kind, mut rest) = bytes.split_first()?;
    if *kind == FLAT {
        let mut places = Vec::new();
        differences(rest, |offset| {
            if offset / CHUNK == chunk {
                places.extend(u16::try_from(offset % CHUNK));
            }
        })?;
        return Some(Set::Array(places));
    }
    let mut chunks = Chunks {
        bytes: &mut rest,
        after_last: 0,
    };
    while !chunks.bytes.is_empty() {
        let (number, kind, payload) = chunks.take()?;
        match number.cmp(&chunk) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return decode_chunk(kind, payload),
            std::cmp::Ordering::Greater => break,
        }
    }
    Some(Set::NONE)
}

struct Chunks<'a, 'b> {
    bytes: &'a mut &'b [u8],
    after_last: u32,
}

impl<'b> Chunks<'_, 'b> {
    fn take(&mut self) -> Option<(u32, u8, &'b [u8])> {
        let number = self.after_last.checked_add(varint::take_u32(self.bytes)?)?;
        let [kind] = varint::take_bytes(self.bytes, 1)? else {
            return None;
        };
        let length = varint::take_u32(self.bytes)?;
        let payload = varint::take_bytes(self.bytes, length as usize)?;
        self.after_last = number.checked_add(1)?;
        Some((number, *kind, payload))
    }
}

fn decode_chunk(kind: u8, mut payload: &[u8]) -> Option<Set> {
    match kind {
        DIFFERENCES => {
            let mut places = Vec::with_capacity(payload.len());
            differences(payload, |place| places.extend(u16::try_from(place)))?;
            Some(Set::Array(places))
        }
        BITS => {
            let mut bits = Set::no_bits();
            for (word, bytes) in bits.iter_mut().zip(payload.chunks(8)) {
                let mut whole = [0; 8];
                whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
                *word = u64::from_le_bytes(whole);
            }
            Some(Set::Bits(bits))
        }
        RANGE => {
            let first = u16::try_from(varint::take(&mut payload)?).ok()?;
            let last = u16::try_from(varint::take(&mut payload)?).ok()?;
            (first <= last).then_some(Set::Range(first, last))
        }
        _ => None,
    }
}

fn differences(mut bytes: &[u8], mut visit: impl FnMut(u32)) -> Option<()> {
    let mut offset = 0_u32;
    while !bytes.is_empty() {
        offset = offset.checked_add(varint::take_u32(&mut bytes)?)?;
        visit(offset);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<u32>> {
        let mut offsets = Vec::new();
        decode(bytes, |offset| offsets.push(offset))?;
        Some(offsets)
    }

    fn check(offsets: &[u32], bytes_max: usize) {
        let bytes = encode(offsets);
        assert!(bytes.len() <= bytes_max, "{} bytes", bytes.len());
        assert_eq!(read(&bytes).as_deref(), Some(offsets));
        let by_chunk: Vec<u32> = (0..20)
            .flat_map(|number| {
                let places = chunk(&bytes, number).unwrap().places();
                places
                    .into_iter()
                    .map(move |place| number * CHUNK + u32::from(place))
            })
            .collect();
        assert_eq!(by_chunk, offsets);
    }

    #[test]
    fn lists_take_few_bytes() {
        check(&[], 1);
        check(&[7], 2);
        check(&(0..65_536).collect::<Vec<_>>(), 10);
        check(&(0..100_000).collect::<Vec<_>>(), 20);
        check(
            &(0..65_536).filter(|n| n % 3 != 0).collect::<Vec<_>>(),
            8200,
        );
        check(&(0..1_000_000).step_by(20).collect::<Vec<_>>(), 50_100);
        check(&(0..1_000_000).step_by(10_000).collect::<Vec<_>>(), 280);
    }

    proptest! {
        #[test]
        fn any_list_reads_back(offsets in proptest::collection::btree_set(0..1_000_000_u32, 0..500)) {
            check(&offsets.into_iter().collect::<Vec<_>>(), usize::MAX);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            read(&bytes);
            chunk(&bytes, 1);
        }
    }
}
