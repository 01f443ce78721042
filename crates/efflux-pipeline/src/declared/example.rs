//! Examples in a file: what goes in, and what is to come out.

use std::collections::BTreeMap;

use efflux_storage::particle::Message;
use efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pipeline::PipelineSettings;
use super::steps;
use crate::file::read_bounded;
use crate::setting_fault::SettingFault;

/// An example: messages that go into a pipeline, and those that are to come out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct ExampleSettings {
    /// What the example shows, in a sentence.
    pub name: String,
    /// The pipeline that is tried.
    pub pipeline: String,
    /// The step to begin with; the first when it is left out.
    pub from: Option<String>,
    /// The last step; the last of the pipeline when it is left out.
    pub through: Option<String>,
    /// The messages that go in.
    pub input: Vec<ExampleMessage>,
    /// The messages that are to come out, in order.
    #[serde(default)]
    pub expect: Vec<ExpectedMessage>,
    /// The failures that are to occur, in order.
    #[serde(default)]
    pub failures: Vec<ExpectedFailure>,
}

/// A message that goes in. Its payload is one of `text`, `json`, `hex` and `file`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
#[schemars(extend("not" = { "anyOf": [
    { "required": ["text", "json"] }, { "required": ["text", "hex"] },
    { "required": ["text", "file"] }, { "required": ["json", "hex"] },
    { "required": ["json", "file"] }, { "required": ["hex", "file"] },
] }))]
pub struct ExampleMessage {
    /// The payload, as text.
    pub text: Option<String>,
    /// The payload, as JSON.
    pub json: Option<Value>,
    /// The payload, as hexadecimal digits.
    #[schemars(regex(pattern = r"^\s*([0-9a-fA-F]\s*[0-9a-fA-F]\s*)*$"))]
    pub hex: Option<String>,
    /// A file with the payload.
    pub file: Option<String>,
    /// The id; one that follows from the example when it is left out.
    pub id: Option<String>,
    /// The data type.
    pub data_type: Option<String>,
    /// The payload's media type.
    pub content_type: Option<String>,
    /// The message group.
    pub message_group: Option<String>,
    /// The properties.
    pub properties: BTreeMap<String, String>,
}

/// A message that is to come out: what is named has to be so, the rest may be anything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ExpectedMessage {
    /// The payload, as text.
    pub text: Option<String>,
    /// A part of the payload, as text.
    pub contains: Option<String>,
    /// The payload, as JSON: equal as values.
    pub json: Option<Value>,
    /// The data type.
    pub data_type: Option<String>,
    /// The payload's media type.
    pub content_type: Option<String>,
    /// The message group.
    pub message_group: Option<String>,
    /// Properties.
    pub properties: BTreeMap<String, String>,
    /// The topic that the router chooses.
    pub topic: Option<String>,
}

/// A failure that is to occur.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct ExpectedFailure {
    /// The step that fails; `port` for what the router refuses.
    pub step: String,
    /// A part of what it says.
    #[serde(default)]
    pub contains: String,
}

impl ExampleSettings {
    /// Whether it tries the last step, so that the router is asked.
    pub(super) fn goes_to_the_end(&self, pipeline: &PipelineSettings) -> bool {
        let last = steps::names(&pipeline.steps).pop();
        self.through.is_none() || self.through == last
    }

    /// What is wrong with the example itself.
    pub(super) fn faults(
        &self,
        pipelines: &BTreeMap<String, PipelineSettings>,
    ) -> Vec<SettingFault> {
        let Some(pipeline) = pipelines.get(&self.pipeline) else {
            let what = format!("there is no pipeline {:?}", self.pipeline);
            return vec![SettingFault::lack(what).within("pipeline")];
        };
        let mut faults = Vec::new();
        let names = steps::names(&pipeline.steps);
        for (key, name) in [("from", &self.from), ("through", &self.through)] {
            if let Some(name) = name
                && !names.is_empty()
                && !names.contains(name)
            {
                let what = format!("there is no step {name:?}; there are {}", names.join(", "));
                faults.push(SettingFault::lack(what).within(key));
            }
        }
        let place = |name: &Option<String>| {
            let name = name.as_deref()?;
            names.iter().position(|step| *step == name)
        };
        if let (Some(from), Some(through)) = (place(&self.from), place(&self.through))
            && through < from
        {
            let what = "this step lies before the one to begin with: nothing would be tried";
            faults.push(SettingFault::new(what).within("through"));
        }
        for (at, input) in self.input.iter().enumerate() {
            let made = input.message(self, at);
            faults.extend(made.err().map(|it| it.within(at).within("input")));
        }
        faults
    }
}

impl ExampleMessage {
    /// The message.
    pub(super) fn message(
        &self,
        example: &ExampleSettings,
        at: usize,
    ) -> Result<Message, SettingFault> {
        let payload = match (&self.text, &self.json, &self.hex, &self.file) {
            (Some(text), None, None, None) => text.clone().into_bytes(),
            (None, Some(json), None, None) => json.to_string().into_bytes(),
            (None, None, Some(hex), None) => {
                unhex(hex).ok_or_else(|| SettingFault::new("these are no bytes").within("hex"))?
            }
            (None, None, None, Some(path)) => read_bounded(path, PAYLOAD_BYTES_MAX)
                .map_err(|what| SettingFault::new(what).within("file"))?,
            (None, None, None, None) => Vec::new(),
            _ => {
                let what = "a payload is given once: as text, json, hex or file";
                return Err(SettingFault::new(what));
            }
        };
        let id = match &self.id {
            Some(id) => id
                .parse()
                .map_err(|error| SettingFault::new(format!("{error}")).within("id"))?,
            None => {
                let number = at.to_le_bytes();
                crate::derived_id(&[example.name.as_bytes(), &number])
            }
        };
        let mut message = Message::new(payload).with_id(id);
        if let Some(data_type) = &self.data_type {
            message = message.with_data_type(data_type);
        }
        if let Some(content_type) = &self.content_type {
            message = message.with_content_type(content_type);
        }
        if let Some(group) = &self.message_group {
            message = message.with_message_group(group);
        }
        for (name, value) in &self.properties {
            message = message.with_property(name, value);
        }
        let checked = message.check();
        checked.map_err(|error| SettingFault::new(error.to_string()))?;
        Ok(message)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| letter.to_digit(16))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    pairs.collect()
}
