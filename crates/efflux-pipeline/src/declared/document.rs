//! A file of pipelines.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::build_fault::BuildFault;
use super::example::ExampleSettings;
use super::pipeline::PipelineSettings;
use super::stores::Stores;
use super::tried::{self, TestReport};
use crate::file::{self, Fault, Places, Surroundings};
use crate::pipeline::{Pipeline, PipelineError};

/// The one version of the file's form.
const VERSION: u32 = 1;
/// Bytes of a file of pipelines: 1 MiB. What is larger is data.
const BYTES_MAX: usize = 1024 * 1024;

/// A file of pipelines, and of examples that try them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct DocumentFile {
    /// The version of the file's form: 1.
    pub version: u32,
    /// The pipelines, by their names.
    #[serde(default)]
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

impl Document {
    /// Reads a file, with variables and secrets filled in.
    ///
    /// # Errors
    /// What is wrong, in the order of the places: first of the syntax, then of the shape, then of what
    /// the values mean, such as a query that is none. 100 faults are told at once.
    pub fn read(text: &str, around: &dyn Surroundings) -> Result<Self, Vec<Fault>> {
        if text.len() > BYTES_MAX {
            let bytes = text.len();
            let what = format!("the file has {bytes} bytes, at most {BYTES_MAX} are allowed");
            return Err(vec![Fault::at(text, 0, what)]);
        }
        let file: DocumentFile = file::read_in(text, around)?;
        let mut faults = Vec::new();
        if file.version != VERSION {
            let what = format!("version {} is not known; it is {VERSION}", file.version);
            faults.push(BuildFault::new(what).within("version"));
        }
        for (name, pipeline) in &file.pipeline {
            let within = |fault: BuildFault| fault.within(name.as_str()).within("pipeline");
            faults.extend(pipeline.faults(name).into_iter().map(within));
        }
        for (at, example) in file.test.iter().enumerate() {
            let within = |fault: BuildFault| fault.within(at).within("test");
            faults.extend(example.faults(&file.pipeline).into_iter().map(within));
        }
        if faults.is_empty() {
            let values = Values(file::read_in(text, around)?);
            let text = text.to_owned();
            return Ok(Self { file, values, text });
        }
        let places = Places::of(text);
        let faults = faults.into_iter().map(|it| it.placed(&places));
        Err(file::first_of(text, faults.collect()))
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
        schemars::schema_for!(DocumentFile).to_value()
    }
}
