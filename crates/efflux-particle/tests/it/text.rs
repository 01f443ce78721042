//! What is printed can be read again.

use efflux_particle::{
    ConsumerName, ContentEncoding, Fingerprint, Head, Id, PayloadHash, Sequence, Timestamp,
    TopicName,
};
use proptest::prelude::*;

use crate::arbitrary::{check, id, timestamp};

#[test]
fn sequences_hashes_and_heads_read_back_what_they_print() {
    check((any::<u64>(), any::<[u8; 32]>()), |(number, hash)| {
        let head = Head {
            sequence: Sequence::new(number),
            fingerprint: Fingerprint::from_bytes(hash),
        };
        prop_assert_eq!(head.to_string().parse(), Ok(head));
        prop_assert_eq!(head.sequence.to_string().parse(), Ok(head.sequence));
        prop_assert_eq!(head.fingerprint.to_string().parse(), Ok(head.fingerprint));
        let payload = PayloadHash::from_bytes(hash);
        prop_assert_eq!(payload.to_string().to_uppercase().parse(), Ok(payload));
        Ok(())
    });
}

#[test]
fn times_and_ids_read_back_what_they_print() {
    check((timestamp(), id()), |(time, id)| {
        prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
        prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
        Ok(())
    });
}

#[test]
fn names_that_are_accepted_read_back_what_they_print() {
    check("[a-zA-Z0-9._-]{0,30}", |text| {
        if let Ok(name) = text.parse::<TopicName>() {
            prop_assert_eq!(name.as_str(), &text);
            prop_assert_eq!(name.to_string().parse::<TopicName>(), Ok(name));
            prop_assert!(text.parse::<ConsumerName>().is_ok());
            prop_assert!(!text.contains("..") && !text.starts_with(['.', '-']));
        }
        Ok(())
    });
}

#[test]
fn heads_in_other_forms_are_refused() {
    let hash = "0".repeat(64);
    for text in [
        String::new(),
        ":".to_owned(),
        "5".to_owned(),
        format!("5{hash}"),
        format!("-1:{hash}"),
        format!("+1:{hash}"),
        format!("18446744073709551616:{hash}"),
        format!("5:{hash}0"),
        format!("5:{hash}:"),
        format!(" 5:{hash}"),
    ] {
        assert!(text.parse::<Head>().is_err(), "{text}");
    }
}

#[test]
fn encodings_read_back_what_they_print() {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
        assert_eq!(encoding.to_string().parse(), Ok(encoding));
    }
    assert!("GZIP".parse::<ContentEncoding>().is_err());
}
