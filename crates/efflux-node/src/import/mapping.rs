//! From a record to a message: which field becomes which metadata.

use std::borrow::Cow;

use efflux_flow::particle::limits::METADATA_BYTES_MAX;
use efflux_flow::particle::{Draft, Id, Message, Stamp, Timestamp};
use serde_json::value::RawValue;

use super::field::{FieldPath, Wanted};
use super::identity::derived_id;
use super::place::{Malformed, Place};
use super::record::{Body, Record};
use super::time::TimeFormat;

/// What the media type of JSON payloads is.
const JSON: &str = "application/json";
/// What the media type of lines is.
const TEXT: &str = "text/plain";

/// Which fields of a record become which metadata of its message.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    id: Option<Rule>,
    data_type: Option<String>,
    data_type_from: Option<Rule>,
    time_from: Option<Rule>,
    time_format: TimeFormat,
    group_from: Option<Rule>,
    properties: Vec<(String, Rule)>,
    wanted: Wanted,
}

/// A property and the field it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyRule {
    /// The property's name.
    pub name: String,
    /// The field.
    pub field: FieldPath,
}

#[derive(Clone, Debug)]
struct Rule {
    field: FieldPath,
    slot: usize,
    found: u64,
}

impl Mapping {
    /// Takes the id from a field, which every record must have.
    #[must_use]
    pub fn with_id(mut self, field: FieldPath) -> Self {
        self.id = Some(self.rule(field));
        self
    }

    /// Gives every message this data type, where no field gives another.
    #[must_use]
    pub fn with_data_type(mut self, data_type: impl Into<String>) -> Self {
        self.data_type = Some(data_type.into());
        self
    }

    /// Takes the data type from a field.
    #[must_use]
    pub fn with_data_type_from(mut self, field: FieldPath) -> Self {
        self.data_type_from = Some(self.rule(field));
        self
    }

    /// Takes the timestamp from a field, which every record must have.
    #[must_use]
    pub fn with_time_from(mut self, field: FieldPath, format: TimeFormat) -> Self {
        self.time_from = Some(self.rule(field));
        self.time_format = format;
        self
    }

    /// Takes the message group from a field.
    #[must_use]
    pub fn with_group_from(mut self, field: FieldPath) -> Self {
        self.group_from = Some(self.rule(field));
        self
    }

    /// Takes a property from a field.
    #[must_use]
    pub fn with_property(mut self, rule: PropertyRule) -> Self {
        let field = self.rule(rule.field);
        self.properties.push((rule.name, field));
        self
    }

    fn rule(&mut self, field: FieldPath) -> Rule {
        Rule {
            slot: self.wanted.add(&field),
            field,
            found: 0,
        }
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let single = [
            &self.id,
            &self.data_type_from,
            &self.time_from,
            &self.group_from,
        ];
        let properties = self.properties.iter().map(|(_, rule)| rule);
        single.into_iter().flatten().chain(properties)
    }

    /// Whether no field is mapped and nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data_type.is_none() && self.rules().next().is_none()
    }

    /// The fields that are mapped.
    pub fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.rules().map(|rule| &rule.field)
    }

    /// The mapped fields that no record had so far.
    pub fn never_found(&self) -> impl Iterator<Item = &FieldPath> {
        self.rules()
            .filter(|rule| rule.found == 0)
            .map(|rule| &rule.field)
    }

    /// The message that a record becomes. `source` is what ids are derived from when none is mapped.
    ///
    /// # Errors
    /// [`Malformed`] when the record is no JSON, lacks its id or time, or is over a bound.
    pub fn message(&mut self, source: &str, record: Record) -> Result<Message, Malformed> {
        let place = record.place;
        let (message, payload) = match record.body {
            Body::Frame(particle) => return Ok(Message::from(&*particle)),
            Body::Line(bytes) => {
                let is_text = std::str::from_utf8(&bytes).is_ok();
                let message = Message::new(bytes.clone());
                (
                    if is_text {
                        message.with_content_type(TEXT)
                    } else {
                        message
                    },
                    bytes,
                )
            }
            Body::Json(text) => (self.json(place, &text)?, text.into_bytes()),
            Body::Row { columns, values } => {
                let text = json_of(&columns, &values);
                (
                    self.row(place, &columns, &values, &text)?,
                    text.into_bytes(),
                )
            }
        };
        let message = match &self.data_type {
            Some(data_type) if message.data_type().is_none() => message.with_data_type(data_type),
            _ => message,
        };
        let message = match message.id() {
            Some(_) => message,
            None => message.with_id(derived_id(source, place.record, &payload)),
        };
        check_bounds(&message).map_err(|problem| Malformed::new(place, problem, &payload))?;
        Ok(message)
    }

    fn json(&mut self, place: Place, text: &str) -> Result<Message, Malformed> {
        let trimmed = text.trim_ascii();
        let found = self.wanted.look_up(trimmed).map_err(|error| {
            let lead = text.len() - text.trim_ascii_start().len();
            let column = place.column.unwrap_or((lead + error.column()) as u64);
            let place = Place {
                column: Some(column),
                ..place
            };
            Malformed::new(
                place,
                format!("no JSON: {}", without_place(&error)),
                text.as_bytes(),
            )
        })?;
        let message = Message::new(trimmed.to_owned()).with_content_type(JSON);
        let value = |slot: usize| match found.get(slot).copied().flatten() {
            Some(raw) => json_text(raw),
            None => Value::Absent,
        };
        self.fill(message, value)
            .map_err(|problem| Malformed::new(place, problem, text.as_bytes()))
    }

    fn row(
        &mut self,
        place: Place,
        columns: &[String],
        values: &[String],
        text: &str,
    ) -> Result<Message, Malformed> {
        let mut by_slot: Vec<Option<&str>> = vec![None; self.rules().count()];
        for rule in self.rules() {
            let column = columns.iter().position(|name| name == rule.field.as_str());
            let value = column.and_then(|at| values.get(at)).map(String::as_str);
            if let Some(place) = by_slot.get_mut(rule.slot) {
                *place = value.filter(|value| !value.is_empty());
            }
        }
        let message = Message::new(text.to_owned()).with_content_type(JSON);
        let value = |slot: usize| match by_slot.get(slot).copied().flatten() {
            Some(text) => Value::Text(Cow::Borrowed(text)),
            None => Value::Absent,
        };
        self.fill(message, value)
            .map_err(|problem| Malformed::new(place, problem, text.as_bytes()))
    }

    /// Puts the values of the fields where the rules say.
    fn fill<'a>(
        &mut self,
        mut message: Message,
        value: impl Fn(usize) -> Value<'a>,
    ) -> Result<Message, String> {
        if let Some(rule) = &mut self.id {
            let text = rule.required("id", &value)?;
            let id: Id = text
                .parse()
                .map_err(|error| format!("{}: {error}", rule.field))?;
            message = message.with_id(id);
        }
        if let Some(rule) = &mut self.data_type_from
            && let Some(text) = rule.plain(&value)?
        {
            message = message.with_data_type(text);
        }
        if let Some(rule) = &mut self.time_from {
            let text = rule.required("time", &value)?;
            let time = self.time_format.parse(&text);
            message =
                message.with_timestamp(time.map_err(|error| format!("{}: {error}", rule.field))?);
        }
        if let Some(rule) = &mut self.group_from
            && let Some(text) = rule.plain(&value)?
        {
            message = message.with_message_group(text);
        }
        for (name, rule) in &mut self.properties {
            let text = match value(rule.slot) {
                Value::Absent => continue,
                Value::Text(text) => text.into_owned(),
                Value::Nested(text) => text.to_owned(),
            };
            rule.found += 1;
            message = message.with_property(name.as_str(), text);
        }
        Ok(message)
    }
}

/// A field's value.
enum Value<'a> {
    Absent,
    Text(Cow<'a, str>),
    /// An object or array, as JSON.
    Nested(&'a str),
}

impl Rule {
    /// The value as a text that is not empty; none when the field is missing.
    fn plain<'a>(
        &mut self,
        value: impl Fn(usize) -> Value<'a>,
    ) -> Result<Option<Cow<'a, str>>, String> {
        match value(self.slot) {
            Value::Nested(_) => Err(format!(
                "{} is an object or array, expected a text or a number",
                self.field
            )),
            Value::Text(text) if !text.is_empty() => {
                self.found += 1;
                Ok(Some(text))
            }
            _ => Ok(None),
        }
    }

    fn required<'a>(
        &mut self,
        what: &str,
        value: impl Fn(usize) -> Value<'a>,
    ) -> Result<Cow<'a, str>, String> {
        self.plain(value)?.ok_or_else(|| {
            format!(
                "the record has no {}, where its {what} should be",
                self.field
            )
        })
    }
}

fn json_text(raw: &RawValue) -> Value<'_> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n') => Value::Absent,
        Some(b'"') => match serde_json::from_str::<String>(text) {
            Ok(decoded) => Value::Text(Cow::Owned(decoded)),
            Err(_) => Value::Nested(text),
        },
        Some(b'{' | b'[') => Value::Nested(text),
        _ => Value::Text(Cow::Borrowed(text)),
    }
}

/// The row as a JSON object of texts, the columns in their order.
fn json_of(columns: &[String], values: &[String]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let members: Vec<String> = columns
        .iter()
        .zip(values)
        .map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// What `serde_json` says without the place, which is known better here.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text.get(..at).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// Tells whether the message can be appended, so that a fault is laid to its record.
fn check_bounds(message: &Message) -> Result<(), String> {
    message.check().map_err(|error| error.to_string())?;
    let properties = message.properties();
    let bytes: usize = properties
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes < METADATA_BYTES_MAX / 2 {
        return Ok(());
    }
    let stamp = Stamp {
        id: Id::from_uuid([0; 16]),
        created: Timestamp::MAX,
        in_batch: true,
    };
    Draft::encode(message, &stamp)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
