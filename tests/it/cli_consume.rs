//! `efflux consume` and `efflux consumer`.

use std::io::Write;

use crate::program::{Lines, Place, signal};

fn lines(count: usize) -> Place {
    let place = Place::with_topic("t");
    let lines: String = (1..=count).map(|number| format!("{number}\n")).collect();
    place.run_with(&["append", "t", "--stdin"], lines).ok();
    place
}

fn consume(place: &Place, arguments: &[&str]) -> String {
    let fixed = [
        "consume",
        "t",
        "--consumer",
        "c",
        "-o",
        "raw",
        "--separator",
        " ",
    ];
    place.run(&[&fixed, arguments].concat()).ok()
}

#[test]
fn what_was_printed_is_committed() {
    let place = lines(10);
    assert_eq!(consume(&place, &["--max", "3"]), "1 2 3 ");
    assert_eq!(consume(&place, &["--max", "3"]), "4 5 6 ");
    assert_eq!(consume(&place, &["--wait", "0"]), "7 8 9 10 ");
    let nothing = place.run(&["consume", "t", "--consumer", "c", "--wait", "10ms"]);
    nothing.fails(6, &["nothing came within 10ms"]);
    let other = place
        .run(&[
            "consume",
            "t",
            "--consumer",
            "d",
            "--max",
            "1",
            "-o",
            "json",
        ])
        .json();
    assert_eq!(
        (&other[0]["payload"], &other[0]["deliveries"]),
        (&"1".into(), &1.into())
    );
}

#[test]
fn without_a_commit_particles_come_again_after_their_lease() {
    let place = lines(2);
    assert_eq!(
        consume(&place, &["--max", "1", "--commit", "none", "--lease", "1s"]),
        "1 "
    );
    let shown = &place
        .run(&["consumer", "show", "t", "c", "-o", "json"])
        .json()[0];
    assert_eq!(
        (&shown["lag"], &shown["lease_ms"]),
        (&2.into(), &1000.into())
    );
    let mut again = Vec::new();
    let arguments = [
        "consume",
        "t",
        "--consumer",
        "c",
        "--wait",
        "30s",
        "-o",
        "json",
    ];
    while again.len() < 2 {
        again.extend(
            place
                .run(&[&arguments[..], &["--max", "1"]].concat())
                .json(),
        );
    }
    again.sort_by_key(|particle| particle["sequence"].as_u64());
    let counts: Vec<_> = again
        .iter()
        .map(|particle| particle["deliveries"].as_u64())
        .collect();
    assert_eq!(counts, [Some(2), Some(1)]);
}

#[test]
fn a_consumer_that_follows_gets_what_comes_later() {
    let place = lines(2);
    let arguments = [
        "consume",
        "t",
        "--consumer",
        "c",
        "--start",
        "head",
        "--max",
        "1",
    ];
    place
        .run(&[&arguments[..], &["--wait", "0"]].concat())
        .fails(6, &[]);
    // Only the process that consumes may write, so what comes later comes before it starts.
    place.run(&["append", "t", "late"]).ok();
    let mut child = place.start(&["consume", "t", "--consumer", "c", "--follow", "-o", "raw"]);
    assert_eq!(Lines::of(&mut child).next(), "late");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn consumers_are_listed_shown_moved_and_deleted() {
    let place = lines(10);
    assert_eq!(place.run(&["consumer", "list", "t"]).ok(), "");
    consume(&place, &["--max", "4"]);
    let listed = &place.run(&["consumer", "list", "t", "-o", "json"]).json()[0];
    assert_eq!(
        (&listed["consumer"], &listed["lag"]),
        (&"c".into(), &6.into())
    );
    assert!(
        place
            .run(&["consumer", "show", "t", "c"])
            .ok()
            .contains("lag             6")
    );
    place.run(&["consumer", "seek", "t", "c", "root"]).ok();
    assert_eq!(consume(&place, &["--max", "1"]), "1 ");
    place.run(&["consumer", "seek", "t", "c", "9"]).ok();
    assert_eq!(consume(&place, &["--wait", "0"]), "9 10 ");
    place
        .run(&["consumer", "seek", "t", "c", "2026-01-01T00:00:00Z"])
        .ok();
    assert_eq!(consume(&place, &["--max", "1"]), "1 ");
    place.run(&["consumer", "seek", "t", "c", "head"]).ok();
    place
        .run(&["consume", "t", "--consumer", "c", "--wait", "0"])
        .fails(6, &[]);
    place
        .run(&["consumer", "seek", "t", "c", "soon"])
        .fails(2, &["root, head"]);
    place
        .run(&["consumer", "delete", "t", "c"])
        .fails(2, &["--yes"]);
    place.run(&["consumer", "delete", "t", "c", "--yes"]).ok();
    for command in [
        &["consumer", "show", "t", "c"][..],
        &["consumer", "seek", "t", "c", "root"],
        &["consumer", "delete", "t", "c", "--yes"],
    ] {
        place
            .run(command)
            .fails(3, &["no consumer c", "try: efflux consume t --consumer c"]);
    }
}

#[test]
fn names_of_consumers_are_checked() {
    let place = lines(1);
    for name in ["", "a/b", "..", "a\u{7f}"] {
        let ran = place.run(&["consume", "t", &format!("--consumer={name}")]);
        ran.fails(2, &["consumer name"]);
    }
    place.run(&["consume", "t"]).fails(2, &["--consumer"]);
    place
        .run(&["consume", "t", "--consumer", "c", "--wait", "5"])
        .fails(2, &["500ms"]);
}

#[test]
fn a_particle_whose_reader_went_away_is_not_committed() {
    let place = lines(30_000);
    let mut child = place.start(&["consume", "t", "--consumer", "c", "--lease", "1s"]);
    let mut printed = Lines::of(&mut child);
    assert!(!printed.next().is_empty());
    drop(printed);
    assert!(
        child.wait().unwrap().success(),
        "a closed pipe is no failure"
    );
    std::io::stderr().flush().unwrap();
    let lag = place
        .run(&["consumer", "show", "t", "c", "-o", "json"])
        .json()[0]["lag"]
        .clone();
    assert!(lag.as_u64().unwrap() > 0, "not all was committed");
}
