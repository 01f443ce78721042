//! Vectors that do not check, at least one for each kind of error.

use bytes::Bytes;
use efflux_particle::{Head, Id, Message, PayloadHash, Stamp, Timestamp};

use super::raw::{bin, frame, metadata, text};
use super::sound::{Writer, singles};
use super::{Result, TOPIC, Vector};

/// Where the fingerprint stands in a frame, and where the metadata begins.
const FINGERPRINT_AT: usize = 14;
const METADATA_AT: usize = 46;

type Entries = Vec<(&'static str, Vec<u8>)>;
type Row = (&'static str, &'static str, &'static str, Bytes);

/// All broken vectors.
pub(super) fn vectors() -> Result<Vec<Vector>> {
    let rows = [
        cut()?,
        flipped()?,
        values()?,
        shapes()?,
        order()?,
        batches()?,
    ]
    .concat();
    let vector = |(error, name, says, stream): Row| Vector {
        name,
        says,
        stream,
        error: Some(error),
    };
    Ok(rows.into_iter().map(vector).collect())
}

/// The first four frames of a chain.
fn four() -> Result<[Bytes; 4]> {
    let chain = singles()?;
    let four = chain.frames.first_chunk::<4>();
    Ok(four.ok_or("the chain is too short")?.clone())
}

fn joined(frames: &[&Bytes]) -> Bytes {
    let frames: Vec<&[u8]> = frames.iter().map(AsRef::as_ref).collect();
    frames.concat().into()
}

fn flip(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    bytes.into()
}

/// Streams that end where no frame ends.
fn cut() -> Result<Vec<Row>> {
    let [root, first, ..] = &four()?;
    let whole = joined(&[root, first]);
    let zeros = Bytes::from_static(&[0; 16]);
    Ok(vec![
        (
            "incomplete",
            "broken-incomplete",
            "the last frame lacks its last byte",
            whole.slice(..whole.len() - 1),
        ),
        (
            "incomplete",
            "broken-incomplete-sizes",
            "the last frame ends within its sizes",
            whole.slice(..root.len() + 9),
        ),
        (
            "header",
            "broken-header-zeros",
            "zero bytes follow the last frame, as in a segment that is zeroed ahead",
            joined(&[root, &zeros]),
        ),
    ])
}

/// The root, a frame with one thing wrong, and the next frame.
fn flipped() -> Result<Vec<Row>> {
    let [root, first, second, third] = &four()?;
    let around = |broken: &Bytes| joined(&[root, broken, second]);
    let flipped = |at| around(&flip(first, at));
    let end = first.len();
    let zero = Bytes::from_static(&[0; 4]);
    let zero_size = joined(&[&first.slice(..10), &zero, &first.slice(14..)]);
    let payload_at = second.len() - 9;
    let altered = joined(&[root, first, &flip(second, payload_at), third]);
    Ok(vec![
        (
            "header",
            "broken-header",
            "a bit of a header ID is flipped",
            flipped(0),
        ),
        (
            "footer",
            "broken-footer",
            "a bit of a footer ID is flipped",
            flipped(end - 1),
        ),
        (
            "size",
            "broken-size",
            "a metadata size is 0",
            around(&zero_size),
        ),
        (
            "sizes_differ",
            "broken-sizes-differ",
            "a bit of the message size at the end is flipped",
            flipped(end - 8),
        ),
        (
            "fingerprint",
            "broken-fingerprint",
            "a bit of the fingerprint is flipped",
            flipped(FINGERPRINT_AT),
        ),
        (
            "fingerprint",
            "broken-fingerprint-metadata",
            "a bit of the metadata is flipped",
            flipped(METADATA_AT),
        ),
        (
            "payload",
            "broken-payload",
            "a bit of a payload is flipped",
            altered,
        ),
    ])
}

/// The entries of a sound particle that follows the root.
fn entries(chain: &Writer) -> Entries {
    vec![
        ("v", vec![0x01]),
        ("id", text("1")),
        ("sequence", vec![0x01]),
        ("created", vec![0x00]),
        ("payload_hash", bin(PayloadHash::of(b"").as_bytes())),
        ("linked_fingerprint", bin(chain.head.fingerprint.as_bytes())),
    ]
}

fn after_root(chain: &Writer, entries: &[(&'static str, Vec<u8>)]) -> Bytes {
    joined(&[&chain.stream(), &frame(&metadata(entries), b"")])
}

/// Metadata with a right fingerprint and a value that is not allowed.
fn values() -> Result<Vec<Row>> {
    let chain = Writer::root()?;
    let with = |key: &str, value: Vec<u8>| {
        let mut entries = entries(&chain);
        for entry in entries.iter_mut().filter(|(found, _)| *found == key) {
            entry.1.clone_from(&value);
        }
        after_root(&chain, &entries)
    };
    let never = vec![0xcf, 255, 255, 255, 255, 255, 255, 255, 255];
    let uuid = "0197a4a2-1111-7abc-8def-0123456789ab";
    Ok(vec![
        (
            "version",
            "broken-version",
            "the format version is 2",
            with("v", vec![0x02]),
        ),
        (
            "metadata",
            "broken-metadata-id",
            "an id is a UUID spelled as text",
            with("id", text(uuid)),
        ),
        (
            "metadata",
            "broken-metadata-sequence",
            "a sequence is 2^64 - 1",
            with("sequence", never),
        ),
        (
            "metadata",
            "broken-metadata-hash",
            "a payload hash has 31 bytes",
            with("payload_hash", bin(&[7; 31])),
        ),
    ])
}

/// Metadata with a right fingerprint and keys or values that do not belong there.
fn shapes() -> Result<Vec<Row>> {
    let chain = Writer::root()?;
    let sound = entries(&chain);
    let mut swapped = sound.clone();
    swapped.swap(2, 3);
    let missing: Entries = sound
        .iter()
        .filter(|(key, _)| *key != "payload_hash")
        .cloned()
        .collect();
    let further = |key, value| {
        let mut entries = sound.clone();
        entries.push((key, value));
        after_root(&chain, &entries)
    };
    let nested = [vec![0x91; 8], vec![0x90]].concat();
    Ok(vec![
        (
            "metadata",
            "broken-metadata-order",
            "two keys are swapped",
            after_root(&chain, &swapped),
        ),
        (
            "metadata",
            "broken-metadata-missing",
            "there is no payload hash",
            after_root(&chain, &missing),
        ),
        (
            "metadata",
            "broken-metadata-encoding",
            "a content encoding is unknown",
            further("content_encoding", text("br")),
        ),
        (
            "metadata",
            "broken-metadata-control",
            "a data type holds a control character",
            further("data_type", text("a\u{85}b")),
        ),
        (
            "metadata",
            "broken-metadata-nested",
            "an unknown value has nine nested levels",
            further("x", nested),
        ),
    ])
}

/// Whole particles that make no chain.
fn order() -> Result<Vec<Row>> {
    let [root, first, second, third] = &four()?;
    let mut other = Writer::root()?;
    for text in ["another", "history"] {
        other.single(&Message::new(text))?;
    }
    let other = other.frames.last().ok_or("no other history")?;
    let stamp = Stamp {
        id: Id::from_uuid([0; 16]),
        created: Timestamp::from_nanos(0),
        in_batch: false,
    };
    let (_, elsewhere) = Head::root(&format!("{TOPIC}.elsewhere").parse()?, &stamp)?;
    Ok(vec![
        (
            "root",
            "broken-root",
            "the export does not begin with a root",
            joined(&[first, second]),
        ),
        (
            "root",
            "broken-root-topic",
            "the root of another topic",
            elsewhere.frame().clone(),
        ),
        (
            "sequence",
            "broken-sequence-gap",
            "a particle is left out",
            joined(&[root, first, third]),
        ),
        (
            "sequence",
            "broken-sequence-double",
            "a particle stands twice",
            joined(&[root, first, first]),
        ),
        (
            "sequence",
            "broken-sequence-order",
            "two particles are swapped",
            joined(&[root, second, first]),
        ),
        (
            "link",
            "broken-link",
            "a particle of another history",
            joined(&[root, first, other]),
        ),
    ])
}

/// Batches that are not whole.
fn batches() -> Result<Vec<Row>> {
    let mut cut = Writer::root()?;
    cut.in_batch(&Message::new("of three"), 2)?;
    cut.in_batch(&Message::new("of three"), 1)?;
    let mut miscounted = Writer::root()?;
    miscounted.in_batch(&Message::new("of three"), 2)?;
    miscounted.single(&Message::new("none of them"))?;
    Ok(vec![
        (
            "batch",
            "broken-batch-cut",
            "the last batch lacks a particle",
            cut.stream(),
        ),
        (
            "batch",
            "broken-batch-count",
            "a batch of three ends after one",
            miscounted.stream(),
        ),
    ])
}
