//! What is wrong with a value that has the right shape.

use crate::file::{Fault, Key, Places, fault_at};
use crate::stage_error::StageError;
use crate::template::TemplateError;

/// What is wrong with a value that has the right shape, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuildFault {
    path: Vec<Key>,
    /// The byte in the text that the value is.
    inner: Option<usize>,
    what: String,
}

impl BuildFault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            inner: None,
            what: what.into(),
        }
    }

    /// A fault at a byte of a program's text.
    pub(super) fn at_byte(inner: usize, what: impl Into<String>) -> Self {
        Self {
            inner: Some(inner),
            ..Self::new(what)
        }
    }

    /// The same, one step further out.
    pub(super) fn within(mut self, key: impl Into<Key>) -> Self {
        self.path.insert(0, key.into());
        self
    }

    /// At which byte it is, and what it is.
    pub(super) fn placed(self, places: &Places<'_>) -> (usize, String) {
        (places.byte(&self.path, self.inner), self.what)
    }

    pub(super) fn in_text(self, text: &str) -> Fault {
        fault_at(text, &self.path, self.inner, self.what)
    }
}

impl From<String> for BuildFault {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

/// What a stage says of its settings.
impl From<StageError> for BuildFault {
    fn from(error: StageError) -> Self {
        Self::new(error.reason())
    }
}

impl From<TemplateError> for BuildFault {
    fn from(error: TemplateError) -> Self {
        Self::at_byte(error.at, error.what)
    }
}
