//! Events in, events out.

use super::shown::headers as shown_headers;
use super::*;
use bytes::Bytes;
use efflux_flow::particle::{Draft, Head, Id, Message, Particle, Stamp, Timestamp, TopicName};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

fn particle(message: &Message) -> (Particle, TopicName) {
    let stamp = Stamp {
        id: Id::from_uuid([7; 16]),
        created: Timestamp::from_nanos(1_767_225_600_000_000_000),
        in_batch: false,
    };
    let topic: TopicName = "orders".parse().unwrap();
    let (head, _) = Head::root(&topic, &stamp).unwrap();
    (head.link(Draft::encode(message, &stamp).unwrap()).1, topic)
}

fn structured(message: &Message) -> Value {
    let (particle, topic) = particle(message);
    let mut out = Vec::new();
    write(&mut out, &particle, &topic);
    serde_json::from_slice(&out).unwrap()
}

fn read(event: &Value) -> crate::server::refusal::Answer<Message> {
    from_structured(&HeaderMap::new(), event.to_string().as_bytes())
}

fn headers_of(all: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    all.iter().map(header).collect()
}

/// An event with these attributes and the required ones.
fn event(rest: &Value) -> Value {
    let mut event = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t"});
    for (name, value) in rest.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// The example of the specification's section on structured mode, and some extensions.
fn example() -> Value {
    json!({
        "specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext/4",
        "subject": null, "id": "B234-1234-1234", "time": "2018-04-05T17:31:00Z",
        "comexampleextension1": "value", "comexampleothervalue": 5, "partitionkey": "customer-7",
        "datacontenttype": "application/vnd.apache.thrift.binary", "data_base64": "/w=="
    })
}

#[test]
fn an_event_in_json_becomes_a_message() {
    let message = read(&example()).unwrap();
    assert_eq!(
        message.id().unwrap().to_string(),
        "/mycontext/4#B234-1234-1234"
    );
    assert_eq!(message.data_type(), Some("com.example.someevent"));
    assert_eq!(message.message_group(), Some("customer-7"));
    assert_eq!(message.property("ce.id"), Some("B234-1234-1234"));
    assert_eq!(message.property("ce.source"), Some("/mycontext/4"));
    assert_eq!(message.property("ce.comexampleothervalue"), Some("5"));
    assert_eq!(message.payload().as_ref(), [255]);
}

#[test]
fn an_event_in_json_comes_back_as_it_was_sent() {
    for sent in [
        example(),
        event(&json!({})),
        event(&json!({"data": {"b": 1}})),
        event(&json!({"data": "text"})),
        event(&json!({"datacontenttype": "application/json", "data": {"b": [null, 1.5]}})),
        event(&json!({"datacontenttype": "text/plain", "data": "text"})),
        event(&json!({"datacontenttype": "a/b+json", "data": [1]})),
        event(&json!({"data_base64": "eyJhIjoxfQ=="})),
        event(&json!({"datacontenttype": "text/plain", "data_base64": "dGV4dA=="})),
        event(&json!({"datacontenttype": "application/json", "data_base64": "MQ=="})),
        event(&json!({"time": "2026-01-01T10:00:00.120000+02:00"})),
        event(&json!({"sequence": "00042", "flag": true, "count": -3, "text": "5"})),
        event(&json!({"subject": "s/ü \"q\" %", "dataschema": "http://x/y", "ext1": ""})),
        event(&json!({"id": "7#8", "source": "x".repeat(300)})),
    ] {
        let mut back = structured(&read(&sent).unwrap());
        assert_eq!(back[SEQUENCE], "1", "{sent}");
        let fields = back.as_object_mut().unwrap();
        fields.remove(SEQUENCE);
        let mut sent = sent;
        sent.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        assert_eq!(back, sent);
    }
}

#[test]
fn what_is_no_event_is_refused() {
    for wrong in [
        json!({"data": 1, "data_base64": "AA=="}),
        json!({"data_base64": "?"}),
        json!({"Upper": "x"}),
        json!({"nested": {}}),
        json!({"time": "noon"}),
        json!({"id": false}),
        json!({"id": ""}),
        json!({"id": null}),
        json!({"source": ""}),
        json!({"subject": 7}),
        json!({"specversion": "0.3"}),
    ] {
        assert!(read(&event(&wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn an_event_in_headers_becomes_a_message_and_comes_back() {
    let sent = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-type", "t"),
        ("ce-source", "/a%20b?c=d&e"),
        ("ce-subject", "gr%C3%B6%C3%9Fe"),
        ("ce-sequence", "00042"),
        ("ce-time", "2026-01-01T10:00:00+02:00"),
    ];
    let mut headers = headers_of(&sent);
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    let message = from_binary(&headers, Bytes::from_static(b"data")).unwrap();
    assert_eq!(message.property("ce.subject"), Some("größe"));
    assert_eq!(message.content_type(), Some("text/plain"));
    let (particle, topic) = particle(&message);
    let shown = shown_headers(&particle, &topic);
    for (name, value) in sent {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(shown.len(), sent.len() + 1, "{shown:?}");
    for missing in ["ce-type", "ce-specversion", "ce-source", "ce-id"] {
        let mut headers = headers.clone();
        headers.remove(missing);
        assert!(from_binary(&headers, Bytes::new()).is_err(), "{missing}");
    }
}

#[test]
fn headers_of_efflux_say_what_the_event_does_not() {
    let headers = headers_of(&[
        ("efflux-id", "other"),
        ("efflux-group", "g"),
        ("efflux-property-tenant", "a"),
    ]);
    let sent = event(&json!({"data": 1}));
    let message = from_structured(&headers, sent.to_string().as_bytes()).unwrap();
    assert_eq!(message.id().unwrap().to_string(), "s#1");
    assert_eq!(message.message_group(), Some("g"));
    assert_eq!(message.property("tenant"), Some("a"));
    assert!(structured(&message).get("tenant").is_none());
    for wrong in [
        ("efflux-type", ""),
        ("efflux-typ", "x"),
        ("efflux-time", "noon"),
    ] {
        let headers = headers_of(&[wrong]);
        let read = from_structured(&headers, sent.to_string().as_bytes());
        assert!(read.is_err(), "{wrong:?}");
    }
}

#[test]
fn a_particle_that_was_no_event_gets_the_attributes_it_needs() {
    let message = Message::new("{}")
        .with_property("Not A Name", "x")
        .with_property("customer", "42");
    let shown = structured(&message);
    assert_eq!(shown["source"], "/v1/topics/orders");
    assert_eq!(shown["type"], "efflux.particle");
    assert_eq!(shown["time"], "2026-01-01T00:00:00Z");
    assert_eq!(shown["customer"], "42");
    assert!(shown.get("Not A Name").is_none());
}

#[test]
fn a_batch_tells_which_event_is_wrong() {
    let batch = json!([example(), {"specversion": "0.3"}]);
    let headers = HeaderMap::new();
    let refusal = from_batch(&headers, batch.to_string().as_bytes()).unwrap_err();
    let refusal = format!("{refusal:?}");
    assert!(refusal.contains("event 1: specversion"), "{refusal}");
    let batch = json!([example()]);
    let read = from_batch(&headers, batch.to_string().as_bytes()).unwrap();
    assert_eq!(read.len(), 1);
}

#[test]
fn what_is_no_event_is_refused_where_it_stands() {
    let event = r#"{"specversion":"1.0","id":"1","source":"s","type":"t""#;
    let deep = format!("{event},\"data\":{}}}", "[".repeat(200) + &"]".repeat(200));
    for (text, why) in [
        ("[1,1".to_owned(), "event 0: JSON: invalid type"),
        (format!("[{event}}},{event},\"a\":[]}}]"), "event 1: JSON"),
        (
            format!("[{event},\"a\":\"1\",\"a\":\"2\"}}]"),
            "duplicate field",
        ),
        (
            format!("[{event},\"data\":1,\"data\":2}}]"),
            "duplicate field",
        ),
        (format!("[{deep}]"), "event 0: data is nested"),
        (format!("[{event}}}"), "no JSON"),
    ] {
        let refusal = format!(
            "{:?}",
            from_batch(&HeaderMap::new(), text.as_bytes()).unwrap_err()
        );
        assert!(refusal.contains(why), "{text}: {refusal}");
    }
    let many = vec![format!("{event}}}"); 65_537].join(",");
    let many = format!("[{many}]");
    let refusal = from_batch(&HeaderMap::new(), many.as_bytes()).unwrap_err();
    assert!(format!("{refusal:?}").contains("at most"), "{refusal:?}");
}
