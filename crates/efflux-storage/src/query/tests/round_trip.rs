//! Arbitrary texts never break the parser, and every query prints what reads back as itself.

use proptest::prelude::*;

use super::sample::{NAMES, text};
use crate::query::data::{DataOrder, DataTest, DataValue, Finite};
use crate::query::{Expr, Query, Term, TimeField};

fn values() -> impl Strategy<Value = DataValue> {
    prop_oneof![
        Just(DataValue::Null),
        prop::bool::ANY.prop_map(DataValue::Bool),
        any::<i64>().prop_map(|number| DataValue::Integer(number.into())),
        any::<u64>().prop_map(|number| DataValue::Integer(number.into())),
        any::<f64>().prop_filter_map("finite", |number| Finite::new(number).map(DataValue::Float)),
        ".*".prop_map(DataValue::Text),
    ]
}

fn orders() -> impl Strategy<Value = DataTest> {
    let order = prop::sample::select(vec![
        DataOrder::Less,
        DataOrder::LessOrEqual,
        DataOrder::Greater,
        DataOrder::GreaterOrEqual,
    ]);
    let ordered = values().prop_filter("has an order", |value| {
        !matches!(value, DataValue::Null | DataValue::Bool(_))
    });
    (order, ordered).prop_map(|(order, value)| DataTest::Ordered(order, value))
}

fn leaves() -> impl Strategy<Value = Expr> {
    let names = prop_oneof![
        prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        "[a-z\"\\\\. -]{1,8}",
        "\\PC{1,8}",
    ];
    let terms = prop_oneof![
        Just(Term::DataType),
        Just(Term::ContentType),
        Just(Term::MessageGroup),
        names.prop_map(Term::Property),
    ];
    let any_text = prop_oneof![text(), ".*"];
    let times = prop_oneof![Just(TimeField::Timestamp), Just(TimeField::Created)];
    let nanos = prop_oneof![any::<i64>(), -4_i64..4, Just(i64::MIN), Just(i64::MAX)];
    let ends = (prop::option::of(nanos.clone()), prop::option::of(nanos));
    let number = prop_oneof![any::<u64>(), 0_u64..6, Just(u64::MAX)];
    let tests = prop_oneof![
        Just(DataTest::Exists),
        values().prop_map(DataTest::Is),
        ".*".prop_map(DataTest::StartsWith),
        orders(),
    ];
    prop_oneof![
        Just(Expr::is(Term::Id, "order 7".to_owned())),
        Just(Expr::is(Term::ContentEncoding, "gzip".to_owned())),
        (terms.clone(), any_text.clone()).prop_map(|(term, text)| Expr::is(term, text)),
        (terms.clone(), any_text).prop_map(|(term, text)| Expr::starts_with(term, text)),
        terms.prop_map(Expr::exists),
        (times, ends).prop_map(|(field, (from, until))| Expr::time(field, from, until)),
        (number.clone(), number).prop_map(|(from, until)| Expr::sequence(from, until)),
        (prop::collection::vec("[a-z0-9_. \"-]{0,4}", 1..4), tests)
            .prop_map(|(path, test)| Expr::data(path, test)),
    ]
}

fn exprs() -> impl Strategy<Value = Expr> {
    leaves().prop_recursive(6, 40, 6, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            inner.prop_map(Expr::negate),
            several.clone().prop_map(Expr::and),
            several.prop_map(Expr::or),
        ]
    })
}

/// Texts that are nearly queries.
fn near_queries() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "type",
        "group",
        "id",
        "sequence",
        "timestamp",
        "properties.",
        "properties.a",
        "data.",
        "data.a",
        "\"a b\"",
        "'",
        "\"",
        "\\",
        ".",
        "=",
        "!=",
        "<",
        ">=",
        "^=",
        "in",
        "not",
        "and",
        "or",
        "exists",
        "(",
        ")",
        ",",
        "2026-01-01",
        "42",
        "-1.5e3",
        "null",
        "true",
        "ä",
        "日",
        "\n",
        "!",
        "&",
        "||",
    ]);
    prop::collection::vec((pieces, prop::bool::ANY), 0..24).prop_map(|pieces| {
        let spaced = |(piece, space)| format!("{piece}{}", if space { " " } else { "" });
        pieces.into_iter().map(spaced).collect()
    })
}

fn check_read(text: &str) {
    match text.parse::<Query>() {
        Ok(query) => {
            let canonical = query.to_string();
            assert_eq!(canonical.parse(), Ok(query), "{text:?} as {canonical:?}");
        }
        Err(error) => {
            assert!(error.at <= error.text.len());
            assert!(!error.message.contains('\n'));
            assert_eq!(error.to_string().lines().count(), 3, "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "(?s).*") {
        check_read(&text);
    }

    #[test]
    fn nearly_a_query_is_read_or_refused(text in near_queries()) {
        check_read(&text);
    }

    #[test]
    fn every_query_prints_what_reads_back(expr in exprs()) {
        let canonical = expr.to_string();
        // Strings of arbitrary length can put a query past the bound, which is refused.
        prop_assume!(canonical.len() <= crate::query::limits::QUERY_BYTES_MAX);
        let read: Query = canonical.parse().unwrap();
        prop_assert_eq!(read.expr(), &expr, "{}", canonical);
    }
}
