//! Particles to hold against queries.

use efflux_particle::{ContentEncoding, Draft, Head, Id, Message, Metadata, Stamp, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The few texts, names and numbers that samples and queries are made of, so that they often meet.
pub(super) const TEXTS: [&str; 6] = ["a", "ab", "b", "order.placed", "42", "ä \"quoted\" \\ \n"];
pub(super) const NAMES: [&str; 4] = ["a", "a.b", "any name", "größe"];
pub(super) const IDS: [&str; 3] = ["0197a4a2-1111-7abc-8def-0123456789ab", "b", "order 7"];
pub(super) const NANOS_MAX: i64 = 5;
pub(super) const SEQUENCE_MAX: u64 = 4;

/// A particle's metadata and payload.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) metadata: Metadata,
    pub(super) data: Value,
}

/// The metadata of the particle that `message` becomes at a place in a topic.
pub(super) fn sealed(message: &Message, created: i64, sequence: u64) -> Metadata {
    let stamp = Stamp {
        id: Id::from_uuid([7; 16]),
        created: Timestamp::from_nanos(created),
        in_batch: false,
    };
    let topic = "orders".parse().unwrap();
    let (mut head, mut particle) = Head::root(&topic, &stamp).unwrap();
    for number in 1..=sequence {
        let filler = Message::new("");
        let message = if number == sequence { message } else { &filler };
        (head, particle) = head.link(Draft::encode(message, &stamp).unwrap());
    }
    assert_eq!(particle.metadata().sequence().get(), sequence);
    particle.metadata().clone()
}

pub(super) fn text() -> impl Strategy<Value = String> {
    prop::sample::select(&TEXTS[..]).prop_map(str::to_owned)
}

pub(super) fn samples() -> impl Strategy<Value = Sample> {
    let terms = prop::array::uniform3(prop::option::of(text()));
    let encoding = prop::option::of(prop::bool::ANY);
    let properties = prop::collection::btree_map(
        prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        text(),
        0..4,
    );
    let times = (prop::option::of(0..=NANOS_MAX), 0..=NANOS_MAX);
    let id = prop::option::of(prop::sample::select(&IDS[..]));
    let place = 1..=SEQUENCE_MAX;
    (terms, encoding, properties, times, id, place, payloads()).prop_map(
        |(terms, gzip, properties, (timestamp, created), id, sequence, data)| {
            let mut message = Message::new("");
            for (name, value) in properties {
                message = message.with_property(name, value);
            }
            // Control characters may stand in properties alone.
            let [data_type, content_type, group] =
                terms.map(|term| term.map(|term| term.replace('\n', "")));
            if let Some(value) = data_type {
                message = message.with_data_type(value);
            }
            if let Some(value) = content_type {
                message = message.with_content_type(value);
            }
            if let Some(value) = group {
                message = message.with_message_group(value);
            }
            if let Some(gzip) = gzip {
                message = message.with_content_encoding(if gzip {
                    ContentEncoding::Gzip
                } else {
                    ContentEncoding::Zstd
                });
            }
            if let Some(nanos) = timestamp {
                message = message.with_timestamp(Timestamp::from_nanos(nanos));
            }
            if let Some(id) = id {
                message = message.with_id(id.parse().unwrap());
            }
            let metadata = sealed(&message, created, sequence);
            Sample { metadata, data }
        },
    )
}

fn payloads() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.5),
        json!(-1),
        json!("a"),
        json!("ab"),
    ]);
    prop_oneof![
        leaf.clone().prop_map(|leaf| json!({"a": leaf})),
        (leaf.clone(), leaf.clone()).prop_map(|(a, b)| json!({"a": {"b c": a}, "b": b})),
        (leaf.clone(), leaf.clone()).prop_map(|(a, b)| json!({"a": [a, b]})),
        leaf,
    ]
}
