//! PostgreSQL: a table, `synchronous_commit` on or off, spoken to in its binary protocol.
//!
//! A batch is one implicit transaction: its inserts are sent together, then one `Sync`.

use std::fs::Permissions;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Publisher, Server};
use crate::Result;
use crate::process::{Process, free_port, program};
use crate::workload::Record;

/// It refuses to run as root; then it runs as nobody.
const NOBODY: u32 = 65534;
/// The folder of this server, that of all servers, that of the run.
const FOLDERS_ABOVE: usize = 3;
/// Version 3.0 of the protocol.
const PROTOCOL: i32 = 3 << 16;
const TABLE: &str = "CREATE TABLE records (number BIGSERIAL PRIMARY KEY, id BYTEA, created BIGINT, \
    timestamp BIGINT, data_type TEXT, message_group TEXT, kind TEXT, order_id TEXT, payload BYTEA)";
const INSERT: &str = "INSERT INTO records (id, created, timestamp, data_type, message_group, kind, \
    order_id, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const BYTES: i32 = 17;
const INTEGER: i32 = 20;
const TEXT: i32 = 25;
const PARAMETERS: [i32; 8] = [BYTES, INTEGER, INTEGER, TEXT, TEXT, TEXT, TEXT, BYTES];

struct Postgres(Process);

pub(super) fn start(folder: &Path, is_durable: bool) -> Result<Box<dyn Server>> {
    let versions = (13..30).rev();
    let folders: Vec<PathBuf> = versions
        .map(|version| format!("/usr/lib/postgresql/{version}/bin").into())
        .collect();
    let program = |name| program(name, "postgresql", &folders);
    let data = tempfile::tempdir_in(folder)?.keep();
    let as_user = |program: PathBuf| -> Result<Command> {
        let mut command = Command::new(program);
        command.current_dir("/");
        if is_root()? {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    };
    if is_root()? {
        chown(&data, Some(NOBODY), Some(NOBODY))?;
        // The folders above are the bench's own, and nobody but root could pass through them.
        for above in folder.ancestors().take(FOLDERS_ABOVE) {
            std::fs::set_permissions(above, Permissions::from_mode(0o711))?;
        }
    }
    let mut make = as_user(program("initdb")?)?;
    make.args(["--auth=trust", "--username=bench", "--encoding=UTF8"]);
    make.arg("--locale=C").arg("--pgdata").arg(&data);
    let made = make.stdin(Stdio::null()).output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).trim().into());
    }
    let port = free_port()?;
    let mut run = as_user(program("postgres")?)?;
    run.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    let commit = if is_durable {
        "synchronous_commit=on"
    } else {
        "synchronous_commit=off"
    };
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        commit,
        "fsync=on",
        "max_connections=100",
    ] {
        run.args(["-c", setting]);
    }
    let postgres = Postgres(Process::start(&mut run, port)?);
    let mut connection = postgres.open()?;
    connection.query(TABLE)?;
    Ok(Box::new(postgres))
}

fn is_root() -> Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    Ok(user.is_some_and(|user| user.split_whitespace().next() == Some("0")))
}

impl Postgres {
    /// Connects, again and again while the server says that it is starting.
    fn open(&self) -> Result<Connection> {
        let mut tries = 0;
        loop {
            match self.try_open() {
                Err(error) if tries > 1000 => return Err(error),
                Err(_) => tries += 1,
                opened => return opened,
            }
        }
    }

    fn try_open(&self) -> Result<Connection> {
        let stream = self.0.connect()?;
        let mut connection = Connection {
            reader: BufReader::new(stream.try_clone()?),
            stream,
            asked: Vec::new(),
        };
        let mut hello = Vec::new();
        number(&mut hello, PROTOCOL);
        hello.extend_from_slice(b"user\0bench\0database\0postgres\0\0");
        let mut bytes = Vec::new();
        number(&mut bytes, length(hello.len() + 4)?);
        bytes.extend_from_slice(&hello);
        connection.stream.write_all(&bytes)?;
        connection.until_ready()?;
        Ok(connection)
    }
}

impl Server for Postgres {
    fn connect(&self) -> Result<Box<dyn Publisher>> {
        let mut connection = self.open()?;
        let mut parse = format!("insert\0{INSERT}\0").into_bytes();
        parse.extend_from_slice(&[0, 8]);
        PARAMETERS.iter().for_each(|it| number(&mut parse, *it));
        connection.add(b'P', &parse)?;
        connection.add(b'S', b"")?;
        connection.send()?;
        Ok(Box::new(connection))
    }
}

struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    asked: Vec<u8>,
}

impl Publisher for Connection {
    fn publish(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            self.add(b'B', &bind(record)?)?;
            self.add(b'E', b"\0\0\0\0\0")?;
        }
        self.add(b'S', b"")?;
        self.send()
    }
}

impl Connection {
    fn query(&mut self, text: &str) -> Result<()> {
        self.add(b'Q', format!("{text}\0").as_bytes())?;
        self.send()
    }

    /// A message is its kind, the length of the rest with itself, and the rest.
    fn add(&mut self, kind: u8, rest: &[u8]) -> Result<()> {
        self.asked.push(kind);
        number(&mut self.asked, length(rest.len() + 4)?);
        self.asked.extend_from_slice(rest);
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.asked)?;
        self.asked.clear();
        self.until_ready()
    }

    /// Reads answers until the server waits for the next message.
    fn until_ready(&mut self) -> Result<()> {
        loop {
            let mut head = [0; 5];
            self.reader.read_exact(&mut head)?;
            let [kind, size @ ..] = head;
            let bytes = size
                .iter()
                .fold(0_usize, |sum, it| sum << 8 | usize::from(*it));
            let mut rest = vec![0; bytes.saturating_sub(4)];
            self.reader.read_exact(&mut rest)?;
            match kind {
                b'Z' => return Ok(()),
                b'E' => return Err(String::from_utf8_lossy(&rest).replace('\0', " ").into()),
                _ => {}
            }
        }
    }
}

/// The parameters of an insert, all of them binary.
fn bind(record: &Record) -> Result<Vec<u8>> {
    let mut bytes = b"\0insert\0".to_vec();
    bytes.extend_from_slice(&[0, 1, 0, 1, 0, 8]);
    let created = backwards(record.created.to_le_bytes());
    let timestamp = backwards(record.timestamp.to_le_bytes());
    let parameters: [&[u8]; 8] = [
        &record.id,
        &created,
        &timestamp,
        record.data_type.as_bytes(),
        record.group.as_bytes(),
        record.kind.as_bytes(),
        record.order.as_bytes(),
        &record.payload,
    ];
    for parameter in parameters {
        number(&mut bytes, length(parameter.len())?);
        bytes.extend_from_slice(parameter);
    }
    bytes.extend_from_slice(&[0, 0]);
    Ok(bytes)
}

/// The protocol's numbers begin with the highest byte.
fn number(bytes: &mut Vec<u8>, number: i32) {
    bytes.extend_from_slice(&backwards(number.to_le_bytes()));
}

fn backwards<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    bytes.reverse();
    bytes
}

fn length(bytes: usize) -> Result<i32> {
    Ok(i32::try_from(bytes)?)
}
