//! The port that sends mail, against a real server.

#![cfg(test)]

use std::time::Duration;

use efflux_pipeline::particle::Message;
use efflux_pipeline::{
    Batch, EmailAttachment, EmailPort, EmailPortSettings, EmailTls, Failed, Parcel, Period, Port,
    Reader, Secret,
};
use efflux_servers::Smtp;
use tempfile::TempDir;

struct Office {
    server: Smtp,
    folder: TempDir,
}

impl Office {
    fn open() -> Self {
        let office = Self {
            server: Smtp::start().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        let ca_file = office.folder.path().join("ca.pem");
        std::fs::write(ca_file, efflux_servers::tls_authority()).unwrap();
        office
    }

    fn settings(&self) -> EmailPortSettings {
        EmailPortSettings {
            host: "localhost".to_owned(),
            port: Some(self.server.port()),
            tls: EmailTls::Starttls,
            user: Some(self.server.user().to_owned()),
            password: Some(Secret::new(self.server.password())),
            ca_file: Some(self.folder.path().join("ca.pem")),
            from: "Orders <orders@example.com>".to_owned(),
            to: "{properties.to}".parse().unwrap(),
            subject: "Order {id}".parse().unwrap(),
            text: Some("Total {data.total}".parse().unwrap()),
            html: None,
            attachment: Some(EmailAttachment {
                name: "{id}.json".parse().unwrap(),
                content_type: None,
            }),
            timeout: Period(Duration::from_secs(20)),
        }
    }

    /// The first recipient of each mail that was taken.
    fn recipients(&self) -> Vec<String> {
        let mails = self.server.mails().unwrap().into_iter();
        mails.map(|mail| mail.to[0].clone()).collect()
    }
}

fn reader() -> Reader {
    Reader {
        pipeline: "mails".parse().unwrap(),
        source: "root".to_owned(),
    }
}

async fn deliver(port: &EmailPort, recipients: &[&str]) -> Result<(), Failed> {
    let parcels: Vec<_> = recipients
        .iter()
        .map(|to| {
            let message = Message::new("{\"total\":7}").with_property("to", to);
            let message = message.with_content_type("application/json");
            Parcel::of_message(message.with_id("o-1".parse().unwrap()))
        })
        .collect();
    port.deliver(Batch {
        parcels: &parcels,
        position: None,
    })
    .await
}

fn parts(failed: Failed) -> Vec<(usize, &'static str)> {
    match failed {
        Failed::Parts(parts) => parts
            .iter()
            .map(|(at, error)| (*at, error.kind()))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn whole(failed: Failed) -> &'static str {
    match failed {
        Failed::Whole(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_arrive_through_tls_of_both_kinds() {
    let office = Office::open();
    let starttls = office.settings();
    let mut implicit = office.settings();
    implicit.tls = EmailTls::Implicit;
    implicit.port = Some(office.server.tls_port());
    for settings in [starttls, implicit] {
        let port = EmailPort::new(settings).unwrap();
        port.open(&reader()).await.unwrap();
        deliver(&port, &["a@example.com", "b@example.com"])
            .await
            .unwrap();
        port.close().await.unwrap();
    }
    let mails = office.server.mails().unwrap();
    assert_eq!(mails.len(), 4);
    for mail in &mails {
        assert!(
            mail.is_encrypted && mail.from == "orders@example.com",
            "{mail:?}"
        );
        for part in [
            "Subject: Order o-1\n",
            "Total 7\n",
            "o-1.json",
            "application/json",
        ] {
            assert!(mail.text.contains(part), "{part}: {}", mail.text);
        }
    }
    assert_eq!(office.recipients()[..2], ["a@example.com", "b@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_recipients_are_named_and_the_others_get_their_mail() {
    let office = Office::open();
    let port = EmailPort::new(office.settings()).unwrap();
    let to = [
        "550.a@example.com",
        "b@example.com",
        "no address",
        "data.554.c@example.com",
    ];
    let failed = deliver(&port, &to).await.unwrap_err();
    assert_eq!(
        parts(failed),
        [(0, "rejected"), (2, "rejected"), (3, "rejected")]
    );
    assert_eq!(office.recipients(), ["b@example.com"]);

    let to = ["c@example.com", "once.450.d@example.com", "e@example.com"];
    let failed = deliver(&port, &to).await.unwrap_err();
    assert_eq!(parts(failed), [(1, "unavailable")]);
    deliver(&port, &to[1..2]).await.unwrap();
    assert_eq!(office.recipients().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_full_holds_up_no_other_and_counts_as_a_failure_of_its_mail() {
    let office = Office::open();
    let port = EmailPort::new(office.settings()).unwrap();
    let to = ["452.a@example.com", "b@example.com", "452.c@example.com"];
    let failed = deliver(&port, &to).await.unwrap_err();
    assert_eq!(parts(failed), [(0, "unavailable"), (2, "unavailable")]);
    assert_eq!(office.recipients(), ["b@example.com"]);
    let failed = deliver(&port, &to[..1]).await.unwrap_err();
    assert_eq!(parts(failed), [(0, "unavailable")]);
    // A server that takes no mail at all for the time being is away.
    let to = ["data.451.a@example.com", "data.451.b@example.com"];
    let failed = deliver(&port, &to).await.unwrap_err();
    assert_eq!(whole(failed), "unavailable");
    // One mail that ends the connection does not keep the others back.
    let to = ["421.a@example.com", "d@example.com"];
    let failed = deliver(&port, &to).await.unwrap_err();
    assert_eq!(parts(failed), [(0, "unavailable")]);
    assert_eq!(office.recipients(), ["b@example.com", "d@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_a_mail_in_its_group_waits_for_it_and_was_not_tried() {
    let office = Office::open();
    let port = EmailPort::new(office.settings()).unwrap();
    let mail = |to: &str, group: &str| {
        let message = Message::new("{\"total\":7}").with_property("to", to);
        let message = message.with_id("o-1".parse().unwrap());
        Parcel::of_message(message.with_message_group(group))
    };
    let parcels = [
        mail("450.a@example.com", "g"),
        mail("b@example.com", "g"),
        mail("550.c@example.com", "h"),
        mail("d@example.com", "h"),
    ];
    let batch = Batch {
        parcels: &parcels,
        position: None,
    };
    let Failed::Parts(parts) = port.deliver(batch).await.unwrap_err() else {
        panic!("one was sent");
    };
    let told: Vec<_> = parts
        .iter()
        .map(|(at, error)| (*at, error.kind(), error.is_untried()))
        .collect();
    let expect = [
        (0, "unavailable", false),
        (1, "unavailable", true),
        (2, "rejected", false),
    ];
    assert_eq!(told, expect);
    assert_eq!(office.recipients(), ["d@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_mail_can_do_about_is_fatal() {
    let office = Office::open();
    let mut password = office.settings();
    password.password = Some(Secret::new("hunter2"));
    let mut authority = office.settings();
    authority.ca_file = None;
    for settings in [password, authority] {
        let port = EmailPort::new(settings).unwrap();
        let error = port.open(&reader()).await.unwrap_err();
        assert_eq!(error.kind(), "fatal", "{error}");
        assert!(!error.reason().contains("hunter2"), "{error}");
    }
    let mut clear = office.settings();
    clear.tls = EmailTls::None;
    clear.host = "mail.example.com".to_owned();
    assert_eq!(EmailPort::new(clear).unwrap_err().kind(), "fatal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_went_away_is_unavailable_until_it_is_back() {
    let office = Office::open();
    let mut settings = office.settings();
    settings.timeout = Period(Duration::from_secs(2));
    let port = EmailPort::new(settings).unwrap();
    deliver(&port, &["a@example.com"]).await.unwrap();
    let failed = deliver(&port, &["hang.b@example.com"]).await.unwrap_err();
    assert_eq!(whole(failed), "unavailable");
    // The answer that was not waited for is not taken for that of the next mail.
    let failed = deliver(&port, &["450.a@example.com"]).await.unwrap_err();
    assert_eq!(parts(failed), [(0, "unavailable")]);
    office.server.pause().unwrap();
    let failed = deliver(&port, &["c@example.com"]).await.unwrap_err();
    assert_eq!(whole(failed), "unavailable");
    office.server.resume().unwrap();
    office.server.kill().unwrap();
    let failed = deliver(&port, &["c@example.com"]).await.unwrap_err();
    assert_eq!(whole(failed), "unavailable");
    office.server.restart().unwrap();
    while let Err(failed) = deliver(&port, &["c@example.com"]).await {
        assert_eq!(whole(failed), "unavailable");
    }
    assert!(office.recipients().contains(&"c@example.com".to_owned()));
}
