//! What queries match, told by examples and against a naive evaluator.

use std::cmp::Ordering;

use efflux_particle::{ContentEncoding, Message, Metadata, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample::{IDS, NAMES, NANOS_MAX, SEQUENCE_MAX, Sample, samples, sealed, text};
use crate::query::Query;

fn check(metadata: &Metadata, data: &Value, matching: &[&str], others: &[&str]) {
    for (texts, expected) in [(matching, true), (others, false)] {
        for text in texts {
            let query: Query = text.parse().unwrap();
            assert_eq!(query.matches_with_data(metadata, data), expected, "{text}");
            let negated = query.negate();
            assert_eq!(
                negated.matches_with_data(metadata, data),
                !expected,
                "not {text}"
            );
        }
    }
}

#[test]
fn fields_are_looked_up_where_they_stand() {
    let message = Message::new("")
        .with_id("0197a4a2-1111-7abc-8def-0123456789ab".parse().unwrap())
        .with_timestamp(Timestamp::from_nanos(0))
        .with_data_type("order.placed")
        .with_content_type("application/json")
        .with_property("customer", "42");
    let metadata = sealed(&message, 1_000, 3);
    let data = json!({"total": 12.5, "lines": [{"sku": "a-1"}], "note": null});
    check(
        &metadata,
        &data,
        &[
            "",
            "id = 0197A4A2-1111-7ABC-8DEF-0123456789AB",
            "type = order.placed and properties.customer = 42",
            "type ^= order. and content_type ^= application/",
            "timestamp = 1970-01-01 and created > 1970-01-01",
            "sequence = 3 and sequence > 2 and sequence < 4",
            "group not exists and group != a and group not in (a, b)",
            "data.total > 12 and data.total < 13 and data.lines.0.sku ^= 'a-'",
            "data.note exists and data.note = null",
            "data.missing != null and data.missing not exists",
            "not data.lines.0.sku > 5",
        ],
        &[
            "false",
            "id = 0197a4a2-1111-7abc-8def-0123456789ac",
            "id = 0197a4a211117abc8def0123456789ab",
            "type = order",
            "properties.customer = 4",
            "properties.other exists",
            "content_encoding = gzip",
            "sequence in (2, 4)",
            "created = 1970-01-01",
            "data.missing = null",
            "data.lines.1.sku exists",
            "data.lines.0.sku > 5",
        ],
    );
}

#[test]
fn without_a_payload_every_place_in_it_is_missing() {
    let metadata = sealed(&Message::new(""), 0, 1);
    for (text, reads_data, expected) in [
        ("data.a = 1", true, false),
        ("data.a != 1", true, true),
        ("data.a exists", true, false),
        ("sequence = 1 or data.a exists", true, true),
        ("sequence = 1", false, true),
        ("true", false, true),
    ] {
        let query: Query = text.parse().unwrap();
        assert_eq!(query.reads_data(), reads_data, "{text}");
        assert_eq!(query.matches(&metadata), expected, "{text}");
    }
}

/// A query as it is written, with a `not` wherever one may stand.
#[derive(Clone, Debug)]
enum Ast {
    Constant(bool),
    Exists(Field, bool),
    In(Field, Vec<Literal>, bool),
    Compared(Field, &'static str, Literal),
    Not(Box<Ast>),
    And(Vec<Ast>),
    Or(Vec<Ast>),
}

#[derive(Clone, Debug)]
enum Field {
    Id,
    DataType,
    ContentType,
    Encoding,
    Group,
    Property(&'static str),
    Timestamp,
    Created,
    Sequence,
    Data(&'static str, &'static str),
}

/// A value, for fields of text `Text`, for times and sequences `Number`.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    Number(i64),
    Json(Value),
}

impl Field {
    fn written(&self) -> String {
        match self {
            Self::Id => "id".to_owned(),
            Self::DataType => "type".to_owned(),
            Self::ContentType => "content_type".to_owned(),
            Self::Encoding => "content_encoding".to_owned(),
            Self::Group => "group".to_owned(),
            Self::Property(name) => format!("properties.\"{name}\""),
            Self::Timestamp => "timestamp".to_owned(),
            Self::Created => "created".to_owned(),
            Self::Sequence => "sequence".to_owned(),
            Self::Data(path, _) => format!("data.{path}"),
        }
    }

    fn of(&self, sample: &Sample) -> Option<Literal> {
        let metadata = &sample.metadata;
        let text = |text: Option<&str>| text.map(|text| Literal::Text(text.to_owned()));
        match self {
            Self::Id => Some(Literal::Text(metadata.id().to_string())),
            Self::DataType => text(metadata.data_type()),
            Self::ContentType => text(metadata.content_type()),
            Self::Encoding => text(metadata.content_encoding().map(ContentEncoding::as_str)),
            Self::Group => text(metadata.message_group()),
            Self::Property(name) => text(metadata.property(name)),
            Self::Timestamp => Some(Literal::Number(metadata.timestamp().nanos())),
            Self::Created => Some(Literal::Number(metadata.created().nanos())),
            Self::Sequence => {
                let number = metadata.sequence().get().try_into().unwrap();
                Some(Literal::Number(number))
            }
            Self::Data(_, pointer) => sample.data.pointer(pointer).cloned().map(Literal::Json),
        }
    }
}

impl Literal {
    fn written(&self, field: &Field) -> String {
        match (self, field) {
            (Self::Text(text), _) => {
                format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
            }
            (Self::Number(number), Field::Sequence) => number.to_string(),
            (Self::Number(nanos), _) => format!("1970-01-01T00:00:00.{nanos:09}Z"),
            (Self::Json(value), _) => value.to_string(),
        }
    }

    fn compared(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Number(one), Self::Number(other)) => Some(one.cmp(other)),
            (Self::Json(Value::String(one)), Self::Json(Value::String(other))) => {
                Some(one.cmp(other))
            }
            (Self::Json(one), Self::Json(other)) => match (one.as_f64(), other.as_f64()) {
                (Some(one), Some(other)) => one.partial_cmp(&other),
                _ => (one == other).then_some(Ordering::Equal),
            },
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Json(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

impl Ast {
    fn written(&self) -> String {
        let joined = |parts: &[Self], joint: &str| {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| format!("({})", part.written()))
                .collect();
            parts.join(joint)
        };
        match self {
            Self::Constant(value) => value.to_string(),
            Self::Exists(field, true) => format!("{} exists", field.written()),
            Self::Exists(field, false) => format!("{} not exists", field.written()),
            Self::In(field, members, within) => {
                let members: Vec<_> = members.iter().map(|member| member.written(field)).collect();
                let operator = if *within { "in" } else { "not in" };
                format!("{} {operator} ({})", field.written(), members.join(", "))
            }
            Self::Compared(field, operator, value) => {
                format!("{} {operator} {}", field.written(), value.written(field))
            }
            Self::Not(inner) => format!("not ({})", inner.written()),
            Self::And(parts) => joined(parts, " and "),
            Self::Or(parts) => joined(parts, " or "),
        }
    }

    fn matches(&self, sample: &Sample) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Exists(field, expected) => field.of(sample).is_some() == *expected,
            Self::In(field, members, within) => {
                let found = field.of(sample);
                let is = |member| found.as_ref()?.compared(member).map(Ordering::is_eq);
                members.iter().any(|member| is(member) == Some(true)) == *within
            }
            Self::Compared(field, "^=", prefix) => {
                let found = field.of(sample);
                let prefix = prefix.text().unwrap();
                found.is_some_and(|found| {
                    found.text().is_some_and(|found| found.starts_with(prefix))
                })
            }
            Self::Compared(field, "!=", value) => {
                !Self::Compared(field.clone(), "=", value.clone()).matches(sample)
            }
            Self::Compared(field, operator, value) => {
                let Some(found) = field.of(sample).and_then(|found| found.compared(value)) else {
                    return false;
                };
                match *operator {
                    "=" => found.is_eq(),
                    "<" => found.is_lt(),
                    "<=" => found.is_le(),
                    ">" => found.is_gt(),
                    _ => found.is_ge(),
                }
            }
            Self::Not(inner) => !inner.matches(sample),
            Self::And(parts) => parts.iter().all(|part| part.matches(sample)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(sample)),
        }
    }
}

fn fields_and_values() -> impl Strategy<Value = (Field, Vec<Literal>)> {
    let texts = |strategy: BoxedStrategy<String>| {
        prop::collection::vec(strategy.prop_map(Literal::Text), 1..4)
    };
    let select = |values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(str::to_owned).boxed()
    };
    let terms = prop_oneof![
        Just(Field::DataType),
        Just(Field::ContentType),
        Just(Field::Group),
        prop::sample::select(&NAMES[..]).prop_map(Field::Property),
    ];
    let times = prop_oneof![Just(Field::Timestamp), Just(Field::Created)];
    let numbers = |max| prop::collection::vec((0..=max).prop_map(Literal::Number), 1..4);
    let places = prop::sample::select(vec![
        Field::Data("a", "/a"),
        Field::Data("a.0", "/a/0"),
        Field::Data("a.\"b c\"", "/a/b c"),
        Field::Data("b", "/b"),
    ]);
    let json = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.5),
        json!(-1),
        json!("a"),
        json!("ab"),
    ]);
    prop_oneof![
        2 => (Just(Field::Id), texts(select(&IDS))),
        1 => (Just(Field::Encoding), texts(select(&["gzip", "zstd"]))),
        4 => (terms, texts(text().boxed())),
        2 => (times, numbers(NANOS_MAX)),
        2 => (Just(Field::Sequence), numbers(SEQUENCE_MAX.try_into().unwrap())),
        3 => (places, prop::collection::vec(json.prop_map(Literal::Json), 1..4)),
    ]
}

/// Ranges alone, so that several of one field often meet under one `and`.
fn ranges() -> impl Strategy<Value = (Field, Vec<Literal>)> {
    let field = prop::sample::select(vec![Field::Timestamp, Field::Created, Field::Sequence]);
    let value = (0..=NANOS_MAX).prop_map(Literal::Number);
    (field, prop::collection::vec(value, 1..4))
}

fn comparisons(
    fields_and_values: impl Strategy<Value = (Field, Vec<Literal>)>,
) -> impl Strategy<Value = Ast> {
    let operator = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">=", "^="]);
    (fields_and_values, operator, 0..8, prop::bool::ANY).prop_map(
        |((field, values), operator, form, positive)| {
            let first = values.first().unwrap().clone();
            let has_order = match &field {
                Field::Timestamp | Field::Created | Field::Sequence => true,
                Field::Data(..) => {
                    matches!(&first, Literal::Json(value) if value.is_number() || value.is_string())
                }
                _ => false,
            };
            let has_prefix =
                !matches!(field, Field::Id | Field::Encoding) && first.text().is_some();
            match form {
                0 => Ast::Exists(field, positive),
                1 | 2 => Ast::In(field, values, positive),
                _ => match operator {
                    "^=" if !has_prefix => Ast::Compared(field, "=", first),
                    "<" | "<=" | ">" | ">=" if !has_order => Ast::Compared(field, "!=", first),
                    operator => Ast::Compared(field, operator, first),
                },
            }
        },
    )
}

fn queries(
    fields_and_values: impl Strategy<Value = (Field, Vec<Literal>)> + 'static,
) -> impl Strategy<Value = Ast> {
    let leaf = prop_oneof![
        1 => prop::bool::ANY.prop_map(Ast::Constant),
        12 => comparisons(fields_and_values),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..5);
        prop_oneof![
            inner.prop_map(|inner| Ast::Not(Box::new(inner))),
            several.clone().prop_map(Ast::And),
            several.prop_map(Ast::Or),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_normal_form_matches_what_was_written(
        ast in prop_oneof![queries(fields_and_values()), queries(ranges())],
        samples in prop::collection::vec(samples(), 1..8),
    ) {
        let written = ast.written();
        let query: Query = written.parse().unwrap();
        let canonical: Query = query.to_string().parse().unwrap();
        prop_assert_eq!(&canonical, &query, "{}", written);
        let negated = query.clone().negate();
        prop_assert_eq!(&negated.clone().negate().to_string().parse::<Query>().unwrap(), &negated.clone().negate());
        for sample in samples {
            let matches = |query: &Query| query.matches_with_data(&sample.metadata, &sample.data);
            let expected = ast.matches(&sample);
            prop_assert_eq!(matches(&query), expected, "{} read as {}", written, query);
            prop_assert_eq!(matches(&negated), !expected, "not {} read as {}", written, negated);
        }
    }
}
