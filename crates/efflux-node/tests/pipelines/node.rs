//! A node that a test starts, asks, kills and starts again.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::place::Place;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// One for all questions.
    connection: RefCell<Option<BufReader<TcpStream>>>,
}

impl Node {
    /// A node on a free port, with these arguments besides.
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let started = Self::listening(place, "127.0.0.1:0", arguments);
        started.expect("a free port is found")
    }

    /// A node that listens there; none when it ends at once.
    fn listening(place: &Place, listen: &str, arguments: &[&str]) -> Option<Self> {
        let serve = ["serve", "--listen", listen];
        let mut child = place.spawn(&[&serve[..], arguments].concat());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.find(|line| line.as_ref().unwrap().contains("serving"));
        let Some(told) = told else {
            child.wait().unwrap();
            return None;
        };
        let address = told.unwrap().rsplit("//").next().unwrap().to_owned();
        // What it says later is taken, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address,
            connection: RefCell::default(),
        })
    }

    /// Kills it, and starts another one where it was, once somebody has noticed.
    pub(crate) fn kill_and_start(
        &mut self,
        place: &Place,
        arguments: &[&str],
        noticed: &dyn Fn() -> bool,
    ) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !noticed() {
            assert!(Instant::now() < deadline, "nobody notices that it is away");
            std::thread::yield_now();
        }
        loop {
            // Somebody else may have the port for a moment.
            if let Some(started) = Self::listening(place, &self.address, arguments) {
                *self = started;
                return;
            }
            assert!(Instant::now() < deadline, "{} is taken", self.address);
        }
    }

    /// The store that it hosts.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut kept = self.connection.borrow_mut();
        let stream =
            kept.get_or_insert_with(|| BufReader::new(TcpStream::connect(&self.address).unwrap()));
        let length = body.len();
        write!(
            stream.get_mut(),
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let (mut answer, mut bytes) = (String::new(), 0);
        while !answer.ends_with("\r\n\r\n") {
            let mut line = String::new();
            assert_ne!(stream.read_line(&mut line).unwrap(), 0, "{answer}");
            answer.push_str(&line);
            line.make_ascii_lowercase();
            if let Some(told) = line.strip_prefix("content-length:") {
                bytes = told.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; bytes];
        stream.read_exact(&mut body).unwrap();
        answer.push_str(&String::from_utf8(body).unwrap());
        answer
    }

    /// Asks until the answer is as wanted, and returns it.
    pub(crate) fn wait(&self, path: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("GET", path, "");
            if is_wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "still {answer}");
            std::thread::yield_now();
        }
    }

    /// Asks until the answer says this.
    pub(crate) fn until(&self, path: &str, part: &str) {
        self.wait(path, |answer| answer.contains(part));
    }

    /// The sequence of a topic's head; none when there is no such topic.
    pub(crate) fn head(&self, topic: &str) -> Option<u64> {
        head_in(&self.ask("GET", &format!("/v1/topics/{topic}/head"), ""))
    }

    /// Waits until a topic has this many particles behind its root.
    pub(crate) fn until_head(&self, topic: &str, sequence: u64) {
        let past = sequence - 1;
        let path = format!("/v1/topics/{topic}/head?past={past}&wait_ms=1000");
        self.wait(&path, |answer| {
            head_in(answer).is_some_and(|head| head >= sequence)
        });
    }
}

/// The sequence in an answer that tells a head.
fn head_in(answer: &str) -> Option<u64> {
    let (_, behind) = answer.split_once("\"head\":\"")?;
    behind.split_once(':')?.0.parse().ok()
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
