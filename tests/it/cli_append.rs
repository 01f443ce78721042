//! `efflux append`.

use std::io::Write;

use crate::program::{Lines, Place};

#[test]
fn a_payload_is_a_text_a_file_or_standard_input() {
    let place = Place::with_topic("t");
    let file = place.file("payload.bin", b"\x00\xffbinary\r\n");
    place.run(&["append", "t", "hello"]).ok();
    place.run(&["append", "t", &format!("@{file}")]).ok();
    place.run_with(&["append", "t", "-"], "two\nlines\n").ok();
    place.run(&["append", "t", "@@at"]).ok();
    place.run(&["append", "t", ""]).ok();
    let get = |sequence: &str| place.run(&["get", "t", sequence, "-o", "raw"]).stdout;
    assert_eq!(get("1"), b"hello");
    assert_eq!(get("2"), b"\x00\xffbinary\r\n");
    assert_eq!(get("3"), b"two\nlines\n");
    assert_eq!(get("4"), b"@at");
    assert_eq!(get("5"), b"");
    place
        .run(&["append", "t", "@missing"])
        .fails(3, &["missing", "@@missing"]);
    place.run(&["append", "t"]).fails(2, &["--stdin"]);
}

#[test]
fn metadata_is_kept_and_json_has_all_of_it() {
    let place = Place::with_topic("t");
    let arguments = [
        "append",
        "t",
        "{\"total\": 12.50}",
        "--type",
        "order.placed",
        "--group",
        "c-7",
        "--prop",
        "country=de",
        "--prop",
        "note=a=b",
        "--id",
        "o-1",
        "--content-type",
        "application/json",
        "--time",
        "2026-01-02T03:04:05.6+01:00",
    ];
    let head = place.run(&arguments).ok();
    let found = &place.run(&["get", "t", "1", "-o", "json"]).json()[0];
    for (field, value) in [
        ("topic", "t"),
        ("id", "o-1"),
        ("data_type", "order.placed"),
        ("message_group", "c-7"),
        ("content_type", "application/json"),
        ("timestamp", "2026-01-02T02:04:05.6Z"),
        ("payload", "{\"total\": 12.50}"),
    ] {
        assert_eq!(found[field], value);
    }
    assert_eq!(
        found["properties"],
        serde_json::json!({"country": "de", "note": "a=b"})
    );
    assert_eq!(found["data"]["total"], 12.5);
    assert_eq!(
        head.trim(),
        format!("1:{}", found["fingerprint"].as_str().unwrap())
    );
    assert_eq!(head, place.run(&["head", "t"]).ok());
    let shown = place.run(&["get", "t", "1"]).ok();
    assert!(shown.contains("properties.country  de"), "{shown}");
}

#[test]
fn the_same_id_adds_nothing_and_another_payload_is_a_conflict() {
    let place = Place::with_topic("t");
    let first = place.run(&["append", "t", "a", "--id", "x"]).ok();
    let again = place.run(&["append", "t", "a", "--id", "x"]);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    assert_eq!(again.ok(), first);
    let json = &place
        .run(&["append", "t", "a", "--id", "x", "-o", "json"])
        .json()[0];
    assert_eq!(json["duplicate"], true);
    place
        .run(&["append", "t", "b", "--id", "x"])
        .fails(4, &["x", "1"]);
    assert_eq!(place.run(&["read", "t", "-o", "json"]).json().len(), 1);
}

#[test]
fn expectations_are_judged_and_a_conflict_changes_nothing() {
    let place = Place::with_topic("t");
    let append = |expect: &[&str]| {
        place.run(
            &[
                &["append", "t", "x", "--group", "g", "--type", "seat"],
                expect,
            ]
            .concat(),
        )
    };
    append(&["--expect", "empty"]).ok();
    append(&["--expect", "empty"]).fails(4, &["nothing was appended", "the head is 1:"]);
    let head = place.run(&["head", "t"]).ok();
    let expected = format!("head={}", head.trim());
    append(&["--expect", &expected]).ok();
    append(&["--expect", &expected]).fails(4, &["2"]);
    append(&["--expect", "group=1"]).fails(4, &[]);
    append(&["--expect", "group=2"]).ok();
    append(&["--expect", "group=none"]).fails(4, &[]);
    let query = [
        "--expect",
        "no-match-after=2",
        "--expect-query",
        "type = seat",
    ];
    append(&query).fails(4, &["3"]);
    append(&[
        "--expect",
        "no-match-after=3",
        "--expect-query",
        "type = seat",
    ])
    .ok();
    append(&["--expect", "any"]).ok();
    assert!(place.run(&["head", "t"]).ok().starts_with("5:"));
}

#[test]
fn malformed_expectations_are_usage() {
    let place = Place::with_topic("t");
    for (arguments, part) in [
        (&["--expect", "soon"][..], "head=SEQUENCE:FINGERPRINT"),
        (&["--expect", "head=1"], "head=1"),
        (&["--expect", "group=1"], "--group"),
        (&["--expect", "no-match-after=1"], "--expect-query"),
        (
            &["--expect", "no-match-after=1", "--expect-query", "typ = a"],
            "^",
        ),
    ] {
        place
            .run(&[&["append", "t", "x"], arguments].concat())
            .fails(2, &[part]);
    }
}

#[test]
fn bounds_are_told_before_anything_is_appended() {
    let place = Place::with_topic("t");
    let large = place.file("large", vec![b'x'; 16 * 1024 * 1024 + 1]);
    place
        .run(&["append", "t", &format!("@{large}")])
        .fails(2, &["16777216"]);
    let long = "x".repeat(5000);
    place
        .run(&["append", "t", "x", "--prop", &format!("a={long}")])
        .fails(2, &["5000", "4096"]);
    place
        .run(&["append", "t", "x", "--type", &long])
        .fails(2, &["data_type", "255"]);
    place
        .run(&["append", "t", "x", "--type", ""])
        .fails(2, &["data_type is empty"]);
    place
        .run(&["append", "t", "x", "--id", ""])
        .fails(2, &["id must not be empty"]);
    place
        .run(&["append", "t", "x", "--group", "a\nb"])
        .fails(2, &["control character"]);
    place
        .run(&["append", "t", "x", "--prop", "novalue"])
        .fails(2, &["NAME=VALUE"]);
    let many: Vec<String> = (0..65)
        .map(|number| format!("--prop=p{number}=x"))
        .collect();
    let many: Vec<&str> = ["append", "t", "x"]
        .into_iter()
        .chain(many.iter().map(String::as_str))
        .collect();
    place.run(&many).fails(2, &["65 properties"]);
    let whole: Vec<String> = (0..20)
        .map(|number| format!("--prop=p{number}={}", "x".repeat(4000)))
        .collect();
    let whole: Vec<&str> = ["append", "t", "x"]
        .into_iter()
        .chain(whole.iter().map(String::as_str))
        .collect();
    place.run(&whole).fails(2, &["metadata has"]);
    assert!(place.run(&["head", "t"]).ok().starts_with("0:"));
}

#[test]
fn each_line_is_acknowledged_as_soon_as_it_is_durable() {
    let place = Place::with_topic("t");
    let mut child = place.start(&["append", "t", "--stdin", "--type", "line"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut acknowledged = Lines::of(&mut child);
    // A writer that waits for each acknowledgement gets it at once.
    for number in 1..=20 {
        writeln!(stdin, "line {number}").unwrap();
        let line = acknowledged.next();
        assert!(line.starts_with(&format!("ack {number} ")), "{line}");
    }
    // What is acknowledged can be read by others while the writer goes on.
    assert_eq!(place.run(&["read", "t", "-o", "json"]).json().len(), 20);
    stdin.write_all(b"\r\nno end").unwrap();
    drop(stdin);
    assert!(acknowledged.next().starts_with("ack 21 "));
    let last = acknowledged.next();
    assert!(child.wait().unwrap().success());
    let head = place.run(&["head", "t"]).ok();
    assert_eq!(last.replacen("ack ", "", 1).replace(' ', ":"), head.trim());
    let payloads = place
        .run(&["read", "t", "--from", "20", "-o", "raw", "--separator", "|"])
        .ok();
    assert_eq!(payloads, "line 20||no end|");
}

#[test]
fn many_lines_are_acknowledged_in_order() {
    let place = Place::with_topic("t");
    let lines: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    let acknowledged = place.run_with(&["append", "t", "--stdin"], &lines).ok();
    for (line, number) in acknowledged.lines().zip(1..) {
        assert!(line.starts_with(&format!("ack {number} ")), "{line}");
    }
    assert_eq!(acknowledged.lines().count(), 20_000);
    assert_eq!(place.run(&["read", "t", "-o", "raw"]).ok(), lines);
    let json = place
        .run_with(&["append", "t", "--stdin", "-o", "json"], "a\nb\n")
        .json();
    assert_eq!((json.len(), &json[1]["sequence"]), (2, &20_002.into()));
}

#[test]
fn frames_on_standard_input_keep_their_metadata() {
    let place = Place::with_topic("a");
    place
        .run(&[
            "append", "a", "x", "--id", "i", "--type", "t", "--prop", "p=v",
        ])
        .ok();
    let frames = place.run(&["export", "a"]).stdout;
    place.run(&["topic", "create", "b"]).ok();
    assert_eq!(
        place
            .run_with(&["append", "b", "--stdin"], &frames)
            .ok()
            .lines()
            .count(),
        1
    );
    let copy = &place.run(&["get", "b", "1", "-o", "json"]).json()[0];
    assert_eq!(
        (&copy["id"], &copy["properties"]["p"]),
        (&"i".into(), &"v".into())
    );
    let mut altered = frames.clone();
    let at = altered.len() - 9;
    altered[at] ^= 1;
    place
        .run_with(&["append", "b", "--stdin"], &altered)
        .fails(5, &["offset=", "altered"]);
    place
        .run_with(&["append", "b", "--stdin", "--type", "u"], &frames)
        .fails(2, &["frames"]);
}

#[test]
fn a_line_that_is_too_long_ends_the_stream_after_those_before_it() {
    let place = Place::with_topic("t");
    let mut lines = b"first\n".to_vec();
    lines.extend(vec![b'x'; 16 * 1024 * 1024 + 1]);
    lines.extend(b"\nthird\n");
    let ran = place.run_with(&["append", "t", "--stdin"], &lines);
    let ran = ran.fails(1, &["<stdin>:2: the payload has 16777217 bytes"]);
    assert_eq!(ran.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn create_makes_store_and_topic() {
    let place = Place::new();
    place
        .run(&["append", "t", "x"])
        .fails(3, &["no store", "--create"]);
    assert!(!place.path("store").exists());
    place.run(&["append", "t", "x", "--create"]).ok();
    place
        .run(&["append", "u", "x"])
        .fails(3, &["no topic u", "--create"]);
    place.run(&["append", "t", "x", "--create"]).ok();
}
