//! The parallel walk finds what a walk on one core finds.

use std::path::Path;

use efflux_particle::{Draft, Head, Id, Message, Stamp, Timestamp};

use super::*;
use crate::disk::{Disk, RealDisk};
use crate::local::tail::{Step, Walk};

/// Frames of many sizes, from none to several pieces.
fn segment(payloads: &[usize]) -> Vec<u8> {
    let stamp = Stamp {
        id: Id::from_uuid([1; 16]),
        created: Timestamp::from_nanos(0),
        in_batch: false,
    };
    let (mut head, root) = Head::root(&"checked".parse().unwrap(), &stamp).unwrap();
    let mut bytes = root.frame().to_vec();
    for payload in payloads {
        let message = Message::new(vec![7; *payload]);
        let (next, particle) = head.link(Draft::encode(&message, &stamp).unwrap());
        head = next;
        bytes.extend_from_slice(particle.frame());
    }
    bytes
}

/// What is found, told in short.
fn told(found: &Found) -> String {
    match found {
        Found::Particle {
            particle, start, ..
        } => format!("{} at {start}", particle.sequence()),
        Found::End { at } => format!("end at {at}"),
        Found::Broken { at, error } => format!("broken at {at}: {error}"),
    }
}

fn found_on(cores: usize, file: &dyn DiskFile, until: u64) -> Vec<String> {
    let mut hashing = Hashing {
        crew: Crew::of(cores, hash),
        buffers: Arc::default(),
    };
    let mut frames = hashing.frames(file, until);
    let mut all = Vec::new();
    loop {
        let found = frames.next().unwrap();
        all.push(told(&found));
        if !matches!(found, Found::Particle { .. }) {
            return all;
        }
    }
}

fn found_by_walking(file: &dyn DiskFile) -> Vec<String> {
    let mut walk = Walk::from(file, 0);
    let mut all = Vec::new();
    loop {
        let (told, is_last) = match walk.step().unwrap() {
            Step::Particle { particle, end } => {
                let start = end - particle.frame().len() as u64;
                (format!("{} at {start}", particle.sequence()), false)
            }
            Step::End { at } => (format!("end at {at}"), true),
            Step::Broken { at, error } => (format!("broken at {at}: {error}"), true),
        };
        all.push(told);
        if is_last {
            return all;
        }
    }
}

fn file_of(path: &Path, bytes: &[u8]) -> Arc<dyn DiskFile> {
    std::fs::write(path, bytes).unwrap();
    RealDisk.open(path).unwrap()
}

/// A check that does not look beyond `until` finds what a walk of a file that ends there finds.
fn assert_same_until(folder: &Path, bytes: &[u8], until: usize) {
    let file = file_of(&folder.join("whole"), bytes);
    let cut = file_of(&folder.join("cut"), &bytes[..until.min(bytes.len())]);
    let expected = found_by_walking(&*cut);
    for cores in [1, 2, 5] {
        let found = found_on(cores, &*file, until as u64);
        assert_eq!(found, expected, "{cores} cores");
    }
}

fn assert_same(folder: &Path, bytes: &[u8]) {
    assert_same_until(folder, bytes, usize::MAX);
}

#[test]
fn any_number_of_cores_finds_what_a_walk_finds() {
    let folder = tempfile::tempdir().unwrap();
    let payloads: Vec<usize> = (0..1500).map(|at| at * 7919 % 3000).collect();
    let mut bytes = segment(&payloads);
    let length = bytes.len();
    assert_same(folder.path(), &bytes);
    for until in [0, 1, 13, 14, 300, length / 2, length - 1, length] {
        assert_same_until(folder.path(), &bytes, until);
    }
    bytes.resize(length + 700_000, 0);
    assert_same(folder.path(), &bytes);
    for cut in [0, 5, 100, length / 3, length - 3] {
        assert_same(folder.path(), &bytes[..cut]);
    }
}

#[test]
fn the_first_damage_is_found_wherever_it_is_and_whatever_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let payloads: Vec<usize> = (0..1500).map(|at| at * 7919 % 3000).collect();
    let sound = segment(&payloads);
    for at in (0..sound.len()).step_by(sound.len() / 40) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        let later = (at + sound.len()) / 2;
        bytes[later] ^= 0x80;
        assert_same(folder.path(), &bytes);
    }
}

#[test]
fn frames_larger_than_a_piece_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = segment(&[10, PIECE_BYTES, 3 * PIECE_BYTES + 1, 0, PIECE_BYTES - 300]);
    assert_same(folder.path(), &bytes);
    assert_same(folder.path(), &bytes[..bytes.len() - 1]);
}
