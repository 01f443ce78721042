//! Each rule that metadata is read under, by one entry that keeps it and one that breaks it.

use super::*;
use crate::limits::{
    BATCH_PARTICLES_MAX, METADATA_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME_BYTES_MAX,
    PROPERTY_VALUE_BYTES_MAX, TERM_BYTES_MAX,
};
use crate::msgpack::Writer;

/// Metadata as a list of keys and encoded values, so that a test can bend one of them.
type Entries = Vec<(&'static str, Vec<u8>)>;

fn value(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Writer { buffer: &mut bytes });
    bytes
}

fn text(text: &str) -> Vec<u8> {
    value(|w| w.text(text))
}

fn needed() -> Entries {
    vec![
        ("v", vec![1]),
        ("id", text("order 7")),
        ("sequence", vec![5]),
        ("created", vec![0]),
        ("payload_hash", value(|w| w.short_bin(&[7; 32]))),
    ]
}

fn encode(entries: &Entries) -> Bytes {
    let mut bytes = value(|w| w.map(entries.len()));
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes.into()
}

/// Decodes the needed entries with one set to `value`, put in its place when it is a further one.
fn with(key: &'static str, value: Vec<u8>) -> Result<Metadata, MetadataError> {
    let mut entries = needed();
    match entries.iter_mut().find(|(found, _)| *found == key) {
        Some(entry) => entry.1 = value,
        None => entries.insert(
            if key == key::TIMESTAMP {
                4
            } else {
                entries.len()
            },
            (key, value),
        ),
    }
    Metadata::decode(encode(&entries))
}

fn properties(pairs: &[(&str, &str)]) -> Vec<u8> {
    value(|w| {
        w.map(pairs.len());
        for (name, value) in pairs {
            w.text(name);
            w.text(value);
        }
    })
}

#[track_caller]
fn refused(result: Result<Metadata, MetadataError>, expect: &str) {
    let error = result.expect_err("it should be refused").to_string();
    assert!(error.contains(expect), "{error}");
}

#[test]
fn metadata_of_the_needed_fields_is_read() {
    let metadata = Metadata::decode(encode(&needed())).unwrap();
    assert_eq!(metadata.id(), "order 7".parse().unwrap());
    assert_eq!(metadata.sequence(), Sequence::new(5));
    assert_eq!(metadata.timestamp(), metadata.created());
    assert_eq!(metadata.batch_remaining(), 0);
    assert_eq!(metadata.linked_fingerprint(), None);
    assert_eq!(metadata.properties().count(), 0);
}

#[test]
fn each_needed_field_is_missed_by_name() {
    for (index, (key, _)) in needed().into_iter().enumerate() {
        let mut entries = needed();
        entries.remove(index);
        let error = Metadata::decode(encode(&entries)).unwrap_err();
        assert_eq!(error, MetadataError::Missing(key));
    }
}

#[test]
fn a_key_that_comes_twice_or_out_of_order_is_refused() {
    for index in 0..needed().len() {
        let mut twice = needed();
        twice.insert(index, twice[index].clone());
        refused(Metadata::decode(encode(&twice)), "next key in order");
        if index > 0 {
            let mut swapped = needed();
            swapped.swap(index - 1, index);
            refused(Metadata::decode(encode(&swapped)), "next key in order");
        }
    }
}

#[test]
fn unknown_keys_come_last_ascending_and_once() {
    let with_keys = |keys: &[&'static str]| {
        let mut entries = needed();
        entries.extend(keys.iter().map(|key| (*key, vec![0xc0])));
        Metadata::decode(encode(&entries))
    };
    assert_eq!(with_keys(&["", "a", "b"]).unwrap().unknown().count, 3);
    for keys in [&["b", "a"][..], &["a", "a"], &["", ""], &["a", "timestamp"]] {
        refused(with_keys(keys), "next key in order");
    }
}

#[test]
fn terms_keep_their_bounds_when_they_are_read() {
    for key in [key::DATA_TYPE, key::CONTENT_TYPE, key::MESSAGE_GROUP] {
        assert!(with(key, text("x")).is_ok());
        assert!(with(key, text(&"x".repeat(TERM_BYTES_MAX))).is_ok());
        for bad in ["", "a\nb", "a\u{85}", &"x".repeat(TERM_BYTES_MAX + 1)] {
            refused(with(key, text(bad)), "1 to 255 bytes");
        }
        refused(with(key, vec![0xa1, 0xff]), "UTF-8");
    }
}

#[test]
fn an_id_has_one_spelling() {
    let uuid = "0197a4a2-1111-7abc-8def-0123456789ab";
    let as_bytes = uuid.parse::<Id>().unwrap();
    let written = value(|w| w.short_bin(as_bytes.uuid().unwrap()));
    assert_eq!(with(key::ID, written).unwrap().id(), as_bytes);
    for spelled in [uuid.to_owned(), uuid.to_uppercase()] {
        refused(with(key::ID, text(&spelled)), "16 bytes of this UUID");
    }
    assert!(with(key::ID, text(&uuid.replace('-', ""))).is_ok());
}

#[test]
fn ids_of_other_kinds_and_lengths_are_refused() {
    assert!(with(key::ID, text(&"x".repeat(255))).is_ok());
    for bad in ["", "a\tb", &"x".repeat(256)] {
        refused(with(key::ID, text(bad)), "an id of 1 to 255 bytes");
    }
    for length in [0, 15, 17] {
        let bytes = value(|w| w.short_bin(&vec![1; length]));
        refused(with(key::ID, bytes), "a UUID of 16 bytes");
    }
    refused(with(key::ID, vec![0xc4, 255]), "bytes was expected");
    refused(with(key::ID, vec![7]), "text was expected");
}

#[test]
fn properties_keep_their_bounds_when_they_are_read() {
    let read = |pairs: &[(&str, &str)]| with(key::PROPERTIES, properties(pairs));
    let name = "n".repeat(PROPERTY_NAME_BYTES_MAX);
    let long_value = "v".repeat(PROPERTY_VALUE_BYTES_MAX);
    assert!(read(&[]).is_ok());
    let metadata = read(&[("a", ""), (&name, &long_value)]).unwrap();
    assert_eq!(metadata.property("a"), Some(""));
    assert_eq!(metadata.property(&name), Some(&*long_value));
    refused(read(&[("", "v")]), "a property name");
    refused(read(&[("a\0", "v")]), "a property name");
    refused(read(&[(&format!("{name}n"), "v")]), "a property name");
    refused(
        read(&[("a", &format!("{long_value}v"))]),
        "a property value",
    );
    refused(read(&[("b", ""), ("a", "")]), "ascending");
    refused(read(&[("a", ""), ("a", "")]), "ascending");
    let names: Vec<String> = (0..=PROPERTIES_MAX).map(|n| format!("{n:03}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "")).collect();
    assert!(read(&pairs[1..]).is_ok());
    refused(read(&pairs), "at most 64 properties");
}

#[test]
fn numbers_keep_their_bounds_when_they_are_read() {
    let last = value(|w| w.full_u64(u64::MAX - 1));
    assert!(with(key::SEQUENCE, last).is_ok());
    let never = value(|w| w.full_u64(u64::MAX));
    refused(with(key::SEQUENCE, never), "below 2^64 - 1");
    refused(with(key::SEQUENCE, vec![0xff]), "unsigned");
    let most = u32::try_from(BATCH_PARTICLES_MAX).unwrap();
    let batch = |count| with(key::BATCH_REMAINING, value(|w| w.full_u32(count)));
    assert_eq!(batch(most - 1).unwrap().batch_remaining(), most - 1);
    refused(batch(most), "fewer than 65536");
    let far = with(key::CREATED, value(|w| w.full_u64(1 << 63)));
    refused(far, "below 2^63");
    assert_eq!(
        with(key::TIMESTAMP, vec![0xff])
            .unwrap()
            .timestamp()
            .nanos(),
        -1
    );
}

#[test]
fn encodings_and_versions_that_are_not_known_are_refused() {
    assert!(with(key::CONTENT_ENCODING, text("zstd")).is_ok());
    refused(with(key::CONTENT_ENCODING, text("br")), "gzip or zstd");
    assert_eq!(
        with(key::VERSION, vec![2]).unwrap_err(),
        MetadataError::Version(2)
    );
}

#[test]
fn hashes_have_32_bytes() {
    for length in [0, 31, 33] {
        let bytes = value(|w| w.short_bin(&vec![1; length]));
        refused(with(key::PAYLOAD_HASH, bytes), "32 bytes");
    }
}

#[test]
fn nothing_follows_the_map_and_nothing_is_cut_off() {
    let whole = encode(&needed());
    let longer: Bytes = [&whole[..], &[0xc0]].concat().into();
    refused(Metadata::decode(longer), "the end");
    for end in 0..whole.len() {
        assert!(Metadata::decode(whole.slice(..end)).is_err(), "{end}");
    }
}

#[test]
fn metadata_over_its_bound_is_refused_before_it_is_read() {
    let filled_to = |bytes: usize| {
        let mut entries = needed();
        entries.push(("x", text(&"x".repeat(60_000))));
        let filler = bytes - encode(&entries).len() + 60_000;
        entries.last_mut().unwrap().1 = text(&"x".repeat(filler));
        encode(&entries)
    };
    let most = filled_to(METADATA_BYTES_MAX);
    assert_eq!(most.len(), METADATA_BYTES_MAX);
    assert!(Metadata::decode(most).is_ok());
    let over = filled_to(METADATA_BYTES_MAX + 1);
    refused(Metadata::decode(over), "at most 65536");
}
