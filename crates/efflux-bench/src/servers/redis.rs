//! Redis: a stream, with the append-only file synced before each answer, or left to the system.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use super::{Publisher, Server};
use crate::Result;
use crate::process::{Process, free_port, program};
use crate::workload::Record;

struct Redis(Process);

pub(super) fn start(folder: &Path, is_durable: bool) -> Result<Box<dyn Server>> {
    let port = free_port()?;
    let mut command = Command::new(program("redis-server", "redis-server", &[])?);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    let sync = if is_durable { "always" } else { "no" };
    command.args(["--appendonly", "yes", "--appendfsync", sync]);
    command.args(["--save", ""]).arg("--dir").arg(folder);
    Ok(Box::new(Redis(Process::start(&mut command, port)?)))
}

impl Server for Redis {
    fn connect(&self) -> Result<Box<dyn Publisher>> {
        let stream = self.0.connect()?;
        Ok(Box::new(Connection {
            reader: BufReader::new(stream.try_clone()?),
            stream,
            asked: Vec::new(),
        }))
    }
}

struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    asked: Vec<u8>,
}

impl Publisher for Connection {
    fn publish(&mut self, records: &[Record]) -> Result<()> {
        self.asked.clear();
        for record in records {
            add(&mut self.asked, record);
        }
        self.stream.write_all(&self.asked)?;
        for _ in records {
            self.answer()?;
        }
        Ok(())
    }
}

impl Connection {
    /// An answer is `$15`, a line end, 15 bytes and a line end, or `-` and what went wrong.
    fn answer(&mut self) -> Result<()> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let bytes = line.trim_end().strip_prefix('$');
        let bytes: usize = bytes.ok_or_else(|| line.clone())?.parse()?;
        let mut id = vec![0; bytes + 2];
        Ok(self.reader.read_exact(&mut id)?)
    }
}

fn add(asked: &mut Vec<u8>, record: &Record) {
    let (created, timestamp) = (record.created.to_string(), record.timestamp.to_string());
    let parts: [&[u8]; 19] = [
        b"XADD",
        b"orders",
        b"*",
        b"id",
        &record.id,
        b"created",
        created.as_bytes(),
        b"timestamp",
        timestamp.as_bytes(),
        b"type",
        record.data_type.as_bytes(),
        b"group",
        record.group.as_bytes(),
        b"kind",
        record.kind.as_bytes(),
        b"order",
        record.order.as_bytes(),
        b"payload",
        &record.payload,
    ];
    asked.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        asked.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        asked.extend_from_slice(part);
        asked.extend_from_slice(b"\r\n");
    }
}
