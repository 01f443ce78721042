//! Events in, events out.

use super::*;
use efflux_flow::particle::{Draft, Head, Id, Stamp, Timestamp};

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

fn structured(message: &Message) -> serde_json::Value {
    let (particle, topic) = particle(message);
    let mut out = Vec::new();
    write(&mut out, &particle, &topic);
    serde_json::from_slice(&out).unwrap()
}

/// The example of the specification's section on structured mode, and some extensions.
const EVENT_TEXT: &str = r#"{
    "specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext/4",
    "subject": null, "id": "B234-1234-1234", "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value", "comexampleothervalue": 5, "partitionkey": "customer-7",
    "datacontenttype": "application/vnd.apache.thrift.binary", "data_base64": "/w=="
}"#;

#[test]
fn an_event_in_json_becomes_a_message_and_comes_back() {
    let message = from_structured(EVENT_TEXT.as_bytes()).unwrap();
    assert_eq!(message.id().unwrap().to_string(), "B234-1234-1234");
    assert_eq!(message.data_type(), Some("com.example.someevent"));
    assert_eq!(message.message_group(), Some("customer-7"));
    assert_eq!(message.property("ce.source"), Some("/mycontext/4"));
    assert_eq!(message.property("ce.comexampleothervalue"), Some("5"));
    assert_eq!(message.payload().as_ref(), [255]);

    let shown = structured(&message);
    for (name, value) in [
        ("id", "B234-1234-1234"),
        ("source", "/mycontext/4"),
        ("time", "2018-04-05T17:31:00Z"),
        ("partitionkey", "customer-7"),
        ("comexampleextension1", "value"),
        ("data_base64", "/w=="),
        ("sequence", "1"),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
}

#[test]
fn data_is_json_or_a_text_as_its_content_type_says() {
    let event = |rest: &str| {
        let text = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"{rest}}}"
        );
        from_structured(text.as_bytes())
    };
    for (rest, payload) in [
        (r#","data":{"b": 1}"#, r#"{"b": 1}"#),
        (r#","data":"text""#, r#""text""#),
        (r#","datacontenttype":"text/plain","data":"text""#, "text"),
        (r#","datacontenttype":"a/b+json","data":[1]"#, "[1]"),
        ("", ""),
    ] {
        let message = event(rest).unwrap();
        assert_eq!(message.payload(), payload, "{rest}");
        let shown = structured(&message);
        let again = from_structured(shown.to_string().as_bytes()).unwrap();
        let compact = |text: &Bytes| String::from_utf8_lossy(text).replace(' ', "");
        assert_eq!(
            compact(again.payload()),
            compact(message.payload()),
            "{rest}"
        );
    }
    for wrong in [
        r#","data":1,"data_base64":"AA==""#,
        r#","data_base64":"?""#,
        r#","Upper":"x""#,
        r#","nested":{}"#,
        r#","time":"noon""#,
    ] {
        assert!(event(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_event_in_headers_becomes_a_message_and_comes_back() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-type", "t"),
        ("ce-source", "/a%20b"),
        ("ce-subject", "gr%C3%B6%C3%9Fe"),
        ("content-type", "text/plain"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let message = from_binary(&headers, Bytes::from_static(b"data")).unwrap();
    assert_eq!(message.property("ce.subject"), Some("größe"));
    assert_eq!(message.content_type(), Some("text/plain"));
    let (particle, topic) = particle(&message);
    let shown = super::headers(&particle, &topic);
    assert_eq!(shown["ce-subject"], "gr%C3%B6%C3%9Fe");
    assert_eq!(shown["ce-source"], "%2Fa%20b");
    headers.remove("ce-type");
    assert!(from_binary(&headers, Bytes::new()).is_err());
}

#[test]
fn a_particle_that_was_no_event_gets_the_attributes_it_needs() {
    let shown = structured(&Message::new("{}").with_property("Not A Name", "x"));
    assert_eq!(shown["source"], "/v1/topics/orders");
    assert_eq!(shown["type"], "efflux.particle");
    assert!(shown.get("Not A Name").is_none());
}

#[test]
fn a_batch_tells_which_event_is_wrong() {
    let batch = format!("[{EVENT_TEXT},{{\"specversion\":\"0.3\"}}]");
    let refusal = format!("{:?}", from_batch(batch.as_bytes()).unwrap_err());
    assert!(refusal.contains("event 1: specversion"), "{refusal}");
    assert_eq!(
        from_batch(format!("[{EVENT_TEXT}]").as_bytes())
            .unwrap()
            .len(),
        1
    );
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
        let refusal = format!("{:?}", from_batch(text.as_bytes()).unwrap_err());
        assert!(refusal.contains(why), "{text}: {refusal}");
    }
    let many = vec![format!("{event}}}"); 65_537].join(",");
    let refusal = from_batch(format!("[{many}]").as_bytes()).unwrap_err();
    assert!(format!("{refusal:?}").contains("at most"), "{refusal:?}");
}
