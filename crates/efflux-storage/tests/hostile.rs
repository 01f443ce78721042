//! Hostile bytes: what the fuzz targets do, on inputs that follow from a seed.
//!
//! `cargo xtask fuzz` runs the same functions under libFuzzer, which looks for new paths through the
//! code. Here they run in each build, for seconds. `EFFLUX_HOSTILE_SEED` and `EFFLUX_HOSTILE_CASES`
//! run other inputs.
#![cfg(feature = "conformance")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a target stops at the first surprise, and is part of a library in its own workspace"
)]

#[path = "../../../fuzz/src/backwards.rs"]
mod backwards;
#[path = "../../../fuzz/src/edits.rs"]
mod edits;
#[path = "../../../fuzz/src/frame.rs"]
mod frame;
#[path = "../../../fuzz/src/head.rs"]
mod head;
#[path = "../../../fuzz/src/journal.rs"]
mod journal;
#[path = "../../../fuzz/src/metadata.rs"]
mod metadata;
#[path = "../../../fuzz/src/offsets.rs"]
mod offsets;
#[path = "../../../fuzz/src/query.rs"]
mod query;
#[path = "../../../fuzz/src/segment.rs"]
mod segment;
#[path = "../../../fuzz/src/small_store.rs"]
mod small_store;
#[cfg(feature = "remote")]
#[path = "../../../fuzz/src/wire.rs"]
mod wire;

/// Counting what is allocated takes an allocator of one's own, which is unsafe code: only the fuzz
/// workspace has one.
mod allocations {
    pub(crate) fn of_this_thread<T>(work: impl FnOnce() -> T) -> (T, usize) {
        (work(), 0)
    }

    pub(crate) fn at_once<T>(work: impl FnOnce() -> T) -> (T, usize) {
        (work(), 0)
    }
}

use std::panic::catch_unwind;

use efflux_storage::conformance::Random;
use efflux_storage::{self as storage, particle};
use particle::{Draft, Head, Id, Message, Stamp, Timestamp};

const SEED: u64 = 1;
/// Longest run of bytes that follow from nothing but chance.
const CHANCE_BYTES_MAX: usize = 48;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn chance(random: &mut Random) -> Vec<u8> {
    let count = random.at_most(CHANCE_BYTES_MAX);
    (0..count)
        .map(|_| random.number().to_le_bytes()[0])
        .collect()
}

/// Something whole with a few changes, or anything.
fn input(random: &mut Random, whole: &[Vec<u8>]) -> Vec<u8> {
    let Some(mut bytes) = random.pick(whole).cloned() else {
        return chance(random);
    };
    for _ in 0..random.below(4) {
        let at = random.at_most(bytes.len());
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, chance(random))),
            2 => drop(bytes.drain(at..at + random.at_most(bytes.len() - at))),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

fn check(cases: u64, whole: &[Vec<u8>], run: fn(&[u8])) {
    let first = setting("EFFLUX_HOSTILE_SEED").unwrap_or(SEED);
    let cases = setting("EFFLUX_HOSTILE_CASES").unwrap_or(cases);
    for seed in (first..).take(usize::try_from(cases).unwrap()) {
        let input = input(&mut Random::new(seed), whole);
        if catch_unwind(|| run(&input)).is_err() {
            panic!("EFFLUX_HOSTILE_SEED={seed}: it fails on {input:?}");
        }
    }
}

/// The frames of a few messages, and what stands in them.
fn frames() -> Vec<Vec<u8>> {
    let stamp = Stamp {
        id: Id::from_uuid([7; 16]),
        created: Timestamp::from_nanos(5),
        in_batch: true,
    };
    let (mut head, root) = Head::root(&"t".parse().unwrap(), &stamp).unwrap();
    let mut frames = vec![root.frame().to_vec()];
    for at in 0..4 {
        let message = Message::new("payload ".repeat(at))
            .with_data_type("type")
            .with_message_group("group")
            .with_property("name", at.to_string());
        let (next, particle) = head.link(Draft::encode(&message, &stamp).unwrap());
        head = next;
        frames.push(particle.frame().to_vec());
    }
    frames
}

#[test]
fn frames_of_any_bytes_are_refused_or_check() {
    check(20_000, &frames(), frame::run);
    check(2000, &frames(), backwards::run);
}

#[test]
fn metadata_of_any_bytes_is_refused_or_can_be_copied() {
    let stamp_bytes = |frame: &Vec<u8>| frame.get(46..frame.len() - 8).unwrap().to_vec();
    let whole: Vec<_> = frames().iter().map(stamp_bytes).collect();
    check(10_000, &whole, metadata::run);
}

#[test]
fn queries_of_any_text_are_refused_or_read_back() {
    let texts = [
        "data_type = 'a' and not (message_group = 'b' or properties.x >= '7')",
        "created >= 2026-01-01T00:00:10Z and sequence < 12",
        "id = 'x' or timestamp < 2026-01-01",
    ];
    let whole: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    check(20_000, &whole, query::run);
}

#[cfg(feature = "remote")]
#[test]
fn what_nodes_and_clients_say_is_refused_or_read_back() {
    let said = [
        "0{\"settings\":{\"sync\":\"250ms\",\"segment_bytes\":4096}}",
        "0{\"frames\":1234}",
        "0{\"head\":\"5:00\"}",
        "0{\"consumer\":{\"name\":\"a\",\"position\":9,\"settled\":[[10,12]],\"epoch\":1,\"redelivered\":0,\
         \"dead_lettered\":0,\"settings\":{\"start\":\"time=2026-01-01T00:00:00Z\"}}}",
        "1{\"type\":\"urn:efflux:problem:conflict\",\"title\":\"Conflict\",\"status\":409,\"detail\":\"d\",\
         \"retryable\":false,\"may_have_applied\":true}",
        "2{\"lease_ms\":1000,\"max_in_flight\":7,\"max_deliveries\":null,\"start\":\"sequence=4\"}",
        "4{\"sync\":\"17us\"}",
        "5{\"after\":\"1:00\",\"until\":7}",
        "6caf\u{e9} 250ms%41",
        "61s",
        "7group=7;orders",
        "7no-match-after=3;type = a",
    ];
    let whole: Vec<_> = said.iter().map(|text| text.as_bytes().to_vec()).collect();
    check(20_000, &whole, wire::run);
}

#[test]
fn segments_of_any_bytes_are_damaged_or_sound() {
    check(600, &[], segment::run);
}

#[test]
fn head_records_of_any_bytes_are_damaged_or_sound() {
    check(600, &[], head::run);
}

#[test]
fn tables_of_offsets_change_no_answer_whatever_they_say() {
    check(600, &[], offsets::run);
}

#[test]
fn journals_of_any_bytes_are_damaged_or_sound() {
    check(600, &[], journal::run);
}

/// An input that puts a number at the edge of its range at a byte of a target's only file.
fn edge(store: u8, at: u16, which: u8) -> Vec<u8> {
    let [low, high] = at.to_le_bytes();
    vec![store, 8, 0, 0, 0, 0, low, high, which]
}

fn check_edges(inputs: impl Iterator<Item = Vec<u8>>, run: fn(&[u8])) {
    let mut count = 0;
    for input in inputs {
        count += 1;
        assert!(
            catch_unwind(|| run(&input)).is_ok(),
            "it fails on {input:?}"
        );
    }
    println!("{count} inputs");
}

#[test]
fn numbers_of_a_head_record_at_their_edges_are_damaged_or_sound() {
    let places = (0..112_u16).step_by(8).flat_map(|at| [at, at + 512]);
    let stores = places.flat_map(|at| (0..3_u8).map(move |store| (store, at)));
    let edges = stores.flat_map(|(store, at)| (0..7).map(move |which| edge(store, at, which * 2)));
    check_edges(edges, head::run);
}

#[test]
fn numbers_of_a_journal_at_their_edges_are_damaged_or_sound() {
    let stamps = [8, 512, 520, 1024, 1032, 1536].into_iter();
    let stamps = stamps.flat_map(|at| (0..7).map(move |which| edge(1, at, which * 2)));
    // 0x80: what the records hold is changed, each byte in turn, as a number of one byte.
    let entries = (0..400).flat_map(|at| [5, 7, 9, 11].map(|which| edge(0x82, at, which)));
    let times = (0..400).flat_map(|at| [8, 10].map(|which| edge(0x82, at, which)));
    check_edges(stamps.chain(entries).chain(times), journal::run);
}
