//! The orders that pipelines work on: the same ones each time, made from their number.

use efflux_node::particle::{Id, Message};

/// Odd and without pattern.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;
const NOTE: &str = "to be left at the back door, please ring twice, the bell of the neighbours \
    works as well; fragile, this side up, and not to be bent; invoice by post to the head office";

/// Which orders go on: 19 of 20.
pub(super) const FILTER: &str = r#"data.status != "void" and data.total > 5"#;
/// What becomes of them.
pub(super) const PROGRAM: &str =
    "{ id: .order_id, sku, qty: (.qty | tonumber), city: .customer.city }";

/// The order of that number: some 400 bytes of JSON.
pub(super) fn order(number: u64) -> Message {
    let random = number.wrapping_mul(SCATTER) >> 32;
    let status = match random % 20 {
        0 => "void",
        _ => "ok",
    };
    let payload = format!(
        r#"{{"order_id":"o-{number}","customer":{{"id":"c-{}","name":"Customer {}","city":"City {}"}},"sku":"sku-{}","qty":"{}","total":{}.5,"status":"{status}","tags":["web","gift"],"note":"{NOTE}"}}"#,
        random % 10_000,
        random % 10_000,
        random % 97,
        random % 1000,
        random % 9 + 1,
        random % 900 + 10,
    );
    let mut id = [0; 16];
    for (place, byte) in id.iter_mut().zip(number.to_le_bytes()) {
        *place = byte;
    }
    Message::new(payload)
        .with_id(Id::from_uuid(id))
        .with_data_type("order")
        .with_content_type("application/json")
        .with_message_group(format!("customer-{}", random % 10_000))
}
