//! A node that runs the pipelines of a folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::place::Place;

const PATIENCE: Duration = Duration::from_secs(30);

struct Node {
    child: Child,
    address: String,
}

impl Node {
    fn start(place: &Place) -> Self {
        let mut child = place.spawn(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--pipelines",
            "pipelines",
        ]);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.find(|line| line.as_ref().unwrap().contains("serving"));
        let line = line.unwrap().unwrap();
        let address = line.rsplit("//").next().unwrap().to_owned();
        // What it says later is taken, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks until the answer says this.
    fn until(&self, path: &str, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("GET", path, "");
            if answer.contains(part) {
                return;
            }
            assert!(Instant::now() < deadline, "{part} is not in {answer}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(name: &str, to: &str) -> String {
    format!(
        "version = 1\n[pipeline.{name}]\nconnector = {{ topic = {{ name = \"a\" }} }}\n\
         router = {{ topic = \"{to}\" }}\n"
    )
}

#[test]
fn a_folder_of_pipelines_is_run_shown_stopped_started_and_reloaded() {
    let place = Place::new();
    std::fs::create_dir(place.path("pipelines")).unwrap();
    place.write("pipelines/one.toml", &copy("one", "b"));
    let node = Node::start(&place);
    node.until("/v1/pipelines/one", "\"state\":\"running\"");
    node.ask("POST", "/v1/topics/a/particles", "first");
    node.until("/v1/pipelines/one", "\"delivered\":1");
    node.until(
        "/metrics",
        "efflux_pipeline_messages{pipeline=\"one\",outcome=\"delivered\"} 1",
    );
    node.until("/v1/topics/b/head", "\"head\":\"1:");

    let stopped = node.ask("POST", "/v1/pipelines/one/stop", "");
    assert!(stopped.contains("\"state\":\"stopped\""), "{stopped}");
    let started = node.ask("POST", "/v1/pipelines/one/start", "");
    assert!(started.contains("\"state\":\"running\""), "{started}");

    place.write("pipelines/one.toml", &copy("one", "c"));
    place.write("pipelines/two.toml", &copy("two", "no name"));
    let reloaded = node.ask("POST", "/v1/pipelines/reload", "");
    assert!(reloaded.contains("\"restarted\":[\"one\"]"), "{reloaded}");
    assert!(reloaded.contains("two.toml: line 4"), "{reloaded}");
    place.write("pipelines/two.toml", &copy("two", "d"));
    let hangup = Command::new("kill")
        .args(["-HUP", &node.child.id().to_string()])
        .status();
    assert!(hangup.unwrap().success());
    node.until("/v1/pipelines", "\"name\":\"two\"");
    let none = node.ask("POST", "/v1/pipelines/three/start", "");
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
}
