//! Messages and queries, by chance.

use efflux_particle::{Id, Message, Timestamp};
use proptest::prelude::*;

use crate::query::Query;

/// Numbers that look random, always the same.
pub(super) fn shuffled(number: u64) -> u64 {
    let mixed = (number ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (mixed >> 32)
}

/// A message as a shop would send it: two of its fields have few values, one has many, one is
/// different nearly every time.
pub(super) fn order(number: u64) -> Message {
    let chance = shuffled(number);
    let day = i64::try_from(chance % 1_000_000).unwrap();
    let mut message = Message::new("")
        .with_data_type(format!("order.kind-{}", chance % 20))
        .with_message_group(format!("customer-{}", (chance >> 8) % 10_000))
        .with_timestamp(Timestamp::from_nanos(
            1_600_000_000_000_000_000 + day * 86_400_000_000,
        ))
        .with_property("region", format!("r{}", (chance >> 24) % 50));
    if !number.is_multiple_of(3) {
        message = message.with_property("order", format!("order-{:x}", chance >> 20));
    }
    if number.is_multiple_of(7) {
        message = message.with_content_type("application/json");
    }
    if number.is_multiple_of(11) {
        message = message.with_property("note", format!("{}{number}", "long ".repeat(20)));
    }
    if number.is_multiple_of(13) {
        message = message.with_id(format!("text-{number}").parse::<Id>().unwrap());
    }
    message
}

pub(super) fn orders(from: u64, count: u64) -> impl Iterator<Item = Message> {
    (from..from + count).map(order)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,2}",
        Just("x".repeat(63)),
        Just("x".repeat(64)),
        (0..3_u8).prop_map(|last| format!("{}{last}", "x".repeat(80))),
    ]
}

pub(super) fn any_message() -> impl Strategy<Value = Message> {
    let field = || proptest::option::of(any_text());
    let times = proptest::option::of(prop_oneof![-20..20_i64, any::<i64>()]);
    (field(), field(), field(), field(), times).prop_map(|(kind, content, group, region, time)| {
        let mut message = Message::new("");
        if let Some(kind) = kind {
            message = message.with_data_type(kind);
        }
        if let Some(content) = content {
            message = message.with_content_type(content);
        }
        if let Some(group) = group {
            message = message.with_message_group(group);
        }
        if let Some(region) = region {
            message = message
                .with_property("p", region.clone())
                .with_property(region, "q");
        }
        if let Some(time) = time {
            message = message.with_timestamp(Timestamp::from_nanos(time));
        }
        message
    })
}

fn any_comparison() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just("data_type".to_owned()),
        Just("content_type".to_owned()),
        Just("message_group".to_owned()),
        Just("content_encoding".to_owned()),
        Just("properties.p".to_owned()),
        "[ab]{1,2}".prop_map(|name| format!("properties.{name}")),
    ];
    let instant = prop_oneof![
        (-20..20_i64).prop_map(|nanos| Timestamp::from_nanos(nanos).to_string()),
        (0..40_i64).prop_map(|number| {
            Timestamp::from_nanos(1_700_000_000_000_000_000 + number * 1_000_000).to_string()
        }),
    ];
    let order = prop_oneof![
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">="),
        Just("="),
        Just("!=")
    ];
    let times = prop_oneof![Just("timestamp"), Just("created")];
    prop_oneof![
        4 => (field.clone(), any_text()).prop_map(|(field, text)| format!("{field} = '{text}'")),
        2 => (field.clone(), any_text()).prop_map(|(field, text)| format!("{field} != '{text}'")),
        1 => field.clone().prop_map(|field| format!("{field} exists")),
        2 => (field, any_text()).prop_map(|(field, text)| format!("{field} ^= '{text}'")),
        2 => (times, order.clone(), instant).prop_map(|(f, o, t)| format!("{f} {o} {t}")),
        1 => (order, 0..60_u64).prop_map(|(o, n)| format!("sequence {o} {n}")),
    ]
}

/// Queries; those that are none are left out.
pub(super) fn any_query() -> impl Strategy<Value = Query> {
    let text = any_comparison().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|all| format!("({})", all.join(" and "))),
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|all| format!("({})", all.join(" or "))),
            inner.prop_map(|one| format!("not ({one})")),
        ]
    });
    text.prop_filter_map("no query", |text| text.parse().ok())
}
