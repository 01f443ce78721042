//! Tests of the mails that messages become.

use super::*;
use crate::limits::RECIPIENTS_MAX;
use crate::port::email::EmailTls;
use crate::quantity::Period;
use efflux_storage::particle::Message;

fn settings() -> EmailPortSettings {
    EmailPortSettings {
        host: "localhost".to_owned(),
        port: None,
        tls: EmailTls::None,
        user: None,
        password: None,
        ca_file: None,
        from: "Orders <orders@example.com>".to_owned(),
        to: "{properties.to}".parse().unwrap(),
        subject: "Order {id}: {data.note|-}".parse().unwrap(),
        text: Some("Total {data.total}".parse().unwrap()),
        html: None,
        attachment: None,
        timeout: Period(std::time::Duration::from_secs(1)),
    }
}

fn order(to: &str, payload: &str) -> Parcel {
    let message = Message::new(payload.to_owned()).with_id("o-1".parse().unwrap());
    Parcel::of_message(message.with_property("to", to))
}

fn written(settings: EmailPortSettings, parcel: &Parcel) -> Result<String, StageError> {
    let mail = Writer::new(settings)?.write(parcel)?;
    Ok(String::from_utf8(mail.formatted()).unwrap())
}

#[test]
fn templates_fill_the_mail_and_its_id_follows_from_the_message() {
    let parcel = order("a@example.com", "{\"total\":7,\"note\":\"größer\"}");
    let mut settings = settings();
    settings.to = "{properties.to}, {properties.cc|}, B <b@example.com>"
        .parse()
        .unwrap();
    let mail = written(settings.clone(), &parcel).unwrap();
    for part in [
        "From: Orders <orders@example.com>\r\n",
        "To: a@example.com, B <b@example.com>\r\n",
        "Subject: Order o-1: =?utf-8?b?",
        "Total 7\r\n",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let id = |mail: &str| {
        let line = mail.lines().find(|line| line.starts_with("Message-ID: <"));
        line.unwrap().to_owned()
    };
    let again = written(settings, &parcel).unwrap();
    assert_eq!(id(&mail), id(&again));
    assert!(id(&mail).ends_with("@example.com>"), "{mail}");
}

#[test]
fn data_never_makes_a_header_of_its_own() {
    let evil = "{\"total\":1,\"note\":\"x\\r\\nBcc: evil@example.com\"}";
    for (to, payload) in [
        ("a@example.com", evil),
        ("a@example.com\r\nBcc: evil@example.com", "{\"total\":1}"),
        ("a@example.com>\u{2028}, <evil", "{\"total\":1}"),
        ("no address", "{\"total\":1}"),
        ("", "{\"total\":1}"),
    ] {
        let error = written(settings(), &order(to, payload)).unwrap_err();
        assert_eq!(error.kind(), "rejected", "{to:?} {payload}");
    }
}

#[test]
fn the_payload_goes_as_an_attachment_with_its_name_and_type() {
    let mut settings = settings();
    settings.html = Some("<p>{id}</p>".parse().unwrap());
    settings.attachment = Some(EmailAttachment {
        name: "{id}.csv".parse().unwrap(),
        content_type: Some("text/csv".to_owned()),
    });
    let mail = written(settings.clone(), &order("a@example.com", "{\"total\":1}")).unwrap();
    for part in [
        "multipart/mixed",
        "multipart/alternative",
        "text/html",
        "text/csv",
        "o-1.csv",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    settings.attachment.as_mut().unwrap().name = "{data.total}".parse().unwrap();
    for name in ["a/b", "a\\\"b", "a\\r\\nb"] {
        let payload = format!("{{\"total\":\"{name}\"}}");
        let error = written(settings.clone(), &order("a@example.com", &payload)).unwrap_err();
        assert_eq!(error.kind(), "rejected", "{name:?}");
    }
}

#[test]
fn settings_that_make_no_mail_are_told() {
    let mut no_sender = settings();
    no_sender.from = "nobody".to_owned();
    let mut no_body = settings();
    no_body.text = None;
    for settings in [no_sender, no_body] {
        assert_eq!(settings.faults().len(), 1);
        let made = crate::port::EmailPort::new(settings);
        assert_eq!(made.err().map(|error| error.kind()), Some("fatal"));
    }
}

#[test]
fn more_recipients_than_a_server_takes_are_refused() {
    let mut settings = settings();
    settings.to = vec!["{id}@example.com"; RECIPIENTS_MAX + 1]
        .join(",")
        .parse()
        .unwrap();
    let faults = settings.faults();
    assert!(faults[0].what().contains("101 recipients"), "{faults:?}");
}

#[test]
fn data_never_makes_another_recipient() {
    let mut settings = settings();
    settings.to = "\"Doe, {data.name}\" <{properties.to}>, b@example.com"
        .parse()
        .unwrap();
    let with_name = |name: &str, to: &str| {
        let payload = serde_json::json!({ "total": 1, "name": name, "note": "x" });
        let mail = Writer::new(settings.clone())?.write(&order(to, &payload.to_string()))?;
        let recipients = mail.envelope().to().iter().map(ToString::to_string);
        Ok::<Vec<_>, StageError>(recipients.collect())
    };
    let both = ["a@example.com", "b@example.com"];
    assert_eq!(with_name("Jane", "a@example.com").unwrap(), both);
    assert_eq!(with_name("Jane, Jr.", "a@example.com").unwrap(), both);
    for (name, to) in [
        ("Jane", "a@example.com, evil@example.com"),
        ("Jane", "a@example.com>, <evil@example.com"),
        ("Jane", "a@example.com>, evil@example.com, X <c@example.com"),
        ("J\" <evil@example.com>, \"", "a@example.com"),
        ("J\" <evil@example.com>, X", "a@example.com"),
    ] {
        let error = with_name(name, to).unwrap_err();
        assert_eq!(error.kind(), "rejected", "{name} {to}");
    }
}
