//! Queries that are read, each with its canonical form.

use std::fmt::Write as _;

use crate::query::limits::{QUERY_BYTES_MAX, QUERY_LEAVES_MAX, QUERY_NESTING_MAX};
use crate::query::{Expr, Leaf, Query, Term, TimeField};

fn check(text: &str, canonical: &str) {
    let query: Query = text.parse().unwrap();
    assert_eq!(query.to_string(), canonical, "{text}");
    assert_eq!(canonical.parse(), Ok(query), "{text}");
}

#[test]
fn constants_match_all_or_nothing() {
    check("", "true");
    check(" \n\t ", "true");
    check("TRUE", "true");
    check("False", "false");
    check("true and type = a", r#"data_type = "a""#);
    check("true or type = a", "true");
    check("false and type = a", "false");
    check("not false", "true");
}

#[test]
fn fields_have_aliases_and_one_canonical_name() {
    check("type = order.placed", r#"data_type = "order.placed""#);
    check("data_type == 'a'", r#"data_type = "a""#);
    check("group = customer-42", r#"message_group = "customer-42""#);
    check("message_group = a", r#"message_group = "a""#);
    check(
        "content_type = application/vnd.api+json",
        r#"content_type = "application/vnd.api+json""#,
    );
    check("content_encoding = gzip", r#"content_encoding = "gzip""#);
    check("properties.a = b", r#"properties.a = "b""#);
    check("properties.a.b-c_d = 42", r#"properties.a.b-c_d = "42""#);
    check(
        "properties.'any \"name\"' = a",
        r#"properties."any \"name\"" = "a""#,
    );
    check(r#"properties."plain" = a"#, r#"properties.plain = "a""#);
    check("properties.not exists", "properties.not exists");
    check("properties.'größe' = a", r#"properties."größe" = "a""#);
    check("data.a.0.b = 1", "data.a.0.b = 1");
    check(r#"data."a b".c."d" = 1"#, r#"data."a b".c.d = 1"#);
    check(r#"data.a."b.c"."" = 1"#, r#"data.a."b.c"."" = 1"#);
}

#[test]
fn an_id_is_normalised_as_ids_are() {
    check(
        "id = 0197A4A2-1111-7ABC-8DEF-0123456789AB",
        r#"id = "0197a4a2-1111-7abc-8def-0123456789ab""#,
    );
    check("id in (ORDER-7, 8)", r#"id in ("ORDER-7", "8")"#);
    check("id exists", "true");
    check("id not exists", "false");
}

#[test]
fn text_is_compared_by_equality_prefix_and_presence() {
    check("type != a", r#"data_type != "a""#);
    check("not type = a", r#"data_type != "a""#);
    check("type in (a)", r#"data_type = "a""#);
    check("type IN (a, 'b')", r#"data_type in ("a", "b")"#);
    check("type = a or type = b", r#"data_type in ("a", "b")"#);
    check("type not in (a, b)", r#"data_type not in ("a", "b")"#);
    check("not type in (a, b)", r#"data_type not in ("a", "b")"#);
    check("type ^= order.", r#"data_type ^= "order.""#);
    check("not type ^= order.", r#"not data_type ^= "order.""#);
    check("type ^= ''", "data_type exists");
    check("group not exists", "message_group not exists");
    check("not group not exists", "message_group exists");
    check("properties.paid = true", r#"properties.paid = "true""#);
    check("properties.a = ''", r#"properties.a = """#);
    check(
        "properties.day = 2026-01-01",
        r#"properties.day = "2026-01-01""#,
    );
    check(
        r#"properties.a = "\"\\\n\r\t\u{1F600}\u{0}é\u{202e}'""#,
        "properties.a = \"\\\"\\\\\\n\\r\\t\u{1f600}\\u{0}é\\u{202e}'\"",
    );
}

#[test]
fn times_become_ranges() {
    check(
        "timestamp >= 2026-01-01",
        "timestamp >= 2026-01-01T00:00:00Z",
    );
    check(
        "created > '2026-01-01 01:00:00+01:00'",
        "created > 2026-01-01T00:00:00Z",
    );
    check("timestamp < 2026-01-01", "timestamp < 2026-01-01T00:00:00Z");
    check(
        "timestamp <= 2026-01-01",
        "timestamp <= 2026-01-01T00:00:00Z",
    );
    check("timestamp = 2026-01-01", "timestamp = 2026-01-01T00:00:00Z");
    check(
        "timestamp != 2026-01-01",
        "timestamp != 2026-01-01T00:00:00Z",
    );
    check(
        "created >= 2026-01-01T00:00:00.123456789Z",
        "created >= 2026-01-01T00:00:00.123456789Z",
    );
    check(
        "timestamp in (2026-01-01, 2026-01-02)",
        "timestamp in (2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z)",
    );
    check(
        "timestamp < 2026-02-01 and type = a and timestamp >= 2026-01-01",
        "timestamp >= 2026-01-01T00:00:00Z and timestamp < 2026-02-01T00:00:00Z \
         and data_type = \"a\"",
    );
    check(
        "not (timestamp >= 2026-01-01 and timestamp < 2026-02-01)",
        "timestamp < 2026-01-01T00:00:00Z or timestamp >= 2026-02-01T00:00:00Z",
    );
    check("timestamp < 2026-01-01 and timestamp > 2026-01-01", "false");
    check(
        "created < 2026-01-03 and created < 2026-01-02 and created <= 2026-01-04",
        "created < 2026-01-02T00:00:00Z",
    );
    check(
        "created > 2026-01-03 and created >= 2026-01-05 and created > 2026-01-04",
        "created >= 2026-01-05T00:00:00Z",
    );
    check("timestamp exists", "true");
    let latest = "2262-04-11T23:47:16.854775807Z";
    check(&format!("created <= {latest}"), "true");
    check(&format!("created > {latest}"), "false");
}

#[test]
fn sequences_become_ranges() {
    check("sequence = 4", "sequence = 4");
    check("sequence != 0", "sequence >= 1");
    check("sequence != 4", "sequence != 4");
    check("sequence < 0", "false");
    check("sequence >= 0", "true");
    check(
        "sequence > 4 and sequence < 9",
        "sequence >= 5 and sequence <= 8",
    );
    check("sequence not in (4, 6)", "sequence != 4 and sequence != 6");
    check(
        "sequence in (4, 6) or sequence = 9",
        "sequence in (4, 6, 9)",
    );
    check("sequence <= 18446744073709551615", "true");
}

#[test]
fn data_is_compared_with_values_of_json() {
    check("data.a = 1 and data.b = 1.0", "data.a = 1 and data.b = 1.0");
    check("data.a = -0.0", "data.a = 0.0");
    check("data.a >= 1e20", "data.a >= 1e20");
    check("data.a = 99999999999999999999", "data.a = 1e20");
    check("data.a = NULL or data.a = True", "data.a in (null, true)");
    check(
        "data.a not in (null, 'b', 1.5)",
        r#"data.a not in (null, "b", 1.5)"#,
    );
    check("not data.a < 'b'", r#"not data.a < "b""#);
    check("not data.a ^= 'b'", r#"not data.a ^= "b""#);
    check("data.a not exists", "data.a not exists");
}

#[test]
fn not_binds_closer_than_and_and_that_closer_than_or() {
    check(
        "type = a or type = b and not group = c and group = d",
        "data_type = \"a\" or data_type = \"b\" and message_group != \"c\" \
         and message_group = \"d\"",
    );
    check(
        "(type=a||group=b)&&!properties.c=d",
        r#"(data_type = "a" or message_group = "b") and properties.c != "d""#,
    );
    check(
        "not (type = a and (group = b or not properties.c exists))",
        r#"data_type != "a" or message_group != "b" and properties.c exists"#,
    );
    check("!!!type = a", r#"data_type != "a""#);
    check(
        "group = x AnD type IN (a, b)",
        r#"message_group = "x" and data_type in ("a", "b")"#,
    );
}

#[test]
fn queries_at_the_bounds_are_read() {
    let nested = QUERY_NESTING_MAX;
    check(
        &format!("{}type = a{}", "(".repeat(nested), ")".repeat(nested)),
        r#"data_type = "a""#,
    );
    let side_by_side = vec!["(type = a)"; nested + 1].join(" or ");
    let members = vec![r#""a""#; nested + 1].join(", ");
    check(&side_by_side, &format!("data_type in ({members})"));

    let mut members = String::from("sequence in (1");
    for number in 2..=QUERY_LEAVES_MAX {
        write!(members, ", {number}").unwrap();
    }
    members.push(')');
    check(&members, &members);

    let empty = "properties.a = \"\"";
    let value = "x".repeat(QUERY_BYTES_MAX - empty.len());
    let longest = empty.replace("\"\"", &format!("\"{value}\""));
    check(&longest, &longest);
}

#[test]
fn rust_and_text_give_the_same_query() {
    let time = "2026-01-01".parse().unwrap();
    let id = "0197a4a2-1111-7abc-8def-0123456789ab".parse().unwrap();
    for (query, text) in [
        (Query::all(), ""),
        (Query::default(), "true"),
        (Query::data_type("a"), "type = a"),
        (Query::message_group("a"), "group = a"),
        (Query::content_type("a/b"), "content_type = a/b"),
        (Query::property("a b", "c"), "properties.'a b' = c"),
        (Query::property("", "c"), "false"),
        (Query::id(&id), "id = 0197A4A2-1111-7abc-8def-0123456789ab"),
        (Query::timestamp_from(time), "timestamp >= 2026-01-01"),
        (Query::timestamp_before(time), "timestamp < 2026-01-01"),
        (Query::created_from(time), "created >= 2026-01-01"),
        (Query::created_before(time), "created < 2026-01-01"),
        (Query::sequence_from(4.into()), "sequence >= 4"),
        (Query::sequence_before(4.into()), "sequence < 4"),
        (Query::sequence_before(0.into()), "false"),
        (Query::data_type("a").and(Query::all()), "type = a"),
        (Query::data_type("a").or(Query::all()), "true"),
        (
            Query::data_type("a").or(Query::message_group("b")).negate(),
            "type != a and group != b",
        ),
    ] {
        assert_eq!(text.parse(), Ok(query), "{text}");
    }
}

#[test]
fn the_planner_sees_flat_parts_and_no_negation_but_in_leaves() {
    let query: Query = "not (type = a or (created < 1970-01-01 or not group exists))"
        .parse()
        .unwrap();
    let expected = Expr::And(vec![
        Expr::Leaf(Leaf::Is {
            field: Term::DataType,
            value: "a".to_owned(),
            negated: true,
        }),
        Expr::Leaf(Leaf::Time {
            field: TimeField::Created,
            from: Some(0),
            until: None,
        }),
        Expr::Leaf(Leaf::Exists {
            field: Term::MessageGroup,
            negated: false,
        }),
    ]);
    assert_eq!(query.expr(), &expected);
}
