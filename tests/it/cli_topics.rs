//! `efflux topic`.

use crate::program::Place;

#[test]
fn topics_are_created_listed_shown_and_deleted() {
    let place = Place::new();
    place.run(&["topic", "create", "orders"]).ok();
    place
        .run(&[
            "topic",
            "create",
            "metrics",
            "--sync",
            "250ms",
            "--segment-bytes",
            "65536",
        ])
        .ok();
    let listed = place.run(&["topic", "list", "-o", "json"]).json();
    let names: Vec<_> = listed
        .iter()
        .map(|topic| topic["topic"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["metrics", "orders"]);
    assert!(listed.iter().all(|topic| topic["sequence"] == 0));

    let shown = &place
        .run(&["topic", "show", "metrics", "-o", "json"])
        .json()[0];
    assert_eq!(
        (shown["sync"].as_str(), shown["segment_bytes"].as_u64()),
        (Some("250ms"), Some(65536))
    );
    assert!(
        place
            .run(&["topic", "show", "orders"])
            .ok()
            .contains("sync           always")
    );

    place.run(&["topic", "delete", "orders", "--yes"]).ok();
    assert!(!place.run(&["topic", "list"]).ok().contains("orders"));
}

#[test]
fn a_name_is_taken_only_once_unless_that_is_asked_for() {
    let place = Place::with_topic("orders");
    let again = place.run(&["topic", "create", "orders"]);
    again.fails(4, &["orders", "--if-not-exists"]);
    place
        .run(&["topic", "create", "orders", "--if-not-exists"])
        .ok();
}

#[test]
fn deleting_needs_a_yes_where_there_is_no_terminal() {
    let place = Place::with_topic("orders");
    place
        .run(&["topic", "delete", "orders"])
        .fails(2, &["--yes", "terminal"]);
    assert!(place.run(&["topic", "list"]).ok().contains("orders"));
    place
        .run(&["topic", "delete", "other", "--yes"])
        .fails(3, &["other", "its topics: orders"]);
}

#[test]
fn names_that_could_do_harm_are_refused() {
    let place = Place::new();
    let long = "x".repeat(201);
    for name in [
        "", "a/b", "a\\b", "..", "../etc", "a..b", ".a", "a b", "a\nb", "a\u{1b}b", "grün", &long,
    ] {
        place
            .run(&["topic", "create", "--", name])
            .fails(2, &["topic name"]);
    }
    assert!(!place.path("store").exists(), "nothing was made");
    place.run(&["topic", "create", &"x".repeat(200)]).ok();
}

#[test]
fn settings_out_of_bounds_are_refused() {
    let place = Place::new();
    place
        .run(&["topic", "create", "a", "--sync", "sometimes"])
        .fails(2, &["always"]);
    place
        .run(&["topic", "create", "a", "--segment-bytes", "1"])
        .fails(2, &["segments of 1 bytes"]);
    assert!(!place.path("store").exists(), "nothing was made");
}

#[test]
fn an_unknown_topic_says_which_ones_there_are() {
    let place = Place::with_topic("orders");
    for command in [
        &["read", "order"][..],
        &["head", "order"],
        &["get", "order", "1"],
        &["find", "order", "type = a"],
        &["verify", "order"],
        &["export", "order"],
        &["topic", "show", "order"],
        &["append", "order", "x"],
        &["consume", "order", "--consumer", "c"],
        &["consumer", "list", "order"],
    ] {
        let ran = place.run(command);
        ran.fails(
            3,
            &[
                "no topic order",
                "its topics: orders",
                "try: efflux topic create order",
            ],
        );
    }
}
