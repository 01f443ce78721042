//! The steps that a file can name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::build_fault::BuildFault;
use super::entry::Named;
use super::jq_entry::JqEntry;
use crate::aggregate::{Aggregate, AggregateForm};
use crate::file::read_bounded;
use crate::filter::{DedupeFilter, DedupeSettings, QueryFilter, VerifyFilter, VerifySettings};
use crate::limits::AGGREGATED_MESSAGES_MAX;
use crate::pipeline::too_many_steps;
use crate::quantity::{ByteSize, Period};
use crate::step::Step;
use crate::step_name::StepName;
use crate::template::Template;
use crate::transform::limits::WASM_MODULE_BYTES_MAX;
use crate::transform::{
    Convert, ConvertSettings, Fetch, FetchSettings, Jq, JqFilter, MetadataSettings,
    MetadataTransform, Split, SplitSettings, Unzip, UnzipSettings, Wasm, WasmSettings, Xslt,
    XsltSettings,
};

/// A step as a file tells it: `{ KIND = SETTINGS }`, or `{ name = "NAME", KIND = SETTINGS }`.
#[derive(Clone, Debug)]
pub struct StepEntry {
    /// What it is called; `KIND`, or `KIND-2` for the second of the kind, when it has no name.
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

    fn build(&self) -> Result<Aggregate, BuildFault> {
        if !(1..=AGGREGATED_MESSAGES_MAX).contains(&self.messages) {
            let what = format!("1 to {AGGREGATED_MESSAGES_MAX} messages are allowed");
            return Err(BuildFault::new(what).within("messages"));
        }
        let bytes_max = efflux_storage::particle::limits::PAYLOAD_BYTES_MAX;
        if !(1..=bytes_max).contains(&self.bytes.bytes()) {
            let what = format!("1 to {bytes_max} bytes are allowed");
            return Err(BuildFault::new(what).within("bytes"));
        }
        Ok(Aggregate {
            messages: self.messages,
            bytes: self.bytes.bytes(),
            period: self.period.0,
            by: self.by.clone(),
            form: match self.form {
                AggregateFormSetting::JsonArray => AggregateForm::JsonArray,
                AggregateFormSetting::Lines => AggregateForm::Lines,
                AggregateFormSetting::Joined => AggregateForm::Joined,
            },
        })
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

    fn build(&self, name: StepName) -> Result<Step, BuildFault> {
        Ok(match self {
            Self::Filter(query) => {
                let query = query.parse().map_err(query_fault)?;
                Step::filter(name, QueryFilter::new(query))
            }
            Self::Dedupe(settings) => {
                let filter = DedupeFilter::new(settings.clone());
                let fault = |what| BuildFault::new(what).within("last");
                Step::filter(name, filter.map_err(fault)?)
            }
            Self::Verify(settings) => Step::filter(name, VerifyFilter::new(*settings)),
            Self::Metadata(settings) => Step::transform(name, MetadataTransform::new(settings)?),
            Self::Aggregate(settings) => Step::aggregate(name, settings.build()?),
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
                let fault = |error| BuildFault::new(format!("{error}")).within("stylesheet");
                Step::transform(name, xslt.map_err(fault)?)
            }
            Self::Wasm(settings) => Step::transform(name, wasm(settings)?),
        })
    }
}

/// A module in WebAssembly, read from its file.
fn wasm(settings: &WasmSettings) -> Result<Wasm, BuildFault> {
    let fault = |what: String| BuildFault::new(what).within("module");
    let path = settings.module.as_ref();
    let path = path.ok_or_else(|| fault("the file with the module is missing".to_owned()))?;
    let bytes = read_bounded(path, WASM_MODULE_BYTES_MAX).map_err(fault)?;
    Wasm::new(settings.clone(), &bytes).map_err(|error| fault(error.reason()))
}

/// What is wrong with a query, at its place.
pub(super) fn query_fault(error: efflux_storage::QueryError) -> BuildFault {
    BuildFault::at_byte(error.at, error.message)
}

/// What the steps are called.
pub(super) fn names(entries: &[StepEntry]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let names = entries.iter().map(|entry| {
        let key = entry.kind.key();
        let number = counts.entry(key).or_default();
        *number += 1;
        match (&entry.name, number) {
            (Some(name), _) => name.clone(),
            (None, 1) => key.to_owned(),
            (None, number) => format!("{key}-{number}"),
        }
    });
    names.collect()
}

/// The steps, each with its name; all that is wrong with them.
pub(super) fn build(entries: &[StepEntry]) -> Result<Vec<Step>, Vec<BuildFault>> {
    let (mut steps, mut faults): (Vec<Step>, Vec<BuildFault>) = (Vec::new(), Vec::new());
    if let Some(what) = too_many_steps(entries.len()) {
        return Err(vec![BuildFault::new(what).within("steps")]);
    }
    for (at, (entry, name)) in entries.iter().zip(names(entries)).enumerate() {
        let key = entry.kind.key();
        let built = match name.parse::<StepName>() {
            Ok(name) if steps.iter().any(|step| step.name == name) => {
                Err(BuildFault::new(format!("another step is called {name}")))
            }
            Ok(name) => entry.kind.build(name).map_err(|fault| fault.within(key)),
            Err(error) => Err(BuildFault::new(error.to_string()).within("name")),
        };
        match built {
            Ok(step) => steps.push(step),
            Err(fault) => faults.push(fault.within(at).within("steps")),
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
                let name = json!({ "type": "string", "description": text });
                properties.insert("name".to_owned(), name);
            }
        }
        schema
    }
}
