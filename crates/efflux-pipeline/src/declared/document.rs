//! A file of pipelines.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::example::ExampleSettings;
use super::pipeline::PipelineSettings;
use super::schema::{self, NAME};
use super::stores::Stores;
use super::tried::{self, TestReport};
use crate::file::{Fault, Reading, Room, Surroundings};
use crate::pipeline::{Pipeline, PipelineError};
use crate::setting_fault::{Key, SettingFault};

/// The one version of the file's form.
const VERSION: u32 = 1;
/// Bytes of a file of pipelines: 1 MiB. What is larger is data.
const BYTES_MAX: usize = 1024 * 1024;

/// A file of pipelines, and of examples that try them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct DocumentFile {
    /// The version of the file's form: 1.
    #[schemars(required, extend("const" = VERSION))]
    pub version: Option<u32>,
    /// The pipelines, by their names.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    pub pipeline: BTreeMap<String, PipelineSettings>,
    /// Examples that try the steps of pipelines with no outside system.
    #[serde(default)]
    pub test: Vec<ExampleSettings>,
}

/// A file of pipelines in which nothing is wrong, as far as that can be told without asking anything
/// outside.
#[derive(Clone, Debug)]
pub struct Document {
    file: DocumentFile,
    /// What the file says, with all variables filled in.
    values: Values,
    text: String,
}

/// Values that are never shown: secrets are among them.
#[derive(Clone)]
struct Values(toml::Table);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values(…)")
    }
}

impl DocumentFile {
    /// All that is wrong with the values, as far as that can be told without asking anything outside;
    /// of an example, with the pipeline that it tries.
    fn faults(&self) -> Vec<(Option<String>, SettingFault)> {
        let mut faults = Vec::new();
        match self.version {
            Some(VERSION) => {}
            Some(version) => {
                let what = format!("version {version} is not known; it is {VERSION}");
                faults.push((None, SettingFault::of("version", what)));
            }
            None => {
                let what =
                    format!("the file does not tell its form: begin with `version = {VERSION}`");
                faults.push((None, SettingFault::lack(what).within("version")));
            }
        }
        for (name, pipeline) in &self.pipeline {
            let within = |fault: SettingFault| fault.within(name.as_str()).within("pipeline");
            let found = pipeline.faults(name).into_iter().map(within);
            faults.extend(found.map(|fault| (None, fault)));
        }
        for (at, example) in self.test.iter().enumerate() {
            let found = example.faults(&self.pipeline).into_iter();
            let found = found.map(|fault| fault.within(at).within("test"));
            faults.extend(found.map(|fault| (Some(example.pipeline.clone()), fault)));
        }
        faults
    }
}

impl Document {
    /// Reads a file, with variables and secrets filled in.
    ///
    /// # Errors
    /// What is wrong, in the order of the places: of the syntax; when nothing is, of the shape and of what
    /// the values mean, such as a query that is none. No fault tells what a variable or a file holds.
    /// 100 faults are told at once.
    pub fn read(text: &str, around: &dyn Surroundings) -> Result<Self, Vec<Fault>> {
        if text.len() > BYTES_MAX {
            let bytes = text.len();
            let what = format!("the file has {bytes} bytes, at most {BYTES_MAX} are allowed");
            return Err(vec![Fault::at(text, 0, what)]);
        }
        let room = Room::default();
        let mut reading: Reading<'_, DocumentFile> = Reading::of(text, Some(around), &room)?;
        let faults = reading.value().map(DocumentFile::faults);
        for (tried, fault) in faults.unwrap_or_default() {
            // Of steps that could not be read, nobody knows the names.
            let of_gap = tried.is_some_and(|pipeline| {
                fault.is_lack() && reading.has_gap(&["pipeline".into(), Key::Name(pipeline)])
            });
            if !of_gap {
                reading.add(&fault);
            }
        }
        reading.check()?;
        let values = Values(reading.again().unwrap_or_default());
        let (file, text) = (reading.whole()?, text.to_owned());
        Ok(Self { file, values, text })
    }

    /// The names of the pipelines, in ascending order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.file.pipeline.keys().map(String::as_str)
    }

    /// The settings of a pipeline.
    #[must_use]
    pub fn settings(&self, name: &str) -> Option<&PipelineSettings> {
        self.file.pipeline.get(name)
    }

    /// Whether another document declares a pipeline otherwise than this one, secrets included.
    #[must_use]
    pub fn differs(&self, other: &Self, name: &str) -> bool {
        let values = |document: &'_ Self| document.values.0.get("pipeline")?.get(name).cloned();
        values(self) != values(other)
    }

    /// The text that it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A pipeline, put together anew.
    ///
    /// # Errors
    /// [`PipelineError`] when a store or topic that it reads or writes cannot be opened; none of that
    /// name is `None`.
    pub async fn open(
        &self,
        name: &str,
        stores: &Stores,
    ) -> Option<Result<Pipeline, PipelineError>> {
        let settings = self.file.pipeline.get(name)?;
        let name = name.parse().ok()?;
        Some(settings.open(name, stores).await)
    }

    /// Tries the examples whose names contain `only`, or all of them, with no outside system.
    pub async fn test(&self, only: Option<&str>) -> Vec<TestReport> {
        let mut reports = Vec::new();
        for (at, example) in self.file.test.iter().enumerate() {
            if only.is_none_or(|only| example.name.contains(only))
                && let Some(pipeline) = self.file.pipeline.get(&example.pipeline)
            {
                reports.push(tried::run(example, at, pipeline, &self.text).await);
            }
        }
        reports
    }

    /// The JSON schema of such a file, for editors.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schema::of::<DocumentFile>()
    }
}
