//! What a URL answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use efflux_pipeline::{
    ByteSize, Connector, HttpElements, HttpPollConnector, HttpPollSettings, Period, Secret,
    StageError,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::folder::{MAX, poll, refusal, texts};

/// Answers requests one after the other as a test says, and the last answer from then on.
struct Service {
    port: u16,
    /// Each request's lines.
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Service {
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        let answers = answers.iter().map(|answer| (*answer).to_owned());
        let mut answers: VecDeque<String> = answers.collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers.pop_front().unwrap();
                if answers.is_empty() {
                    answers.push_back(answer.clone());
                }
                let lines = answered(stream, &answer).await;
                told.lock().unwrap().push(lines);
            }
        });
        Self { port, asked }
    }

    fn settings(&self) -> HttpPollSettings {
        let url = format!("http://127.0.0.1:{}/feed?key=secret", self.port);
        let mut settings = HttpPollSettings::new(url);
        settings.every = Period(Duration::from_millis(100));
        settings
    }

    fn connector(&self) -> HttpPollConnector {
        HttpPollConnector::new(self.settings()).unwrap()
    }

    fn asked(&self, request: usize) -> String {
        self.asked.lock().unwrap().get(request).unwrap().join("\n")
    }
}

/// Reads a request's lines and answers it; the connection ends with that.
async fn answered(mut stream: TcpStream, answer: &str) -> Vec<String> {
    let mut reader = BufReader::new(&mut stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_ascii_lowercase());
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    lines
}

fn answer(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// Asserts that nothing comes in the time of several requests.
async fn nothing_comes(connector: &HttpPollConnector) {
    let polled = tokio::time::timeout(Duration::from_millis(500), connector.poll(MAX)).await;
    assert!(polled.is_err(), "{polled:?}");
}

#[tokio::test]
async fn an_answer_comes_once_and_the_service_is_asked_whether_it_changed() {
    let dated = "200 OK\r\netag: \"1\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                 content-type: text/csv";
    let unchanged = answer("304 Not Modified", "");
    let second = answer("200 OK\r\netag: \"2\"", "second");
    let service = Service::start(&[&answer(dated, "first"), &unchanged, &second]).await;
    let mut settings = service.settings();
    let authorization = Secret::new("Bearer abc");
    settings
        .headers
        .insert("Authorization".to_owned(), authorization);
    let connector = HttpPollConnector::new(settings).unwrap();

    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["first"]);
    let message = &intake.parcels[0].message;
    assert_eq!(message.content_type(), Some("text/csv"));
    assert_eq!(
        message.timestamp().unwrap().to_string(),
        "1994-11-06T08:49:37Z"
    );
    let url = message.property("http.url").unwrap();
    assert!(url.ends_with("/feed"), "no key is told: {url}");
    connector.ack(intake.receipt).await.unwrap();

    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["second"]);
    assert!(service.asked(0).contains("authorization: bearer abc"));
    assert!(!service.asked(0).contains("if-none-match"));
    for request in [1, 2] {
        let asked = service.asked(request);
        assert!(asked.contains("if-none-match: \"1\""), "{asked}");
        assert!(
            asked.contains("if-modified-since: sun, 06 nov 1994"),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn the_same_answer_has_the_same_id_in_the_next_process_and_is_not_told_twice_in_one() {
    let service = Service::start(&[&answer("200 OK", "same")]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let connector = service.connector();
        let intake = poll(&connector).await.unwrap();
        ids.push(intake.parcels[0].message.id().cloned().unwrap());
        connector.ack(intake.receipt).await.unwrap();
        nothing_comes(&connector).await;
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn what_is_given_back_comes_again_and_nothing_is_asked_before_it_is_delivered() {
    let service = Service::start(&[&answer("200 OK", "one"), &answer("200 OK", "two")]).await;
    let connector = service.connector();
    let first = poll(&connector).await.unwrap();
    nothing_comes(&connector).await;
    let why = StageError::unavailable("away");
    connector.nack(first.receipt, &why).await.unwrap();
    let again = poll(&connector).await.unwrap();
    assert_eq!(texts(&again), ["one"]);
    connector.ack(again.receipt).await.unwrap();
    assert_eq!(texts(&poll(&connector).await.unwrap()), ["two"]);
}

#[tokio::test]
async fn elements_come_once_each_by_what_tells_them_apart() {
    let first = "{\"items\":[{\"id\":1,\"v\":1},{\"id\":2,\"v\":1},{\"v\":0}]}";
    let second = "{\"items\":[{\"id\":1,\"v\":2},{\"id\":2,\"v\":1},{\"id\":3,\"v\":1}]}";
    let service = Service::start(&[&answer("200 OK", first), &answer("200 OK", second)]).await;
    let mut settings = service.settings();
    settings.elements = Some(HttpElements {
        path: "items".to_owned(),
        id: Some("{data.id}-{data.v}".parse().unwrap()),
    });
    let connector = HttpPollConnector::new(settings).unwrap();
    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["{\"id\":1,\"v\":1}", "{\"id\":2,\"v\":1}"]);
    let (refused, why) = &intake.refused[0];
    assert_eq!(refused.payload().as_ref(), b"{\"v\":0}");
    assert!(why.to_string().contains("no data.id"), "{why}");
    connector.ack(intake.receipt).await.unwrap();
    let intake = poll(&connector).await.unwrap();
    assert_eq!(texts(&intake), ["{\"id\":1,\"v\":2}", "{\"id\":3,\"v\":1}"]);
    connector.ack(intake.receipt).await.unwrap();
    nothing_comes(&connector).await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_no_array_is_refused() {
    let service = Service::start(&[&answer("200 OK\r\netag: \"1\"", "{\"a\":1}")]).await;
    let mut large = service.settings();
    large.body_max = ByteSize(3);
    let mut elements = service.settings();
    elements.elements = Some(HttpElements::default());
    for (settings, expect) in [(large, "too large"), (elements, "no array")] {
        let connector = HttpPollConnector::new(settings).unwrap();
        let intake = poll(&connector).await.unwrap();
        assert!(intake.parcels.is_empty());
        let why = intake.refused[0].1.to_string();
        assert!(why.contains(expect), "{why}");
    }
}

#[tokio::test]
async fn an_outage_is_told_as_such_and_the_answer_comes_when_it_is_over() {
    let busy = answer("429 Too Many Requests\r\nretry-after: 7", "");
    let torn = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ntorn";
    let service = Service::start(&[&busy, torn, &answer("200 OK", "well")]).await;
    let connector = service.connector();
    let StageError::Unavailable { after, .. } = refusal(&connector).await else {
        panic!("it is for later");
    };
    assert_eq!(after, Some(Duration::from_secs(7)));
    assert!(refusal(&connector).await.is_retryable());
    assert_eq!(texts(&poll(&connector).await.unwrap()), ["well"]);
}

#[tokio::test]
async fn a_service_that_is_not_there_or_does_not_answer_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut settings = HttpPollSettings::new(&url);
    settings.timeout = Period(Duration::from_millis(300));
    let connector = HttpPollConnector::new(settings.clone()).unwrap();
    let told = refusal(&connector).await;
    assert!(
        told.is_retryable() && told.to_string().contains("did not answer"),
        "{told}"
    );
    drop(listener);
    let connector = HttpPollConnector::new(settings).unwrap();
    assert!(refusal(&connector).await.is_retryable());
}

#[tokio::test]
async fn a_refusal_or_a_redirect_stops_the_pipeline() {
    for head in [
        "401 Unauthorized",
        "404 Not Found",
        "302 Found\r\nlocation: http://a/",
    ] {
        let service = Service::start(&[&answer(head, "")]).await;
        let told = refusal(&service.connector()).await;
        assert!(matches!(told, StageError::Fatal(_)), "{head}: {told}");
    }
}

#[test]
fn settings_that_cannot_work_are_told() {
    type Break<'a> = &'a dyn Fn(&mut HttpPollSettings);
    let wrong: &[(Break<'_>, &str)] = &[
        (&|it| it.url = "ftp://a/".into(), "another scheme"),
        (&|it| it.url = "http://a:b@c/".into(), "a password"),
        (
            &|it| it.every = Period(Duration::ZERO),
            "a request every 0ms",
        ),
        (&|it| it.body_max = ByteSize(1 << 40), "an answer of"),
        (
            &|it| drop(it.headers.insert("host".into(), Secret::new("a"))),
            "to send",
        ),
        (
            &|it| drop(it.headers.insert("a".into(), Secret::new("b\nc"))),
            "cannot be sent",
        ),
    ];
    for (break_it, expect) in wrong {
        let mut settings = HttpPollSettings::new("http://127.0.0.1/");
        break_it(&mut settings);
        let told = HttpPollConnector::new(settings).unwrap_err().to_string();
        assert!(told.contains(expect), "{told}");
    }
}
