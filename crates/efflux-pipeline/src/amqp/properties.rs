//! Properties and headers of AMQP, and what they are in a message.
//!
//! | AMQP | message |
//! | --- | --- |
//! | message id, type, content type, timestamp | id, data type, content type, timestamp |
//! | content encoding | content encoding `gzip` or `zstd`; another is the property `amqp.content_encoding` |
//! | correlation id | property `efflux.correlation` |
//! | header `efflux.message_group` | message group |
//! | other headers | properties of the same name: texts as they are, other values as JSON |
//! | exchange, routing key, reply to, user id, app id, priority, expiration | properties `amqp.exchange`, `amqp.routing_key`, `amqp.reply_to`, … |

use efflux_storage::particle::{Message, Timestamp};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use serde_json::{Map, Value};

use super::limits::HEADER_DEPTH_MAX;
use super::short;
use crate::arrival::Arrival;
use crate::parcel::CORRELATION;
use crate::stage_error::StageError;

/// What the names of properties begin with that the broker tells.
const OF_BROKER: &str = "amqp.";
const GROUP: &str = "efflux.message_group";
/// How a message says that it is to be kept on disk.
const PERSISTENT: u8 = 2;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// What a delivery holds.
pub(crate) fn arrival(delivery: &mut Delivery) -> Arrival {
    let mut arrival = Arrival::new(std::mem::take(&mut delivery.data));
    let properties = &delivery.properties;
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        match (name.as_str(), text_of(value)) {
            // What begins so, the broker says, and no sender.
            (name, _) if name.starts_with(OF_BROKER) => {}
            (GROUP, Ok(group)) => arrival.message_group(&group),
            (name, Ok(text)) => arrival.property(name, text),
            (name, Err(why)) => arrival.fault(format!("the header {name:?} {why}")),
        }
    }
    let text = |text: &Option<ShortString>, take: &mut dyn FnMut(&str)| {
        if let Some(text) = text.as_ref().filter(|text| !text.as_str().is_empty()) {
            take(text.as_str());
        }
    };
    text(properties.message_id(), &mut |it| arrival.id(it));
    text(properties.kind(), &mut |it| arrival.data_type(it));
    text(properties.content_type(), &mut |it| {
        arrival.content_type(it);
    });
    text(properties.content_encoding(), &mut |it| {
        arrival.content_encoding("amqp.content_encoding", it);
    });
    text(properties.correlation_id(), &mut |it| {
        arrival.correlation(it);
    });
    if let Some(timestamp) = properties.timestamp().and_then(time_of) {
        arrival.timestamp(timestamp);
    }
    let priority = properties
        .priority()
        .map(|it| it.to_string().as_str().into());
    for (name, field) in [
        ("amqp.exchange", &Some(delivery.exchange.clone())),
        ("amqp.routing_key", &Some(delivery.routing_key.clone())),
        ("amqp.reply_to", properties.reply_to()),
        ("amqp.user_id", properties.user_id()),
        ("amqp.app_id", properties.app_id()),
        ("amqp.expiration", properties.expiration()),
        ("amqp.priority", &priority),
    ] {
        text(field, &mut |it| arrival.property(name, it));
    }
    arrival
}

/// What a message says of itself to a broker.
///
/// # Errors
/// `Rejected` when a text is longer than AMQP allows.
pub(crate) fn properties(message: &Message) -> Result<BasicProperties, StageError> {
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    if let Some(id) = message.id() {
        properties = properties.with_message_id(short("the id", &id.to_string())?);
    }
    if let Some(text) = message.data_type() {
        properties = properties.with_type(short("the data type", text)?);
    }
    if let Some(text) = message.content_type() {
        properties = properties.with_content_type(short("the content type", text)?);
    }
    if let Some(encoding) = message.content_encoding() {
        properties = properties.with_content_encoding(encoding.as_str().into());
    }
    let seconds = message.timestamp().map(|it| it.nanos() / NANOS_PER_SECOND);
    if let Some(Ok(seconds)) = seconds.map(u64::try_from) {
        properties = properties.with_timestamp(seconds);
    }
    let mut headers = FieldTable::default();
    let mut header = |name: &str, value: &str| {
        let name = short("the name of a property", name)?;
        headers.insert(name, AMQPValue::LongString(LongString::from(value)));
        Ok::<_, StageError>(())
    };
    if let Some(group) = message.message_group() {
        header(GROUP, group)?;
    }
    for (name, value) in message.properties() {
        match ShortString::try_new(value) {
            Ok(correlation) if name == CORRELATION => {
                properties = properties.with_correlation_id(correlation);
            }
            _ => header(name, value)?,
        }
    }
    Ok(properties.with_headers(headers))
}

fn time_of(seconds: u64) -> Option<Timestamp> {
    let nanos = i64::try_from(seconds).ok()?.checked_mul(NANOS_PER_SECOND)?;
    Some(Timestamp::from_nanos(nanos))
}

/// A header's value as text, or why it has none.
fn text_of(value: &AMQPValue) -> Result<String, &'static str> {
    Ok(match json_of(value, HEADER_DEPTH_MAX)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

fn json_of(value: &AMQPValue, depth: usize) -> Result<Value, &'static str> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err("is nested too deep");
    };
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8 text")?;
        Ok::<_, &'static str>(Value::from(text))
    };
    Ok(match value {
        AMQPValue::Boolean(it) => Value::from(*it),
        AMQPValue::ShortShortInt(it) => Value::from(*it),
        AMQPValue::ShortShortUInt(it) => Value::from(*it),
        AMQPValue::ShortInt(it) => Value::from(*it),
        AMQPValue::ShortUInt(it) => Value::from(*it),
        AMQPValue::LongInt(it) => Value::from(*it),
        AMQPValue::LongUInt(it) => Value::from(*it),
        AMQPValue::LongLongInt(it) => Value::from(*it),
        AMQPValue::Timestamp(it) => Value::from(*it),
        AMQPValue::Float(it) => Value::from(*it),
        AMQPValue::Double(it) => Value::from(*it),
        // With its point at the place that the scale says.
        AMQPValue::DecimalValue(it) => Value::from(format!("{}e-{}", it.value, it.scale)),
        AMQPValue::ShortString(it) => Value::from(it.as_str()),
        AMQPValue::LongString(it) => text(it.as_bytes())?,
        AMQPValue::ByteArray(it) => text(it.as_slice())?,
        AMQPValue::Void => Value::Null,
        AMQPValue::FieldArray(array) => {
            let elements = array.as_slice().iter();
            let elements: Result<Vec<_>, _> = elements.map(|it| json_of(it, depth)).collect();
            Value::Array(elements?)
        }
        AMQPValue::FieldTable(table) => {
            let mut fields = Map::new();
            for (name, value) in table.inner() {
                fields.insert(name.as_str().to_owned(), json_of(value, depth)?);
            }
            Value::Object(fields)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::ContentEncoding;

    fn delivered(properties: BasicProperties) -> Result<Message, String> {
        let mut delivery = Delivery::mock(1, "ex".into(), "key".into(), false, b"p".to_vec());
        delivery.properties = properties;
        let message = arrival(&mut delivery).into_message(|it| it.content_id("queue"));
        message.map_err(|refused| refused.1.reason())
    }

    fn with_header(name: &str, value: AMQPValue) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(name.into(), value);
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn what_is_sent_comes_back_as_it_was() {
        let message = Message::new("p")
            .with_id("order-1".parse().unwrap())
            .with_data_type("order")
            .with_content_type("application/json")
            .with_content_encoding(ContentEncoding::Zstd)
            .with_message_group("g")
            .with_timestamp(Timestamp::from_nanos(1_700_000_000 * NANOS_PER_SECOND))
            .with_property("region", "eu")
            .with_property(CORRELATION, "order-0");
        let back = delivered(properties(&message).unwrap()).unwrap();
        let expect = message
            .with_property("amqp.exchange", "ex")
            .with_property("amqp.routing_key", "key");
        assert_eq!(back, expect);
    }

    #[test]
    fn values_of_all_kinds_become_texts() {
        let mut table = FieldTable::default();
        table.insert("n".into(), AMQPValue::LongInt(-1));
        let array = vec![AMQPValue::FieldTable(table), AMQPValue::Void];
        for (value, expect) in [
            (AMQPValue::Boolean(true), "true"),
            (AMQPValue::ShortShortUInt(255), "255"),
            (AMQPValue::Double(f64::NAN), ""),
            (AMQPValue::Void, ""),
            (AMQPValue::LongString("é".into()), "é"),
            (AMQPValue::Timestamp(u64::MAX), "18446744073709551615"),
            (AMQPValue::FieldArray(array.into()), "[{\"n\":-1},null]"),
        ] {
            let message = delivered(with_header("h", value)).unwrap();
            assert_eq!(message.property("h"), Some(expect));
        }
    }

    #[test]
    fn hostile_headers_are_refused_with_their_name() {
        let mut nested = AMQPValue::Void;
        for _ in 0..100 {
            nested = AMQPValue::FieldArray(vec![nested].into());
        }
        let bytes = AMQPValue::LongString(LongString::from(&b"\xff"[..]));
        let control = AMQPValue::Void;
        for (name, value, expect) in [
            ("deep", nested, "\"deep\" is nested too deep"),
            ("bytes", bytes, "\"bytes\" is no UTF-8"),
            ("a\u{1b}[2J", control, "control character"),
        ] {
            let why = delivered(with_header(name, value)).unwrap_err();
            assert!(why.contains(expect), "{why} does not tell {expect}");
        }
        let late = BasicProperties::default().with_timestamp(u64::MAX);
        assert_eq!(delivered(late).unwrap().timestamp(), None);
    }
}
