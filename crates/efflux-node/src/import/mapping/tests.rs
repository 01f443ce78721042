//! What records become under a mapping.

use super::*;

fn place() -> Place {
    Place {
        record: 3,
        line: Some(9),
        ..Place::default()
    }
}

fn json(mapping: &mut Mapping, text: &str) -> Result<Message, Malformed> {
    mapping.message(
        "s",
        Record {
            place: place(),
            body: Body::Json(text.to_owned()),
        },
    )
}

fn rule(name: &str, field: &str) -> PropertyRule {
    PropertyRule {
        name: name.to_owned(),
        field: field.parse().unwrap(),
    }
}

fn whole() -> Mapping {
    Mapping::default()
        .with_id("id".parse().unwrap())
        .with_data_type("fallback")
        .with_data_type_from("type".parse().unwrap())
        .with_time_from("at".parse().unwrap(), TimeFormat::Common)
        .with_group_from("who.id".parse().unwrap())
        .with_property(rule("mag", "p.mag"))
        .with_property(rule("ok", "ok"))
        .with_property(rule("tags", "tags"))
}

#[test]
fn fields_become_metadata() {
    let text = r#"{"id":7,"type":"quake","at":1767323045,"who":{"id":"c-1"},"p":{"mag":2.50},"ok":true,"tags":["a"]}"#;
    let message = json(&mut whole(), text).unwrap();
    assert_eq!(message.id().unwrap().to_string(), "7");
    assert_eq!(message.data_type(), Some("quake"));
    assert_eq!(
        message.timestamp().unwrap().to_string(),
        "2026-01-02T03:04:05Z"
    );
    assert_eq!(message.message_group(), Some("c-1"));
    let properties: Vec<_> = message
        .properties()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(properties, ["mag=2.50", "ok=true", "tags=[\"a\"]"]);
    assert_eq!(message.content_type(), Some("application/json"));
    assert_eq!(message.payload(), text);
}

#[test]
fn missing_and_null_fields_are_left_out() {
    let text = r#"{"id":"x","at":"2026-01-01","type":null,"p":{},"ok":null}"#;
    let mut mapping = whole();
    let message = json(&mut mapping, text).unwrap();
    assert_eq!(message.data_type(), Some("fallback"));
    assert!(message.message_group().is_none() && message.properties().len() == 0);
    let never: Vec<_> = mapping.never_found().map(FieldPath::as_str).collect();
    assert_eq!(never, ["type", "who.id", "p.mag", "ok", "tags"]);
}

#[test]
fn a_record_without_its_id_or_time_is_malformed() {
    for (text, problem) in [
        (r#"{"at":1}"#, "no id, where its id"),
        (r#"{"id":null,"at":1}"#, "no id, where its id"),
        (r#"{"id":"","at":1}"#, "no id, where its id"),
        (r#"{"id":{},"at":1}"#, "id is an object or array"),
        (r#"{"id":"a"}"#, "no at, where its time"),
        (r#"{"id":"a","at":"soon"}"#, "at: \"soon\" is no time"),
        (r#"{"id":"a","at":1"#, "no JSON: EOF"),
        (r#"{"id":"a\n","at":1}"#, "control character"),
    ] {
        let error = json(&mut whole(), text).unwrap_err();
        assert!(error.problem.contains(problem), "{text}: {error}");
        assert_eq!((error.place.line, error.text.as_str()), (Some(9), text));
    }
    let error = json(&mut Mapping::default(), "  {\"a\":x}").unwrap_err();
    assert_eq!(error.place.column, Some(8));
}

#[test]
fn bounds_are_held_before_anything_is_appended() {
    let mut mapping = Mapping::default().with_property(rule("p", "p"));
    let error = json(&mut mapping, &format!("{{\"p\":\"{}\"}}", "x".repeat(4097))).unwrap_err();
    assert!(
        error.problem.contains("property \"p\" has 4097 bytes"),
        "{error}"
    );
    let error = json(&mut mapping, &format!("[\"{}\"]", "x".repeat(16 << 20))).unwrap_err();
    assert!(
        error.problem.contains("payload has 16777220 bytes"),
        "{error}"
    );
    assert!(error.text.len() < 5000);
    let mut mapping = Mapping::default();
    for number in 0..40 {
        mapping = mapping.with_property(rule(&format!("p{number}"), "p"));
    }
    let error = json(&mut mapping, &format!("{{\"p\":\"{}\"}}", "x".repeat(4000))).unwrap_err();
    assert!(error.problem.contains("metadata"), "{error}");
}

#[test]
fn rows_become_objects_of_texts() {
    let columns: std::sync::Arc<[String]> = ["zip", "city", "a.b"].map(str::to_owned).into();
    let values = ["00501", "", "say \"x\""].map(str::to_owned).to_vec();
    let mut mapping = Mapping::default()
        .with_id("zip".parse().unwrap())
        .with_property(rule("city", "city"))
        .with_property(rule("dotted", "a.b"));
    let record = Record {
        place: place(),
        body: Body::Row { columns, values },
    };
    let message = mapping.message("s", record).unwrap();
    assert_eq!(
        message.payload(),
        r#"{"zip":"00501","city":"","a.b":"say \"x\""}"#
    );
    assert_eq!(message.id().unwrap().text(), Some("00501"));
    assert_eq!(message.properties().len(), 1);
    assert_eq!(message.property("dotted"), Some("say \"x\""));
}

#[test]
fn lines_are_payloads_as_they_are() {
    let line = |bytes: &[u8]| {
        let record = Record {
            place: place(),
            body: Body::Line(bytes.to_vec()),
        };
        Mapping::default().message("s", record).unwrap()
    };
    assert_eq!(line(b" hello ").content_type(), Some("text/plain"));
    assert_eq!(line(b" hello ").payload(), " hello ");
    assert_eq!(line(b"\xff").content_type(), None);
}
