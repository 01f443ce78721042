//! Each notation against the parser that it describes.

use efflux_flow::particle::{ConsumerName, Fingerprint, Head, Id, Timestamp, TopicName};
use efflux_flow::storage::remote::wire::{decode_text, parse_expect, parse_sync};
use efflux_flow::storage::{Query, Ticket, TopicOptions};
use regex::{Regex, RegexBuilder};

use super::*;
use crate::json::base64 as json_base64;

/// Holds texts of which all (`true`) or none are written so against what is read.
fn check(pattern: &str, reads: impl Fn(&str) -> bool, texts: &[(&str, bool)]) {
    // Classes of all of Unicode, many times over.
    let mut pattern = RegexBuilder::new(&whole(pattern));
    let pattern = pattern.size_limit(256 << 20).build().unwrap();
    for (text, is_right) in texts {
        assert_eq!(reads(text), *is_right, "{text:?} is read");
        assert_eq!(pattern.is_match(text), *is_right, "{text:?} is described");
    }
}

#[test]
fn numbers_are_described_up_to_their_bound() {
    for max in [0, 7, 9, 10, 42, 99, 100, 1999, 65_536] {
        let pattern = Regex::new(&whole(&up_to(max))).unwrap();
        for number in 0..max + 200 {
            assert_eq!(
                pattern.is_match(&number.to_string()),
                number <= max,
                "{number}"
            );
        }
    }
    let pattern = Regex::new(&whole(&up_to(u64::MAX))).unwrap();
    assert!(pattern.is_match("18446744073709551615") && pattern.is_match("9999999999999999999"));
    for other in [
        "18446744073709551616",
        "20000000000000000000",
        "007",
        "-1",
        "",
    ] {
        assert!(!pattern.is_match(other), "{other}");
    }
}

#[test]
fn names_and_ids_are_described_as_they_are_read() {
    let names = [
        ("orders", true),
        ("a.b-c_d.1", true),
        ("_", true),
        ("a.-b", true),
        ("a-", true),
        ("", false),
        (".a", false),
        ("-a", false),
        ("a.", false),
        ("a..b", false),
        ("a/b", false),
        ("größe", false),
        ("a\n", false),
    ];
    check(&name(), |text| text.parse::<TopicName>().is_ok(), &names);
    check(&name(), |text| text.parse::<ConsumerName>().is_ok(), &names);
    let ids = [
        ("order 7", true),
        ("größe", true),
        ("", false),
        ("a\u{85}", false),
        ("a\n", false),
    ];
    check(&id(), |text| text.parse::<Id>().is_ok(), &ids);
}

#[test]
fn heads_tickets_and_hashes_are_described_as_they_are_read() {
    let hash = "aB".repeat(32);
    check(
        &fingerprint(),
        |text| text.parse::<Fingerprint>().is_ok(),
        &[(&hash, true), (&format!("{hash}0"), false), ("", false)],
    );
    check(
        &head(),
        |text| text.parse::<Head>().is_ok(),
        &[
            (&format!("0:{hash}"), true),
            (&format!("18446744073709551615:{hash}"), true),
            (&format!("18446744073709551616:{hash}"), false),
            (&format!("-1:{hash}"), false),
            (&hash, false),
        ],
    );
    check(
        &ticket(),
        |text| text.parse::<Ticket>().is_ok(),
        &[
            ("41@3.17", true),
            ("0@4294967295.18446744073709551615", true),
            ("0@4294967296.1", false),
            ("01@3.17", false),
            ("41@3", false),
        ],
    );
}

#[test]
fn times_are_described_as_they_are_read() {
    check(
        &time(),
        |text| text.parse::<Timestamp>().is_ok(),
        &[
            ("2026-01-01", true),
            ("2026-01-01T00:00:00Z", true),
            ("1678-01-01T00:00:00+23:59", true),
            ("2261-12-31T23:59:59.999999999-23:59", true),
            ("2024-02-29 01:02:03.5z", true),
            ("2000-02-29", true),
            ("1676-01-01", false),
            ("2263-01-01", false),
            ("2023-02-29", false),
            ("1900-02-29", false),
            ("2026-04-31", false),
            ("2026-13-01", false),
            ("2026-01-01T00:00:00", false),
            ("2026-01-01T24:00:00Z", false),
            ("noon", false),
        ],
    );
    for year in 1678..2262 {
        let text = format!("{year}-02-29");
        let pattern = Regex::new(&whole(&time())).unwrap();
        assert_eq!(
            pattern.is_match(&text),
            text.parse::<Timestamp>().is_ok(),
            "{text}"
        );
    }
}

#[test]
fn settings_are_described_as_they_are_read() {
    let reads = |text: &str| {
        let sync = parse_sync(text);
        sync.is_ok_and(|sync| TopicOptions::default().with_sync(sync).check().is_ok())
    };
    check(
        &sync(),
        reads,
        &[
            ("always", true),
            ("os", true),
            ("1ms", true),
            ("3600000ms", true),
            ("3600s", true),
            ("1000us", true),
            ("0ms", false),
            ("3600001ms", false),
            ("3601s", false),
            ("999us", false),
            ("never", false),
            ("", false),
        ],
    );
    let seek = |to: &str| efflux_flow::storage::remote::wire::Seek { to: to.to_owned() };
    check(
        &start(),
        |text| seek(text).start().is_ok(),
        &[
            ("root", true),
            ("head", true),
            ("sequence=7", true),
            ("time=2026-01-01", true),
            ("sequence=", false),
            ("time=noon", false),
            ("tail", false),
        ],
    );
}

#[test]
fn base64_is_described_as_it_is_read() {
    check(
        &base64(),
        |text| json_base64::decode(text).is_some(),
        &[
            ("", true),
            ("/w==", true),
            ("AAA=", true),
            ("AAAA", true),
            ("/x==", false),
            ("AAB=", false),
            ("AAA", false),
            ("====", false),
            ("A\nA=", false),
        ],
    );
}

#[test]
fn queries_are_described_as_they_are_read() {
    let texts = [
        ("", true),
        ("true", true),
        ("type = \"order.placed\"", true),
        ("type=7", true),
        (
            "not type ^= \"a b\" and properties.customer != \"42\"",
            true,
        ),
        ("group exists or message_group not exists", true),
        ("type in (\"a\", 7) and id not in ( \"b\" )", true),
        (
            "sequence >= 18446744073709551615 and created<2026-01-01",
            true,
        ),
        ("timestamp==2026-01-01T00:00:00+01:00", true),
        ("content_encoding != gzip", true),
        ("id = \"\"", false),
        ("id in (7, \"\")", false),
        ("sequence = a", false),
        ("typ = 7", false),
        ("type =", false),
        ("created = noon", false),
        ("created < 2000-02-29 01:02:07Z", false),
        ("created < 2000-02-29t01:02:07.5z", true),
        ("content_encoding = br", false),
        ("type = \"a", false),
        ("and", false),
        ("sequence exists sequence exists", false),
    ];
    check(&query(), |text| text.parse::<Query>().is_ok(), &texts);
}

#[test]
fn expectations_are_described_as_they_are_read() {
    let hash = "ab".repeat(32);
    let reads = |text: &str| decode_text(text).is_ok_and(|text| parse_expect(&text).is_ok());
    check(
        &expectation(),
        reads,
        &[
            ("any", true),
            ("empty", true),
            (&format!("head=7:{hash}"), true),
            ("group=none;gr%C3%B6%C3%9Fe", true),
            ("group=7;a b", true),
            ("no-match-after=3;type = \"order.placed\"", true),
            ("no-match-after=3;", true),
            ("soon", false),
            ("head=7", false),
            ("group=;a", false),
            ("no-match-after=3;typ = 7", false),
        ],
    );
}
