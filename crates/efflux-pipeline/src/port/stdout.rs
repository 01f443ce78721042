//! A port to the program's own output.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::{Batch, Failed, Port};
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// How messages are written to the output.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct StdoutPortSettings {
    /// What a line holds: `json` for the whole message, `payload` for its payload alone.
    #[serde(default)]
    pub format: StdoutFormat,
}

/// What a line of the output holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StdoutFormat {
    /// The message as one JSON object: its metadata, and the payload as `data` where it is JSON, as
    /// `payload` where it is other text, as `payload_base64` else.
    #[default]
    Json,
    /// The payload, decompressed, and a line feed.
    Payload,
}

type Output = Arc<Mutex<Box<dyn Write + Send>>>;

/// Writes messages to the program's output, each on a line of its own.
///
/// The output is flushed before a batch counts as delivered. A reader that pauses is waited for,
/// however long it takes: what is being written cannot be taken back. After a crash, messages may be
/// written twice. An output that was closed by its reader ends the pipeline.
pub struct StdoutPort {
    output: Output,
    /// At most one at a time, and so at most one thread.
    writing: sync::Mutex<Option<Writing>>,
    format: StdoutFormat,
}

/// What is being written, whether or not somebody waits for it.
struct Writing {
    bytes: Bytes,
    thread: JoinHandle<io::Result<()>>,
}

impl StdoutPort {
    /// Writes to the output of this process.
    #[must_use]
    pub fn new(settings: &StdoutPortSettings) -> Self {
        Self::to(settings, io::stdout())
    }

    /// Writes elsewhere than to the output of this process.
    pub fn to(settings: &StdoutPortSettings, output: impl Write + Send + 'static) -> Self {
        Self {
            output: Arc::new(Mutex::new(Box::new(output))),
            writing: sync::Mutex::default(),
            format: settings.format,
        }
    }
}

impl StdoutPort {
    /// Writes these bytes; those that a delivery began to write, and then was given up, are not
    /// written again.
    async fn write(&self, bytes: Bytes) -> Result<(), StageError> {
        let mut writing = self.writing.lock().await;
        if let Some(before) = writing.as_mut() {
            let written = outcome((&mut before.thread).await);
            let are_these = before.bytes == bytes;
            *writing = None;
            if are_these {
                return written;
            }
        }
        let output = Arc::clone(&self.output);
        let begun = bytes.clone();
        let thread = spawn_blocking(move || {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            output.write_all(&begun)?;
            output.flush()
        });
        let current = writing.insert(Writing { bytes, thread });
        let written = outcome((&mut current.thread).await);
        *writing = None;
        written
    }
}

fn outcome(written: Result<io::Result<()>, JoinError>) -> Result<(), StageError> {
    match written {
        Ok(written) => written.map_err(|error| fault(&error)),
        Err(error) => Err(StageError::unavailable(error)),
    }
}

#[async_trait]
impl Port for StdoutPort {
    fn times_each_message(&self) -> bool {
        true
    }

    async fn deliver(&self, batch: Batch<'_>) -> Result<(), Failed> {
        let mut bytes = Vec::new();
        let mut refused = Vec::new();
        for (at, parcel) in batch.parcels.iter().enumerate() {
            if let Err(error) = line(parcel, self.format, &mut bytes) {
                refused.push((at, error));
            }
        }
        if !refused.is_empty() {
            return Err(Failed::Refused(refused));
        }
        Ok(self.write(bytes.into()).await?)
    }
}

fn fault(error: &io::Error) -> StageError {
    match error.kind() {
        ErrorKind::BrokenPipe => {
            StageError::fatal("the output was closed by the program that read it")
        }
        _ => StageError::unavailable(format!("the output: {error}")),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_group: Option<&'a str>,
    properties: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

fn line(parcel: &Parcel, format: StdoutFormat, into: &mut Vec<u8>) -> Result<(), StageError> {
    let content = parcel.content()?;
    if format == StdoutFormat::Payload {
        into.extend_from_slice(&content);
        into.push(b'\n');
        return Ok(());
    }
    let message = &parcel.message;
    let text = std::str::from_utf8(&content).ok();
    // In JSON a line's end is white space, so it may be a space.
    let one_line = text.map(|text| text.replace(['\n', '\r'], " "));
    let data: Option<&RawValue> = one_line
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let line = Line {
        topic: parcel.origin().topic().map(AsRef::as_ref),
        sequence: parcel
            .origin()
            .particle()
            .map(|found| found.sequence().get()),
        id: message.id().map(ToString::to_string),
        timestamp: message.timestamp().map(|time| time.to_string()),
        data_type: message.data_type(),
        content_type: message.content_type(),
        message_group: message.message_group(),
        properties: message.properties().collect(),
        payload: text.filter(|_| data.is_none()),
        payload_base64: text.is_none().then(|| STANDARD.encode(&content)),
        data,
    };
    serde_json::to_writer(&mut *into, &line).map_err(StageError::rejected)?;
    into.push(b'\n');
    Ok(())
}

impl fmt::Debug for StdoutPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdoutPort")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;
    use futures_util::FutureExt;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    async fn deliver(port: &StdoutPort, messages: Vec<Message>) -> Result<(), Failed> {
        let parcels: Vec<_> = messages.into_iter().map(Parcel::of_message).collect();
        let batch = Batch {
            parcels: &parcels,
            position: None,
        };
        port.deliver(batch).await
    }

    fn settings(format: StdoutFormat) -> StdoutPortSettings {
        StdoutPortSettings { format }
    }

    #[tokio::test]
    async fn each_message_is_a_line_of_json() {
        let out = Shared::default();
        let port = StdoutPort::to(&settings(StdoutFormat::Json), out.clone());
        let order = Message::new("{\"total\":1.50}")
            .with_id("o-1".parse().unwrap())
            .with_property("region", "eu");
        let messages = vec![
            order,
            Message::new("a\nb"),
            Message::new(&b"\xff"[..]),
            Message::new("{\n\"a\":1}"),
        ];
        deliver(&port, messages).await.unwrap();
        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = written.lines().collect();
        let expect = [
            "{\"id\":\"o-1\",\"properties\":{\"region\":\"eu\"},\"data\":{\"total\":1.50}}",
            "{\"properties\":{},\"payload\":\"a\\nb\"}",
            "{\"properties\":{},\"payload_base64\":\"/w==\"}",
            "{\"properties\":{},\"data\":{ \"a\":1}}",
        ];
        assert_eq!(lines, expect);
    }

    #[tokio::test]
    async fn payloads_are_written_as_they_are() {
        let out = Shared::default();
        let port = StdoutPort::to(&settings(StdoutFormat::Payload), out.clone());
        let messages = vec![Message::new("a"), Message::new(&b"\xff"[..])];
        deliver(&port, messages).await.unwrap();
        assert_eq!(*out.0.lock().unwrap(), b"a\n\xff\n");
    }

    /// A reader that takes each write when it is let to.
    struct Paused(Shared, std::sync::mpsc::Receiver<()>);

    impl Write for Paused {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let let_go = self.1.recv();
            let_go.map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_is_being_written_is_waited_for_and_not_written_again() {
        let out = Shared::default();
        let (let_go, paused) = std::sync::mpsc::sync_channel(2);
        let paused = Paused(out.clone(), paused);
        let port = StdoutPort::to(&settings(StdoutFormat::Payload), paused);
        for _ in 0..20 {
            let given_up = deliver(&port, vec![Message::new("a")]).now_or_never();
            assert!(given_up.is_none(), "the reader pauses");
        }
        for _ in 0..2 {
            let_go.send(()).unwrap();
        }
        deliver(&port, vec![Message::new("a")]).await.unwrap();
        deliver(&port, vec![Message::new("b")]).await.unwrap();
        assert_eq!(*out.0.lock().unwrap(), b"a\nb\n");
        assert!(
            port.times_each_message(),
            "no delivery is given up for a pause"
        );
    }

    #[tokio::test]
    async fn a_reader_that_went_away_ends_the_pipeline_and_a_full_disk_does_not() {
        for (kind, expect) in [
            (ErrorKind::BrokenPipe, "fatal"),
            (ErrorKind::StorageFull, "unavailable"),
        ] {
            let port = StdoutPort::to(&settings(StdoutFormat::Payload), Broken(kind));
            let failed = deliver(&port, vec![Message::new("a")]).await.unwrap_err();
            assert!(
                matches!(&failed, Failed::Whole(error) if error.kind() == expect),
                "{failed:?}"
            );
        }
    }
}
