//! Random messages, stamps and chains, and the runner that prints the seed of a failure.

use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use efflux_particle::limits::{FRAME_OVERHEAD_BYTES, METADATA_BYTES_MAX};
use efflux_particle::{
    ContentEncoding, Draft, FOOTER_ID, Fingerprint, HEADER_ID, Head, Id, Message, Particle, Stamp,
    Timestamp, TopicName,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};

/// Runs `test` on values of `strategy`; the seed of a failure is printed and can be given again.
pub(crate) fn check<S: Strategy>(strategy: S, test: impl Fn(S::Value) -> TestCaseResult)
where
    S::Value: Debug,
{
    let given = std::env::var("PROPTEST_RNG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let mut runner = TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    });
    if let Err(error) = runner.run(&strategy, test) {
        panic!("{error}\nrun again with PROPTEST_RNG_SEED={seed}");
    }
}

/// Text of 1 to `bytes_max` bytes without control characters, of any script.
fn term(bytes_max: usize) -> impl Strategy<Value = String> {
    let any = proptest::collection::vec(any::<char>(), 1..40);
    let ascii = proptest::collection::vec(proptest::char::range(' ', '~'), 1..40);
    prop_oneof![any, ascii].prop_map(move |chars| {
        let mut text: String = chars.into_iter().filter(|c| !c.is_control()).collect();
        while text.len() > bytes_max {
            text.pop();
        }
        if text.is_empty() { "x".into() } else { text }
    })
}

/// A UUID, or any other id text.
pub(crate) fn id() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(Id::from_uuid),
        term(255).prop_map(|text| text.parse().unwrap()),
    ]
}

/// Any moment.
pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_nanos)
}

/// What the sealing side may add.
pub(crate) fn stamp() -> impl Strategy<Value = Stamp> {
    (id(), timestamp(), any::<bool>()).prop_map(|(id, created, in_batch)| Stamp {
        id,
        created,
        in_batch,
    })
}

/// Any message within the bounds, of up to about 10 kB.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    let value = proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter);
    let encoding = prop_oneof![Just(ContentEncoding::Gzip), Just(ContentEncoding::Zstd)];
    (
        proptest::option::of(id()),
        proptest::option::of(timestamp()),
        proptest::array::uniform3(proptest::option::of(term(255))),
        proptest::option::of(encoding),
        proptest::collection::btree_map(term(128), value, 0..20),
        proptest::collection::vec(any::<u8>(), 0..600),
    )
        .prop_map(|(id, timestamp, terms, encoding, properties, payload)| {
            let [data_type, content_type, group] = terms;
            let mut message = Message::new(payload);
            message = id.into_iter().fold(message, Message::with_id);
            message = timestamp.into_iter().fold(message, Message::with_timestamp);
            message = data_type.into_iter().fold(message, Message::with_data_type);
            message = content_type
                .into_iter()
                .fold(message, Message::with_content_type);
            message = group.into_iter().fold(message, Message::with_message_group);
            message = encoding
                .into_iter()
                .fold(message, Message::with_content_encoding);
            properties
                .into_iter()
                .fold(message, |message, (name, value)| {
                    message.with_property(name, value)
                })
        })
}

/// The topic of all chains in these tests.
pub(crate) fn topic() -> TopicName {
    "orders.eu".parse().unwrap()
}

/// A stamp whose id tells the number.
pub(crate) fn numbered(number: u64) -> Stamp {
    Stamp {
        id: format!("stamp {number}").parse().unwrap(),
        created: Timestamp::from_nanos(1_767_225_600_000_000_000),
        in_batch: false,
    }
}

/// The root of [`topic`] and the head on it.
pub(crate) fn root() -> (Head, Particle) {
    Head::root(&topic(), &numbered(0)).unwrap()
}

/// A root and these messages behind it, each a single.
pub(crate) fn chain_of(messages: &[Message]) -> Vec<Particle> {
    let (mut head, root) = root();
    let mut particles = vec![root];
    for message in messages {
        let draft = Draft::encode(message, &numbered(particles.len() as u64)).unwrap();
        let (next, particle) = head.link(draft);
        head = next;
        particles.push(particle);
    }
    particles
}

/// A whole frame around any metadata, with the right sizes and the right fingerprint.
pub(crate) fn frame(metadata: &[u8], payload: &[u8]) -> Bytes {
    assert!(metadata.len() <= METADATA_BYTES_MAX);
    let size = FRAME_OVERHEAD_BYTES - 10 + metadata.len() + payload.len();
    let size = u32::try_from(size).unwrap().to_le_bytes();
    let metadata_size = u32::try_from(metadata.len()).unwrap().to_le_bytes();
    let mut frame = [&HEADER_ID[..], &size, &metadata_size].concat();
    frame.extend_from_slice(Fingerprint::of(metadata).as_bytes());
    frame.extend_from_slice(metadata);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&size);
    frame.extend_from_slice(&FOOTER_ID);
    frame.into()
}

/// Unknown entries as they stand in metadata: keys that no version knows, values of any kind.
pub(crate) fn unknown() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let value = prop_oneof![
        Just(vec![0xc0]),
        Just(vec![0xc3]),
        Just(vec![0x93, 0x01, 0xa1, b'x', 0x90]),
        Just(vec![
            0x82, 0xa1, b'k', 0xcb, 1, 2, 3, 4, 5, 6, 7, 8, 0x07, 0xc4, 1, 9
        ]),
        Just(vec![0xd6, 0x01, 1, 2, 3, 4]),
        any::<u8>().prop_map(|byte| vec![0xcc, byte]),
    ];
    proptest::collection::btree_map("[a-z]{1,12}", value, 0..5).prop_map(|entries| {
        let entry = |(key, value): (String, Vec<u8>)| {
            let key = format!("x_{key}");
            let length = u8::try_from(key.len()).unwrap();
            [&[0xd9, length][..], key.as_bytes(), &value].concat()
        };
        entries.into_iter().map(entry).collect()
    })
}

/// The particle with further metadata entries, its chain place unchanged.
pub(crate) fn with_unknown(particle: &Particle, entries: &[Vec<u8>]) -> Particle {
    let metadata = particle.metadata().bytes();
    let (count, rest) = match metadata[0] {
        0xde => (u16::from_be_bytes([metadata[1], metadata[2]]), 3),
        fixed => (u16::from(fixed & 0x0f), 1),
    };
    let count = count + u16::try_from(entries.len()).unwrap();
    let mut bytes = vec![0xde, 0, 0];
    bytes[1] = (count >> 8).to_le_bytes()[0];
    bytes[2] = count.to_le_bytes()[0];
    bytes.extend_from_slice(&metadata[rest..]);
    entries
        .iter()
        .for_each(|entry| bytes.extend_from_slice(entry));
    Particle::decode(&frame(&bytes, &particle.payload())).unwrap()
}
