//! Texts with places that each message fills in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use thiserror::Error;

use crate::limits::{RENDERED_BYTES_MAX, TEMPLATE_BYTES_MAX};
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// A text with places that each message fills in, as in `orders-{properties.region}`.
///
/// A place is `{FIELD}`, or `{FIELD|TEXT}` with what stands there when the message lacks the field.
/// Fields are `id`, `data_type`, `content_type`, `message_group`, `timestamp`, `properties.NAME`,
/// `payload`, `data` for the payload as JSON and `data.PATH` for a value in it, and of the particle
/// that the message comes from `origin.topic`, `origin.sequence`, `origin.id`. A brace that is meant
/// as such is written twice.
///
/// - At most 64 KiB; it becomes at most 1 MiB.
///
/// ```
/// use efflux_pipeline::{Parcel, Template};
/// use efflux_pipeline::particle::Message;
///
/// let template: Template = "orders-{properties.region|none}/{data.id}.json".parse()?;
/// let order = Message::new("{\"id\":7}").with_property("region", "eu");
/// assert_eq!(template.render(&Parcel::of_message(order))?, "orders-eu/7.json");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place {
        field: Field,
        otherwise: Option<String>,
    },
}

/// What a place asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The message's id.
    Id,
    /// Its data type.
    DataType,
    /// Its media type.
    ContentType,
    /// Its message group.
    MessageGroup,
    /// When its data came to be, by RFC 3339.
    Timestamp,
    /// A property.
    Property(String),
    /// The payload as text.
    Payload,
    /// A value in the JSON payload; the whole of it for no path.
    Data(Vec<String>),
    /// The topic of the particle that it comes from.
    OriginTopic,
    /// That particle's sequence.
    OriginSequence,
    /// That particle's id.
    OriginId,
}

/// Why a text is no template: what is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} (byte {at} of the template)")]
pub struct TemplateError {
    /// The byte where it is wrong.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl Template {
    /// The template filled in from a message.
    ///
    /// # Errors
    /// `Rejected` when the message lacks a field for which the template has no other text, when its
    /// payload is asked and is no text or JSON, or when the text becomes too long.
    pub fn render(&self, parcel: &Parcel) -> Result<String, StageError> {
        let json = self.reads_data().then(|| parcel.json());
        // A payload that is no JSON lacks every field of data.
        let (data, no_json) = match json {
            Some(Ok(data)) => (Some(data), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let mut text = String::with_capacity(self.text.len());
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Place { field, otherwise } => {
                    match (field.of(parcel, data.as_ref())?, otherwise) {
                        (Some(value), _) => text.push_str(&value),
                        (None, Some(otherwise)) => text.push_str(otherwise),
                        (None, None) => {
                            let of_data = no_json.filter(|_| matches!(field, Field::Data(_)));
                            return Err(of_data.unwrap_or_else(|| lacks(field, &self.text)));
                        }
                    }
                }
            }
            if text.len() > RENDERED_BYTES_MAX {
                return Err(StageError::rejected(format!(
                    "the template {:?} becomes more than {RENDERED_BYTES_MAX} bytes",
                    start_of(&self.text)
                )));
            }
        }
        Ok(text)
    }

    /// The templates between its own commas, of which those in quotation marks part nothing. What a
    /// message fills in parts nothing either.
    #[cfg(feature = "email")]
    pub(crate) fn between_commas(&self) -> Vec<Self> {
        let mut pieces = vec![Vec::new()];
        let mut is_quoted = false;
        let add = |pieces: &mut Vec<Vec<Part>>, part: Part| {
            if let Some(piece) = pieces.last_mut() {
                piece.push(part);
            }
        };
        for part in &self.parts {
            let Part::Text(text) = part else {
                add(&mut pieces, part.clone());
                continue;
            };
            let parts_here = |letter: char| {
                is_quoted ^= letter == '"';
                letter == ',' && !is_quoted
            };
            for (at, text) in text.split(parts_here).enumerate() {
                if at > 0 {
                    pieces.push(Vec::new());
                }
                add(&mut pieces, Part::Text(text.to_owned()));
            }
        }
        let text = &self.text;
        let pieces = pieces.into_iter().map(|parts| Self {
            text: text.clone(),
            parts,
        });
        pieces.collect()
    }

    /// The text it was read from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether every message makes the same text of it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text that every message makes of it, if all make the same.
    #[cfg(any(feature = "declared", feature = "file-port"))]
    pub(crate) fn fixed(&self) -> Option<String> {
        let texts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Place { .. } => None,
        });
        texts.collect()
    }

    fn reads_data(&self) -> bool {
        let is_data = |part: &Part| {
            matches!(
                part,
                Part::Place {
                    field: Field::Data(_),
                    ..
                }
            )
        };
        self.parts.iter().any(is_data)
    }
}

fn lacks(field: &Field, template: &str) -> StageError {
    StageError::rejected(format!(
        "the message has no {field}, which the template {:?} asks for; \
         {{{field}|TEXT}} says what stands there then",
        start_of(template)
    ))
}

fn start_of(text: &str) -> String {
    text.chars().take(80).collect()
}

impl Field {
    /// The field's text; none when the message lacks it.
    ///
    /// # Errors
    /// `Rejected` when the payload is asked for and is no text.
    pub fn of(&self, parcel: &Parcel, data: Option<&Value>) -> Result<Option<String>, StageError> {
        let message = &parcel.message;
        let particle = parcel.origin().particle();
        Ok(match self {
            Self::Id => message.id().map(ToString::to_string),
            Self::DataType => message.data_type().map(ToOwned::to_owned),
            Self::ContentType => message.content_type().map(ToOwned::to_owned),
            Self::MessageGroup => message.message_group().map(ToOwned::to_owned),
            Self::Timestamp => message.timestamp().map(|time| time.to_string()),
            Self::Property(name) => message.property(name).map(ToOwned::to_owned),
            Self::Payload => Some(parcel.text()?),
            Self::Data(path) => data.and_then(|data| value_at(data, path)).map(text_of),
            Self::OriginTopic => parcel.origin().topic().map(ToString::to_string),
            Self::OriginSequence => particle.map(|found| found.sequence().to_string()),
            Self::OriginId => parcel.origin().id().map(ToString::to_string),
        })
    }
}

/// The value at a path; `null` is no value.
fn value_at<'a>(data: &'a Value, path: &[String]) -> Option<&'a Value> {
    let found = path.iter().try_fold(data, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
        _ => None,
    });
    found.filter(|value| !value.is_null())
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if let Some(property) = name.strip_prefix("properties.") {
            return match property {
                "" => Err("the property has no name".to_owned()),
                _ => Ok(Self::Property(property.to_owned())),
            };
        }
        if let Some(path) = name.strip_prefix("data.") {
            let path: Vec<_> = path.split('.').map(ToOwned::to_owned).collect();
            return match path.iter().any(String::is_empty) {
                true => Err(format!("{name:?} has a name that is empty")),
                false => Ok(Self::Data(path)),
            };
        }
        Ok(match name {
            "id" => Self::Id,
            "data_type" | "type" => Self::DataType,
            "content_type" => Self::ContentType,
            "message_group" | "group" => Self::MessageGroup,
            "timestamp" => Self::Timestamp,
            "payload" => Self::Payload,
            "data" => Self::Data(Vec::new()),
            "origin.topic" => Self::OriginTopic,
            "origin.sequence" => Self::OriginSequence,
            "origin.id" => Self::OriginId,
            _ => {
                return Err(format!(
                    "there is no field {name:?}; there are id, data_type, content_type, \
                     message_group, timestamp, payload, properties.NAME, data.PATH, origin.topic, \
                     origin.sequence and origin.id"
                ));
            }
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::DataType => "data_type",
            Self::ContentType => "content_type",
            Self::MessageGroup => "message_group",
            Self::Timestamp => "timestamp",
            Self::Payload => "payload",
            Self::OriginTopic => "origin.topic",
            Self::OriginSequence => "origin.sequence",
            Self::OriginId => "origin.id",
            Self::Property(name) => return write!(f, "properties.{name}"),
            Self::Data(path) if path.is_empty() => "data",
            Self::Data(path) => return write!(f, "data.{}", path.join(".")),
        })
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            let what = format!("a template has at most {TEMPLATE_BYTES_MAX} bytes");
            return Err(TemplateError { at: 0, what });
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let is_twice = letters.peek().is_some_and(|(_, next)| *next == letter);
            match letter {
                '{' | '}' if is_twice => {
                    letters.next();
                    plain.push(letter);
                }
                '}' => return Err(fault(at, "a '}' closes nothing; write '}}' for a brace")),
                '{' => {
                    let rest = text.get(at + 1..).unwrap_or_default();
                    let length = rest
                        .find('}')
                        .ok_or_else(|| fault(at, "a '{' is not closed; write '{{' for a brace"))?;
                    let inner = rest.get(..length).unwrap_or_default();
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(place(inner).map_err(|what| TemplateError { at: at + 1, what })?);
                    while letters
                        .next_if(|(next, _)| *next <= at + 1 + length)
                        .is_some()
                    {}
                }
                _ => plain.push(letter),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

fn fault(at: usize, what: &str) -> TemplateError {
    TemplateError {
        at,
        what: what.to_owned(),
    }
}

fn place(inner: &str) -> Result<Part, String> {
    let (name, otherwise) = match inner.split_once('|') {
        Some((name, otherwise)) => (name, Some(otherwise.to_owned())),
        None => (inner, None),
    };
    Ok(Part::Place {
        field: name.trim().parse()?,
        otherwise,
    })
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(feature = "file")]
impl schemars::JsonSchema for Template {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A text with places that each message fills in, as in \
                            orders-{properties.region|none}."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;

    fn render(template: &str, message: Message) -> Result<String, String> {
        let template: Template = template
            .parse()
            .map_err(|error: TemplateError| error.what)?;
        template
            .render(&Parcel::of_message(message))
            .map_err(|error| error.reason())
    }

    #[test]
    fn every_field_fills_its_place() {
        let message = Message::new("{\"a\":[{\"b\":true}],\"c\":\"x\"}")
            .with_id("m-1".parse().unwrap())
            .with_data_type("order")
            .with_message_group("g")
            .with_property("region", "eu");
        for (template, expect) in [
            ("plain", "plain"),
            ("{id}", "m-1"),
            ("{data_type}-{message_group}", "order-g"),
            ("é{properties.region}é", "éeué"),
            ("{data.a.0.b}{data.c}", "truex"),
            ("{data.none|-}", "-"),
            ("{{{id}}}", "{m-1}"),
            ("{origin.id}", "m-1"),
            ("{origin.topic|}", ""),
        ] {
            assert_eq!(
                render(template, message.clone()).as_deref(),
                Ok(expect),
                "{template}"
            );
        }
    }

    #[test]
    fn a_field_that_the_message_lacks_is_told() {
        let told = render("a-{properties.region}", Message::new("x")).unwrap_err();
        assert!(told.contains("no properties.region"), "{told}");
        assert!(
            render("{data.a}", Message::new("x"))
                .unwrap_err()
                .contains("no JSON")
        );
        assert!(
            render("{payload}", Message::new(&b"\xff"[..]))
                .unwrap_err()
                .contains("byte 0")
        );
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_place() {
        let at = |text: &str| text.parse::<Template>().unwrap_err().at;
        assert_eq!(at("ab{id"), 2);
        assert_eq!(at("ab}"), 2);
        assert_eq!(at("ab{nothing}"), 3);
        assert_eq!(at("{properties.}"), 1);
        assert_eq!(at("{data.a..b}"), 1);
    }

    #[test]
    fn what_becomes_too_long_is_rejected() {
        let large = "x".repeat(RENDERED_BYTES_MAX);
        assert!(
            render("a{payload}", Message::new(large))
                .unwrap_err()
                .contains("more than")
        );
    }
}
