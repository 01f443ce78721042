//! Ctrl-C.

use std::io::Write;

use crate::program::{Place, Ran, signal};

#[test]
fn an_interrupted_import_keeps_what_was_done_and_can_go_on() {
    let place = Place::with_topic("t");
    let record = |number: usize| format!("{{\"number\":{number}}}\n");
    let import = ["import", "t", "-", "--format", "ndjson"];
    let mut child = place.start(&import);
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..5000 {
        stdin.write_all(record(number).as_bytes()).unwrap();
    }
    stdin.flush().unwrap();
    // Another process sees when the import has begun; it then waits for more input.
    while place.run(&["head", "t"]).ok().starts_with("0:") {}
    signal(&child, "INT");
    let ran = Ran::of(child.wait_with_output().unwrap());
    let ran = ran.fails(
        130,
        &["imported", "interrupted", "the same command goes on"],
    );
    assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
    drop(stdin);
    let verified = place.run(&["verify", "t", "-o", "json"]).json();
    let done = verified[0]["sequence"].as_u64().unwrap();
    assert!(done > 0);

    let all: String = (0..8000).map(record).collect();
    let summary = place
        .run_with(&[&import[..], &["-o", "json"]].concat(), &all)
        .json();
    assert_eq!(summary[0]["already_there"], done);
    assert_eq!(summary[0]["imported"], 8000 - done);
    assert_eq!(place.run(&["read", "t", "-o", "raw"]).ok(), all);
}

#[test]
fn every_signal_to_end_ends_cleanly() {
    let place = Place::with_topic("t");
    for name in ["INT", "TERM", "HUP"] {
        let mut child = place.start(&["append", "t", "--stdin"]);
        let mut acknowledged = crate::program::Lines::of(&mut child);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"x\n").unwrap();
        acknowledged.next();
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
    }
    assert!(place.run(&["verify", "t"]).ok().contains("4 particles"));
}
