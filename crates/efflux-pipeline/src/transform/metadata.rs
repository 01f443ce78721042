//! Sets, renames and removes metadata.

use std::collections::BTreeMap;

use efflux_storage::particle::{Message, Timestamp};
use serde::Deserialize;

use super::Transform;
use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// Which metadata a message gets and loses: first `rename`, then `set`, then `remove`.
///
/// Fields are `data_type`, `content_type`, `message_group` and `properties.NAME`; `timestamp` can
/// be set, to a time by RFC 3339.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct MetadataSettings {
    /// Fields that get another name: the former one and the one that it gets.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Fields and the templates of their values.
    #[serde(default)]
    pub set: BTreeMap<String, Template>,
    /// Fields that are taken away.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// Sets, renames and removes metadata. The payload stays as it is.
#[derive(Clone, Debug)]
pub struct MetadataTransform {
    rename: Vec<(Label, Label)>,
    set: Vec<(Label, Template)>,
    remove: Vec<Label>,
}

/// A field that can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    DataType,
    ContentType,
    MessageGroup,
    Timestamp,
    Property(String),
}

impl Label {
    fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "data_type" | "type" => Self::DataType,
            "content_type" => Self::ContentType,
            "message_group" | "group" => Self::MessageGroup,
            "timestamp" => Self::Timestamp,
            _ => match name.strip_prefix("properties.") {
                Some(property) if !property.is_empty() => Self::Property(property.to_owned()),
                _ => {
                    return Err(format!(
                        "{name:?} cannot be changed; there are data_type, content_type, \
                         message_group, timestamp and properties.NAME"
                    ));
                }
            },
        })
    }

    fn of<'a>(&self, message: &'a Message) -> Option<&'a str> {
        match self {
            Self::DataType => message.data_type(),
            Self::ContentType => message.content_type(),
            Self::MessageGroup => message.message_group(),
            Self::Timestamp => None,
            Self::Property(name) => message.property(name),
        }
    }

    fn set(&self, message: Message, value: &str) -> Result<Message, StageError> {
        Ok(match self {
            Self::DataType => message.with_data_type(value),
            Self::ContentType => message.with_content_type(value),
            Self::MessageGroup => message.with_message_group(value),
            Self::Property(name) => message.with_property(name, value),
            Self::Timestamp => {
                let time = value.parse().map_err(|error| {
                    StageError::rejected(format!("{value:?} is no timestamp: {error}"))
                })?;
                message.with_timestamp(time)
            }
        })
    }

    fn remove(&self, message: Message) -> Message {
        match self {
            Self::DataType => message.without_data_type(),
            Self::ContentType => message.without_content_type(),
            Self::MessageGroup => message.without_message_group(),
            Self::Timestamp => message,
            Self::Property(name) => message.without_property(name),
        }
    }
}

impl MetadataSettings {
    /// All that is wrong: fields that cannot be changed so.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let but_timestamp = |name: &str| match Label::parse(name) {
            Ok(Label::Timestamp) => Some("a timestamp can only be set".to_owned()),
            other => other.err(),
        };
        let mut faults = Vec::new();
        for (from, to) in &self.rename {
            let what = but_timestamp(from).or_else(|| but_timestamp(to));
            faults.extend(what.map(|what| SettingFault::of(from.as_str(), what).within("rename")));
        }
        for (name, template) in &self.set {
            let what = match (Label::parse(name), template.fixed()) {
                (Err(what), _) => Some(what),
                (Ok(Label::Timestamp), Some(fixed)) => {
                    let error = fixed.parse::<Timestamp>().err();
                    error.map(|error| format!("{fixed:?} is no timestamp: {error}"))
                }
                (Ok(_), _) => None,
            };
            faults.extend(what.map(|what| SettingFault::of(name.as_str(), what).within("set")));
        }
        for (at, name) in self.remove.iter().enumerate() {
            let what = but_timestamp(name);
            faults.extend(what.map(|what| SettingFault::of(at, what).within("remove")));
        }
        faults
    }
}

impl MetadataTransform {
    /// A transform by these settings.
    ///
    /// # Errors
    /// A field that cannot be changed so.
    pub fn new(settings: &MetadataSettings) -> Result<Self, String> {
        if let Some(fault) = settings.faults().first() {
            return Err(fault.what().to_owned());
        }
        let mut rename = Vec::new();
        for (from, to) in &settings.rename {
            rename.push((Label::parse(from)?, Label::parse(to)?));
        }
        let mut set = Vec::new();
        for (name, template) in &settings.set {
            set.push((Label::parse(name)?, template.clone()));
        }
        let removed = settings.remove.iter().map(|name| Label::parse(name));
        let remove: Vec<_> = removed.collect::<Result<_, _>>()?;
        Ok(Self {
            rename,
            set,
            remove,
        })
    }
}

impl Transform for MetadataTransform {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let mut message = input.message.clone();
        for (from, to) in &self.rename {
            if let Some(value) = from.of(&message).map(ToOwned::to_owned) {
                message = to.set(from.remove(message), &value)?;
            }
        }
        for (label, template) in &self.set {
            message = label.set(message, &template.render(&input)?)?;
        }
        let message = self
            .remove
            .iter()
            .fold(message, |message, label| label.remove(message));
        message.check().map_err(StageError::rejected)?;
        out.push(message)
    }

    fn regroups(&self) -> bool {
        let renames = self.rename.iter().map(|(_, to)| to);
        let mut changed = renames.chain(self.set.iter().map(|(label, _)| label));
        changed.any(|label| *label == Label::MessageGroup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::EmitMax;

    fn changed(settings: &str, message: Message) -> Result<Message, String> {
        let settings: MetadataSettings = serde_json::from_str(settings).unwrap();
        let transform = MetadataTransform::new(&settings)?;
        let parcel = Parcel::of_message(message);
        let step = "metadata".parse().unwrap();
        let mut out = Emit::new(&parcel, &step, EmitMax::default());
        let applied = transform.apply(parcel, &mut out);
        applied.map_err(|error| error.reason())?;
        Ok(out.into_parcels().remove(0).message)
    }

    #[test]
    fn fields_are_renamed_set_and_removed_in_this_order() {
        let message = Message::new("{\"c\":42}")
            .with_data_type("order")
            .with_property("old", "v")
            .with_property("gone", "x");
        let settings = r#"{
            "rename": {"properties.old": "properties.new"},
            "set": {"message_group": "customer-{data.c}", "timestamp": "2026-01-01T00:00:00Z",
                    "properties.was": "{properties.old}"},
            "remove": ["data_type", "properties.gone"]
        }"#;
        let message = changed(settings, message).unwrap();
        assert_eq!(message.property("new"), Some("v"));
        assert_eq!(message.property("old"), None);
        assert_eq!(message.property("was"), Some("v"));
        assert_eq!(message.message_group(), Some("customer-42"));
        assert_eq!(message.timestamp(), "2026-01-01T00:00:00Z".parse().ok());
        assert_eq!(message.data_type(), None);
        assert_eq!(message.property("gone"), None);
    }

    #[test]
    fn what_cannot_be_changed_or_kept_is_told() {
        let told = |settings: &str| changed(settings, Message::new("a")).unwrap_err();
        assert!(told(r#"{"set": {"id": "x"}}"#).contains("cannot be changed"));
        assert!(told(r#"{"remove": ["timestamp"]}"#).contains("only be set"));
        assert!(told(r#"{"set": {"timestamp": "soon"}}"#).contains("no timestamp"));
        assert!(told(r#"{"set": {"data_type": "{payload}\n"}}"#).contains("control"));
    }
}
