//! Who is believed, who is not, and what those hear who are not.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use efflux_pipeline::particle::Message;
use efflux_pipeline::storage::SystemClock;
use efflux_pipeline::{
    AsyncTransform, Batch, ByteSize, Connector, Emit, EmitMax, Failed, Fetch, FetchSettings,
    HttpPollConnector, HttpPollSettings, IntakeMax, Parcel, Period, Port, Secret, StageError,
    StepName, WebhookPort, WebhookPortSettings,
};

use crate::service::{Service, Shows, pem};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell";
const SECRET: &str = "Bearer hush-hush";
const PATH: &str = "/hidden-place";
const PAYLOAD: &str = "what-nobody-may-hear";
/// An address of this machine that no certificate names.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PATIENCE: Period = Period(Duration::from_secs(20));

/// Speaks to a service once, as a stage does; what it says of that.
type Speaks = fn(&str, &str) -> Result<String, StageError>;

fn wait<T>(future: impl Future<Output = T>) -> T {
    let here = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| here.block_on(future))
}

fn polls(url: &str, authority: &str) -> Result<String, StageError> {
    let mut settings = HttpPollSettings::new(url);
    settings.ca_file = Some(pem(authority));
    settings.timeout = PATIENCE;
    let headers = [("authorization".to_owned(), Secret::new(SECRET))];
    settings.headers = headers.into();
    let connector = HttpPollConnector::new(settings)?;
    let max = IntakeMax {
        messages: 1,
        bytes: 1000,
    };
    let intake = wait(connector.poll(max))?.unwrap();
    Ok(String::from_utf8_lossy(intake.parcels[0].message.payload()).into_owned())
}

fn fetches(url: &str, authority: &str) -> Result<String, StageError> {
    let fetch = Fetch::new(FetchSettings {
        url: url.parse().unwrap(),
        allow: vec![
            "localhost".to_owned(),
            "127.0.0.1".into(),
            "127.0.0.2".into(),
        ],
        allow_private: true,
        headers: [("authorization".to_owned(), Secret::new(SECRET))].into(),
        authorities: Some(std::fs::read_to_string(pem(authority)).unwrap()),
        bytes_max: ByteSize(1000),
        time_max: PATIENCE,
    })?;
    let step: StepName = "fetch".parse().unwrap();
    let parcel = Parcel::of_message(Message::new(PAYLOAD));
    let mut out = Emit::new(&parcel, &step, EmitMax::default());
    wait(fetch.apply(parcel.clone(), &mut out))?;
    out.into_parcels()[0].text()
}

fn calls(url: &str, authority: &str) -> Result<String, StageError> {
    let settings = WebhookPortSettings {
        url: url.to_owned(),
        headers: BTreeMap::new(),
        authorization: Some(Secret::new(SECRET)),
        secret: None,
        timeout: PATIENCE,
        concurrency: 1,
        ca_file: Some(pem(authority)),
    };
    let port = WebhookPort::new(&settings, Arc::new(SystemClock))?;
    let parcels = [Parcel::of_message(Message::new(PAYLOAD))];
    let batch = Batch {
        parcels: &parcels,
        position: None,
    };
    match wait(port.deliver(batch)) {
        Ok(()) => Ok("well".to_owned()),
        Err(Failed::Whole(error)) => Err(error),
        Err(Failed::Parts(mut parts) | Failed::Refused(mut parts)) => Err(parts.remove(0).1),
    }
}

const STAGES: [(&str, Speaks); 3] = [("http_poll", polls), ("fetch", fetches), ("webhook", calls)];

fn url(host: &str, address: SocketAddr) -> String {
    format!("https://{host}:{}{PATH}", address.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_authority_is_believed_and_nobody_else_understands() {
    for (name, speaks) in STAGES {
        for host in ["localhost", "127.0.0.1"] {
            let shows = Shows::Certificate("believed.pem");
            let (service, address) = Service::start(Ipv4Addr::LOCALHOST, shows, ANSWER).await;
            let said = speaks(&url(host, address), "authority.pem");
            assert_eq!(said.unwrap(), "well", "{name}");
            let asked = service.asked();
            assert_eq!(asked.len(), 1, "{name}");
            assert!(
                asked[0].contains(SECRET) && asked[0].contains(PATH),
                "{name}"
            );
            assert_heard_nothing(&service, name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_believed_is_told_nothing_and_the_error_says_why() {
    let here = Ipv4Addr::LOCALHOST;
    let cases = [
        (here, Shows::Certificate("strangers.pem"), "UnknownIssuer"),
        (
            here,
            Shows::Certificate("expired.pem"),
            "certificate expired",
        ),
        (
            ELSEWHERE,
            Shows::Certificate("believed.pem"),
            "not valid for name",
        ),
        (here, Shows::Nothing, "InvalidContentType"),
    ];
    for (name, speaks) in STAGES {
        for (ip, shows, why) in &cases {
            let (service, address) = Service::start(*ip, shows.clone(), ANSWER).await;
            let refused = speaks(&url(&ip.to_string(), address), "authority.pem").unwrap_err();
            let told = refused.to_string();
            assert_eq!(refused.kind(), "unavailable", "{name}: {told}");
            assert!(told.contains(why), "{name}: {told}");
            for secret in [SECRET, PAYLOAD] {
                assert!(!told.contains(secret), "{name}: {told}");
            }
            assert!(service.connections() > 0, "{name}");
            assert_heard_nothing(&service, name);
            let understood = service.asked();
            let is_hello = |text: &String| text.starts_with('\u{16}');
            assert!(understood.iter().all(is_hello), "{name}: {understood:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_into_the_clear_is_not_followed() {
    let (open, in_the_clear) = Service::start(Ipv4Addr::LOCALHOST, Shows::Nothing, ANSWER).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{in_the_clear}/\r\ncontent-length: 0\r\n\r\n"
    );
    for (name, speaks) in STAGES {
        let shows = Shows::Certificate("believed.pem");
        let (_, address) = Service::start(Ipv4Addr::LOCALHOST, shows, &redirect).await;
        let refused = speaks(&url("localhost", address), "authority.pem").unwrap_err();
        assert!(!refused.is_retryable(), "{name}: {refused}");
        assert!(
            refused.to_string().contains("redirects are not followed"),
            "{name}: {refused}"
        );
    }
    assert_eq!(open.connections(), 0);
}

/// Asserts that nothing of what was meant for the service went there in the clear.
fn assert_heard_nothing(service: &Service, name: &str) {
    for secret in [SECRET, PATH, PAYLOAD] {
        assert!(!service.overhears(secret), "{name} tells {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_hears_what_goes_in_the_clear() {
    let (service, address) = Service::start(Ipv4Addr::LOCALHOST, Shows::Nothing, ANSWER).await;
    let in_the_clear = url("127.0.0.1", address).replace("https", "http");
    assert_eq!(calls(&in_the_clear, "authority.pem").unwrap(), "well");
    assert!(service.overhears(PAYLOAD) && service.overhears(SECRET));
}
