//! The steps that a file can name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;
use efflux_xslt::XsltError;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::entry::Named;
use super::jq_entry::JqEntry;
use super::schema::STEP_NAME;
use crate::aggregate::{Aggregate, AggregateForm};
use crate::file::read_bounded;
use crate::filter::{DedupeFilter, DedupeSettings, QueryFilter, VerifyFilter, VerifySettings};
use crate::limits::AGGREGATED_MESSAGES_MAX;
use crate::pipeline::too_many_steps;
use crate::quantity::{ByteSize, Period};
use crate::setting_fault::SettingFault;
use crate::step::Step;
use crate::step_name::StepName;
use crate::template::Template;
use crate::transform::limits::WASM_MODULE_BYTES_MAX;
use crate::transform::{
    Convert, ConvertSettings, Fetch, FetchSettings, Jq, JqFilter, MetadataSettings,
    MetadataTransform, Split, SplitSettings, Unzip, UnzipSettings, Wasm, WasmSettings, Xslt,
    XsltSettings,
};

/// What a step is called whose name is none, while it is looked at.
const UNNAMED: &str = "unnamed";

/// A step as a file tells it: `{ KIND = SETTINGS }`, or `{ name = "NAME", KIND = SETTINGS }`.
#[derive(Clone, Debug)]
pub struct StepEntry {
    /// What it is called; `KIND`, or `KIND-2` for the second of the kind without one, when it has no name.
    pub name: Option<String>,
    /// What it does.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// Lets the messages through that match a query, over metadata and, as `data.…`, over JSON.
    Filter(String),
    /// Lets messages through whose key was not there before.
    Dedupe(DedupeSettings),
    /// Rejects what is not what its metadata say.
    Verify(VerifySettings),
    /// Sets, renames and removes metadata.
    Metadata(MetadataSettings),
    /// Makes one message of many.
    Aggregate(AggregateSettings),
    /// Lets the messages through for which a program of jq is true.
    JqFilter(JqEntry),
    /// Makes messages of a JSON payload by a program of jq.
    Jq(JqEntry),
    /// Splits a message into its lines, rows or elements.
    Split(SplitSettings),
    /// Unpacks an archive.
    Unzip(UnzipSettings),
    /// Brings the content into another form: CSV, JSON, compressed or not.
    Convert(ConvertSettings),
    /// Puts what a URL answers in the message's place.
    Fetch(FetchSettings),
    /// Makes a document of an XML payload by a stylesheet.
    Xslt(XsltSettings),
    /// Makes messages by a module in WebAssembly.
    Wasm(WasmSettings),
}

/// When messages become one, and how.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct AggregateSettings {
    /// Messages of one aggregate: 1 to 65,536.
    #[schemars(range(min = 1, max = AGGREGATED_MESSAGES_MAX))]
    pub messages: usize,
    /// Bytes of one aggregate: up to 16 MiB.
    #[serde(default = "AggregateSettings::bytes")]
    pub bytes: ByteSize,
    /// How long the first message waits for others.
    pub period: Period,
    /// What belongs together, as a template; all when it is left out.
    pub by: Option<Template>,
    /// What the payload becomes.
    #[serde(default)]
    pub form: AggregateFormSetting,
}

/// What the payload of an aggregate is.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AggregateFormSetting {
    /// A JSON array.
    #[default]
    JsonArray,
    /// A line for each.
    Lines,
    /// One behind the other.
    Joined,
}

impl AggregateSettings {
    const fn bytes() -> ByteSize {
        ByteSize(1024 * 1024)
    }

    fn faults(&self) -> Vec<SettingFault> {
        let messages = format!("1 to {AGGREGATED_MESSAGES_MAX} messages are allowed");
        let has_messages = (1..=AGGREGATED_MESSAGES_MAX).contains(&self.messages);
        let bytes = format!("1 to {PAYLOAD_BYTES_MAX} bytes are allowed");
        let has_bytes = (1..=PAYLOAD_BYTES_MAX).contains(&self.bytes.bytes());
        let messages = SettingFault::unless(has_messages, "messages", &messages);
        let bytes = SettingFault::unless(has_bytes, "bytes", &bytes);
        messages.into_iter().chain(bytes).collect()
    }

    fn build(&self) -> Aggregate {
        Aggregate {
            messages: self.messages,
            bytes: self.bytes.bytes(),
            period: self.period.0,
            by: self.by.clone(),
            form: match self.form {
                AggregateFormSetting::JsonArray => AggregateForm::JsonArray,
                AggregateFormSetting::Lines => AggregateForm::Lines,
                AggregateFormSetting::Joined => AggregateForm::Joined,
            },
        }
    }
}

impl StepKind {
    /// What the kind is called in a file.
    pub(super) const fn key(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::Dedupe(_) => "dedupe",
            Self::Verify(_) => "verify",
            Self::Metadata(_) => "metadata",
            Self::Aggregate(_) => "aggregate",
            Self::JqFilter(_) => "jq_filter",
            Self::Jq(_) => "jq",
            Self::Split(_) => "split",
            Self::Unzip(_) => "unzip",
            Self::Convert(_) => "convert",
            Self::Fetch(_) => "fetch",
            Self::Xslt(_) => "xslt",
            Self::Wasm(_) => "wasm",
        }
    }

    /// All that is wrong with the settings; of a program, what building it tells.
    fn faults(&self) -> Vec<SettingFault> {
        match self {
            Self::Metadata(settings) => settings.faults(),
            Self::Aggregate(settings) => settings.faults(),
            Self::Split(settings) => settings.faults(),
            Self::Unzip(settings) => settings.faults(),
            Self::Convert(settings) => settings.faults(),
            Self::Fetch(settings) => settings.faults(),
            Self::Jq(entry) | Self::JqFilter(entry) => entry.faults(),
            Self::Wasm(settings) => settings.faults(),
            Self::Xslt(settings) => settings.faults(),
            Self::Filter(_) | Self::Dedupe(_) | Self::Verify(_) => Vec::new(),
        }
    }

    /// The step.
    ///
    /// # Errors
    /// All that is wrong with its settings.
    fn checked(&self, name: StepName) -> Result<Step, Vec<SettingFault>> {
        let mut faults = self.faults();
        match self.build(name) {
            Ok(step) if faults.is_empty() => return Ok(step),
            // What building tells is the first of them, or another one.
            Err(fault) if faults.iter().all(|it| it.what() != fault.what()) => faults.push(fault),
            _ => {}
        }
        Err(faults)
    }

    fn build(&self, name: StepName) -> Result<Step, SettingFault> {
        Ok(match self {
            Self::Filter(query) => {
                let query = query.parse().map_err(query_fault)?;
                Step::filter(name, QueryFilter::new(query))
            }
            Self::Dedupe(settings) => {
                let filter = DedupeFilter::new(settings.clone());
                let fault = |what| SettingFault::new(what).within("last");
                Step::filter(name, filter.map_err(fault)?)
            }
            Self::Verify(settings) => Step::filter(name, VerifyFilter::new(*settings)),
            Self::Metadata(settings) => Step::transform(name, MetadataTransform::new(settings)?),
            Self::Aggregate(settings) => Step::aggregate(name, settings.build()),
            Self::JqFilter(entry) => {
                let filter = JqFilter::new(entry.settings());
                Step::filter(name, filter.map_err(|error| entry.fault(error))?)
            }
            Self::Jq(entry) => {
                let jq = Jq::new(entry.settings());
                Step::transform(name, jq.map_err(|error| entry.fault(error))?)
            }
            Self::Split(settings) => Step::transform(name, Split::new(settings.clone())?),
            Self::Unzip(settings) => Step::transform(name, Unzip::new(settings.clone())?),
            Self::Convert(settings) => Step::transform(name, Convert::new(settings.clone())?),
            Self::Fetch(settings) => Step::awaiting(name, Fetch::new(settings.clone())?),
            Self::Xslt(settings) => {
                let xslt = Xslt::new(settings.clone());
                let fault = |error: XsltError| {
                    let text = &settings.stylesheet;
                    let at = error.line.map_or(0, |line| line_begin(text, line));
                    SettingFault::at_byte(at, error.to_string()).within("stylesheet")
                };
                Step::transform(name, xslt.map_err(fault)?)
            }
            Self::Wasm(settings) => Step::transform(name, wasm(settings)?),
        })
    }
}

/// The byte where a line begins; lines count from 1 on.
fn line_begin(text: &str, line: u32) -> usize {
    let before = usize::try_from(line).unwrap_or_default().saturating_sub(1);
    text.split_inclusive('\n').take(before).map(str::len).sum()
}

/// A module in WebAssembly, read from its file.
fn wasm(settings: &WasmSettings) -> Result<Wasm, SettingFault> {
    let fault = |what: String| SettingFault::new(what).within("module");
    let path = settings.module.as_ref();
    let missing = || SettingFault::lack("the file with the module is missing").within("module");
    let path = path.ok_or_else(missing)?;
    let bytes = read_bounded(path, WASM_MODULE_BYTES_MAX).map_err(fault)?;
    Wasm::new(settings.clone(), &bytes).map_err(|error| fault(error.reason()))
}

/// What is wrong with a query, at its place.
pub(super) fn query_fault(error: efflux_storage::QueryError) -> SettingFault {
    SettingFault::at_byte(error.at, error.message)
}

/// What the steps are called.
pub(super) fn names(entries: &[StepEntry]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let names = entries.iter().map(|entry| {
        if let Some(name) = &entry.name {
            return name.clone();
        }
        let key = entry.kind.key();
        let number = counts.entry(key).or_default();
        *number += 1;
        match number {
            1 => key.to_owned(),
            number => format!("{key}-{number}"),
        }
    });
    names.collect()
}

/// The steps, each with its name; all that is wrong with them.
pub(super) fn build(entries: &[StepEntry]) -> Result<Vec<Step>, Vec<SettingFault>> {
    let (mut steps, mut faults): (Vec<Step>, Vec<SettingFault>) = (Vec::new(), Vec::new());
    if let Some(what) = too_many_steps(entries.len()) {
        return Err(vec![SettingFault::new(what).within("steps")]);
    }
    let mut taken: Vec<StepName> = Vec::new();
    for (at, (entry, name)) in entries.iter().zip(names(entries)).enumerate() {
        let within = |fault: SettingFault| fault.within(at).within("steps");
        let parsed = match name.parse::<StepName>() {
            Ok(name) if taken.contains(&name) => {
                Err(SettingFault::new(format!("another step is called {name}")))
            }
            Ok(name) => Ok(name),
            Err(error) => Err(SettingFault::of("name", error.to_string())),
        };
        let own = match parsed {
            Ok(name) => {
                taken.push(name.clone());
                name
            }
            Err(fault) => {
                faults.push(within(fault));
                // Its settings are looked at all the same.
                match UNNAMED.parse() {
                    Ok(name) => name,
                    Err(_) => continue,
                }
            }
        };
        match entry.kind.checked(own) {
            Ok(step) => steps.push(step),
            Err(found) => {
                let key = entry.kind.key();
                faults.extend(found.into_iter().map(|fault| within(fault.within(key))));
            }
        }
    }
    if faults.is_empty() {
        Ok(steps)
    } else {
        Err(faults)
    }
}

impl<'de> Deserialize<'de> for StepEntry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Named { name, kind } = Named::deserialize(from)?;
        Ok(Self { name, kind })
    }
}

impl JsonSchema for StepEntry {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    /// The schema of the kinds, each with a name that may stand beside it.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = StepKind::json_schema(generator);
        let Some(Value::Array(kinds)) = schema.get_mut("oneOf") else {
            return schema;
        };
        for kind in kinds {
            if let Some(Value::Object(properties)) = kind.get_mut("properties") {
                let text = "What the step is called. It stands in the ids of what it makes.";
                let name = json!({ "type": "string", "description": text, "pattern": STEP_NAME });
                properties.insert("name".to_owned(), name);
            }
        }
        schema
    }
}
