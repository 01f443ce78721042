//! Tests of the step `unzip`.

use std::io::Write;

use efflux_storage::particle::Message;
use proptest::prelude::*;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::transform::tests::{apply, refusal, texts};

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn unzip(settings: UnzipSettings) -> Unzip {
    Unzip::new(settings).unwrap()
}

fn all() -> Unzip {
    unzip(UnzipSettings::default())
}

fn matching(pattern: &str) -> Unzip {
    unzip(UnzipSettings {
        pattern: Some(pattern.to_owned()),
        ..UnzipSettings::default()
    })
}

#[test]
fn files_come_out_in_the_archives_order_with_their_names() {
    let bytes = archive(&[("b.csv", b"1"), ("a/c.json", b"{}"), ("a/d", b"x")]);
    let made = apply(&all(), Message::new(bytes).with_property("region", "eu")).unwrap();
    let told: Vec<_> = made
        .iter()
        .map(|made| (made.property(ENTRY).unwrap(), made.content_type()))
        .collect();
    let expect = [
        ("b.csv", Some("text/csv")),
        ("a/c.json", Some("application/json")),
        ("a/d", None),
    ];
    assert_eq!(told, expect);
    assert_eq!(made[1].payload().as_ref(), b"{}");
    assert_eq!(made[1].property("region"), Some("eu"));
}

#[test]
fn an_archive_of_another_program_is_read() {
    // Written by Python: a folder, deflated and stored entries, a name beyond ASCII.
    let bytes = include_bytes!("../../../tests/data/inbox.zip");
    let made = apply(&matching("orders/*.csv"), Message::new(&bytes[..])).unwrap();
    let names: Vec<_> = made
        .iter()
        .map(|made| made.property(ENTRY).unwrap())
        .collect();
    assert_eq!(names, ["orders/west.csv", "orders/éast.csv"]);
    assert_eq!(apply(&all(), Message::new(&bytes[..])).unwrap().len(), 3);
}

#[test]
fn a_pattern_chooses_by_the_whole_name() {
    let bytes = archive(&[
        ("a.csv", b"1"),
        ("x/b.csv", b"2"),
        ("x/y/c.csv", b"3"),
        ("d.txt", b"4"),
    ]);
    assert_eq!(texts(&matching("*.csv"), bytes.clone()), ["1"]);
    assert_eq!(texts(&matching("**/*.csv"), bytes.clone()), ["1", "2", "3"]);
    assert_eq!(texts(&matching("x/*"), bytes), ["2"]);
    let settings = UnzipSettings {
        pattern: Some("[".to_owned()),
        ..UnzipSettings::default()
    };
    assert_eq!(Unzip::new(settings).unwrap_err().kind(), "fatal");
}

#[test]
fn a_name_that_leads_out_of_a_folder_spoils_the_archive() {
    for name in [
        "../a.csv",
        "a/../../b.csv",
        "/etc/passwd",
        "a\\b.csv",
        "C:x",
        "a/./b",
        "a\nb",
        "..",
    ] {
        let bytes = archive(&[("fine.csv", b"1"), (name, b"2")]);
        // Also where the pattern leaves the entry out.
        assert!(
            refusal(&matching("fine.csv"), bytes).contains("leads out"),
            "{name}"
        );
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let zeros = vec![0; 8 * 1024 * 1024];
    let bytes = archive(&[("zeros", &zeros)]);
    assert!(bytes.len() < 20_000);
    assert!(refusal(&all(), bytes.clone()).contains("200 times its packed size"));
    let generous = UnzipSettings {
        ratio_max: 2_000,
        bytes_max: ByteSize(1_000_000),
        ..UnzipSettings::default()
    };
    assert!(refusal(&unzip(generous.clone()), bytes.clone()).contains("bytes that are left"));
    let enough = UnzipSettings {
        bytes_max: ByteSize(9_000_000),
        ..generous
    };
    assert_eq!(apply(&unzip(enough), Message::new(bytes)).unwrap().len(), 1);
    // Below the ratio, but together too much.
    let pieces: Vec<_> = (0..12)
        .map(|n| (format!("p{n}"), vec![0_u8; 100_000]))
        .collect();
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let tight = UnzipSettings {
        bytes_max: ByteSize(1_000_000),
        ..UnzipSettings::default()
    };
    assert!(refusal(&unzip(tight), archive(&pieces)).contains("p10"));
}

#[test]
fn a_false_size_in_the_archive_changes_no_bound() {
    let zeros = vec![0; 4 * 1024 * 1024];
    let mut bytes = archive(&[("zeros", &zeros)]);
    // Both headers say that the entry has 10 bytes.
    let size = u32::try_from(zeros.len()).unwrap().to_le_bytes();
    let places: Vec<_> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, four)| **four == size)
        .map(|(at, _)| at)
        .collect();
    for at in places {
        bytes[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    assert!(!refusal(&all(), bytes).is_empty());
}

#[test]
fn too_many_entries_are_refused() {
    let names: Vec<_> = (0..11).map(|n| n.to_string()).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let settings = UnzipSettings {
        entries_max: 10,
        ..UnzipSettings::default()
    };
    assert!(refusal(&unzip(settings), archive(&entries)).contains("11 entries"));
}

#[test]
fn links_encrypted_entries_and_torn_archives_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_symlink("link", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    let linked = writer.finish().unwrap().into_inner();
    assert!(refusal(&all(), linked).contains("symbolic link"));

    let mut encrypted = archive(&[("a", b"secret")]);
    // The flag of encryption, in the local header and in the directory.
    let directory = encrypted
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    encrypted[6] |= 1;
    encrypted[directory + 8] |= 1;
    assert!(refusal(&all(), encrypted).contains("encrypted"));

    let whole = archive(&[("a", b"some content that is long enough to be torn")]);
    let mut changed = whole.clone();
    changed[40] ^= 0xFF;
    assert!(!refusal(&all(), changed).is_empty());
    for end in [2, 10, whole.len() / 2, whole.len() - 1] {
        assert!(!refusal(&all(), &whole[..end]).is_empty());
    }
    assert!(refusal(&all(), "plain text").contains("neither zip nor gzip nor zstd"));
}

#[test]
fn a_gzipped_payload_becomes_what_it_was_within_the_bounds() {
    let packed = ContentEncoding::Gzip.encode(b"a,b\n1,2\n").unwrap();
    assert_eq!(texts(&all(), packed.to_vec()), ["a,b\n1,2\n"]);
    let bomb = ContentEncoding::Gzip
        .encode(&vec![0; 8 * 1024 * 1024])
        .unwrap();
    assert!(refusal(&all(), bomb.to_vec()).contains("larger than"));
}

proptest! {
    #[test]
    fn hostile_archives_are_unpacked_or_rejected(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10)
    ) {
        let mut bytes = archive(&[("a.csv", b"a,b\n1,2\n"), ("x/b", &[7; 500])]);
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = apply(&all(), Message::new(bytes));
    }

    #[test]
    fn hostile_bytes_are_no_archive(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for magic in [&b"PK\x03\x04"[..], b"PK\x05\x06", b"\x1F\x8B\x08", b"\x28\xB5\x2F\xFD"] {
            let _ = apply(&all(), Message::new([magic, &bytes].concat()));
        }
    }
}
