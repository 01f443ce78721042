//! Tests of the step `fetch`, against a server that says what it is told to say.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use efflux_storage::particle::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::emit::EmitMax;

/// Answers each connection with these bytes; tells what it was asked.
struct Server {
    address: SocketAddr,
    asked: tokio::sync::mpsc::Receiver<String>,
}

impl Server {
    async fn answering(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let _ = tell
                    .send(String::from_utf8_lossy(&request[..read]).into_owned())
                    .await;
                let _ = stream.write_all(answer).await;
                if answer.is_empty() {
                    // Says nothing, and stays.
                    let _ = stream.read(&mut request).await;
                }
            }
        });
        Self { address, asked }
    }
}

fn settings(url: &str, allow: &[&str]) -> FetchSettings {
    FetchSettings {
        url: url.parse().unwrap(),
        allow: allow.iter().map(ToString::to_string).collect(),
        allow_private: true,
        headers: BTreeMap::new(),
        authorities: None,
        bytes_max: ByteSize(1000),
        time_max: Period(Duration::from_secs(20)),
    }
}

async fn fetch(fetch: &Fetch, message: Message) -> Result<Vec<Message>, StageError> {
    let parcel = Parcel::of_message(message);
    let step = "fetch".parse().unwrap();
    let mut out = Emit::new(&parcel, &step, EmitMax::default());
    fetch.apply(parcel, &mut out).await?;
    Ok(out
        .into_parcels()
        .into_iter()
        .map(|made| made.message)
        .collect())
}

async fn answer(bytes: &'static [u8]) -> Result<Vec<Message>, StageError> {
    let server = Server::answering(bytes).await;
    let url = format!("http://{}/a", server.address);
    fetch(
        &Fetch::new(settings(&url, &["127.0.0.1"])).unwrap(),
        Message::new("x"),
    )
    .await
}

#[tokio::test]
async fn the_answer_becomes_the_payload_with_its_media_type() {
    let mut server = Server::answering(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: 5\r\n\r\nhello",
    )
    .await;
    let url = format!("http://{}/orders/{{data.id}}?q=1", server.address);
    let allowed = format!("http://{}/orders/", server.address);
    let mut settings = settings(&url, &[&allowed]);
    settings
        .headers
        .insert("authorization".to_owned(), Secret::new("Bearer x"));
    let message = Message::new("{\"id\":7}").with_property("region", "eu");
    let made = fetch(&Fetch::new(settings).unwrap(), message)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(made.payload(), "hello");
    assert_eq!(made.content_type(), Some("text/csv"));
    assert_eq!(made.property("region"), Some("eu"));
    let asked = server.asked.recv().await.unwrap();
    assert!(
        asked.starts_with("GET /orders/7?q=1 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("authorization: Bearer x"), "{asked}");
}

#[tokio::test]
async fn the_status_says_whether_it_may_work_later() {
    let made = answer(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert!(made[0].payload().is_empty());
    let kind = async |bytes| answer(bytes).await.unwrap_err();
    assert_eq!(
        kind(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            .await
            .kind(),
        "rejected"
    );
    let moved = kind(
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    assert!(
        moved.to_string().contains("redirects are not followed"),
        "{moved}"
    );
    assert_eq!(
        kind(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
            .await
            .kind(),
        "unavailable"
    );
    let busy = kind(b"HTTP/1.1 429 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await;
    assert!(
        matches!(busy, StageError::Unavailable { after: Some(after), .. } if after.as_secs() == 7)
    );
    let long =
        kind(b"HTTP/1.1 503 Busy\r\nretry-after: 99999999\r\ncontent-length: 0\r\n\r\n").await;
    assert!(
        matches!(long, StageError::Unavailable { after: Some(after), .. } if after.as_secs() == 3600)
    );
}

#[tokio::test]
async fn answers_that_are_too_large_torn_or_none_are_refused() {
    let large = [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n"[..],
        &[b'x'; 2000],
    ]
    .concat();
    let error = answer(large.leak()).await.unwrap_err();
    assert!(
        error.to_string().contains("more than 1000 bytes"),
        "{error}"
    );
    let torn = answer(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhello")
        .await
        .unwrap_err();
    assert_eq!(torn.kind(), "unavailable");
    assert_eq!(
        answer(b"no http at all\r\n\r\n").await.unwrap_err().kind(),
        "unavailable"
    );
    let packed =
        answer(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx").await;
    assert!(packed.unwrap_err().to_string().contains("compressed"));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Server::answering(b"").await;
    let url = format!("http://{}/a", server.address);
    let mut settings = settings(&url, &["127.0.0.1"]);
    settings.time_max = Period(Duration::from_millis(50));
    let error = fetch(&Fetch::new(settings).unwrap(), Message::new("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert!(
        error.to_string().contains("did not answer within"),
        "{error}"
    );
}

/// Says that every name is here, and counts how often it is asked.
#[derive(Debug)]
struct Here {
    addresses: Vec<SocketAddr>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolve for Here {
    async fn addresses(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.addresses.clone())
    }
}

#[tokio::test]
async fn a_public_name_with_a_private_address_is_refused() {
    let mut server = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for other in [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
    ] {
        let here = Here {
            addresses: vec![
                "93.184.216.34:80".parse().unwrap(),
                SocketAddr::new(other.parse().unwrap(), server.address.port()),
            ],
            asked: AtomicUsize::new(0),
        };
        let mut settings = settings("http://public.example/a", &["public.example"]);
        settings.allow_private = false;
        let step = Fetch::resolved_by(settings, Arc::new(here)).unwrap();
        let error = fetch(&step, Message::new("x")).await.unwrap_err();
        assert_eq!(error.kind(), "rejected");
        assert!(
            error.to_string().contains("not a public address"),
            "{error}"
        );
    }
    assert!(server.asked.try_recv().is_err());
}

#[tokio::test]
async fn the_name_is_looked_up_once_and_the_address_is_kept() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let here = Arc::new(Here {
        addresses: vec![server.address],
        asked: AtomicUsize::new(0),
    });
    let step = Fetch::resolved_by(
        settings("http://inner.example/a", &["inner.example"]),
        here.clone(),
    )
    .unwrap();
    assert_eq!(
        fetch(&step, Message::new("x")).await.unwrap()[0].payload(),
        "ok"
    );
    assert_eq!(here.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_not_allowed_is_never_looked_up() {
    let allow = [
        "api.example.com",
        "*.inner.example.com",
        "https://files.example.com/v1",
        "http://[2606:4700::1]/",
    ];
    let here = Arc::new(Here {
        addresses: vec!["127.0.0.1:1".parse().unwrap()],
        asked: AtomicUsize::new(0),
    });
    let step = Fetch::resolved_by(settings("{payload}", &allow), here.clone()).unwrap();
    for refused in [
        "http://evil.example.com/",
        "http://api.example.com.evil.com/",
        "http://user@api.example.com/",
        "http://evil.com#api.example.com",
        "http://evil.com/?api.example.com",
        "http://inner.example.com/",
        "https://files.example.com/v10",
        "https://files.example.com/v1/../x",
        "https://files.example.com/v1/%2e%2e/x",
        "http://files.example.com/v1/x",
        "https://files.example.com:444/v1/x",
        "ftp://api.example.com/",
        "file:///etc/passwd",
        "/relative",
        "http://api.example.com/a\r\nx: y",
        "",
        "http://",
    ] {
        let error = fetch(&step, Message::new(refused)).await.unwrap_err();
        assert_eq!(error.kind(), "rejected", "{refused}");
    }
    assert_eq!(here.asked.load(Ordering::SeqCst), 0);
    for asked in [
        "http://API.example.com:81/x",
        "http://a.inner.example.com/",
        "https://files.example.com/v1/x",
        "https://files.example.com/v1",
    ] {
        let error = fetch(&step, Message::new(asked)).await.unwrap_err();
        assert_eq!(error.kind(), "unavailable", "{asked}: {error}");
    }
    assert_eq!(here.asked.load(Ordering::SeqCst), 4);
}

#[test]
fn settings_without_sense_are_fatal() {
    let kind = |settings| Fetch::new(settings).unwrap_err().kind();
    assert_eq!(kind(settings("http://a/", &[])), "fatal");
    for entry in ["", "*", "a/b", "http://u@a/", "*.", "a b", "http://a/?q"] {
        assert_eq!(kind(settings("http://a/", &[entry])), "fatal", "{entry}");
    }
    let mut strange = settings("http://a/", &["a"]);
    strange.headers.insert("x y".to_owned(), Secret::new("1"));
    assert_eq!(kind(strange), "fatal");
    let mut torn = settings("http://a/", &["a"]);
    torn.headers
        .insert("x".to_owned(), Secret::new("1\r\ny: 2"));
    assert_eq!(kind(torn), "fatal");
}

#[tokio::test]
async fn an_error_is_judged_by_its_status_whatever_comes_with_it() {
    let large = "HTTP/1.1 503 Busy\r\ncontent-length: 4000\r\n\r\nxxxx";
    let packed = "HTTP/1.1 502 Bad\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nxxxx";
    for said in [large, packed] {
        let error = answer(said.as_bytes()).await.unwrap_err();
        assert_eq!(error.kind(), "unavailable", "{error}");
    }
}

#[tokio::test]
async fn headers_go_in_the_clear_only_where_that_is_said() {
    let mut server = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na").await;
    let url = format!("http://{}/{{payload}}", server.address);
    let with_secret = |allow: &str| {
        let mut settings = settings(&url, &[allow]);
        let secret = Secret::new("hunter2");
        settings.headers.insert("x-key".to_owned(), secret);
        Fetch::new(settings).unwrap()
    };
    let refused = fetch(&with_secret("127.0.0.1"), Message::new("x")).await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("in the clear"), "{refused}");
    assert!(server.asked.try_recv().is_err());
    let named = with_secret(&format!("http://{}/", server.address));
    fetch(&named, Message::new("x")).await.unwrap();
    assert!(server.asked.recv().await.unwrap().contains("hunter2"));

    // Of an address that all messages have, it is known before.
    let mut constant = settings("http://127.0.0.1/a", &["127.0.0.1"]);
    let secret = Secret::new("hunter2");
    constant.headers.insert("x-key".to_owned(), secret);
    assert_eq!(
        Fetch::new(constant).err().map(|error| error.kind()),
        Some("fatal")
    );
}
