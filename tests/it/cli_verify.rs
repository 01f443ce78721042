//! `efflux verify`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::program::Place;

fn small() -> Place {
    let place = Place::with_topic("t");
    let lines: String = (1..=20)
        .map(|number| format!("payload {number}\n"))
        .collect();
    place
        .run_with(&["append", "t", "--stdin", "--prop", "k=v"], lines)
        .ok();
    place
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    found.insert(path.display().to_string(), fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

#[test]
fn a_whole_store_verifies_and_says_what_was_checked() {
    let place = small();
    place.run(&["topic", "create", "empty"]).ok();
    let head = place.run(&["head", "t"]).ok();
    let said = place.run(&["verify"]).ok();
    for part in [
        "t: ok, 21 particles",
        "1 segment",
        "/s",
        &format!("head {}", head.trim()),
        "empty: ok, 1 particles",
    ] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    let json = &place.run(&["verify", "t", "-o", "json"]).json()[0];
    assert_eq!(
        (&json["ok"], &json["particles"]),
        (&true.into(), &21.into())
    );
    assert_eq!(
        head.trim(),
        format!("20:{}", json["fingerprint"].as_str().unwrap())
    );
}

#[test]
fn a_changed_byte_is_named_and_nothing_is_written() {
    let place = small();
    let segment = place.segment("t");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes
        .windows(9)
        .position(|window| window == b"payload 7")
        .unwrap()
        + 8;
    bytes[at] = b'8';
    fs::write(&segment, &bytes).unwrap();
    let before = files(&place.path("store"));
    let parts = [
        "topic=t",
        "segment=00000000000000000000.seg",
        "offset=",
        "sequence=7",
        "expected",
        "found",
    ];
    // What was expected and what was found stand in the same line as the place.
    let ran = place.run(&["verify", "t"]);
    let lowercase = ran.stderr.to_lowercase();
    for part in parts.iter().take(4) {
        assert!(lowercase.contains(part), "no {part:?} in: {lowercase}");
    }
    ran.fails(5, &["offset="]);
    let json = place
        .run(&["verify", "t", "-o", "json"])
        .fails(5, &["\"code\":5"]);
    let said: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&said["ok"], &said["damage"]["sequence"]),
        (&false.into(), &7.into())
    );
    assert_eq!(files(&place.path("store")), before, "verify writes nothing");
    // A read of the damaged particle never returns it.
    place.run(&["get", "t", "7"]).fails(5, &["offset="]);
    assert_eq!(place.run(&["get", "t", "6", "-o", "raw"]).ok(), "payload 6");
}

#[test]
fn the_other_topics_are_checked_when_one_is_broken() {
    let place = small();
    place.run(&["append", "z", "fine", "--create"]).ok();
    let segment = place.segment("t");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let ran = place.run(&["verify"]).fails(5, &["topic=t"]);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("z: ok"));
}

#[test]
fn a_head_that_was_noted_down_must_still_be_there() {
    let place = small();
    let early = place.run(&["get", "t", "5", "-o", "json"]).json()[0]["fingerprint"].clone();
    let noted = format!("5:{}", early.as_str().unwrap());
    place.run(&["verify", "t", "--contains", &noted]).ok();
    // The same content in a topic that was written anew is another chain.
    place.run(&["topic", "delete", "t", "-y"]).ok();
    let lines: String = (1..=20)
        .map(|number| format!("payload {number}\n"))
        .collect();
    place
        .run_with(
            &["append", "t", "--stdin", "--create", "--prop", "k=v"],
            lines,
        )
        .ok();
    place.run(&["verify", "t"]).ok();
    place
        .run(&["verify", "t", "--contains", &noted])
        .fails(5, &["no longer contains 5:"]);
    place
        .run(&["verify", "t", "--contains", "99:xyz"])
        .fails(2, &["--contains"]);
    place
        .run(&["verify", "--contains", &noted])
        .fails(2, &["exactly one topic"]);
}

#[test]
fn a_topic_can_be_verified_beside_its_writer() {
    let place = small();
    let mut writer = place.start(&["append", "t", "--stdin"]);
    let mut acknowledged = crate::program::Lines::of(&mut writer);
    let mut stdin = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"more\n").unwrap();
    acknowledged.next();
    assert!(place.run(&["verify", "t"]).ok().contains("22 particles"));
    drop(stdin);
    writer.wait().unwrap();
}
