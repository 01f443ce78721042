//! Makes one message out of many: by count, bytes or time, for each key.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use efflux_storage::particle::Message;
use tokio::time::Instant;

use crate::connector::IntakeReceipt;
use crate::derived_id::derived_id;
use crate::limits::{AGGREGATED_BYTES_MAX, AGGREGATED_MESSAGES_MAX};
use crate::parcel::{CAUSE, CORRELATION, Parcel};
use crate::stage_error::StageError;
use crate::step_name::StepName;
use crate::template::Template;

/// The property that tells how many messages an aggregate was made of.
pub const AGGREGATED: &str = "efflux.aggregate.count";

/// When messages become one, and how.
///
/// Messages with the same key are put together until there are `messages` of them, or `bytes`, or
/// the first of them has waited for `period`. The message group, type, media type and properties
/// that all of them share stay. The tickets of all of them are held until the aggregate is delivered.
///
/// The id follows from the ids of its parts. When a crash makes parts come again, time may put them
/// together otherwise: then the aggregates have other ids, and no part is missing.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Messages of one aggregate; 1 to 65,536.
    pub messages: usize,
    /// Bytes of one aggregate. A message that alone is larger becomes one by itself.
    pub bytes: usize,
    /// How long the first message waits for others.
    pub period: Duration,
    /// What belongs together; none when all do.
    pub by: Option<Template>,
    /// What the payload becomes.
    pub form: AggregateForm,
}

/// What the payload of an aggregate is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AggregateForm {
    /// A JSON array of the payloads, which are JSON.
    #[default]
    JsonArray,
    /// The payloads, each followed by a line's end.
    Lines,
    /// The payloads, one behind the other.
    Joined,
}

/// A part of an aggregate, and the intake that waits for it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) parcel: Parcel,
    pub(crate) receipt: IntakeReceipt,
}

/// An aggregate, and the intakes that wait for it, one for each part.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) parcel: Parcel,
    pub(crate) receipts: Vec<IntakeReceipt>,
}

/// The parts that wait for others.
#[derive(Debug)]
pub(crate) struct Gathering {
    aggregate: Aggregate,
    step: StepName,
    waiting: BTreeMap<String, Waiting>,
    count: usize,
    /// About how many bytes of memory all parts take.
    weight: usize,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    bytes: usize,
    parts: Vec<Part>,
}

impl Gathering {
    pub(crate) const fn new(aggregate: Aggregate, step: StepName) -> Self {
        Self {
            aggregate,
            step,
            waiting: BTreeMap::new(),
            count: 0,
            weight: 0,
        }
    }

    /// The key of a parcel, after it was looked at whether it can be a part, and decompressed.
    pub(crate) fn key(aggregate: &Aggregate, parcel: &mut Parcel) -> Result<String, StageError> {
        if aggregate.form == AggregateForm::JsonArray {
            parcel.json()?;
        }
        let content = parcel.content()?;
        let message = std::mem::take(&mut parcel.message);
        parcel.message = message.with_payload(content).without_content_encoding();
        let by = aggregate.by.as_ref();
        by.map_or_else(|| Ok(String::new()), |by| by.render(parcel))
    }

    /// Adds a part, and returns what became complete by it.
    pub(crate) fn add(&mut self, key: &str, part: Part, now: Instant) -> Vec<Made> {
        let bytes = part.parcel.message.payload().len();
        let mut made = Vec::new();
        let is_full = |waiting: &Waiting| waiting.bytes + bytes > self.aggregate.bytes;
        if self.waiting.get(key).is_some_and(is_full) {
            made.extend(self.take(key));
        }
        let waiting = self
            .waiting
            .entry(key.to_owned())
            .or_insert_with(|| Waiting {
                since: now,
                bytes: 0,
                parts: Vec::new(),
            });
        waiting.bytes += bytes;
        self.weight += part.parcel.weight();
        waiting.parts.push(part);
        self.count += 1;
        let is_complete = waiting.parts.len() >= self.aggregate.messages;
        if is_complete || waiting.bytes >= self.aggregate.bytes {
            made.extend(self.take(key));
        }
        while self.count > AGGREGATED_MESSAGES_MAX || self.weight > AGGREGATED_BYTES_MAX {
            made.extend(self.take_oldest());
        }
        made
    }

    /// When the next aggregate has waited long enough; none when there is none.
    pub(crate) fn due(&self) -> Option<Instant> {
        let first = self.waiting.values().map(|waiting| waiting.since).min();
        first.and_then(|since| since.checked_add(self.aggregate.period))
    }

    /// What has waited long enough.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Made> {
        let period = self.aggregate.period;
        let due: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| now.saturating_duration_since(waiting.since) >= period)
            .map(|(key, _)| key.clone())
            .collect();
        due.iter().filter_map(|key| self.take(key)).collect()
    }

    /// All that waits.
    pub(crate) fn take_all(&mut self) -> Vec<Made> {
        let keys: Vec<_> = self.waiting.keys().cloned().collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }

    fn take_oldest(&mut self) -> Option<Made> {
        let oldest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.since);
        let key = oldest.map(|(key, _)| key.clone())?;
        self.take(&key)
    }

    fn take(&mut self, key: &str) -> Option<Made> {
        let waiting = self.waiting.remove(key)?;
        self.count -= waiting.parts.len();
        let weights = waiting.parts.iter().map(|part| part.parcel.weight());
        self.weight -= weights.sum::<usize>();
        let receipts = waiting.parts.iter().map(|part| part.receipt).collect();
        let parcel = self.joined(&waiting.parts)?;
        Some(Made { parcel, receipts })
    }

    fn joined(&self, parts: &[Part]) -> Option<Parcel> {
        let first = &parts.first()?.parcel;
        let message = Message::new(self.payload(parts));
        let shared = |of: fn(&Message) -> Option<&str>| {
            let found = of(&first.message)?;
            let all = parts
                .iter()
                .all(|part| of(&part.parcel.message) == Some(found));
            all.then_some(found)
        };
        let mut message = match shared(Message::data_type) {
            Some(data_type) => message.with_data_type(data_type),
            None => message,
        };
        if let Some(group) = shared(Message::message_group) {
            message = message.with_message_group(group);
        }
        match (self.aggregate.form, shared(Message::content_type)) {
            (AggregateForm::JsonArray, _) => {
                message = message.with_content_type("application/json");
            }
            (_, Some(content_type)) => message = message.with_content_type(content_type),
            _ => {}
        }
        for (name, value) in first.message.properties() {
            let all = |part: &Part| part.parcel.message.property(name) == Some(value);
            if name != CAUSE && parts.iter().all(all) {
                message = message.with_property(name, value);
            }
        }
        if let Some(time) = first.message.timestamp() {
            message = message.with_timestamp(time);
        }
        if let Some(correlation) = first.origin().correlation() {
            message = message.with_property(CORRELATION, correlation);
        }
        if let Some(cause) = first.origin().id() {
            message = message.with_property(CAUSE, cause.to_string());
        }
        let message = message
            .with_property(AGGREGATED, parts.len().to_string())
            .with_id(self.id(parts));
        Some(Parcel::become_of(first.origin(), message))
    }

    fn id(&self, parts: &[Part]) -> efflux_storage::particle::Id {
        let ids: Vec<String> = parts
            .iter()
            .map(|part| part.parcel.message.id().map(ToString::to_string))
            .map(Option::unwrap_or_default)
            .collect();
        let step = [self.step.as_str().as_bytes()];
        let seed: Vec<&[u8]> = step
            .into_iter()
            .chain(ids.iter().map(String::as_bytes))
            .collect();
        derived_id(&seed)
    }

    fn payload(&self, parts: &[Part]) -> Bytes {
        let (start, between, end) = match self.aggregate.form {
            AggregateForm::JsonArray => ("[", ",", "]"),
            AggregateForm::Lines => ("", "\n", "\n"),
            AggregateForm::Joined => ("", "", ""),
        };
        let mut payload = Vec::from(start);
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                payload.extend_from_slice(between.as_bytes());
            }
            payload.extend_from_slice(part.parcel.message.payload());
        }
        payload.extend_from_slice(end.as_bytes());
        payload.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregate(messages: usize, form: AggregateForm) -> Gathering {
        let aggregate = Aggregate {
            messages,
            bytes: 20,
            period: Duration::from_secs(10),
            by: Some("{properties.key|}".parse().unwrap()),
            form,
        };
        Gathering::new(aggregate, "aggregate".parse().unwrap())
    }

    fn add(gathering: &mut Gathering, key: &str, payload: &str, now: Instant) -> Vec<String> {
        let message = Message::new(payload.to_owned()).with_property("key", key);
        let mut parcel = Parcel::of_message(message.with_id(payload.parse().unwrap()));
        let receipt = IntakeReceipt(payload.len() as u64);
        let key = Gathering::key(&gathering.aggregate, &mut parcel).unwrap();
        let made = gathering.add(&key, Part { parcel, receipt }, now);
        texts(&made)
    }

    fn texts(made: &[Made]) -> Vec<String> {
        let texts = made.iter().map(|made| made.parcel.text().unwrap());
        texts.collect()
    }

    #[test]
    fn messages_are_put_together_by_key_until_there_are_enough() {
        let now = Instant::now();
        let mut gathering = aggregate(2, AggregateForm::JsonArray);
        assert!(add(&mut gathering, "a", "1", now).is_empty());
        assert!(add(&mut gathering, "b", "2", now).is_empty());
        assert_eq!(add(&mut gathering, "a", "3", now), ["[1,3]"]);
        assert_eq!(texts(&gathering.take_all()), ["[2]"]);
        assert_eq!(gathering.due(), None);
    }

    #[test]
    fn bytes_end_an_aggregate_before_they_are_too_many() {
        let now = Instant::now();
        let mut gathering = aggregate(10, AggregateForm::Lines);
        assert!(add(&mut gathering, "a", "twelve bytes", now).is_empty());
        assert_eq!(
            add(&mut gathering, "a", "ten bytes.", now),
            ["twelve bytes\n"]
        );
        let large = "more than twenty bytes of it";
        let made = add(&mut gathering, "a", large, now);
        assert_eq!(made, ["ten bytes.\n", "more than twenty bytes of it\n"]);
    }

    #[test]
    fn time_ends_an_aggregate() {
        let now = Instant::now();
        let mut gathering = aggregate(10, AggregateForm::Joined);
        add(&mut gathering, "a", "1", now);
        let later = now + Duration::from_secs(4);
        add(&mut gathering, "b", "2", later);
        assert_eq!(gathering.due(), Some(now + Duration::from_secs(10)));
        assert_eq!(
            texts(&gathering.take_due(now + Duration::from_secs(10))),
            ["1"]
        );
        assert_eq!(gathering.due(), Some(later + Duration::from_secs(10)));
    }

    #[test]
    fn what_waits_of_all_keys_together_is_bounded() {
        let now = Instant::now();
        let mut gathering = aggregate(10, AggregateForm::Joined);
        gathering.aggregate.bytes = usize::MAX;
        let large = bytes::Bytes::from(vec![b'x'; 1 << 20]);
        let mut made = 0;
        for number in 0..200_u64 {
            let message = Message::new(large.clone());
            let part = Part {
                parcel: Parcel::of_message(message),
                receipt: IntakeReceipt(number),
            };
            let later = now + Duration::from_millis(number);
            made += gathering.add(&format!("{number:03}"), part, later).len();
            assert!(gathering.weight <= AGGREGATED_BYTES_MAX);
        }
        assert!(made > 100, "{made}");
        assert_eq!(gathering.waiting.len() + made, 200);
        assert!(
            !gathering.waiting.contains_key("000"),
            "the oldest goes first"
        );
        gathering.take_all();
        assert_eq!((gathering.count, gathering.weight), (0, 0));
    }

    #[test]
    fn what_all_parts_share_stays() {
        let now = Instant::now();
        let mut gathering = aggregate(2, AggregateForm::JsonArray);
        let mut made = Vec::new();
        for (payload, other) in [("1", "x"), ("2", "y")] {
            let message = Message::new(payload)
                .with_data_type("order")
                .with_message_group("g")
                .with_property("region", "eu")
                .with_property("other", other);
            let parcel = Parcel::of_message(message);
            let receipt = IntakeReceipt(1);
            made.extend(gathering.add("", Part { parcel, receipt }, now));
        }
        let made = &made[0].parcel.message;
        assert_eq!(made.data_type(), Some("order"));
        assert_eq!(made.message_group(), Some("g"));
        assert_eq!(made.property("region"), Some("eu"));
        assert_eq!(made.property("other"), None);
        assert_eq!(made.property(AGGREGATED), Some("2"));
    }

    #[test]
    fn what_is_no_json_is_no_part_of_an_array() {
        let gathering = aggregate(2, AggregateForm::JsonArray);
        let mut parcel = Parcel::of_message(Message::new("no json"));
        assert!(Gathering::key(&gathering.aggregate, &mut parcel).is_err());
    }
}
