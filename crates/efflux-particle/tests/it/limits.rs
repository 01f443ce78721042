//! Every bound: exactly at it, and one over.

use efflux_particle::limits::{
    FRAME_BYTES_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX,
    PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX, PROPERTY_VALUE_BYTES_MAX, TERM_BYTES_MAX,
};
use efflux_particle::{
    Draft, FrameError, FrameSize, HEADER_ID, Id, Message, MessageError, Particle, TopicName,
};

use crate::arbitrary::{numbered, root};

#[track_caller]
fn accepted(message: &Message) {
    assert_eq!(message.check(), Ok(()));
    let draft = Draft::encode(message, &numbered(1)).unwrap();
    let (head, particle) = root().0.link(draft);
    let read = Particle::decode(particle.frame()).unwrap();
    assert_eq!(root().0.check(&read), Ok(head));
}

#[track_caller]
fn refused(message: &Message, expect: &MessageError) {
    assert_eq!(message.check().as_ref(), Err(expect));
    assert_eq!(Draft::encode(message, &numbered(1)).unwrap_err(), *expect);
}

#[test]
fn terms_have_1_to_255_bytes() {
    type With = fn(Message, String) -> Message;
    let fields: [(&str, With); 3] = [
        ("data_type", Message::with_data_type),
        ("content_type", Message::with_content_type),
        ("message_group", Message::with_message_group),
    ];
    for (field, with) in fields {
        let message = |text: String| with(Message::new(""), text);
        accepted(&message("x".into()));
        accepted(&message("x".repeat(TERM_BYTES_MAX)));
        for bytes in [0, TERM_BYTES_MAX + 1] {
            let expect = MessageError::FieldLength {
                field: field.to_owned(),
                bytes,
                bytes_max: TERM_BYTES_MAX,
            };
            refused(&message("x".repeat(bytes)), &expect);
        }
        let expect = MessageError::Control {
            field: field.to_owned(),
            at: 1,
        };
        refused(&message("a\u{9f}b".into()), &expect);
    }
}

#[test]
fn there_are_at_most_64_properties() {
    let with = |count: usize| {
        (0..count).fold(Message::new(""), |message, number| {
            message.with_property(format!("p{number}"), "")
        })
    };
    accepted(&with(PROPERTIES_MAX));
    let count = PROPERTIES_MAX + 1;
    refused(&with(count), &MessageError::TooManyProperties { count });
}

#[test]
fn property_names_have_1_to_128_bytes_and_values_at_most_4096() {
    let with = |name: usize, value: usize| {
        Message::new("").with_property("n".repeat(name), "v".repeat(value))
    };
    accepted(&with(1, 0));
    accepted(&with(PROPERTY_NAME_BYTES_MAX, PROPERTY_VALUE_BYTES_MAX));
    for bytes in [0, PROPERTY_NAME_BYTES_MAX + 1] {
        let field = format!("property name {:?}", "n".repeat(bytes));
        let bytes_max = PROPERTY_NAME_BYTES_MAX;
        refused(
            &with(bytes, 1),
            &MessageError::FieldLength {
                field,
                bytes,
                bytes_max,
            },
        );
    }
    let expect = MessageError::FieldLength {
        field: "property \"n\"".to_owned(),
        bytes: PROPERTY_VALUE_BYTES_MAX + 1,
        bytes_max: PROPERTY_VALUE_BYTES_MAX,
    };
    refused(&with(1, PROPERTY_VALUE_BYTES_MAX + 1), &expect);
}

#[test]
fn a_payload_has_at_most_16_mib() {
    accepted(&Message::new(vec![0; PAYLOAD_BYTES_MAX]));
    let bytes = PAYLOAD_BYTES_MAX + 1;
    refused(
        &Message::new(vec![0; bytes]),
        &MessageError::PayloadTooLarge { bytes },
    );
}

#[test]
fn metadata_has_at_most_64_kib() {
    let with = |last: usize| {
        let values = (0..15).fold(Message::new(""), |message, number| {
            message.with_property(
                format!("p{number:02}"),
                "v".repeat(PROPERTY_VALUE_BYTES_MAX),
            )
        });
        values.with_property("q", "v".repeat(last))
    };
    let small = Draft::encode(&with(1000), &numbered(1))
        .unwrap()
        .frame_bytes()
        - 54;
    let exact = 1000 + METADATA_BYTES_MAX - small;
    accepted(&with(exact));
    assert_eq!(
        with(exact + 1).check(),
        Ok(()),
        "the whole is measured when it is encoded"
    );
    let error = Draft::encode(&with(exact + 1), &numbered(1)).unwrap_err();
    let bytes = METADATA_BYTES_MAX + 1;
    assert_eq!(error, MessageError::MetadataTooLarge { bytes });
}

#[test]
fn ids_and_names_have_bounds_of_their_own() {
    accepted(&Message::new("").with_id("x".repeat(ID_BYTES_MAX).parse().unwrap()));
    assert!("x".repeat(ID_BYTES_MAX + 1).parse::<Id>().is_err());
    assert!("x".repeat(NAME_BYTES_MAX).parse::<TopicName>().is_ok());
    assert!("x".repeat(NAME_BYTES_MAX + 1).parse::<TopicName>().is_err());
}

#[test]
fn frame_sizes_are_held_against_the_bounds_before_anything_is_read() {
    let forwards = |message: usize, metadata: usize| {
        let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
        FrameSize::forwards(&[&HEADER_ID[..], &size(message), &size(metadata)].concat())
    };
    let most = forwards(FRAME_BYTES_MAX - 10, METADATA_BYTES_MAX).unwrap();
    assert_eq!(most.frame_bytes(), FRAME_BYTES_MAX);
    assert_eq!(most.payload_bytes(), PAYLOAD_BYTES_MAX);
    assert_eq!(forwards(45, 1).unwrap().payload_bytes(), 0);
    for (message, metadata) in [
        (FRAME_BYTES_MAX - 9, METADATA_BYTES_MAX),
        (FRAME_BYTES_MAX - 10, METADATA_BYTES_MAX - 1),
        (FRAME_BYTES_MAX - 10, METADATA_BYTES_MAX + 1),
        (44, 1),
        (44, 0),
        (0, 0),
        (u32::MAX as usize, 1),
        (u32::MAX as usize, u32::MAX as usize),
    ] {
        let error = forwards(message, metadata).unwrap_err();
        assert!(
            matches!(error, FrameError::Size { .. }),
            "{message} {metadata}: {error}"
        );
    }
}
