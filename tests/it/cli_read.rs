//! `efflux read`, `get`, `head` and `export`.

use std::io::{BufRead, BufReader, Read, Write};

use crate::program::{Lines, Place, Ran, signal};

fn lines(count: usize) -> Place {
    let place = Place::with_topic("t");
    let lines: String = (1..=count)
        .map(|number| format!("line {number}\n"))
        .collect();
    place
        .run_with(&["append", "t", "--stdin", "--type", "line"], lines)
        .ok();
    place
}

fn sequences(place: &Place, arguments: &[&str]) -> Vec<u64> {
    let ran = place.run(&[&["read", "t", "-o", "json"], arguments].concat());
    ran.json()
        .iter()
        .map(|particle| particle["sequence"].as_u64().unwrap())
        .collect()
}

#[test]
fn particles_are_read_from_any_place_in_both_directions() {
    let place = lines(5000);
    assert_eq!(sequences(&place, &[]), (1..=5000).collect::<Vec<_>>());
    assert_eq!(sequences(&place, &["--from", "4998"]), [4998, 4999, 5000]);
    assert_eq!(sequences(&place, &["--from", "0", "--limit", "2"]), [0, 1]);
    assert_eq!(sequences(&place, &["--limit", "0"]), [0; 0]);
    assert_eq!(sequences(&place, &["--from", "5001"]), [0; 0]);
    assert_eq!(
        sequences(&place, &["--reverse"]),
        (1..=5000).rev().collect::<Vec<_>>()
    );
    assert_eq!(
        sequences(&place, &["--reverse", "--limit", "2"]),
        [5000, 4999]
    );
    assert_eq!(sequences(&place, &["--reverse", "--from", "2"]), [2, 1]);
    assert_eq!(sequences(&place, &["--reverse", "--from", "0"]), [0]);
    place
        .run(&["read", "t", "--from", "x"])
        .fails(2, &["--from"]);
    place
        .run(&["read", "t", "--reverse", "--follow"])
        .fails(2, &["--reverse"]);
}

#[test]
fn text_is_one_line_a_particle_and_has_no_colours_in_a_pipe() {
    let place = Place::with_topic("t");
    place
        .run(&["append", "t", "a\nb\u{1b}[31m", "--prop", "k=v"])
        .ok();
    let text = place.run(&["read", "t"]).ok();
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.contains("k=v") && text.contains("a\\nb\\u{1b}[31m"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn payloads_that_are_no_text_are_base64_in_json() {
    let place = Place::with_topic("t");
    let file = place.file("bytes", [0xff, 0xfe, 0xfd]);
    place.run(&["append", "t", &format!("@{file}")]).ok();
    place.run(&["append", "t", "[1,\n2]"]).ok();
    place.run(&["append", "t", "17"]).ok();
    let found = place.run(&["read", "t", "-o", "json"]).json();
    assert_eq!(found[0]["payload_base64"], "//79");
    assert!(found[0].get("payload").is_none());
    assert_eq!(found[1]["data"], serde_json::json!([1, 2]));
    assert_eq!(found[1]["payload"], "[1,\n2]");
    assert!(
        found[2].get("data").is_none(),
        "a text is data only where it is said or seen to be"
    );
    assert_eq!(
        place
            .run(&["read", "t", "-o", "raw", "--limit", "1"])
            .stdout,
        b"\xff\xfe\xfd\n"
    );
}

#[test]
fn a_follower_sees_what_another_process_appends() {
    let place = lines(2);
    let mut follower = place.start(&["read", "t", "--follow", "--from", "2", "-o", "raw"]);
    let mut followed = Lines::of(&mut follower);
    assert_eq!(followed.next(), "line 2");
    for number in 3..6 {
        place.run(&["append", "t", &format!("line {number}")]).ok();
        assert_eq!(followed.next(), format!("line {number}"));
    }
    signal(&follower, "INT");
    assert_eq!(follower.wait().unwrap().code(), Some(130));
}

#[test]
fn a_follower_ends_at_its_limit() {
    let place = lines(3);
    assert_eq!(sequences(&place, &["--follow", "--limit", "3"]), [1, 2, 3]);
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let place = lines(30_000);
    for command in [
        &["read", "t"][..],
        &["read", "t", "-o", "json"],
        &["export", "t"],
        &["find", "t", "type = line"],
        &["consume", "t", "--consumer", "c"],
    ] {
        let mut child = place.start(command);
        let mut stdout = BufReader::with_capacity(16, child.stdout.take().unwrap());
        let mut line = Vec::new();
        stdout.read_until(b'\n', &mut line).unwrap();
        drop(stdout);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command:?}");
    }
}

#[test]
fn a_pipeline_with_head_ends_quietly() {
    let place = lines(30_000);
    let script = format!("{} read t | head -1", crate::program::efflux().display());
    let output = std::process::Command::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .current_dir(place.path(""))
        .env("EFFLUX_STORE", "file:store")
        .output()
        .unwrap();
    let ran = Ran::of(output);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn get_answers_by_sequence_and_by_id() {
    let place = lines(3);
    place.run(&["append", "t", "mine", "--id", "my id"]).ok();
    assert_eq!(place.run(&["get", "t", "2", "-o", "raw"]).ok(), "line 2");
    assert_eq!(
        place.run(&["get", "t", "1", "3", "-o", "raw"]).ok(),
        "line 1\nline 3\n"
    );
    assert_eq!(
        place.run(&["get", "t", "--id", "my id", "-o", "raw"]).ok(),
        "mine"
    );
    let made = place.run(&["get", "t", "1", "-o", "json"]).json()[0]["id"].clone();
    let upper = made.as_str().unwrap().to_uppercase();
    assert_eq!(
        place.run(&["get", "t", "--id", &upper, "-o", "raw"]).ok(),
        "line 1"
    );
    let root = &place.run(&["get", "t", "0", "-o", "json"]).json()[0];
    assert_eq!(
        (&root["data_type"], root.get("linked_fingerprint")),
        (&"efflux.root".into(), None)
    );
    place
        .run(&["get", "t", "99"])
        .fails(3, &["sequence 99", "last particle has sequence 4"]);
    place
        .run(&["get", "t", "--id", "other"])
        .fails(3, &["other"]);
    place.run(&["get", "t"]).fails(2, &["SEQUENCE"]);
    place.run(&["get", "t", "-1"]).fails(2, &[]);
}

#[test]
fn an_export_is_read_by_the_independent_verifier() {
    let place = lines(2500);
    let frames = place.run(&["export", "t"]).stdout;
    let head = place.run(&["head", "t"]).ok();
    let verifier = crate::program::repository().join("tests/verifier/verify.py");
    let mut child = std::process::Command::new("python3")
        .arg(verifier)
        .args(["--topic", "t", "--head", head.trim()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&frames).unwrap();
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert_eq!(
        said.trim(),
        format!("ok particles=2501 head={}", head.trim())
    );
    let part = place
        .run(&["export", "t", "--from", "7", "--limit", "1"])
        .stdout;
    let at = frames.windows(part.len()).position(|window| window == part);
    assert!(at.is_some_and(|at| at > 0));
}

#[test]
fn a_closed_standard_error_is_no_failure() {
    let place = Place::new();
    place.file("a.ndjson", "{}\n");
    let mut child = place.start(&["import", "t", "a.ndjson"]);
    drop(child.stderr.take());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
