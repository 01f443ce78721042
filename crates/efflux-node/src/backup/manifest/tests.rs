//! Manifests that are whole, altered, of another version, and that lie.

use std::time::Duration;

use efflux_flow::particle::{Fingerprint, Head};
use efflux_flow::storage::{ConsumerOptions, ConsumerState, Start, Sync, TopicOptions};

use super::*;
use crate::backup::entry::FileEntry;

fn place(number: u64) -> Sequence {
    Sequence::new(number)
}

fn file(first: u64, last: u64) -> FileEntry {
    FileEntry {
        first: place(first),
        last: place(last),
        bytes: 215,
        sha256: Digest::of(b"frames"),
    }
}

fn entry(name: &str) -> TopicEntry {
    let options = ConsumerOptions::default()
        .with_lease(Duration::from_nanos(1_500_000_001))
        .with_max_deliveries(None)
        .with_dead_letter("failed".parse().unwrap());
    let state = |position, start| ConsumerState {
        position: place(position),
        settled: vec![(place(5), place(7)), (place(9), place(10))],
        epoch: 3,
        redelivered: 2,
        dead_lettered: 1,
        options: options.clone().with_start(start),
    };
    let time = Timestamp::from_nanos(1_767_225_600_000_000_001);
    TopicEntry {
        name: name.parse().unwrap(),
        options: TopicOptions::default().with_sync(Sync::Interval(Duration::from_micros(1500))),
        root: Fingerprint::of(b"root"),
        head: Head {
            sequence: place(9),
            fingerprint: Fingerprint::of(b"head"),
        },
        at: Some(time),
        files: vec![file(0, 3), file(4, 9)],
        consumers: [
            ("a", state(2, Start::Root)),
            ("b", state(3, Start::Time(time))),
            ("c", state(4, Start::Sequence(place(7)))),
            ("d", state(4, Start::Head)),
        ]
        .map(|(name, state)| (name.parse().unwrap(), state))
        .into(),
    }
}

fn manifest() -> Manifest {
    let mut manifest = Manifest {
        written: Some(Timestamp::from_nanos(7)),
        ..Manifest::default()
    };
    for name in ["orders", "bills"] {
        let mut entry = entry(name);
        if name == "bills" {
            entry.at = None;
            entry.options.sync = Sync::Os;
        }
        manifest.topics.insert(entry.name.clone(), entry);
    }
    manifest
}

/// The same manifest with a part replaced and a checksum that fits, as a forger would write it.
fn forged(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(manifest().encode().unwrap()).unwrap();
    let (above, _) = text.split_once(CHECKSUM_OPENS).unwrap();
    assert!(above.contains(from), "no {from:?} in {above}");
    let above = above.replacen(from, to, 1);
    let digest = Digest::of(above.as_bytes());
    format!("{above}{CHECKSUM_OPENS}{digest}{CHECKSUM_ENDS}").into_bytes()
}

fn refused(bytes: &[u8]) -> Error {
    Manifest::decode(bytes).unwrap_err()
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    for manifest in [Manifest::default(), manifest()] {
        let bytes = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn no_altered_byte_and_no_cut_goes_unnoticed() {
    let bytes = manifest().encode().unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let error = refused(&altered);
        assert!(
            error.to_string().contains("MANIFEST.json"),
            "byte {at}: {error}"
        );
        refused(&bytes[..at]);
    }
}

#[test]
fn a_manifest_of_another_version_says_so() {
    let error = refused(&forged("\"version\": 1", "\"version\": 2"));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("format version 2"), "{error}");
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let file = "00000000000000000000-00000000000000000003.frames";
    for (from, to) in [
        ("\"topic\": \"orders\"", "\"topic\": \"../orders\""),
        ("\"topic\": \"orders\"", "\"topic\": \"/etc\""),
        ("\"topic\": \"orders\"", "\"topic\": \"..\""),
        ("\"consumer\": \"a\"", "\"consumer\": \"../a\""),
        (file, "../../secret"),
        (file, "/etc/passwd"),
        (file, "0-3.frames"),
    ] {
        let error = refused(&forged(from, to));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{to}: {error}");
    }
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    let head = format!("9:{}", Fingerprint::of(b"head"));
    for (from, to) in [
        ("\"first\": 4", "\"first\": 5"),
        ("\"bytes\": 215", "\"bytes\": 0"),
        (head.as_str(), "10:00"),
        (&head, &head.replacen('9', "10", 1)),
        (&head, &head.replacen('9', "18446744073709551615", 1)),
        ("\"topic\": \"orders\"", "\"topic\": \"bills\""),
        ("\"consumer\": \"b\"", "\"consumer\": \"a\""),
        ("\"position\": 2", "\"position\": 11"),
        ("\"lease_ns\": 1500000001", "\"lease_ns\": 1"),
        ("\"segment_bytes\": 67108864", "\"segment_bytes\": 1"),
        ("\"sync\": \"os\"", "\"sync\": \"never\""),
        ("\"epoch\": 3", "\"epoch\": 4294967295"),
        ("\"start\": \"root\"", "\"start\": \"soon\""),
        ("\"program\"", "\"more\": 1, \"program\""),
        ("\"efflux backup\"", "\"tar\""),
    ] {
        let error = refused(&forged(from, to));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{to}: {error}");
    }
}
