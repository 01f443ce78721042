//! Metadata out of any bytes: whatever can be read can be copied, and says the same.

use crate::particle::{
    Draft, FOOTER_ID, Fingerprint, HEADER_ID, Head, Id, Message, MessageError, Metadata, Particle,
    Sequence, Stamp, Timestamp,
};
use bytes::Bytes;

/// The entries that every particle needs, so that the fuzzer need not find 100 bytes first.
const NEEDED: &[u8] = b"\xa1v\x01\xa2id\xa11\xa8sequence\x01\xa7created\x00\
    \xacpayload_hash\xc4\x20--------------------------------";

fn read(bytes: &[u8]) {
    let Ok(metadata) = Metadata::decode(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    assert!(metadata.properties().count() <= 64);
    assert!(metadata.id().to_string().len() <= 255);
    assert!(metadata.unknown_keys().all(|key| key.len() <= bytes.len()));
    let size = (44 + bytes.len() as u32).to_le_bytes();
    let frame = [
        &HEADER_ID[..],
        &size,
        &(bytes.len() as u32).to_le_bytes(),
        Fingerprint::of(bytes).as_bytes(),
        bytes,
        &size,
        &FOOTER_ID,
    ]
    .concat();
    let particle = Particle::decode_unchecked(&frame.into()).expect("the metadata was read");
    copy(&particle);
}

fn copy(particle: &Particle) {
    let message = Message::from(particle);
    assert_eq!(message.check(), Ok(()));
    let stamp = Stamp {
        id: Id::from_uuid([0; 16]),
        created: Timestamp::from_nanos(0),
        in_batch: true,
    };
    let draft = match Draft::encode(&message, &stamp) {
        Err(MessageError::MetadataTooLarge { .. }) => return,
        draft => draft.expect("a message that was read is within its bounds"),
    };
    let head = Head {
        sequence: Sequence::ROOT,
        fingerprint: particle.fingerprint(),
    };
    let (next, copied) = head.link(draft);
    let copied = Particle::decode(copied.frame()).expect("what was written can be read");
    assert_eq!(head.check(&copied), Ok(next));
    assert_eq!(Message::from(&copied), message);
    let (from, to) = (particle.metadata(), copied.metadata());
    assert!(from.unknown_keys().eq(to.unknown_keys()));
    assert!(from.properties().eq(to.properties()));
}

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    read(input);
    if let Some((count, entries)) = input.split_first() {
        let map = 0x80 | (5 + count % 10);
        read(&[&[map], NEEDED, entries].concat());
    }
}
