//! The tour that the README names as the main job.

use std::process::Command;

use crate::program::{Ran, efflux, repository};

#[test]
fn the_tour_runs_to_its_end_and_names_the_changed_byte() {
    let tour = repository().join("examples/tour.sh");
    let ran = Ran::of(Command::new(tour).env("EFFLUX", efflux()).output().unwrap());
    let said = ran.ok();
    for part in [
        "imported 300 into orders, 0 already there",
        "imported 0 into orders, 300 already there",
        "(exit code 4: conflict)",
        "orders: ok, 302 particles",
        "offset=",
        "segment=00000000000000000000.seg",
        "(exit code 5: integrity violated)",
    ] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

#[test]
fn the_sample_is_what_the_tour_says() {
    let sample = std::fs::read_to_string(repository().join("examples/orders.ndjson")).unwrap();
    assert_eq!(sample.lines().count(), 300);
    for line in sample.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        for field in ["id", "at", "type", "order", "customer", "country"] {
            assert!(event[field].is_string(), "{field}: {line}");
        }
    }
}
