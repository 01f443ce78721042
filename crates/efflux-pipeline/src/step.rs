//! One step of a pipeline: its name, and what it does.

use std::sync::Arc;

use crate::aggregate::Aggregate;
use crate::emit::EmitMax;
use crate::filter::Filter;
use crate::step_name::StepName;
use crate::transform::{AsyncTransform, Transform};

/// One step of a pipeline: its name, and what it does.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is called.
    pub name: StepName,
    /// What it does.
    pub work: StepWork,
    /// What one message may become in it.
    pub max: EmitMax,
}

/// What a step does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StepWork {
    /// Lets some messages through.
    Filter(Arc<dyn Filter>),
    /// Makes none, one or many messages out of one.
    Transform(Arc<dyn Transform>),
    /// Does so, and waits for something.
    Await(Arc<dyn AsyncTransform>),
    /// Makes one message out of many; at most once in a pipeline.
    Aggregate(Aggregate),
}

impl Step {
    /// A step that lets some messages through.
    #[must_use]
    pub fn filter(name: StepName, filter: impl Filter + 'static) -> Self {
        Self::new(name, StepWork::Filter(Arc::new(filter)))
    }

    /// A step that makes none, one or many messages out of one.
    #[must_use]
    pub fn transform(name: StepName, transform: impl Transform + 'static) -> Self {
        Self::new(name, StepWork::Transform(Arc::new(transform)))
    }

    /// A step that waits for something.
    #[must_use]
    pub fn awaiting(name: StepName, transform: impl AsyncTransform + 'static) -> Self {
        Self::new(name, StepWork::Await(Arc::new(transform)))
    }

    /// A step that makes one message out of many.
    #[must_use]
    pub fn aggregate(name: StepName, aggregate: Aggregate) -> Self {
        Self::new(name, StepWork::Aggregate(aggregate))
    }

    fn new(name: StepName, work: StepWork) -> Self {
        Self {
            name,
            work,
            max: EmitMax::default(),
        }
    }

    /// Sets what one message may become in it.
    #[must_use]
    pub const fn with_max(mut self, max: EmitMax) -> Self {
        self.max = max;
        self
    }

    /// Whether a topic has to be read in strict order for it, whatever the groups are: it makes one
    /// message of many, or messages of other groups.
    pub(crate) fn needs_order(&self) -> bool {
        match &self.work {
            StepWork::Aggregate(_) => true,
            StepWork::Transform(transform) => transform.regroups(),
            StepWork::Filter(_) | StepWork::Await(_) => false,
        }
    }

    /// Whether a message may become more than it is in it.
    pub(crate) const fn expands(&self) -> bool {
        matches!(self.work, StepWork::Transform(_) | StepWork::Await(_))
    }

    /// Whether it works without waiting.
    pub(crate) const fn is_immediate(&self) -> bool {
        matches!(self.work, StepWork::Filter(_) | StepWork::Transform(_))
    }
}
