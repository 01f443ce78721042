//! XML through a stylesheet.

use std::collections::BTreeMap;

use efflux_xslt::{Parameters, Stylesheet, XsltError, XsltErrorKind};
use serde::Deserialize;

use crate::emit::Emit;
use crate::parcel::Parcel;
#[cfg(feature = "declared")]
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;
use crate::transform::Transform;
use crate::transform::part::part;

/// A stylesheet and its parameters.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct XsltSettings {
    /// The stylesheet: XSLT 1.0, in one piece.
    pub stylesheet: String,
    /// The values of its parameters (`xsl:param`), as texts that each message fills in.
    #[serde(default)]
    pub parameters: BTreeMap<String, Template>,
}

impl XsltSettings {
    /// What is wrong beside the stylesheet.
    #[cfg(feature = "declared")]
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let parameters = self.parameters.iter().filter_map(|(name, value)| {
            let value = value.fixed().unwrap_or_default();
            let error = Parameters::default().with(name, &value).err()?;
            Some(SettingFault::of(name.as_str(), error.to_string()).within("parameters"))
        });
        parameters.collect()
    }
}

/// Makes one message of one by an XSLT 1.0 stylesheet.
///
/// What comes out has the media type that the stylesheet's `xsl:output` says. The stylesheet sees
/// its document and its parameters, and no file, address or entity: see `efflux-xslt`.
#[derive(Debug)]
pub struct Xslt {
    stylesheet: Stylesheet,
    parameters: BTreeMap<String, Template>,
}

impl Xslt {
    /// A step with this stylesheet.
    ///
    /// # Errors
    /// The compiler's, with the line of the stylesheet; [`XsltErrorKind::Missing`] where libxslt is
    /// not installed.
    pub fn new(settings: XsltSettings) -> Result<Self, XsltError> {
        Ok(Self {
            stylesheet: Stylesheet::compile(settings.stylesheet.as_bytes())?,
            parameters: settings.parameters,
        })
    }
}

impl Transform for Xslt {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let mut parameters = Parameters::default();
        for (name, template) in &self.parameters {
            parameters = parameters
                .with(name, &template.render(&input)?)
                .map_err(StageError::rejected)?;
        }
        let output = self
            .stylesheet
            .apply(&input.content()?, &parameters)
            .map_err(|error| match error.kind {
                XsltErrorKind::Missing => StageError::unavailable(error),
                XsltErrorKind::Document => StageError::rejected(format!("the payload: {error}")),
                _ => StageError::rejected(format!("the stylesheet: {error}")),
            })?;
        let media_type = match output.encoding.to_ascii_lowercase().as_str() {
            "utf-8" => output.media_type,
            encoding => format!("{}; charset={encoding}", output.media_type),
        };
        out.push(part(&input.message, output.bytes, &media_type))
    }
}

#[cfg(test)]
mod tests;
