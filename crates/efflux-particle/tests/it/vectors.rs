//! The golden vectors in docs/vectors are what this crate writes and reads.

use std::path::Path;

use bytes::Bytes;

#[path = "../../examples/vectors/golden/mod.rs"]
mod golden;

fn stored(name: &str) -> Bytes {
    let path = Path::new(golden::FOLDER).join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

#[test]
fn the_stored_vectors_are_the_ones_that_this_crate_writes() {
    for (name, bytes) in golden::files().unwrap() {
        let found = stored(&name);
        assert!(
            found == bytes,
            "docs/vectors/{name} differs: if the format was meant to change, run \
             `cargo run -p efflux-particle --example vectors -- --write`"
        );
    }
}

#[test]
fn the_stored_vectors_read_as_they_should() {
    for vector in golden::vectors().unwrap() {
        let reading = golden::read(&stored(&format!("{}.frames", vector.name))).unwrap();
        match (&reading.end, vector.error) {
            (Ok(head), None) => {
                let last = reading.particles.last().unwrap();
                assert_eq!(head.fingerprint, last.1.fingerprint(), "{}", vector.name);
            }
            (Err(fault), Some(kind)) => assert_eq!(fault.kind, kind, "{}: {fault:?}", vector.name),
            (end, error) => panic!("{}: {end:?}, expected {error:?}", vector.name),
        }
    }
}

#[test]
#[cfg(all(feature = "gzip", feature = "zstd"))]
fn the_compressed_payloads_hold_the_content_that_is_said() {
    let reading = golden::read(&stored("contents.frames")).unwrap();
    for (_, particle) in &reading.particles[1..] {
        assert_eq!(particle.content(1000).unwrap(), golden::CONTENT);
    }
}

#[test]
fn the_worked_example_of_the_format_page_is_the_stored_root() {
    let page = Path::new(golden::FOLDER).join("../format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, example) = page
        .split_once("```hex\n")
        .expect("format.md has a hex block");
    let (example, _) = example.split_once("```").unwrap();
    let bytes: Vec<u8> = example
        .lines()
        .filter_map(|line| line.split_once(" | "))
        .flat_map(|(_, rest)| rest.split(" | ").next().unwrap_or("").split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    assert_eq!(bytes, stored("root.frames"));
}
