//! What comes in at a stream of bytes, such as the standard input.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_storage::particle::{Fingerprint, Message};
use futures_util::FutureExt;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::Mutex;

use super::line_cutter::{Line, LineCutter};
use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::derived_id::derived_id;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// Bytes that are read at once: 64 KiB.
const READ_BYTES: usize = 64 * 1024;

/// What a user says about the standard input.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct StdinSettings {
    /// What becomes one message: each line, or all that comes.
    #[serde(default)]
    pub form: StdinForm,
    /// Names the run in the ids of the messages: who feeds the same input once more under the same
    /// name adds nothing twice. When it is left out, each run has a name of its own.
    #[serde(default)]
    pub run: Option<String>,
}

/// What becomes one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StdinForm {
    /// Each line, without its end. Empty lines are left out.
    #[default]
    Lines,
    /// All that comes, of at most 16 MiB.
    Whole,
}

/// What comes in at a stream of bytes, such as the standard input; it ends where the stream ends.
///
/// - Ids follow from the name of the run, the line's number and its bytes.
/// - What was read and not delivered is lost with the process, for a stream cannot be read again: who
///   cannot bear that feeds the same input once more, under the same name of the run. An intake that
///   is given back comes again.
/// - A line that is longer than a payload may be is refused, and the others go on.
pub struct StdinConnector {
    form: StdinForm,
    run: String,
    stream: Mutex<Stream>,
    /// Intakes that are not answered, and those that come again.
    open: parking_lot::Mutex<Open>,
    numbers: AtomicU64,
}

/// A message, and why it is refused, if it is.
type Made = (Message, Option<String>);

/// The stream, and what was read of it: kept where the next `poll` finds it when one is dropped.
struct Stream {
    bytes: BufReader<Pin<Box<dyn AsyncRead + Send>>>,
    cutter: LineCutter,
    /// All that came, where that is to be one message; and how much that is.
    whole: Vec<u8>,
    whole_bytes: u64,
    number: u64,
    made: VecDeque<Made>,
    has_ended: bool,
}

#[derive(Debug, Default)]
struct Open {
    underway: HashMap<IntakeReceipt, Vec<Made>>,
    returned: VecDeque<Vec<Made>>,
}

impl fmt::Debug for StdinConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdinConnector")
            .field("form", &self.form)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl StdinConnector {
    /// What comes in at `bytes`. `run` names the run where the settings do not: something that no other
    /// run is called.
    #[must_use]
    pub fn new(
        settings: StdinSettings,
        run: impl Into<String>,
        bytes: impl AsyncRead + Send + 'static,
    ) -> Self {
        let bytes: Pin<Box<dyn AsyncRead + Send>> = Box::pin(bytes);
        Self {
            form: settings.form,
            run: settings.run.unwrap_or_else(|| run.into()),
            stream: Mutex::new(Stream {
                bytes: BufReader::with_capacity(READ_BYTES, bytes),
                cutter: LineCutter::default(),
                whole: Vec::new(),
                whole_bytes: 0,
                number: 0,
                made: VecDeque::new(),
                has_ended: false,
            }),
            open: parking_lot::Mutex::default(),
            numbers: AtomicU64::new(0),
        }
    }

    fn intake(&self, made: Vec<Made>) -> Intake {
        let receipt = IntakeReceipt(self.numbers.fetch_add(1, Ordering::Relaxed));
        let mut intake = Intake::new(receipt, []);
        for (message, refused) in made.iter().cloned() {
            match refused {
                None => intake.parcels.push(Parcel::of_message(message)),
                Some(why) => intake.refused.push((message, StageError::rejected(why))),
            }
        }
        self.open.lock().underway.insert(receipt, made);
        intake
    }

    fn message(&self, number: u64, payload: Vec<u8>) -> Message {
        let hash = Fingerprint::of(&payload);
        let number = number.to_le_bytes();
        let id = derived_id(&[b"stdin", self.run.as_bytes(), &number, hash.as_bytes()]);
        Message::new(payload).with_id(id)
    }

    fn of_line(&self, number: u64, line: Line) -> Option<Made> {
        match line {
            Line::Whole(line) if line.is_empty() => None,
            Line::Whole(line) => Some((self.message(number, line), None)),
            Line::TooLong { beginning, bytes } => {
                let why = format!(
                    "line {number} has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} fit into one message"
                );
                Some((self.message(number, beginning), Some(why)))
            }
        }
    }

    /// Makes messages of what is read, as far as it makes any.
    fn cut(&self, stream: &mut Stream) {
        let Stream { bytes, cutter, .. } = stream;
        let piece = bytes.buffer();
        let piece_bytes = piece.len();
        if self.form == StdinForm::Whole {
            stream.whole_bytes += piece_bytes as u64;
            if stream.whole_bytes <= PAYLOAD_BYTES_MAX as u64 {
                stream.whole.extend_from_slice(piece);
            }
            stream.bytes.consume(piece_bytes);
            return;
        }
        let (taken, line) = cutter.cut(piece);
        stream.bytes.consume(taken);
        if let Some(line) = line {
            stream.number += 1;
            stream.made.extend(self.of_line(stream.number, line));
        }
    }

    /// Makes messages of what is left at the end of the stream.
    fn finish(&self, stream: &mut Stream) {
        stream.has_ended = true;
        if let Some(line) = stream.cutter.finish() {
            stream.number += 1;
            stream.made.extend(self.of_line(stream.number, line));
        }
        let bytes = stream.whole_bytes;
        if bytes > 0 {
            let whole = std::mem::take(&mut stream.whole);
            let why = format!(
                "the input has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} fit into one message"
            );
            let refused = (bytes > PAYLOAD_BYTES_MAX as u64).then_some(why);
            let whole = if refused.is_some() { Vec::new() } else { whole };
            stream.made.push_back((self.message(0, whole), refused));
        }
    }
}

impl Stream {
    /// Reads until there are bytes; tells whether there are, and false at the end.
    async fn read(&mut self) -> Result<bool, StageError> {
        loop {
            match self.bytes.fill_buf().await {
                Ok(bytes) => return Ok(!bytes.is_empty()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StageError::fatal(error)),
            }
        }
    }

    fn take(&mut self, max: IntakeMax) -> Vec<Made> {
        let mut taken: Vec<Made> = Vec::new();
        let mut bytes = 0;
        while let Some((message, _)) = self.made.front() {
            bytes += message.payload().len();
            if taken.len() >= max.messages || (bytes > max.bytes && !taken.is_empty()) {
                break;
            }
            taken.extend(self.made.pop_front());
        }
        taken
    }
}

#[async_trait]
impl Connector for StdinConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        let returned = self.open.lock().returned.pop_front();
        if let Some(made) = returned {
            return Ok(Some(self.intake(made)));
        }
        let mut stream = self.stream.lock().await;
        let mut made_bytes = 0;
        while !stream.has_ended && stream.made.len() < max.messages && made_bytes < max.bytes {
            // What is made is not held back for what may come.
            let read = match stream.made.is_empty() {
                true => Some(stream.read().await),
                false => stream.read().now_or_never(),
            };
            match read {
                None => break,
                Some(Ok(true)) => self.cut(&mut stream),
                Some(Ok(false)) => self.finish(&mut stream),
                Some(Err(error)) => return Err(error),
            }
            let last = stream.made.back();
            made_bytes += last.map_or(0, |(message, _)| message.payload().len());
        }
        let made = stream.take(max);
        Ok((!made.is_empty()).then(|| self.intake(made)))
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        self.open.lock().underway.remove(&receipt);
        Ok(())
    }

    async fn nack(&self, receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        let mut open = self.open.lock();
        let made = open.underway.remove(&receipt);
        open.returned.extend(made);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: IntakeMax = IntakeMax {
        messages: 3,
        bytes: 1000,
    };

    fn connector(form: StdinForm, input: &[u8]) -> StdinConnector {
        let settings = StdinSettings { form, run: None };
        StdinConnector::new(settings, "run-1", io::Cursor::new(input.to_vec()))
    }

    fn texts(intake: &Intake) -> Vec<String> {
        let texts = intake.parcels.iter().map(|it| it.text().unwrap());
        texts.collect()
    }

    #[tokio::test]
    async fn lines_come_in_order_and_end_where_the_stream_ends() {
        let connector = connector(StdinForm::Lines, b"a\n\nb\r\nc\nd");
        let first = connector.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&first), ["a", "b", "c"]);
        let second = connector.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&second), ["d"]);
        assert!(connector.poll(MAX).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn ids_follow_from_the_run_and_the_line() {
        let mut ids = Vec::new();
        for run in ["run-1", "run-1", "run-2"] {
            let input = io::Cursor::new(b"same\nsame\n".to_vec());
            let connector = StdinConnector::new(StdinSettings::default(), run, input);
            let intake = connector.poll(MAX).await.unwrap().unwrap();
            let of_it = intake.parcels.iter().map(|it| it.message.id().cloned());
            ids.push(of_it.collect::<Vec<_>>());
        }
        assert_ne!(ids[0][0], ids[0][1]);
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
    }

    #[tokio::test]
    async fn what_is_given_back_comes_again() {
        let connector = connector(StdinForm::Lines, b"a\nb\n");
        let first = connector.poll(MAX).await.unwrap().unwrap();
        let why = StageError::unavailable("away");
        connector.nack(first.receipt, &why).await.unwrap();
        let again = connector.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&again), ["a", "b"]);
        connector.ack(again.receipt).await.unwrap();
        assert!(connector.poll(MAX).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_refused_and_the_rest_goes_on() {
        let mut input = vec![b'x'; PAYLOAD_BYTES_MAX + 1];
        input.extend_from_slice(b"\nnext\n");
        let connector = connector(StdinForm::Lines, &input);
        let intake = connector.poll(MAX).await.unwrap().unwrap();
        let told = intake.refused[0].1.to_string();
        assert!(told.contains("line 1 has 16777217 bytes"), "{told}");
        let next = connector.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&next), ["next"]);
    }

    #[tokio::test]
    async fn the_whole_input_is_one_message_and_none_where_nothing_comes() {
        let whole = connector(StdinForm::Whole, b"a\nb\n");
        let intake = whole.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&intake), ["a\nb\n"]);
        assert!(whole.poll(MAX).await.unwrap().is_none());
        let empty = connector(StdinForm::Whole, b"");
        assert!(empty.poll(MAX).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_line_is_not_held_back_for_the_next_and_a_poll_that_is_dropped_loses_nothing() {
        use tokio::io::AsyncWriteExt;
        let (mut input, bytes) = tokio::io::duplex(100);
        let connector = StdinConnector::new(StdinSettings::default(), "run", bytes);
        input.write_all(b"one\ntw").await.unwrap();
        let first = connector.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&first), ["one"]);
        assert!(connector.poll(MAX).now_or_never().is_none());
        input.write_all(b"o\n").await.unwrap();
        let second = connector.poll(MAX).await.unwrap().unwrap();
        assert_eq!(texts(&second), ["two"]);
    }
}
