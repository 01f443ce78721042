//! NATS with JetStream: a stream in files, each message synced before it is acknowledged, or every
//! two minutes, which is its default.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use super::{Publisher, Server};
use crate::Result;
use crate::process::{Process, free_port, program};
use crate::workload::Record;

const STREAM: &str = r#"{"name":"ORDERS","subjects":["orders"],"storage":"file","retention":"limits","discard":"old","num_replicas":1,"max_consumers":-1,"max_msgs":-1,"max_bytes":-1,"max_age":0}"#;

struct Nats(Process);

/// Servers before 2.10 cannot sync each message, and end at once when they are to.
pub(super) fn start(folder: &Path, is_durable: bool) -> Result<Box<dyn Server>> {
    let port = free_port()?;
    let settings = folder.join("nats.conf");
    let store = folder.join("store");
    let sync = if is_durable {
        ", sync_interval: always"
    } else {
        ""
    };
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\"{sync} }}\n",
        store.display()
    );
    std::fs::write(&settings, text)?;
    let mut command = Command::new(program("nats-server", "nats-server", &[])?);
    let process = Process::start(command.arg("--config").arg(settings), port)
        .map_err(|error| format!("{error}; `sync_interval: always` needs version 2.10"))?;
    let nats = Nats(process);
    let mut connection = nats.open()?;
    connection.ask("$JS.API.STREAM.CREATE.ORDERS", STREAM.as_bytes());
    connection.stream.write_all(&connection.asked)?;
    connection.answer()?;
    Ok(Box::new(nats))
}

impl Nats {
    fn open(&self) -> Result<Connection> {
        let stream = self.0.connect()?;
        // Each connection is answered under a name of its own.
        let answers = format!("answers.{}", stream.local_addr()?.port());
        let hello = format!("CONNECT {{\"verbose\":false}}\r\nSUB {answers} 1\r\n");
        let mut connection = Connection {
            reader: BufReader::new(stream.try_clone()?),
            stream,
            answers,
            asked: Vec::new(),
        };
        connection.stream.write_all(hello.as_bytes())?;
        Ok(connection)
    }
}

impl Server for Nats {
    fn connect(&self) -> Result<Box<dyn Publisher>> {
        Ok(Box::new(self.open()?))
    }
}

struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    /// The subject that answers come on.
    answers: String,
    asked: Vec<u8>,
}

impl Publisher for Connection {
    fn publish(&mut self, records: &[Record]) -> Result<()> {
        self.asked.clear();
        for record in records {
            self.ask("orders", &record.value());
        }
        self.stream.write_all(&self.asked)?;
        for _ in records {
            self.answer()?;
        }
        Ok(())
    }
}

impl Connection {
    fn ask(&mut self, subject: &str, bytes: &[u8]) {
        let head = format!("PUB {subject} {} {}\r\n", self.answers, bytes.len());
        self.asked.extend_from_slice(head.as_bytes());
        self.asked.extend_from_slice(bytes);
        self.asked.extend_from_slice(b"\r\n");
    }

    /// An answer is `MSG`, subjects and a length, then JSON of that length, then a line end.
    fn answer(&mut self) -> Result<()> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err("the server hung up".into());
            }
            let line = line.trim_end();
            if line == "PING" {
                self.stream.write_all(b"PONG\r\n")?;
            } else if line.starts_with("-ERR") {
                return Err(line.into());
            } else if line.starts_with("MSG ") {
                let bytes: usize = line.rsplit(' ').next().unwrap_or_default().parse()?;
                let mut answer = vec![0; bytes + 2];
                self.reader.read_exact(&mut answer)?;
                let answer = String::from_utf8_lossy(&answer);
                return match answer.contains("\"error\"") {
                    true => Err(answer.trim_end().into()),
                    false => Ok(()),
                };
            }
        }
    }
}
