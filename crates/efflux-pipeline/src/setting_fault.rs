//! What is wrong with a setting, and where it is.

use crate::stage_error::StageError;

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The value of this key of a table.
    Name(String),
    /// The element at this place of an array.
    At(usize),
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Key {
    fn from(at: usize) -> Self {
        Self::At(at)
    }
}

/// What is wrong with a setting that has the right shape, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    path: Vec<Key>,
    /// The byte of the setting's text, where it is a program.
    inner: Option<usize>,
    what: String,
    is_lack: bool,
}

impl SettingFault {
    /// A fault of the settings as a whole.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            inner: None,
            what: what.into(),
            is_lack: false,
        }
    }

    /// A fault of the setting with this name.
    pub fn of(name: impl Into<Key>, what: impl Into<String>) -> Self {
        Self::new(what).within(name)
    }

    /// A fault at a byte of a program's text.
    pub fn at_byte(inner: usize, what: impl Into<String>) -> Self {
        Self {
            inner: Some(inner),
            ..Self::new(what)
        }
    }

    /// Something that is not there and has to be. Where part of the settings could not be read, it may
    /// have stood there.
    pub fn lack(what: impl Into<String>) -> Self {
        Self {
            is_lack: true,
            ..Self::new(what)
        }
    }

    /// A fault of the setting with this name, unless it is right.
    #[must_use]
    pub fn unless(is_right: bool, name: &str, what: &str) -> Option<Self> {
        (!is_right).then(|| Self::of(name, what))
    }

    /// The same, one step further out.
    #[must_use]
    pub fn within(mut self, key: impl Into<Key>) -> Self {
        self.path.insert(0, key.into());
        self
    }

    /// The way to the setting.
    #[must_use]
    pub fn path(&self) -> &[Key] {
        &self.path
    }

    /// The byte of the setting's text, where it is a program.
    #[must_use]
    pub const fn inner(&self) -> Option<usize> {
        self.inner
    }

    /// What is wrong there.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Whether something is not there, and has to be.
    #[must_use]
    pub const fn is_lack(&self) -> bool {
        self.is_lack
    }

    /// Refuses settings that have faults.
    ///
    /// # Errors
    /// `Fatal` with the first fault.
    pub fn none_of(faults: Vec<Self>) -> Result<(), StageError> {
        let first = faults.into_iter().next();
        first.map_or(Ok(()), |fault| Err(StageError::fatal(fault.what)))
    }
}

impl From<String> for SettingFault {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

/// What a stage says of its settings.
impl From<StageError> for SettingFault {
    fn from(error: StageError) -> Self {
        Self::new(error.reason())
    }
}
