//! What a URL answers, asked from time to time.

mod elements;
mod exchange;
mod limits;
mod settings;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use efflux_storage::particle::limits::{PAYLOAD_BYTES_MAX, TERM_BYTES_MAX};
use efflux_storage::particle::{Fingerprint, Id, Message, Timestamp};
use hyper::header::HeaderValue;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::elements::elements;
use self::exchange::{Answer, Exchange, Validators};
use self::limits::{BODY_BYTES_MAX, EVERY_MIN, PATH_NAMES_MAX};
pub use self::settings::{HttpElements, HttpPollSettings};
use super::{Connector, Intake, IntakeMax, IntakeReceipt};
use crate::derived_id::derived_id;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// What a URL answers to a GET, asked from time to time: each new answer is one message, or each of
/// its elements.
///
/// - The service is asked with `if-none-match` and `if-modified-since`, and again only when all of its
///   last answer is delivered. What it has answered between two requests is never seen.
/// - The id of an answer follows from the URL, its `etag`, its `last-modified` and its bytes; that of
///   an element from the URL and what the settings name, or else its bytes. So a process that begins
///   anew and is answered the same adds nothing to a topic. A service that sends neither header and
///   goes back to an answer it gave before seems not to have changed.
/// - Elements that were in the answer before are left out.
/// - 5xx, 408, 425, 429 and a connection that fails are `Unavailable`, for as long as `retry-after`
///   asks, at most an hour. Every other refusal and every redirect is `Fatal`.
/// - An answer that is too large, or is no JSON where elements are wanted, is refused.
///
/// Each message has the property `http.url`, without its query.
#[derive(Debug)]
pub struct HttpPollConnector {
    exchange: Exchange,
    /// The URL as it stands in ids.
    url: String,
    /// The URL as it is told.
    place: String,
    every: Duration,
    elements: Option<(Vec<String>, HttpElements)>,
    state: Mutex<State>,
    answered: Notify,
    /// Whether the service answered when it was asked last.
    is_there: AtomicBool,
}

/// A message, and why it is refused, if it is.
type Made = (Message, Option<String>);

#[derive(Debug, Default)]
struct State {
    /// What of the last answer is in no intake.
    queue: VecDeque<Made>,
    underway: HashMap<IntakeReceipt, Vec<Made>>,
    /// The last answer; its validators count when all of it is delivered.
    last: Version,
    /// When the service is asked next; none for at once.
    next: Option<Instant>,
    numbers: u64,
}

/// What is remembered of an answer.
#[derive(Clone, Debug, Default)]
struct Version {
    validators: Validators,
    hash: Option<Fingerprint>,
    ids: HashSet<Id>,
}

/// What is to be done.
enum Turn {
    Intake(Intake),
    WaitForAnswers,
    Ask(Option<Instant>, Validators),
}

impl HttpPollConnector {
    /// Asks what the settings say.
    ///
    /// # Errors
    /// `Fatal` when the settings are wrong, or the file of authorities cannot be read.
    pub fn new(settings: HttpPollSettings) -> Result<Self, StageError> {
        let exchange = Exchange::new(&settings)?;
        if settings.every.0 < EVERY_MIN || settings.timeout.0.is_zero() {
            return Err(StageError::fatal(format!(
                "a request every {}, which may take {}: at least {EVERY_MIN:?} and some time are needed",
                settings.every, settings.timeout
            )));
        }
        if !(1..=BODY_BYTES_MAX).contains(&settings.body_max.0) {
            let asked = settings.body_max;
            return Err(StageError::fatal(format!(
                "an answer of {asked}: 1 to {BODY_BYTES_MAX} bytes are allowed"
            )));
        }
        let elements = settings.elements.map(|elements| {
            let names = elements.path.split_terminator('.').map(ToOwned::to_owned);
            (names.collect::<Vec<_>>(), elements)
        });
        if let Some((names, HttpElements { path, .. })) = &elements
            && (names.len() > PATH_NAMES_MAX || names.iter().any(String::is_empty))
        {
            return Err(StageError::fatal(format!(
                "{path:?} is no path: at most {PATH_NAMES_MAX} names with dots between them"
            )));
        }
        Ok(Self {
            place: exchange.place(),
            url: settings.url,
            exchange,
            every: settings.every.0,
            elements,
            state: Mutex::default(),
            answered: Notify::new(),
            is_there: AtomicBool::new(false),
        })
    }

    fn turn(&self, max: IntakeMax) -> Turn {
        let mut state = self.state.lock();
        let mut made: Vec<Made> = Vec::new();
        let mut bytes = 0;
        while let Some((message, _)) = state.queue.front() {
            bytes += message.payload().len();
            if made.len() >= max.messages || (bytes > max.bytes && !made.is_empty()) {
                break;
            }
            made.extend(state.queue.pop_front());
        }
        if made.is_empty() {
            return match state.underway.is_empty() {
                true => Turn::Ask(state.next, state.last.validators.clone()),
                false => Turn::WaitForAnswers,
            };
        }
        let receipt = IntakeReceipt(state.numbers);
        state.numbers += 1;
        let mut intake = Intake::new(receipt, []);
        for (message, refused) in made.iter().cloned() {
            match refused {
                None => intake.parcels.push(Parcel::of_message(message)),
                Some(why) => intake.refused.push((message, StageError::rejected(why))),
            }
        }
        state.underway.insert(receipt, made);
        Turn::Intake(intake)
    }

    /// Takes an answer in.
    fn take(&self, answer: Answer) {
        let mut state = self.state.lock();
        state.next = Some(Instant::now() + self.every);
        let Answer::Body {
            validators,
            content_type,
            body,
        } = answer
        else {
            return;
        };
        let hash = body.as_ref().map(|body| Fingerprint::of(body));
        if hash.is_some() && hash == state.last.hash && validators == state.last.validators {
            return;
        }
        let made = match (&body, &self.elements) {
            (None, _) => vec![self.whole(&validators, None, Some("it is too large".to_owned()))],
            (Some(body), None) => vec![self.whole(&validators, Some(body), None)],
            (Some(body), Some((path, settings))) => match elements(body, path) {
                Ok(found) => found
                    .into_iter()
                    .map(|element| self.element(element, body, settings))
                    .collect(),
                Err(why) => vec![self.whole(&validators, Some(body), Some(why))],
            },
        };
        let ids = made.iter().filter_map(|(message, _)| message.id().cloned());
        let last = Version {
            validators,
            hash,
            ids: ids.collect(),
        };
        let before = std::mem::replace(&mut state.last, last).ids;
        let is_new = |(message, _): &Made| message.id().is_none_or(|id| !before.contains(id));
        let content_type = content_type.filter(|it| it.len() <= TERM_BYTES_MAX);
        let content_type = content_type.filter(|_| self.elements.is_none());
        for (message, refused) in made.into_iter().filter(is_new) {
            let message = match &content_type {
                Some(content_type) => message.with_content_type(content_type),
                None => message,
            };
            state.queue.push_back((message, refused));
        }
    }

    /// The message that a whole answer becomes.
    fn whole(&self, validators: &Validators, body: Option<&Bytes>, why: Option<String>) -> Made {
        let hash = body.map(|body| Fingerprint::of(body));
        let text = |value: &Option<HeaderValue>| {
            let value = value.as_ref().map(HeaderValue::as_bytes);
            value.unwrap_or_default().to_vec()
        };
        let id = derived_id(&[
            b"http",
            self.url.as_bytes(),
            &text(&validators.etag),
            &text(&validators.modified),
            hash.as_ref().map_or(b"", |hash| hash.as_bytes()),
        ]);
        let refused = why.or_else(|| {
            let bytes = body.map_or(0, Bytes::len);
            let told = "bytes, at most 16777216 fit into one message";
            (bytes > PAYLOAD_BYTES_MAX).then(|| format!("it has {bytes} {told}"))
        });
        let payload = body.filter(|body| body.len() <= PAYLOAD_BYTES_MAX).cloned();
        let mut message = self.message(payload.unwrap_or_default(), id);
        if let Some(modified) = modified(validators) {
            message = message.with_timestamp(modified);
        }
        (
            message,
            refused.map(|why| format!("the answer is refused: {why}")),
        )
    }

    /// The message that an element becomes.
    fn element(&self, element: &str, body: &Bytes, settings: &HttpElements) -> Made {
        let payload = body.slice_ref(element.as_bytes());
        let fits = payload.len() <= PAYLOAD_BYTES_MAX;
        let mut refused = (!fits).then(|| {
            let bytes = payload.len();
            format!("an element of {bytes} bytes, at most {PAYLOAD_BYTES_MAX} fit into one message")
        });
        let hash = Fingerprint::of(&payload);
        let parts: [&[u8]; 2] = [b"http element", self.url.as_bytes()];
        let by_bytes = || derived_id(&[parts[0], parts[1], b"bytes", hash.as_bytes()]);
        let payload = if fits { payload } else { Bytes::new() };
        let id = match &settings.id {
            Some(template) if fits => {
                let parcel = Parcel::of_message(Message::new(payload.clone()));
                match template.render(&parcel) {
                    Ok(text) => derived_id(&[parts[0], parts[1], b"id", text.as_bytes()]),
                    Err(error) => {
                        refused = Some(error.reason());
                        by_bytes()
                    }
                }
            }
            _ => by_bytes(),
        };
        let message = self.message(payload, id);
        (message.with_content_type("application/json"), refused)
    }

    fn message(&self, payload: Bytes, id: Id) -> Message {
        let place = self.place.get(..self.place.floor_char_boundary(4096));
        Message::new(payload)
            .with_id(id)
            .with_property("http.url", place.unwrap_or_default())
    }
}

fn modified(validators: &Validators) -> Option<Timestamp> {
    let text = validators.modified.as_ref()?.to_str().ok()?;
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let nanos = i64::try_from(since.as_nanos()).ok()?;
    Some(Timestamp::from_nanos(nanos))
}

#[async_trait]
impl Connector for HttpPollConnector {
    async fn poll(&self, max: IntakeMax) -> Result<Option<Intake>, StageError> {
        loop {
            match self.turn(max) {
                Turn::Intake(intake) => return Ok(Some(intake)),
                Turn::WaitForAnswers => self.answered.notified().await,
                Turn::Ask(next, known) => {
                    if let Some(next) = next {
                        sleep_until(next).await;
                    }
                    self.is_there.store(false, Ordering::Relaxed);
                    let answer = self.exchange.get(&known).await?;
                    self.is_there.store(true, Ordering::Relaxed);
                    self.take(answer);
                }
            }
        }
    }

    async fn ack(&self, receipt: IntakeReceipt) -> Result<(), StageError> {
        self.state.lock().underway.remove(&receipt);
        self.answered.notify_one();
        Ok(())
    }

    async fn waits_for_others(&self) -> Result<bool, StageError> {
        // A service that does not answer says nothing of what it has.
        Ok(!self.is_there.load(Ordering::Relaxed))
    }

    async fn nack(&self, receipt: IntakeReceipt, _why: &StageError) -> Result<(), StageError> {
        {
            let mut state = self.state.lock();
            let made = state.underway.remove(&receipt);
            for made in made.into_iter().flatten().rev() {
                state.queue.push_front(made);
            }
        }
        self.answered.notify_one();
        Ok(())
    }
}
