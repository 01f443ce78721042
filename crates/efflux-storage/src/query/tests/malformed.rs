//! Texts that are no queries, each with the whole of what is said about it.

use std::fmt::Write as _;

use crate::query::Query;
use crate::query::limits::{QUERY_BYTES_MAX, QUERY_LEAVES_MAX, QUERY_NESTING_MAX};

const FIELDS: &str = "The fields are id, sequence, timestamp, created, data_type (or type), \
                      content_type, content_encoding, message_group (or group), \
                      properties.NAME and data.PATH";

/// Checks each error as it is displayed, between a line break and a line break.
fn check_all(table: &[(&str, &str)]) {
    for (text, displayed) in table {
        let error = text.parse::<Query>().unwrap_err();
        let displayed = displayed.replace("{FIELDS}", FIELDS);
        assert_eq!(format!("\n{error}\n"), displayed, "{text}");
        assert_eq!(&error.text, text);
    }
}

#[test]
fn what_is_left_open_or_never_opened_is_pointed_at() {
    check_all(OPEN);
}

const OPEN: &[(&str, &str)] = &[
    (
        "(type = a",
        r#"
this `(` is not closed: add a `)`
  (type = a
  ^
"#,
    ),
    (
        "type = a)",
        r#"
this `)` closes nothing: leave it out or open it
  type = a)
          ^
"#,
    ),
    (
        ")",
        r#"
a comparison, as in type = "a", is expected here, not `)`
  )
  ^
"#,
    ),
    (
        r#"type = "a"#,
        r#"
this quote is not closed: end the text with the same quote
  type = "a
         ^
"#,
    ),
    (
        "not",
        r#"
the query ends where a comparison, as in type = "a", is expected
  not
     ^
"#,
    ),
    (
        "type = a and",
        r#"
the query ends where a comparison, as in type = "a", is expected
  type = a and
              ^
"#,
    ),
    (
        "type = a or (group = b and (id = c)",
        r#"
this `(` is not closed: add a `)`
  type = a or (group = b and (id = c)
              ^
"#,
    ),
    (
        "type = a\n  and group =",
        r#"
the query ends where a value after `=` is expected
2 |   and group =
  |              ^
"#,
    ),
];

#[test]
fn words_that_are_no_fields_are_corrected() {
    check_all(FIELD_FAULTS);
}

const FIELD_FAULTS: &[(&str, &str)] = &[
    (
        "typ = paid",
        r#"
unknown field `typ`: did you mean `type`? {FIELDS}
  typ = paid
  ^
"#,
    ),
    (
        "Timestamp > 2026-01-01",
        r#"
unknown field `Timestamp`: did you mean `timestamp`? {FIELDS}
  Timestamp > 2026-01-01
  ^
"#,
    ),
    (
        "customer = 42",
        r#"
unknown field `customer`: if it is a property, write properties.customer. {FIELDS}
  customer = 42
  ^
"#,
    ),
    (
        "(a.b = 1",
        r#"
unknown field `a.b`: if it is a property, write properties.a.b. {FIELDS}
  (a.b = 1
   ^
"#,
    ),
    (
        "props.customer = 42",
        r#"
unknown field `props.customer`: did you mean `properties.customer`? {FIELDS}
  props.customer = 42
  ^
"#,
    ),
    (
        "payload.total > 5",
        r#"
unknown field `payload.total`: did you mean `data.total`? {FIELDS}
  payload.total > 5
  ^
"#,
    ),
    (
        "5 = sequence",
        r#"
unknown field `5`: a comparison begins with its field. {FIELDS}
  5 = sequence
  ^
"#,
    ),
    (
        r#""a" = type"#,
        r#"
a field without quotes, as in type = "a", is expected here, not `"a"`
  "a" = type
  ^
"#,
    ),
    (
        "data = 4",
        r#"
`data` is no field by itself: write data.PATH
  data = 4
  ^
"#,
    ),
    (
        "properties. = 3",
        r#"
the property's name is missing: write properties.NAME or properties."any name"
  properties. = 3
  ^
"#,
    ),
    (
        "properties.a..b = 3",
        r#"
`a..b` is no plain name: put it in quotes, properties."a..b"
  properties.a..b = 3
  ^
"#,
    ),
    (
        "properties.a/b = 3",
        r#"
`a/b` is no plain name: put it in quotes, properties."a/b"
  properties.a/b = 3
  ^
"#,
    ),
    (
        r#"properties."a".b = 2"#,
        r#"
an operator (=, !=, ^=, in or exists) after `properties.a` is expected here, not `.b`
  properties."a".b = 2
                ^
"#,
    ),
    (
        r#"properties."" = a"#,
        r#"
a property's name has 1 to 128 bytes: check it
  properties."" = a
  ^
"#,
    ),
    (
        "data.a. = 1",
        r#"
a part of the path is missing: write data.PATH or data."any name"
  data.a. = 1
  ^
"#,
    ),
    (
        "grüße = 3",
        r#"
unknown field `grüße`: if it is a property, write properties."grüße". {FIELDS}
  grüße = 3
  ^
"#,
    ),
];

#[test]
fn operators_that_make_no_sense_for_the_field_are_told() {
    check_all(OPERATOR_FAULTS);
}

const OPERATOR_FAULTS: &[(&str, &str)] = &[
    (
        r#"type > "a""#,
        r#"
`data_type` cannot be compared with `>`: use =, !=, ^=, in or exists
  type > "a"
       ^
"#,
    ),
    (
        "id ^= a",
        r#"
`id` cannot be compared with `^=`: use =, !=, in or exists
  id ^= a
     ^
"#,
    ),
    (
        "content_encoding ^= g",
        r#"
`content_encoding` cannot be compared with `^=`: use =, !=, in or exists
  content_encoding ^= g
                   ^
"#,
    ),
    (
        "sequence ^= 4",
        r#"
`sequence` cannot be compared with `^=`: use =, !=, <, <=, >, >=, in or exists
  sequence ^= 4
           ^
"#,
    ),
    (
        "type a",
        r#"
an operator (=, !=, ^=, in or exists) after `data_type` is expected here, not `a`
  type a
       ^
"#,
    ),
    (
        "type not = a",
        r#"
`in` or `exists` after `not` is expected here, not `=`
  type not = a
           ^
"#,
    ),
    (
        "type in a",
        r#"
a list, as in ("a", "b"), is expected here, not `a`
  type in a
          ^
"#,
    ),
    (
        "type in ()",
        r#"
a value after `in` is expected here, not `)`
  type in ()
           ^
"#,
    ),
    (
        "type in (a b)",
        r#"
`,` or `)` is expected here, not `b`
  type in (a b)
             ^
"#,
    ),
    (
        "type = a type = b",
        r#"
`and`, `or` or the end of the query is expected here, not `type`
  type = a type = b
           ^
"#,
    ),
    (
        r#"type in ("a",)"#,
        r#"
a value after `in` is expected here, not `)`
  type in ("a",)
               ^
"#,
    ),
];

#[test]
fn values_of_the_wrong_kind_are_told() {
    check_all(VALUE_FAULTS);
}

const VALUE_FAULTS: &[(&str, &str)] = &[
    (
        "sequence = -1",
        r#"
`sequence` is compared with a whole number from 0 upwards, as in 42, not with `-1`
  sequence = -1
             ^
"#,
    ),
    (
        r#"sequence = "5""#,
        r#"
`sequence` is compared with a whole number from 0 upwards, as in 42, not with `"5"`
  sequence = "5"
             ^
"#,
    ),
    (
        "sequence = 1.5",
        r#"
`sequence` is compared with a whole number from 0 upwards, as in 42, not with `1.5`
  sequence = 1.5
             ^
"#,
    ),
    (
        "sequence > 18446744073709551616",
        r#"
`18446744073709551616` is larger than any sequence: the largest is 18446744073709551615
  sequence > 18446744073709551616
             ^
"#,
    ),
    (
        "timestamp > yesterday",
        r#"
`timestamp` is compared with a time of the years 1677 to 2262, as in 2026-01-01T00:00:00Z or 2026-01-01, not with `yesterday`
  timestamp > yesterday
              ^
"#,
    ),
    (
        "timestamp >= 2026-02-30",
        r#"
`timestamp` is compared with a time of the years 1677 to 2262, as in 2026-01-01T00:00:00Z or 2026-01-01, not with `2026-02-30`
  timestamp >= 2026-02-30
               ^
"#,
    ),
    (
        "created > 1600-01-01",
        r#"
`created` is compared with a time of the years 1677 to 2262, as in 2026-01-01T00:00:00Z or 2026-01-01, not with `1600-01-01`
  created > 1600-01-01
            ^
"#,
    ),
    (
        "timestamp in (2026-01-01, 7)",
        r#"
`timestamp` is compared with a time of the years 1677 to 2262, as in 2026-01-01T00:00:00Z or 2026-01-01, not with `7`
  timestamp in (2026-01-01, 7)
                            ^
"#,
    ),
    (
        "content_encoding = br",
        r#"
content encoding "br" is unknown: use gzip or zstd
  content_encoding = br
                     ^
"#,
    ),
    (
        r#"id = """#,
        r#"
`id` is compared with an id: an id must not be empty
  id = ""
       ^
"#,
    ),
    (
        "type = null",
        r#"
`null` is no text: write `not exists` after the field for a missing one, or put the word in quotes
  type = null
         ^
"#,
    ),
    (
        "type = group",
        r#"
`group` is a field, and fields are compared with values alone: put it in quotes if it is a text
  type = group
         ^
"#,
    ),
    (
        "properties.a = properties.b",
        r#"
`properties.b` is a field, and fields are compared with values alone: put it in quotes if it is a text
  properties.a = properties.b
                 ^
"#,
    ),
    (
        "type = and",
        r#"
a value is expected after `=`, and `and` is a word of the language: put it in quotes to compare with it
  type = and
         ^
"#,
    ),
    (
        "data.x = foo",
        r#"
`data.x` is compared with a number, true, false, null or a text in quotes: put `foo` in quotes
  data.x = foo
           ^
"#,
    ),
    (
        "data.x = 007",
        r#"
`data.x` is compared with a number, true, false, null or a text in quotes: put `007` in quotes
  data.x = 007
           ^
"#,
    ),
    (
        "data.x >= 2026-01-01",
        r#"
`data.x` is compared with a number, true, false, null or a text in quotes: put `2026-01-01` in quotes
  data.x >= 2026-01-01
            ^
"#,
    ),
    (
        "data.x < true",
        r#"
`true` has no order: compare `data.x` with a number or a text in quotes, or use = or !=
  data.x < true
           ^
"#,
    ),
    (
        "data.x ^= 5",
        r#"
`data.x` begins with a text: put `5` in quotes
  data.x ^= 5
            ^
"#,
    ),
];

#[test]
fn stray_characters_are_explained() {
    check_all(STRAY);
}

const STRAY: &[(&str, &str)] = &[
    (
        "type = order.*",
        r#"
there are no wildcards: write ^= "order." for "begins with"
  type = order.*
               ^
"#,
    ),
    (
        "type & group = a",
        r#"
a single `&` has no meaning: write `and` or `&&`
  type & group = a
       ^
"#,
    ),
    (
        "type | group",
        r#"
a single `|` has no meaning: write `or` or `||`
  type | group
       ^
"#,
    ),
    (
        "type ^ a",
        r#"
a single `^` has no meaning: write ^= for "begins with"
  type ^ a
       ^
"#,
    ),
    (
        "type = “a”",
        r#"
this is no quote of the language: put texts in " or '
  type = “a”
         ^
"#,
    ),
    (
        "type = a; drop",
        r#"
`;` has no meaning here: put texts with such characters in quotes
  type = a; drop
          ^
"#,
    ),
    (
        r#"type = "a\q""#,
        r#"
unknown escape: use \", \', \\, \n, \r, \t or \u{1F600}, and \\ for a backslash
  type = "a\q"
           ^
"#,
    ),
    (
        r#"type = "\u{110000}""#,
        r#"
this escape names no character: write it as \u{1F600}
  type = "\u{110000}"
          ^
"#,
    ),
    (
        r#"type = "\u0041""#,
        r#"
this escape names no character: write it as \u{1F600}
  type = "\u0041"
          ^
"#,
    ),
];

#[test]
fn the_place_is_shown_in_long_lines_many_lines_and_wide_letters() {
    check_all(PLACES);
}

const PLACES: &[(&str, &str)] = &[
    (
        "type = a\nand typ = b\nor group = c",
        r#"
unknown field `typ`: did you mean `type`? {FIELDS}
2 | and typ = b
  |     ^
"#,
    ),
    (
        r#"properties."größe" = "ö" and typ = 3"#,
        r#"
unknown field `typ`: did you mean `type`? {FIELDS}
  properties."größe" = "ö" and typ = 3
                               ^
"#,
    ),
    (
        r#"properties."日本語" = "東京" and typ = 4"#,
        r#"
unknown field `typ`: did you mean `type`? {FIELDS}
  properties."日本語" = "東京" and typ = 4
                                   ^
"#,
    ),
    (
        r#"type = "é" and typ = 4"#,
        r#"
unknown field `typ`: did you mean `type`? {FIELDS}
  type = "é" and typ = 4
                 ^
"#,
    ),
    (
        "type = a\tand\ttyp = b",
        r#"
unknown field `typ`: did you mean `type`? {FIELDS}
  type = a and typ = b
               ^
"#,
    ),
];

#[test]
fn long_lines_are_cut_around_the_place() {
    let long = "x".repeat(200);
    let error = format!("type = {long} and typ = {long}")
        .parse::<Query>()
        .unwrap_err();
    assert_eq!(
        error.to_string().lines().skip(1).collect::<Vec<_>>(),
        [
            format!("  …{} and typ = {}…", "x".repeat(45), "x".repeat(43)),
            format!("  {:51}^", ""),
        ],
    );
    let error = format!("{long} = a").parse::<Query>().unwrap_err();
    assert!(
        error
            .message
            .starts_with(&format!("unknown field `{}…`", "x".repeat(40)))
    );
}

#[test]
fn control_characters_of_a_query_never_reach_the_terminal() {
    let error = "type = '\u{1b}[2J\u{202e}' and \u{7}"
        .parse::<Query>()
        .unwrap_err();
    let displayed = error.to_string();
    let kept = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
    assert!(displayed.chars().all(kept), "{displayed:?}");
}

#[test]
fn what_is_past_a_bound_is_refused() {
    let message = |text: &str| {
        let error = text.parse::<Query>().unwrap_err();
        assert!(error.at <= error.text.len() && error.text.len() <= QUERY_BYTES_MAX);
        assert_eq!(error.to_string().lines().count(), 3);
        error.message
    };

    let long = format!("type = {}", "é".repeat(QUERY_BYTES_MAX / 2));
    assert_eq!(
        message(&long),
        "the query has 16391 bytes, at most 16384 are allowed: split it in several"
    );
    let long_in_canonical_form = "group=a&&".repeat(QUERY_LEAVES_MAX - 1) + "group=a";
    assert_eq!(
        message(&long_in_canonical_form),
        "the query has 24571 bytes in its canonical form, at most 16384 are allowed: \
         split it in several"
    );

    let nested = QUERY_NESTING_MAX + 1;
    for open in ["(", "!(", "not (not ("] {
        let text = format!("{}type = a{}", open.repeat(nested), ")".repeat(nested));
        assert_eq!(
            message(&text),
            "parentheses nest at most 64 levels deep: leave out some"
        );
    }
    let hostile = "(".repeat(QUERY_BYTES_MAX);
    assert_eq!(hostile.parse::<Query>().unwrap_err().at, QUERY_NESTING_MAX);
    assert!("!".repeat(QUERY_BYTES_MAX).parse::<Query>().is_err());

    let mut members = String::from("sequence in (0");
    for number in 1..=QUERY_LEAVES_MAX {
        write!(members, ",{number}").unwrap();
    }
    members.push(')');
    assert_eq!(
        message(&members),
        "a query has at most 1024 comparisons: split it in several"
    );
}
