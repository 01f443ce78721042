//! Each server is ready when it has started, can be taken away and brought back, and leaves
//! nothing behind.
#![expect(clippy::unwrap_used, reason = "in tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use efflux_servers::{Mosquitto, Postgres, RabbitMq, Server, Smtp};

const MQTT_CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01?";
const AMQP_HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// How long an answer is waited for that must come.
const SOON: Duration = Duration::from_secs(20);
/// How long one is waited for that must not come.
const A_WHILE: Duration = Duration::from_millis(500);

/// Whether the server answers `question` within this time.
fn answers(server: &Server, question: &[u8], within: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())) else {
        return false;
    };
    stream.set_read_timeout(Some(within)).unwrap();
    stream.write_all(question).unwrap();
    stream.read_exact(&mut [0]).is_ok()
}

fn can_be_taken_away_and_brought_back(server: &Server, question: &[u8]) {
    assert!(answers(server, question, SOON));
    server.pause().unwrap();
    assert!(!answers(server, question, A_WHILE));
    server.resume().unwrap();
    assert!(answers(server, question, SOON));
    server.stop().unwrap();
    assert!(!answers(server, question, A_WHILE));
    assert!(server.pause().is_err());
    server.restart().unwrap();
    assert!(answers(server, question, SOON));
    server.kill().unwrap();
    assert!(!answers(server, question, A_WHILE));
    server.restart().unwrap();
    assert!(answers(server, question, SOON));
}

#[test]
fn postgres_keeps_its_rows_while_it_is_away() {
    let postgres = Postgres::start().unwrap();
    postgres.query("CREATE TABLE rows (n INT)").unwrap();
    postgres.query("INSERT INTO rows VALUES (1), (2)").unwrap();
    let question = b"\0\0\0\x15\0\x03\0\0user\0efflux\0\0";
    can_be_taken_away_and_brought_back(&postgres, question);
    assert_eq!(
        postgres.query("SELECT n, n + 1 FROM rows").unwrap(),
        "1|2\n2|3"
    );
    let error = postgres.query("SELECT * FROM nothing").unwrap_err();
    assert!(
        error.to_string().contains("\"nothing\" does not exist"),
        "{error}"
    );
}

#[test]
fn rabbitmq_can_be_taken_away_and_brought_back() {
    let rabbitmq = RabbitMq::start().unwrap();
    can_be_taken_away_and_brought_back(&rabbitmq, AMQP_HEADER);
}

#[test]
fn mosquitto_can_be_taken_away_and_brought_back() {
    let mosquitto = Mosquitto::start().unwrap();
    can_be_taken_away_and_brought_back(&mosquitto, MQTT_CONNECT);
}

#[test]
fn what_a_killed_test_leaves_is_ended() {
    // This program again, with the one test that waits to be killed.
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "waits_to_be_killed", "--nocapture"]);
    test.env(WAITS, "1").stdout(Stdio::piped());
    let mut test = test.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().rsplit_once("port ")?.1.parse().ok());
    let port: u16 = port.unwrap();
    assert!(is_there(port));
    test.kill().unwrap();
    test.wait().unwrap();
    let start = Instant::now();
    while is_there(port) {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::yield_now();
    }
}

fn is_there(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

const WAITS: &str = "EFFLUX_TEST_WAITS_TO_BE_KILLED";

#[test]
fn waits_to_be_killed() {
    if std::env::var_os(WAITS).is_none() {
        return;
    }
    let mosquitto = Mosquitto::start().unwrap();
    println!("port {}", mosquitto.port());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

struct Session {
    stream: BufReader<TcpStream>,
}

impl Session {
    fn begin(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut session = Self {
            stream: BufReader::new(stream),
        };
        assert_eq!(session.answer(), "220");
        session
    }

    fn say(&mut self, line: &str) -> String {
        let line = format!("{line}\r\n");
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if line.get(3..4) != Some("-") {
                return line.get(..3).unwrap_or_default().to_owned();
            }
        }
    }
}

#[test]
fn the_mail_server_wants_tls_before_anything_else() {
    let smtp = Smtp::start().unwrap();
    let mut session = Session::begin(smtp.port());
    assert_eq!(session.say("EHLO test"), "250");
    assert_eq!(session.say("MAIL FROM:<a@example.org>"), "530");
    can_be_taken_away_and_brought_back(&smtp, b"");
}

/// The Python that runs the server sends mail to it: this crate has no TLS of its own.
const SENDER: &str = r#"
import smtplib, ssl, sys
port, tls_port, user, password, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
clear = smtplib.SMTP("localhost", int(port))
clear.starttls(context=context)
tls = smtplib.SMTP_SSL("localhost", int(tls_port), context=context)
for client in (clear, tls):
    try:
        client.login(user, "wrong")
    except smtplib.SMTPAuthenticationError as error:
        print(error.smtp_code)
    client.login(user, password)
    client.sendmail("a@example.org", ["b@example.org", "c@example.org"], "Subject: Hi\n\nBody")
def refused(recipient):
    try:
        tls.sendmail("a@example.org", [recipient], "Subject: No\n\nBody")
        print("taken")
    except smtplib.SMTPRecipientsRefused as error:
        print(error.recipients[recipient][0])
    except smtplib.SMTPResponseException as error:
        print(error.smtp_code)
refused("550.b@example.org")
refused("once.451.b@example.org")
refused("once.451.b@example.org")
refused("data.554.b@example.org")
"#;

#[test]
fn mails_are_taken_or_refused_as_their_recipients_say() {
    let smtp = Smtp::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, efflux_servers::tls_authority()).unwrap();
    let mut sender = Command::new("python3");
    sender.args(["-c", SENDER, &smtp.port().to_string()]);
    sender.args([&smtp.tls_port().to_string(), smtp.user(), smtp.password()]);
    let output = sender.arg(authority).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "535\n535\n550\n451\ntaken\n554\n", "{words}");
    let mails = smtp.mails().unwrap();
    assert_eq!(mails.len(), 3);
    for mail in mails.iter().take(2) {
        assert_eq!(mail.from, "a@example.org");
        assert_eq!(mail.to, ["b@example.org", "c@example.org"]);
        assert!(mail.is_encrypted);
        assert_eq!(mail.user, "efflux");
        assert_eq!(mail.text, "Subject: Hi\n\nBody\n");
    }
}
