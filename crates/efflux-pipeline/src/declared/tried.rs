//! Tries the examples of a file: only the steps and the router run, and nothing outside is asked.

use serde_json::Value;

use super::example::{ExampleSettings, ExpectedFailure, ExpectedMessage};
use super::pipeline::PipelineSettings;
use crate::aggregate::{Aggregate, Gathering, Part};
use crate::chain::{Chain, Failure};
use crate::connector::IntakeReceipt;
use crate::file::{Fault, fault_at};
use crate::parcel::Parcel;
use crate::router::{Route, Router, Routes};
use crate::setting_fault::SettingFault;
use crate::stage::Stage;
use crate::step::{Step, StepWork};
use crate::step_name::StepName;

/// Characters of a payload that a report shows: 200.
const SHOWN_CHARS_MAX: usize = 200;

/// How an example went.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestReport {
    /// The example's name.
    pub name: String,
    /// What did not come out as expected; nothing when all is well.
    pub faults: Vec<Fault>,
    /// What became of the messages, step after step.
    pub trace: Vec<String>,
}

/// What the steps made.
#[derive(Default)]
struct Made {
    parcels: Vec<Parcel>,
    failures: Vec<Failure>,
    trace: Vec<String>,
}

/// Tries an example, which is at this place in the file.
pub(super) async fn run(
    example: &ExampleSettings,
    at: usize,
    pipeline: &PipelineSettings,
    text: &str,
) -> TestReport {
    let mut made = Made::default();
    let mut faults = match steps(example, pipeline) {
        Ok(steps) => made.take_through(example, pipeline, steps).await,
        Err(fault) => vec![fault],
    };
    if faults.is_empty() {
        let router = pipeline.port().ok().and_then(|port| port.router().cloned());
        let router = router.and_then(|settings| Routes::new(&settings).ok());
        if let Some(router) = router
            .as_ref()
            .filter(|_| example.goes_to_the_end(pipeline))
        {
            made.refuse(router);
        }
        faults = made.compare(example, router.as_ref());
    }
    let within = |fault: SettingFault| {
        let fault = fault.within(at).within("test");
        fault_at(text, fault.path(), fault.inner(), fault.what())
    };
    TestReport {
        name: example.name.clone(),
        faults: faults.into_iter().map(within).collect(),
        trace: made.trace,
    }
}

/// The steps that the example tries.
fn steps(
    example: &ExampleSettings,
    pipeline: &PipelineSettings,
) -> Result<Vec<Step>, SettingFault> {
    let all = pipeline
        .steps()
        .map_err(|_| SettingFault::new("the steps of the pipeline are wrong"))?;
    let place = |name: &str| all.iter().position(|step| step.name.as_str() == name);
    let from = example.from.as_deref().and_then(place).unwrap_or(0);
    let through = example.through.as_deref().and_then(place);
    let count = through
        .map_or(all.len(), |through| through + 1)
        .saturating_sub(from);
    let steps: Vec<Step> = all.into_iter().skip(from).take(count).collect();
    let asks = steps
        .iter()
        .find(|step| matches!(step.work, StepWork::Await(_)));
    match asks {
        Some(step) => Err(SettingFault::new(format!(
            "step {} asks something outside, which no example does: end with `through` before it, or \
             begin with `from` behind it",
            step.name
        ))),
        None => Ok(steps),
    }
}

impl Made {
    /// Takes the messages through one step after the other, so that each is told.
    async fn take_through(
        &mut self,
        example: &ExampleSettings,
        pipeline: &PipelineSettings,
        steps: Vec<Step>,
    ) -> Vec<SettingFault> {
        for (at, input) in example.input.iter().enumerate() {
            match input.message(example, at) {
                Ok(message) => self.parcels.push(Parcel::of_message(message)),
                Err(fault) => return vec![fault.within(at).within("input")],
            }
        }
        for step in steps {
            let name = step.name.clone();
            if let StepWork::Aggregate(aggregate) = step.work {
                self.gather(&aggregate, &name);
            } else {
                let chain = Chain::new(vec![step], pipeline.options().policy);
                let mut rest = std::mem::take(&mut self.parcels);
                while !rest.is_empty() {
                    match chain.apply(rest, 1).await {
                        Ok(outcome) => {
                            self.parcels.extend(outcome.parcels);
                            self.failures.extend(outcome.failures);
                            rest = outcome.rest;
                            if let Some((stage, error)) = chain.stuck() {
                                return vec![SettingFault::new(format!("{stage}: {error}"))];
                            }
                        }
                        Err((stage, error)) => {
                            return vec![SettingFault::new(format!("{stage}: {error}"))];
                        }
                    }
                }
            }
            let texts: Vec<_> = self.parcels.iter().map(shown).collect();
            self.trace.push(format!("{name}: {}", texts.join(" | ")));
        }
        Vec::new()
    }

    fn gather(&mut self, aggregate: &Aggregate, name: &StepName) {
        let now = tokio::time::Instant::now();
        let mut gathering = Gathering::new(aggregate.clone(), name.clone());
        let mut made = Vec::new();
        for mut parcel in std::mem::take(&mut self.parcels) {
            let receipt = IntakeReceipt(0);
            match Gathering::key(aggregate, &mut parcel) {
                Ok(key) => made.extend(gathering.add(&key, Part { parcel, receipt }, now)),
                Err(error) => {
                    let stage = Stage::Step(name.clone());
                    self.failures.push(Failure::new(parcel, stage, error));
                }
            }
        }
        made.extend(gathering.take_all());
        self.parcels = made.into_iter().map(|made| made.parcel).collect();
    }

    /// What the router refuses fails as in a run.
    fn refuse(&mut self, router: &Routes) {
        for parcel in std::mem::take(&mut self.parcels) {
            match router.route(&parcel) {
                Ok(_) => self.parcels.push(parcel),
                Err(error) => self.failures.push(Failure::new(parcel, Stage::Port, error)),
            }
        }
    }

    fn compare(&self, example: &ExampleSettings, router: Option<&Routes>) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        for (at, expected) in example.expect.iter().enumerate() {
            let what = match self.parcels.get(at) {
                Some(parcel) => expected.differs(parcel, router),
                None => Some("nothing came out".to_owned()),
            };
            faults.extend(what.map(|what| SettingFault::new(what).within(at).within("expect")));
        }
        for parcel in self.parcels.iter().skip(example.expect.len()) {
            let what = format!("this came out as well: {}", shown(parcel));
            faults.push(SettingFault::new(what).within("expect"));
        }
        for (at, expected) in example.failures.iter().enumerate() {
            let what = match self.failures.get(at) {
                Some(failure) => expected.differs(failure),
                None => Some("nothing failed".to_owned()),
            };
            faults.extend(what.map(|what| SettingFault::new(what).within(at).within("failures")));
        }
        for failure in self.failures.iter().skip(example.failures.len()) {
            let Failure {
                stage,
                error,
                parcel,
                ..
            } = failure;
            let what = format!("{stage} failed for {}: {error}", shown(parcel));
            faults.push(SettingFault::new(what).within("failures"));
        }
        faults
    }
}

impl ExpectedMessage {
    /// How a message differs from the one that is expected.
    fn differs(&self, parcel: &Parcel, router: Option<&Routes>) -> Option<String> {
        let message = &parcel.message;
        let text = parcel.text().unwrap_or_else(|error| error.reason());
        if let Some(expected) = self.text.as_ref().filter(|expected| **expected != text) {
            return Some(format!("{expected:?} is expected, and {text:?} came out"));
        }
        if let Some(part) = self.contains.as_ref().filter(|part| !text.contains(*part)) {
            return Some(format!(
                "{part:?} is not in what came out: {}",
                shown(parcel)
            ));
        }
        if let Some(expected) = &self.json {
            match parcel.json() {
                Ok(json) if same(&json, expected) => {}
                Ok(json) => return Some(format!("{expected} is expected, and {json} came out")),
                Err(error) => return Some(error.reason()),
            }
        }
        let fields = [
            ("data_type", &self.data_type, message.data_type()),
            ("content_type", &self.content_type, message.content_type()),
            (
                "message_group",
                &self.message_group,
                message.message_group(),
            ),
        ];
        let properties = self
            .properties
            .iter()
            .map(|(name, value)| (name, value, message.property(name)));
        let fields = fields
            .into_iter()
            .filter_map(|(name, expected, found)| {
                Some((name.to_owned(), expected.as_ref()?, found))
            })
            .chain(
                properties.map(|(name, value, found)| (format!("property {name}"), value, found)),
            );
        for (name, expected, found) in fields {
            if found != Some(expected.as_str()) {
                let found = found.map_or("there is none".to_owned(), |it| format!("it is {it:?}"));
                return Some(format!("{name}: {expected:?} is expected, and {found}"));
            }
        }
        let expected = self.topic.as_ref()?;
        let topic = match router.map(|router| router.route(parcel)) {
            Some(Ok(Route::To(topic))) => topic.to_string(),
            Some(Ok(Route::Drop(reason))) => reason,
            Some(Err(error)) => error.reason(),
            None => "the pipeline has no router".to_owned(),
        };
        (topic != *expected).then(|| format!("topic {expected:?} is expected, and it is {topic:?}"))
    }
}

impl ExpectedFailure {
    fn differs(&self, failure: &Failure) -> Option<String> {
        let stage = failure.stage.to_string();
        let told = failure.error.reason();
        let is_there = stage == self.step || stage == format!("step {}", self.step);
        let is_it = is_there && told.contains(&self.contains);
        (!is_it).then(|| format!("{stage} failed, and it said: {told}"))
    }
}

/// Whether two values are worth the same: 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let has = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(has)
        }
        _ => a == b,
    }
}

fn shown(parcel: &Parcel) -> String {
    match parcel.text() {
        Ok(text) => text.chars().take(SHOWN_CHARS_MAX).collect(),
        Err(_) => format!("{} bytes", parcel.message.payload().len()),
    }
}
