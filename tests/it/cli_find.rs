//! `efflux find`.

use crate::program::Place;

/// Messages 1 to 40 with types, groups, properties and times.
fn messages() -> Place {
    let place = Place::new();
    let lines: String = (1..=40)
        .map(|number| {
            format!(
                "{{\"id\":\"m-{number}\",\"type\":\"t.{}\",\"who\":\"g{}\",\"at\":{},\"even\":{}}}\n",
                number % 4,
                number % 10,
                1_767_225_600 + number * 60,
                number % 2 == 0
            )
        })
        .collect();
    let file = place.file("m.ndjson", lines);
    let arguments = [
        "import",
        "t",
        &file,
        "--id",
        "id",
        "--type-from",
        "type",
        "--group-from",
        "who",
        "--time-from",
        "at",
        "--prop",
        "even",
    ];
    place.run(&arguments).ok();
    place
}

fn check(place: &Place, query: &str, options: &[&str], expect: &[u64]) {
    let ran = place.run(&[&["find", "t", query, "-o", "json"], options].concat());
    let found: Vec<u64> = ran
        .json()
        .iter()
        .map(|particle| particle["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(found, expect, "{query} {options:?}");
}

#[test]
fn queries_find_what_they_say() {
    let place = messages();
    check(&place, "id = m-7", &[], &[7]);
    check(&place, "type = t.1 and group = g5", &[], &[5, 25]);
    check(
        &place,
        "group in (g1, g2) and properties.even = true",
        &[],
        &[2, 12, 22, 32],
    );
    check(&place, "not type ^= t.", &[], &[]);
    check(
        &place,
        "timestamp >= 2026-01-01T00:38:00Z",
        &[],
        &[38, 39, 40],
    );
    check(
        &place,
        "timestamp < 2026-01-01T00:02:00Z or sequence = 40",
        &[],
        &[1, 40],
    );
    check(&place, "properties.even not exists", &["--from", "0"], &[0]);
}

#[test]
fn results_can_be_bounded_and_turned() {
    let place = messages();
    check(&place, "type = t.0", &["--limit", "2"], &[4, 8]);
    check(
        &place,
        "type = t.0",
        &["--reverse", "--limit", "2"],
        &[40, 36],
    );
    check(&place, "type = t.0", &["--from", "30"], &[32, 36, 40]);
    check(
        &place,
        "type = t.0",
        &["--from", "10", "--until", "20"],
        &[12, 16, 20],
    );
    assert_eq!(
        place.run(&["find", "t", "type = t.0", "--count"]).ok(),
        "10\n"
    );
    let json = place
        .run(&["find", "t", "type = t.0", "--count", "-o", "json"])
        .json();
    assert_eq!(json[0]["count"], 10);
    assert_eq!(place.run(&["find", "t", "type = nothing"]).ok(), "");
}

#[test]
fn malformed_queries_show_the_place() {
    let place = messages();
    for (query, parts) in [
        ("typ = a", &["did you mean `type`", "\n  typ = a\n  ^"][..]),
        (
            "type = a and colour = red",
            &["colour", "\n  type = a and colour = red\n               ^"],
        ),
        ("type =", &["\n        ^"]),
        ("type = a)", &["^"]),
        ("(type = a", &["^"]),
        ("type < a", &["^"]),
        ("timestamp > yesterday", &["^"]),
        ("type = \"open", &["^"]),
    ] {
        place.run(&["find", "t", query]).fails(2, parts);
    }
    place
        .run(&["find", "t", "data.total > 1"])
        .fails(2, &["data."]);
    let deep = format!("{}type = a{}", "(".repeat(5000), ")".repeat(5000));
    place.run(&["find", "t", &deep]).fails(2, &["^"]);
    let json = place
        .run(&["find", "t", "typ = a", "-o", "json"])
        .fails(2, &[]);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["kind"]),
        (&2.into(), &"usage".into())
    );
}

#[test]
fn a_query_is_answered_beside_a_writer_and_without_the_index() {
    let place = messages();
    let mut writer = place.start(&["append", "t", "--stdin"]);
    let mut acknowledged = crate::program::Lines::of(&mut writer);
    let mut stdin = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"one more\n").unwrap();
    acknowledged.next();
    check(&place, "type = t.0 and sequence > 30", &[], &[32, 36, 40]);
    check(&place, "sequence > 39", &[], &[40, 41]);
    assert_eq!(
        place.run(&["get", "t", "--id", "m-3", "-o", "json"]).json()[0]["sequence"],
        3
    );
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    check(&place, "sequence > 39", &[], &[40, 41]);
}
