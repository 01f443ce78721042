//! Hostile files, templates and payloads: what the fuzz targets do, on inputs that follow from a seed.
//!
//! `cargo xtask fuzz` runs the same functions under libFuzzer. `EFFLUX_HOSTILE_SEED` and
//! `EFFLUX_HOSTILE_CASES` run other inputs.

#![cfg(test)]
#![expect(
    unreachable_pub,
    reason = "a target is part of a library in its own workspace"
)]

#[path = "../../../fuzz/src/edits.rs"]
mod edits;
#[path = "../../../fuzz/src/pipeline_file.rs"]
mod pipeline_file;
#[path = "../../../fuzz/src/template.rs"]
mod template;
#[path = "../../../fuzz/src/transforms.rs"]
mod transforms;

/// Counting what is allocated takes an allocator of one's own, which is unsafe code: only the fuzz
/// workspace has one.
mod allocations {
    pub(crate) fn at_once<T>(work: impl FnOnce() -> T) -> (T, usize) {
        (work(), 0)
    }
}

use std::panic::catch_unwind;

use efflux_pipeline::storage::conformance::Random;
use efflux_pipeline::{self as pipeline, particle};

const SEED: u64 = 1;
/// Longest run of bytes that follow from nothing but chance.
const CHANCE_BYTES_MAX: usize = 48;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A beginning, and bytes that follow from chance, which tell what is changed.
fn input(random: &mut Random, beginnings: &[&[u8]]) -> Vec<u8> {
    let beginning = random.pick(beginnings).copied().unwrap_or_default();
    let count = random.at_most(CHANCE_BYTES_MAX);
    let chance = (0..count).map(|_| random.number().to_le_bytes()[0]);
    beginning.iter().copied().chain(chance).collect()
}

fn check(cases: u64, beginnings: &[&[u8]], run: fn(&[u8])) {
    let first = setting("EFFLUX_HOSTILE_SEED").unwrap_or(SEED);
    let cases = setting("EFFLUX_HOSTILE_CASES").unwrap_or(cases);
    for seed in (first..).take(usize::try_from(cases).unwrap()) {
        let input = input(&mut Random::new(seed), beginnings);
        if catch_unwind(|| run(&input)).is_err() {
            panic!("EFFLUX_HOSTILE_SEED={seed}: it fails on {input:?}");
        }
    }
}

#[test]
fn files_of_pipelines_are_right_or_have_faults_with_places() {
    check(
        4000,
        &[&[0], &[1], &[2], &[3], b"\xffversion = 1\n"],
        pipeline_file::run,
    );
}

#[test]
fn templates_of_any_text_are_refused_or_fill_in_any_message() {
    let beginnings: [&[u8]; 4] = [
        b"{data.a.0}-{id|none}\0{\"a\":[1]}",
        b"{payload}{payload}\0",
        b"{{x}}{properties.region}\0",
        b"{",
    ];
    check(10_000, &beginnings, template::run);
}

#[test]
fn payloads_of_any_bytes_are_transformed_or_refused() {
    let kinds: Vec<[u8; 2]> = (0..14)
        .flat_map(|kind| (0..40).map(move |whole| [kind, whole]))
        .collect();
    let beginnings: Vec<&[u8]> = kinds.iter().map(|it| &it[..]).collect();
    check(40_000, &beginnings, transforms::run);
}

#[test]
fn programs_over_any_payload_end_within_their_bounds() {
    let beginnings: [&[u8]; 6] = [
        b"\x0e\x12.a[]\0",
        b"\x0e\x12[.. | tostring] | add\0",
        b"\x0f\x12.items | to_entries | length > 1\0",
        b"\x0e\x12def f: f; f\0",
        b"\x0e\x17tojson * 1e9\0[1]",
        b"\x0e\x13[limit(10; repeat(.))] | map(tojson) | join(\",\")\0",
    ];
    check(600, &beginnings, transforms::run);
}
