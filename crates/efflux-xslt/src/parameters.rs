//! The parameters of a transformation.

use std::ffi::CString;

use crate::error::{XsltError, XsltErrorKind};
use crate::limits::{PARAMETER_BYTES_MAX, PARAMETERS_MAX};

/// The parameters of a transformation: texts, never expressions.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    values: Vec<(CString, CString)>,
}

impl Parameters {
    /// Adds a parameter, the value of `<xsl:param name="…">` at the top of the stylesheet.
    ///
    /// # Errors
    /// [`XsltErrorKind::Transformation`] when a name or value has a NUL, when the value is longer
    /// than [`PARAMETER_BYTES_MAX`] or when there are [`PARAMETERS_MAX`] of them.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, XsltError> {
        let fault = |what: String| XsltError::new(XsltErrorKind::Transformation, what);
        if self.values.len() >= PARAMETERS_MAX {
            return Err(fault(format!(
                "there are more than {PARAMETERS_MAX} parameters"
            )));
        }
        if value.len() > PARAMETER_BYTES_MAX {
            return Err(fault(format!(
                "the parameter {name:?} has {} bytes, more than {PARAMETER_BYTES_MAX}",
                value.len()
            )));
        }
        let text = |text: &str| {
            CString::new(text).map_err(|_| fault(format!("the parameter {name:?} has a NUL in it")))
        };
        self.values.push((text(name)?, text(value)?));
        Ok(self)
    }

    /// Names and values, for C.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&CString, &CString)> {
        self.values.iter().map(|(name, value)| (name, value))
    }
}
