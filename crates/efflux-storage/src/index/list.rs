//! Lists of offsets within a run, compressed.
//!
//! ```text
//! flat     0  (difference)*                              the first offset, then what each adds
//! chunked  1  (chunk  kind  bytes  payload)*             for each chunk of 65,536 that has any
//!             chunk: how many further than the last one begins; kind and payload:
//!             0  (difference)*    1  bits, the lowest first, without zero bytes at the end
//!             2  first  last      all places between these two
//!             3  256 counts  low*  how many places each block of 256 has; their lowest bytes
//! ```
//!
//! All numbers are [`varint`](super::varint)s but for the first byte, the kinds, the bits, the
//! counts and the lowest bytes. A reader of one chunk steps over the others, and one who asks for a
//! few places of a chunk steps over the blocks between them.

use super::set::{CHUNK, Set};
use super::varint;

const FLAT: u8 = 0;
const CHUNKED: u8 = 1;

const DIFFERENCES: u8 = 0;
const BITS: u8 = 1;
const RANGE: u8 = 2;
const BLOCKS: u8 = 3;

/// Blocks of a chunk.
const BLOCK_COUNT: usize = 256;

/// Places of a chunk from which on they are kept by blocks: differences would save less than the
/// counts of the blocks cost, and must all be read to find one of them.
const BLOCKS_PLACES_MIN: usize = 512;

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
    let bits_bytes = last as usize / 8 + 1;
    if chunk.len() >= BLOCKS_PLACES_MIN
        && BLOCK_COUNT + chunk.len() <= bits_bytes
        && put_blocks(payload, places())
    {
        return BLOCKS;
    }
    payload.clear();
    put_differences(payload, places());
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

/// Adds places by blocks; false when a block has too many for its count.
fn put_blocks(payload: &mut Vec<u8>, places: impl Iterator<Item = u32>) -> bool {
    payload.resize(BLOCK_COUNT, 0);
    for place in places {
        let Some(count) = payload.get_mut(place as usize / BLOCK_COUNT) else {
            return false;
        };
        let Some(more) = count.checked_add(1) else {
            return false;
        };
        *count = more;
        payload.push(place.to_le_bytes()[0]);
    }
    true
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
            .into_places()
            .into_iter()
            .for_each(|p| visit(base + u32::from(p)));
    }
    Some(())
}

/// The places of one chunk; none when the bytes are no list.
pub(super) fn chunk(bytes: &[u8], chunk: u32) -> Option<Set> {
    let (kind, rest) = bytes.split_first()?;
    if *kind == FLAT {
        let mut places = Vec::new();
        differences(rest, |offset| {
            if offset / CHUNK == chunk {
                places.extend(u16::try_from(offset % CHUNK));
            }
        })?;
        return Some(Set::Array(places));
    }
    match find_chunk(rest, chunk)? {
        Some((kind, payload)) => decode_chunk(kind, payload),
        None => Some(Set::NONE),
    }
}

/// Keeps of some places of a chunk, which ascend, those that are in the list; none when the bytes
/// are no list. Of a long list only the blocks are read that have such places.
pub(super) fn retain(bytes: &[u8], chunk: u32, places: &mut Vec<u16>) -> Option<()> {
    let (kind, rest) = bytes.split_first()?;
    if *kind == FLAT {
        keep_both(places, self::chunk(bytes, chunk)?);
        return Some(());
    }
    match find_chunk(rest, chunk)? {
        Some((kind, payload)) => retain_in_chunk(kind, payload, places),
        None => {
            places.clear();
            Some(())
        }
    }
}

/// Whether a list has no more offsets than eight times its bytes; false when the bytes are no list.
pub(super) fn is_sparse(bytes: &[u8]) -> bool {
    let Some((kind, mut rest)) = bytes.split_first() else {
        return false;
    };
    let mut chunks = Chunks {
        bytes: &mut rest,
        after_last: 0,
    };
    while *kind == CHUNKED && !chunks.bytes.is_empty() {
        if chunks.take().is_none_or(|(_, kind, _)| kind == RANGE) {
            return false;
        }
    }
    true
}

/// Keeps of some offsets, which ascend, those that are in the list; none when the bytes are no
/// list. Chunks are stepped over once, however many of them have such offsets.
pub(super) fn keep(bytes: &[u8], offsets: &mut Vec<u32>) -> Option<()> {
    let (kind, mut rest) = bytes.split_first()?;
    let mut kept = Vec::with_capacity(offsets.len());
    if *kind == FLAT {
        differences(rest, |offset| {
            kept.extend(offsets.binary_search(&offset).ok().map(|_| offset));
        })?;
        *offsets = kept;
        return Some(());
    }
    let mut chunks = Chunks {
        bytes: &mut rest,
        after_last: 0,
    };
    let mut asked = offsets.chunk_by(|a, b| a / CHUNK == b / CHUNK).peekable();
    let mut places = Vec::new();
    while !chunks.bytes.is_empty() {
        let (number, kind, payload) = chunks.take()?;
        let number_of = |asked: &[u32]| asked.first().map_or(0, |first| first / CHUNK);
        while asked.next_if(|it| number_of(it) < number).is_some() {}
        let Some(same) = asked.next_if(|it| number_of(it) == number) else {
            if asked.peek().is_none() {
                break;
            }
            continue;
        };
        places.clear();
        let in_chunk = same.iter().map(|offset| u16::try_from(offset % CHUNK));
        places.extend(in_chunk.filter_map(Result::ok));
        retain_in_chunk(kind, payload, &mut places)?;
        let base = number.checked_mul(CHUNK)?;
        kept.extend(places.iter().map(|place| base + u32::from(*place)));
    }
    *offsets = kept;
    Some(())
}

fn retain_in_chunk(kind: u8, payload: &[u8], places: &mut Vec<u16>) -> Option<()> {
    match kind {
        BITS => places.retain(|place| {
            let byte = payload.get(usize::from(place / 8)).copied();
            byte.unwrap_or_default() >> (place % 8) & 1 == 1
        }),
        BLOCKS => retain_in_blocks(payload, places)?,
        _ => keep_both(places, decode_chunk(kind, payload)?),
    }
    Some(())
}

fn keep_both(places: &mut Vec<u16>, others: Set) {
    *places = Set::Array(std::mem::take(places)).and(others).into_places();
}

fn retain_in_blocks(payload: &[u8], places: &mut Vec<u16>) -> Option<()> {
    let (counts, low) = payload.split_at_checked(BLOCK_COUNT)?;
    // How many blocks are behind, and how many places they have.
    let (mut blocks, mut behind) = (0, 0);
    let mut is_sound = true;
    places.retain(|place| {
        let [lowest, number] = place.to_le_bytes().map(usize::from);
        let passed = counts.get(blocks..number).unwrap_or_default();
        behind += passed.iter().map(|count| u32::from(*count)).sum::<u32>() as usize;
        blocks = number;
        let count = counts.get(number).copied().map_or(0, usize::from);
        let block = low.get(behind..behind + count);
        is_sound &= block.is_some();
        // All of the block is compared, so that the next place's block is fetched meanwhile.
        let same = |is_in, it: &u8| is_in | (usize::from(*it) == lowest);
        block.is_some_and(|block| block.iter().fold(false, same))
    });
    is_sound.then_some(())
}

/// The kind and the payload of a chunk, none when the list has nothing there; none at all when the
/// bytes are no list.
fn find_chunk(mut rest: &[u8], chunk: u32) -> Option<Option<(u8, &[u8])>> {
    let mut chunks = Chunks {
        bytes: &mut rest,
        after_last: 0,
    };
    while !chunks.bytes.is_empty() {
        let (number, kind, payload) = chunks.take()?;
        match number.cmp(&chunk) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Some(Some((kind, payload))),
            std::cmp::Ordering::Greater => break,
        }
    }
    Some(None)
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
        BLOCKS => {
            let (counts, mut low) = payload.split_at_checked(BLOCK_COUNT)?;
            let mut places = Vec::with_capacity(low.len());
            for (base, count) in (0..=u16::MAX).step_by(BLOCK_COUNT).zip(counts) {
                let (block, rest) = low.split_at_checked(usize::from(*count))?;
                places.extend(block.iter().map(|lowest| base | u16::from(*lowest)));
                low = rest;
            }
            // What does not ascend would be lost in a search.
            (low.is_empty() && places.is_sorted()).then_some(Set::Array(places))
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
        assert!(!is_sparse(&bytes) || offsets.len() <= 8 * bytes.len());
        let by_chunk: Vec<u32> = (0..20)
            .flat_map(|number| {
                let places = chunk(&bytes, number).unwrap().into_places();
                places
                    .into_iter()
                    .map(move |place| number * CHUNK + u32::from(place))
            })
            .collect();
        assert_eq!(by_chunk, offsets);
        let retained: Vec<u32> = (0..20_u32)
            .flat_map(|number| {
                let mut places = (0..=u16::MAX).step_by(7).collect();
                retain(&bytes, number, &mut places).unwrap();
                let offset = move |place| number * CHUNK + u32::from(place);
                places.into_iter().map(offset)
            })
            .collect();
        let asked = offsets
            .iter()
            .copied()
            .filter(|it| (it % CHUNK).is_multiple_of(7));
        assert!(retained.into_iter().eq(asked));
        let mut kept = (0..20 * CHUNK).step_by(7).collect();
        keep(&bytes, &mut kept).unwrap();
        let asked = offsets.iter().copied().filter(|it| it.is_multiple_of(7));
        assert!(kept.into_iter().eq(asked));
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
        check(&(0..1_000_000).step_by(20).collect::<Vec<_>>(), 54_200);
        check(&(0..1_000_000).step_by(200).collect::<Vec<_>>(), 10_200);
        check(
            &(0..100_000)
                .filter(|n| n / 256 % 8 == 3)
                .collect::<Vec<_>>(),
            13_000,
        );
        check(&(0..1_000_000).step_by(10_000).collect::<Vec<_>>(), 280);
    }

    #[test]
    fn few_bytes_are_not_always_few_offsets() {
        let all = encode(&(0..1_000_000).collect::<Vec<_>>());
        assert!(all.len() < 200 && !is_sparse(&all));
        assert!(is_sparse(&encode(&[1, 70_000, 900_000])));
        assert!(!is_sparse(&[]));
    }

    proptest! {
        #[test]
        fn any_list_reads_back(offsets in proptest::collection::btree_set(0..1_000_000_u32, 0..500)) {
            check(&offsets.into_iter().collect::<Vec<_>>(), usize::MAX);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            read(&bytes);
            is_sparse(&bytes);
            chunk(&bytes, 1);
            retain(&bytes, 1, &mut vec![0, 7, 256, 300, u16::MAX]);
            keep(&bytes, &mut vec![0, 7, CHUNK, CHUNK + 300, u32::MAX]);
        }

        #[test]
        fn no_blocks_make_it_panic(mut counts in proptest::collection::vec(any::<u8>(), 256..400)) {
            counts.iter_mut().take(250).for_each(|count| *count = 0);
            let mut bytes = vec![CHUNKED, 1, BLOCKS];
            varint::put(&mut bytes, counts.len() as u64);
            bytes.extend(counts);
            read(&bytes);
            retain(&bytes, 1, &mut vec![0, 7, 256, 300, u16::MAX]);
            keep(&bytes, &mut vec![0, 7, CHUNK, CHUNK + 300, u32::MAX]);
        }

        #[test]
        fn a_dense_list_reads_back(offsets in proptest::collection::btree_set(0..70_000_u32, 400..6000)) {
            check(&offsets.into_iter().collect::<Vec<_>>(), usize::MAX);
        }
    }
}
