//! `efflux import`.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::program::Place;

/// Imports a file and returns the summary.
fn import(place: &Place, arguments: &[&str]) -> serde_json::Value {
    let ran = place.run(&[&["import", "t", "-o", "json"], arguments].concat());
    ran.json().remove(0)
}

fn payloads(place: &Place) -> String {
    place.run(&["read", "t", "-o", "raw"]).ok()
}

#[test]
fn every_format_is_read_and_told_by_itself() {
    for (name, content, expect) in [
        (
            "a.ndjson",
            "{\"a\":1}\n{\"a\": 2}\n",
            "{\"a\":1}\n{\"a\": 2}\n",
        ),
        (
            "a.json",
            "[\n {\"a\": 1},\n {\"a\": \"x y\"}\n]",
            "{\"a\":1}\n{\"a\":\"x y\"}\n",
        ),
        ("a.json", "{\"a\":1}\n{\"a\":2}", "{\"a\":1}\n{\"a\":2}\n"),
        (
            "a.csv",
            "zip,city\n00501,\"A, \"\"B\"\"\"\n",
            "{\"zip\":\"00501\",\"city\":\"A, \\\"B\\\"\"}\n",
        ),
        ("a.tsv", "a\tb\n1\t2\n", "{\"a\":\"1\",\"b\":\"2\"}\n"),
        ("a.log", "one\n\ntwo", "one\ntwo\n"),
        ("data", "{\"a\":1}\n", "{\"a\":1}\n"),
        (
            "quakes.geojson",
            "{\"type\":\"FeatureCollection\",\"features\":[{\"id\":1},{\"id\":2}],\"bbox\":[]}",
            "{\"id\":1}\n{\"id\":2}\n",
        ),
    ] {
        let place = Place::new();
        let file = place.file(name, content);
        import(&place, &[&file]);
        assert_eq!(payloads(&place), expect, "{name}: {content}");
    }
}

#[test]
fn a_byte_order_mark_crlf_and_a_missing_end_change_nothing() {
    for (name, content, expect) in [
        (
            "a.ndjson",
            "\u{feff}{\"a\":1}\r\n\r\n{\"a\":2}",
            "{\"a\":1}\n{\"a\":2}\n",
        ),
        ("a.json", "\u{feff}[1,\r\n2]\r\n", "1\n2\n"),
        (
            "a.csv",
            "\u{feff}a\r\n1\r\n\r\n2",
            "{\"a\":\"1\"}\n{\"a\":\"2\"}\n",
        ),
        ("a.txt", "\u{feff}x\r\ny", "x\ny\n"),
        ("a.ndjson", "", ""),
        ("a.json", "", ""),
        ("a.csv", "", ""),
        ("a.json", "[]", ""),
    ] {
        let place = Place::new();
        let file = place.file(name, content);
        import(&place, &[&file]);
        assert_eq!(payloads(&place), expect, "{name}: {content:?}");
    }
}

#[test]
fn an_import_that_is_run_again_adds_nothing_twice() {
    let place = Place::new();
    let file = place.file("a.ndjson", "{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n");
    let first = import(&place, &[&file]);
    assert_eq!(
        (&first["imported"], &first["already_there"]),
        (&3.into(), &0.into())
    );
    let second = import(&place, &[&file]);
    assert_eq!(
        (&second["imported"], &second["already_there"]),
        (&0.into(), &3.into())
    );
    // A file that has grown brings only what is new, also when it is named another way.
    place.file("a.ndjson", "{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n{\"a\":2}\n");
    let grown = import(&place, &["./a.ndjson"]);
    assert_eq!(
        (&grown["imported"], &grown["already_there"]),
        (&1.into(), &3.into())
    );
    // A copy is another source, unless it is said to be the same.
    fs::copy(place.path("a.ndjson"), place.path("b.ndjson")).unwrap();
    let copy = import(&place, &["b.ndjson"]);
    assert_eq!(copy["imported"], 4);
    let named = import(
        &place,
        &[
            "b.ndjson",
            "--source",
            &fs::canonicalize(&file).unwrap().display().to_string(),
        ],
    );
    assert_eq!(named["already_there"], 4);
    place
        .run(&["import", "t", "a.ndjson", "b.ndjson", "--source", "x"])
        .fails(2, &["--source"]);
}

#[test]
fn standard_input_and_gzip_are_read() {
    let place = Place::new();
    let ran = place.run_with(&["import", "t", "-"], "{\"a\":1}\n");
    ran.fails(0, &["created topic t", "imported 1 into t"]);
    let again = place.run_with(&["import", "t", "-"], "{\"a\":1}\n");
    again.fails(0, &["1 already there", "--source"]);
    place
        .run_with(&["import", "t", "-"], "hello\n")
        .fails(2, &["--format"]);
    place
        .run_with(&["import", "t", "-", "--format", "lines"], "hello\n")
        .ok();
    let mut gzip = Command::new("gzip")
        .args(["-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin
        .take()
        .unwrap()
        .write_all(b"[{\"z\":1},{\"z\":2}]")
        .unwrap();
    let packed = gzip.wait_with_output().unwrap().stdout;
    let file = place.file("packed.json.gz", packed);
    import(&place, &[&file]);
    assert_eq!(payloads(&place), "{\"a\":1}\nhello\n{\"z\":1}\n{\"z\":2}\n");
    place
        .run(&["import", "t", "-", "-"])
        .fails(2, &["only once"]);
}

#[test]
fn fields_become_metadata() {
    let place = Place::new();
    let file = place.file(
        "a.ndjson",
        "{\"id\":7,\"kind\":\"k\",\"at\":\"2026/01/02 03:04\",\"who\":{\"id\":\"w\"},\"n\":1.50,\"ok\":true,\"none\":null}\n",
    );
    import(
        &place,
        &[
            &file,
            "--id",
            "id",
            "--type",
            "t",
            "--type-from",
            "kind",
            "--time-from",
            "at",
            "--group-from",
            "who.id",
            "--prop",
            "n",
            "--prop",
            "fine=ok",
            "--prop",
            "none",
            "--prop",
            "w=/who/id",
        ],
    );
    let found = &place.run(&["get", "t", "1", "-o", "json"]).json()[0];
    for (field, value) in [
        ("id", "7"),
        ("data_type", "k"),
        ("timestamp", "2026-01-02T03:04:00Z"),
        ("message_group", "w"),
        ("content_type", "application/json"),
    ] {
        assert_eq!(found[field], value);
    }
    assert_eq!(
        found["properties"],
        serde_json::json!({"n": "1.50", "fine": "true", "w": "w"})
    );
}

#[test]
fn a_malformed_record_is_named_and_what_came_before_it_stays() {
    for (name, content, options, place_of_it) in [
        (
            "a.ndjson",
            "{\"a\":1}\n{\"a\":2}\n{\"a\":\n{\"a\":4}\n",
            &[][..],
            "a.ndjson:3:5: no JSON",
        ),
        (
            "a.ndjson",
            "{\"a\":1}\n{\"a\":2}\nnope\n",
            &[],
            "a.ndjson:3:2: no JSON",
        ),
        ("a.ndjson", "1\n2\n\u{80}x\n", &[], "a.ndjson:3:1: no JSON"),
        ("a.json", "[1,\n2,\n {\"a\" 3}]", &[], "a.json:3:2: no JSON"),
        (
            "a.json",
            "[1, 2",
            &[],
            "a.json:1:6: the file ends within the array",
        ),
        (
            "a.csv",
            "a,b\n1,2\n3,4\n5\n",
            &[],
            "a.csv:4: the row has 1 values, the first line names 2",
        ),
        (
            "a.ndjson",
            "{\"i\":1}\n{\"i\":2}\n{}\n",
            &["--id", "i"],
            "a.ndjson:3: the record has no i",
        ),
        (
            "a.ndjson",
            "{\"i\":1}\n{\"i\":2}\n{\"i\":\"x\"}\n",
            &["--time-from", "i"],
            "a.ndjson:3: i: \"x\" is no time",
        ),
    ] {
        let place = Place::new();
        place.file(name, content);
        let ran = place.run(&[&["import", "t", name], options].concat());
        ran.fails(1, &[place_of_it, "--rejects", "imported 2 into t"]);
        assert_eq!(payloads(&place).lines().count(), 2, "{content}");
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let place = Place::new();
    place.file("a.ndjson", b"{\"a\":1}\n{\"a\":\"\xff\"}\n");
    place
        .run(&["import", "t", "a.ndjson"])
        .fails(1, &["a.ndjson:2:7: the text is no UTF-8"]);
    place.file("a.csv", b"a,b\n1,2\n3,\xff\n");
    place
        .run(&["import", "t", "a.csv"])
        .fails(1, &["a.csv:3:3: the text is no UTF-8"]);
    place.file("a.txt", b"fine\n\xff\n");
    place.run(&["import", "u", "a.txt"]).ok();
    assert_eq!(
        place.run(&["read", "u", "-o", "raw"]).stdout,
        b"fine\n\xff\n"
    );
}

#[test]
fn rejected_records_are_put_aside() {
    let place = Place::new();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"p\":\"{}\"}}", "x".repeat(5000));
    place.file(
        "a.ndjson",
        format!("{{\"p\":1}}\nnope\n{deep}\n{long}\n\n{{\"p\":2}}\n{{\n"),
    );
    let ran = place.run(&["import", "t", "a.ndjson", "--prop", "p", "--rejects", "bad"]);
    ran.fails(
        0,
        &[
            "imported 3 into t",
            "3 rejected",
            "the rejected records are in bad",
        ],
    );
    let rejects = fs::read_to_string(place.path("bad")).unwrap();
    let rejects: Vec<serde_json::Value> = rejects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let lines: Vec<_> = rejects
        .iter()
        .map(|reject| reject["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 4, 7]);
    assert_eq!(
        (&rejects[0]["text"], &rejects[0]["file"]),
        (&"nope".into(), &"a.ndjson".into())
    );
    assert!(
        rejects[1]["error"]
            .as_str()
            .unwrap()
            .contains("property \"p\" has 5000 bytes")
    );
    // Corrected in its place, a record comes in, and the others do not come twice.
    place.file(
        "a.ndjson",
        format!("{{\"p\":1}}\n{{\"p\":3}}\n{deep}\n{{\"p\":4}}\n\n{{\"p\":2}}\n"),
    );
    let summary = import(&place, &["a.ndjson", "--prop", "p"]);
    assert_eq!(
        (&summary["imported"], &summary["already_there"]),
        (&2.into(), &3.into())
    );
}

#[test]
fn an_id_that_is_taken_by_another_payload_is_a_conflict_of_its_record() {
    let place = Place::new();
    place.file(
        "a.ndjson",
        "{\"i\":1,\"v\":1}\n{\"i\":2}\n{\"i\":1,\"v\":2}\n{\"i\":3}\n",
    );
    let ran = place.run(&["import", "t", "a.ndjson", "--id", "i"]);
    ran.fails(4, &["a.ndjson:3:", "imported 2 into t"]);
    let ran = place.run(&["import", "t", "a.ndjson", "--id", "i", "--rejects", "bad"]);
    ran.fails(0, &["imported 1 into t, 2 already there, 1 rejected"]);
}

#[test]
fn payloads_over_the_bound_are_rejected_without_being_held() {
    let place = Place::new();
    let mut file = b"{\"a\":1}\n\"".to_vec();
    file.extend(vec![b'x'; 17 << 20]);
    file.extend(b"\"\n\"");
    file.extend(vec![b'y'; 65 << 20]);
    file.extend(b"\"\n{\"a\":2}\n");
    let file = place.file("a.ndjson", file);
    let summary = import(&place, &[&file, "--rejects", "bad"]);
    assert_eq!(
        (&summary["imported"], &summary["rejected"]),
        (&2.into(), &2.into())
    );
    assert!(fs::metadata(place.path("bad")).unwrap().len() < 20_000);
}

#[test]
fn a_copy_by_frames_keeps_ids_times_and_metadata() {
    let place = Place::new();
    let file = place.file(
        "a.ndjson",
        "{\"i\":\"x\",\"at\":\"2026-01-01\"}\n{\"i\":\"y\",\"at\":\"2026-01-02\"}\n",
    );
    import(
        &place,
        &[
            &file,
            "--id",
            "i",
            "--time-from",
            "at",
            "--type",
            "k",
            "--prop",
            "i",
        ],
    );
    let frames = place.run(&["export", "t"]).stdout;
    place.file("t.frames", &frames);
    place
        .run(&["import", "copy", "t.frames"])
        .fails(0, &["imported 2 into copy"]);
    place
        .run(&["import", "copy", "t.frames"])
        .fails(0, &["2 already there"]);
    let read = |topic: &str| {
        let mut read = place.run(&["read", topic, "-o", "json"]).json();
        for particle in &mut read {
            let fields = particle.as_object_mut().unwrap();
            for own in ["topic", "created", "fingerprint", "linked_fingerprint"] {
                fields.remove(own);
            }
        }
        read
    };
    assert_eq!(read("t"), read("copy"));
    place
        .run(&["import", "copy", "t.frames", "--type", "k"])
        .fails(2, &["frames"]);
    let mut altered = frames;
    let at = altered.len() - 9;
    altered[at] ^= 1;
    place.file("altered.frames", altered);
    place
        .run(&["import", "other", "altered.frames"])
        .fails(5, &["altered.frames:offset=", "altered"]);
}

#[test]
fn mistakes_are_told_before_anything_is_changed() {
    let place = Place::new();
    place.file("a.csv", "zip,city\n1,a\n");
    place.file("a.ndjson", "{\"a\":1}\n");
    place
        .run(&["import", "t", "missing.csv"])
        .fails(3, &["missing.csv"]);
    place.run(&["import", "t", "."]).fails(2, &["folder"]);
    place
        .run(&["import", "t", "a.csv", "missing.csv"])
        .fails(3, &["missing.csv"]);
    place
        .run(&["import", "t", "a.ndjson", "--time-format", "%Y"])
        .fails(2, &["--time-from"]);
    place
        .run(&[
            "import",
            "t",
            "a.ndjson",
            "--time-from",
            "a",
            "--time-format",
            "x",
        ])
        .fails(2, &["%Y"]);
    place
        .run(&["import", "t", "a.ndjson", "--id", "a..b"])
        .fails(2, &["a..b"]);
    place
        .run(&["import", "t", "a.ndjson", "--format", "xml"])
        .fails(2, &["ndjson"]);
    assert!(!place.path("store").exists());
    place
        .run(&["import", "t", "a.csv", "--id", "zipp"])
        .fails(2, &["zipp", "its columns: zip, city"]);
    let ran = place.run(&["import", "t", "a.ndjson", "--prop", "b"]);
    ran.fails(0, &["note: no record of a.ndjson has a field b"]);
}
