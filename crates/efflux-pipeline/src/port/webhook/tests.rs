//! Tests of webhooks against a small service on the loopback address.

use super::*;
use std::collections::VecDeque;

use efflux_storage::ManualClock;
use efflux_storage::particle::Message;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A service that answers as it was told, then 200, and keeps what it was sent.
#[derive(Clone, Default)]
struct Service {
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    requests: Arc<Mutex<Vec<String>>>,
    at_once: Arc<Mutex<(usize, usize)>>,
}

impl Service {
    async fn start(answers: &[&'static str]) -> (Self, String) {
        let service = Self::default();
        service.answers.lock().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
        let serving = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        (service, url)
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&part[..read]),
                _ => return,
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() < length.unwrap().parse().unwrap() {
                continue;
            }
            self.enter();
            tokio::task::yield_now().await;
            self.requests.lock().push(text.clone());
            let answer = self.answers.lock().pop_front().unwrap_or("200 OK\r\n");
            if answer == "hang" {
                return std::future::pending().await;
            }
            self.at_once.lock().0 -= 1;
            let answer = format!("HTTP/1.1 {answer}content-length: 2\r\n\r\nno");
            stream.write_all(answer.as_bytes()).await.unwrap();
            bytes.clear();
        }
    }

    fn enter(&self) {
        let mut at_once = self.at_once.lock();
        at_once.0 += 1;
        at_once.1 = at_once.1.max(at_once.0);
    }

    fn bodies(&self) -> Vec<String> {
        let requests = self.requests.lock();
        let bodies = requests
            .iter()
            .map(|text| text.split_once("\r\n\r\n").unwrap().1);
        bodies.map(ToOwned::to_owned).collect()
    }
}

fn settings(url: String) -> WebhookPortSettings {
    WebhookPortSettings {
        url,
        headers: BTreeMap::new(),
        authorization: None,
        secret: None,
        timeout: Period(Duration::from_secs(20)),
        concurrency: 4,
        ca_file: None,
    }
}

fn port(settings: &WebhookPortSettings) -> Result<WebhookPort, StageError> {
    let now = "2021-02-25T15:02:10Z".parse().unwrap();
    WebhookPort::new(settings, Arc::new(ManualClock::at(now)))
}

fn message(payload: &str, group: &str) -> Message {
    let message = Message::new(payload.to_owned()).with_id(payload.parse().unwrap());
    match group {
        "" => message,
        group => message.with_message_group(group),
    }
}

async fn deliver(port: &WebhookPort, messages: Vec<Message>) -> Result<(), Failed> {
    let parcels: Vec<_> = messages.into_iter().map(Parcel::of_message).collect();
    let batch = Batch {
        parcels: &parcels,
        position: None,
    };
    port.deliver(batch).await
}

#[tokio::test]
async fn a_message_is_posted_with_its_id_type_and_signature() {
    let (service, url) = Service::start(&[]).await;
    let mut settings = settings(url);
    settings.secret = Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    settings.authorization = Some(Secret::new("Bearer t"));
    let region = "{properties.region|none}".parse().unwrap();
    settings.headers.insert("X-Region".to_owned(), region);
    let message = Message::new("{\"test\": 2432232314}")
        .with_id("msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap())
        .with_content_type("application/json")
        .with_property("region", "eu");
    let port = port(&settings).unwrap();
    deliver(&port, vec![message]).await.unwrap();
    let request = service.requests.lock()[0].clone();
    assert!(
        request.starts_with("POST /hook?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    for line in [
        "x-region: eu",
        "content-type: application/json",
        "authorization: Bearer t",
        "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
        "idempotency-key: msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp: 1614265330",
        "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ] {
        assert!(
            request.contains(&format!("\r\n{line}\r\n")),
            "{line}: {request}"
        );
    }
    assert!(!format!("{port:?}{settings:?}").contains("MfKQ9"));
}

#[tokio::test]
async fn groups_stay_in_order_and_others_go_beside_each_other() {
    let (service, url) = Service::start(&[]).await;
    let port = port(&settings(url)).unwrap();
    let messages = (0..40).map(|number| {
        let group = ["a", "b", ""][number % 3];
        message(&format!("{number:02}{group}"), group)
    });
    deliver(&port, messages.collect()).await.unwrap();
    let bodies = service.bodies();
    assert_eq!(bodies.len(), 40);
    for group in ["a", "b"] {
        let of_group: Vec<_> = bodies.iter().filter(|body| body.ends_with(group)).collect();
        assert!(of_group.is_sorted(), "{of_group:?}");
    }
    assert!(service.at_once.lock().1 <= 4);
}

#[tokio::test]
async fn a_service_that_fails_at_a_message_is_there_and_one_that_is_busy_is_not() {
    for (answer, is_away) in [
        ("500 Oh\r\n", false),
        ("501 No\r\n", false),
        ("502 Bad\r\n", true),
        ("503 Busy\r\n", true),
        ("429 Slow\r\n", true),
    ] {
        let (_service, url) = Service::start(&[answer]).await;
        let port = port(&settings(url)).unwrap();
        let failed = deliver(&port, vec![message("a", "")]).await.unwrap_err();
        assert_eq!(matches!(failed, Failed::Whole(_)), is_away, "{answer}");
    }
}

#[tokio::test]
async fn what_is_refused_is_named_and_what_is_behind_waits_only_for_what_comes_later() {
    let (service, url) =
        Service::start(&["400 Bad Request\r\n", "503 Busy\r\nretry-after: 7\r\n"]).await;
    let mut settings = settings(url);
    settings.concurrency = 1;
    let port = port(&settings).unwrap();
    let messages = ["1", "2", "3"].map(|text| message(text, "g"));
    let mut messages: Vec<_> = messages.into();
    messages.push(message("4", ""));
    let Failed::Parts(parts) = deliver(&port, messages).await.unwrap_err() else {
        panic!("parts fail");
    };
    let told: Vec<_> = parts
        .iter()
        .map(|(at, error)| (*at, error.kind()))
        .collect();
    assert_eq!(
        told,
        [(0, "rejected"), (1, "unavailable"), (2, "unavailable")]
    );
    assert!(
        matches!(&parts[1].1, StageError::Unavailable { after: Some(after), .. }
        if after.as_secs() == 7)
    );
    assert_eq!(service.bodies(), ["1", "2", "4"]);
}

#[tokio::test]
async fn a_service_that_does_not_believe_who_sends_is_sent_nothing_more() {
    let (service, url) = Service::start(&["200 OK\r\n", "401 No\r\n"]).await;
    let mut settings = settings(url);
    settings.concurrency = 1;
    let port = port(&settings).unwrap();
    let messages = (0..20).map(|number| message(&format!("{number:02}"), ""));
    let Failed::Parts(parts) = deliver(&port, messages.collect()).await.unwrap_err() else {
        panic!("one was delivered");
    };
    assert_eq!(parts[0].1.kind(), "fatal");
    assert_eq!(parts.len(), 19);
    assert!(parts[1..].iter().all(|(_, error)| error.is_untried()));
    assert_eq!(service.bodies().len(), 2);
}

#[tokio::test]
async fn a_service_that_is_away_or_hangs_is_unavailable_as_a_whole() {
    let (_, url) = Service::start(&["hang", "hang"]).await;
    let mut hanging = settings(url);
    hanging.timeout = Period(Duration::from_millis(50));
    let away = settings("http://127.0.0.1:1/".to_owned());
    for settings in [hanging, away] {
        let port = port(&settings).unwrap();
        let messages = vec![message("1", ""), message("2", "")];
        match deliver(&port, messages).await.unwrap_err() {
            Failed::Whole(error) => assert_eq!(error.kind(), "unavailable"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn data_never_makes_a_header_of_its_own() {
    let (service, url) = Service::start(&[]).await;
    let mut settings = settings(url);
    settings
        .headers
        .insert("x-a".to_owned(), "{data.a}".parse().unwrap());
    let port = port(&settings).unwrap();
    let hostile = Message::new("{\"a\":\"x\\r\\nx-evil: 1\"}");
    let failed = deliver(&port, vec![hostile]).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::Parts(parts) if parts[0].1.kind() == "rejected"),
        "{failed:?}"
    );
    assert!(service.requests.lock().is_empty());
}

#[test]
fn settings_that_are_none_are_told() {
    let told = |change: fn(&mut WebhookPortSettings)| {
        let mut settings = settings("https://example.com/".to_owned());
        change(&mut settings);
        let error = port(&settings).unwrap_err();
        assert_eq!(error.kind(), "fatal");
        error.reason()
    };
    assert!(told(|settings| settings.url = "ftp://a/".to_owned()).contains("scheme"));
    let password = told(|settings| settings.url = "http://a:hunter2@b/".to_owned());
    assert!(password.contains("authorization") && !password.contains("hunter2"));
    assert!(told(|settings| settings.concurrency = 0).contains("at least 1"));
    let own = told(|settings| {
        settings
            .headers
            .insert("Webhook-Id".to_owned(), "x".parse().unwrap());
    });
    assert!(own.contains("itself"), "{own}");
}
