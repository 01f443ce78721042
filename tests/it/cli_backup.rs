//! `efflux backup` and `efflux restore`.

use std::fs;
use std::io::Write;

use crate::program::{Lines, Place, repository, signal};

/// A store with two topics and a consumer that stands in the middle of one.
fn filled() -> Place {
    let place = Place::with_topic("orders");
    more(&place, 20);
    place
        .run(&["topic", "create", "empty", "--sync", "250ms"])
        .ok();
    place
        .run(&["consume", "orders", "--consumer", "billing", "--max", "7"])
        .ok();
    place
}

fn more(place: &Place, count: usize) {
    let lines: String = (0..count).map(|number| format!("{number}\n")).collect();
    place.run_with(&["append", "orders", "--stdin"], lines).ok();
}

fn head(place: &Place, store: &str) -> String {
    place.run(&["head", "orders", "--store", store]).ok()
}

#[test]
fn a_store_comes_back_as_it_was() {
    let place = filled();
    let said = place.run(&["backup", "copy"]).ok();
    for part in [
        "empty: 1 new particle, 214 bytes, 0 consumers",
        "orders: 21 new particles",
        "1 consumer\n  head 20:",
    ] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    more(&place, 5);
    let again = place.run(&["backup", "copy", "-o", "json"]).json();
    assert_eq!(
        (&again[1]["new_particles"], &again[1]["sequence"]),
        (&5.into(), &25.into())
    );

    let said = place
        .run(&["restore", "copy", "--store", "file:other"])
        .ok();
    assert!(
        said.contains("orders: restored and checked, 26 particles, 1 consumer"),
        "{said}"
    );
    assert_eq!(head(&place, "file:store"), head(&place, "file:other"));
    let export = |store: &str| place.run(&["export", "orders", "--store", store]).stdout;
    assert_eq!(export("file:store"), export("file:other"));
    let shown = |store: &str| {
        let options = ["--store", store, "-o", "json"];
        let topic = place
            .run(&[&["topic", "show", "empty"][..], &options].concat())
            .json();
        let consumer = ["consumer", "show", "orders", "billing"];
        (topic, place.run(&[&consumer[..], &options].concat()).json())
    };
    assert_eq!(shown("file:store"), shown("file:other"));
    place.run(&["verify", "--store", "file:other"]).ok();
    let next = [
        "consume",
        "orders",
        "--consumer",
        "billing",
        "--store",
        "file:other",
        "-o",
        "json",
    ];
    assert_eq!(place.run(&next).json()[0]["sequence"], 8);
    let said = place.run(&["restore", "copy", "--store", "file:other"]);
    said.fails(0, &[]);
}

#[test]
fn a_backup_is_taken_while_a_program_appends() {
    let place = filled();
    let mut writer = place.start(&["append", "orders", "--stdin"]);
    let mut acknowledged = Lines::of(&mut writer);
    let mut stdin = writer.stdin.take().unwrap();
    for round in 0..3 {
        stdin.write_all(b"more\n").unwrap();
        let receipt = acknowledged.next();
        let taken = &place
            .run(&["backup", "copy", "orders", "-o", "json"])
            .json()[0];
        assert_eq!(taken["sequence"], 21 + round);
        assert!(
            receipt.contains(taken["fingerprint"].as_str().unwrap()),
            "{receipt}"
        );
    }
    drop(stdin);
    writer.wait().unwrap();
}

#[test]
fn what_was_altered_is_named_and_no_store_is_made() {
    let place = filled();
    place.run(&["backup", "copy"]).ok();
    let name = "00000000000000000000-00000000000000000020.frames";
    let path = place.path("copy/topics/orders").join(name);
    let whole = fs::read(&path).unwrap();
    let mut altered = whole.clone();
    altered[3000] ^= 1;
    let refused = |parts: &[&str]| {
        for more in [&[][..], &["--verify-only"]] {
            let arguments = [&["restore", "copy", "--store", "file:other"][..], more].concat();
            place.run(&arguments).fails(5, parts);
            assert!(!place.path("other").exists());
        }
    };
    fs::write(&path, &altered).unwrap();
    refused(&["topic=orders", name, "offset=", "sequence="]);
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    refused(&[name, "expected a file of"]);
    fs::remove_file(&path).unwrap();
    refused(&[name, "the file is missing"]);
    fs::write(&path, &whole).unwrap();
    let manifest = place.path("copy/MANIFEST.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"billing\"", "\"../../x\"")).unwrap();
    refused(&["MANIFEST.json", "checksum"]);
    fs::write(&manifest, text.replace("\"version\": 1", "\"version\": 9")).unwrap();
    place
        .run(&["restore", "copy"])
        .fails(2, &["format version 9"]);
    fs::write(&manifest, text).unwrap();
    place.run(&["restore", "copy", "--verify-only"]).ok();
}

#[test]
fn a_topic_that_was_made_anew_is_refused_and_the_others_go_on() {
    let place = filled();
    place.run(&["backup", "copy"]).ok();
    place.run(&["topic", "delete", "empty", "--yes"]).ok();
    place.run(&["topic", "create", "empty"]).ok();
    more(&place, 2);
    let ran = place.run(&["backup", "copy"]);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.contains("orders: 2 new particles"), "{said}");
    ran.fails(
        4,
        &["topic empty was deleted and made anew", "another folder"],
    );
    place.run(&["restore", "copy", "--verify-only"]).ok();
}

#[test]
fn a_store_that_has_other_topics_of_that_name_is_left_alone() {
    let place = filled();
    place.run(&["backup", "copy"]).ok();
    place
        .run(&[
            "append",
            "orders",
            "other",
            "--create",
            "--store",
            "file:other",
        ])
        .ok();
    let before = head(&place, "file:other");
    place
        .run(&["restore", "copy", "--store", "file:other"])
        .fails(4, &["topic orders is in the store", "nothing was restored"]);
    assert_eq!(head(&place, "file:other"), before);
    place
        .run(&["restore", "copy", "empty", "--store", "file:other"])
        .ok();
    place
        .run(&["topic", "show", "empty", "--store", "file:other"])
        .ok();
}

#[test]
fn what_is_no_backup_is_refused() {
    let place = filled();
    place
        .run(&["restore", "missing"])
        .fails(3, &["there is no backup at missing"]);
    place
        .run(&["backup", "store"])
        .fails(2, &["store is no backup"]);
    place
        .run(&["backup", "copy", "nothing"])
        .fails(3, &["there is no topic nothing"]);
    place
        .run(&["restore", "copy", "nothing"])
        .fails(3, &["holds no topic nothing"]);
    place
        .run(&["backup", "copy", "--store", "file:none"])
        .fails(3, &["no store"]);
}

#[test]
fn a_killed_backup_goes_on() {
    let place = filled();
    let lines = "x".repeat(200_000);
    for _ in 0..40 {
        place.run_with(&["append", "orders", "-"], &lines).ok();
    }
    let mut backup = place.start(&["backup", "copy"]);
    let manifest = place.path("copy/MANIFEST.json");
    while !manifest.exists() && backup.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    signal(&backup, "KILL");
    backup.wait().unwrap();
    place.run(&["restore", "copy", "--verify-only"]).ok();
    place.run(&["backup", "copy"]).ok();
    place
        .run(&["restore", "copy", "--store", "file:other"])
        .ok();
    assert_eq!(head(&place, "file:store"), head(&place, "file:other"));
}

#[test]
fn the_stand_alone_verifier_reads_a_backups_files() {
    let place = filled();
    place.run(&["backup", "copy"]).ok();
    let mut frames = Vec::new();
    let mut files: Vec<_> = fs::read_dir(place.path("copy/topics/orders"))
        .unwrap()
        .collect();
    files.sort_by_key(|file| file.as_ref().unwrap().file_name());
    for file in files {
        frames.extend(fs::read(file.unwrap().path()).unwrap());
    }
    let path = place.file("orders.frames", frames);
    let verifier = repository().join("tests/verifier/verify.py");
    let ran = std::process::Command::new("python3")
        .arg(verifier)
        .arg(path)
        .output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    assert!(said.contains(head(&place, "file:store").trim()), "{said}");
}
