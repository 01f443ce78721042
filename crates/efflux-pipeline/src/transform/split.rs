//! One message into its parts: lines, elements of a JSON array, rows of CSV, elements of XML.

mod elements;
mod entities;
mod json;
mod lines;
mod rows;

use serde::Deserialize;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::Transform;
pub use elements::SplitXml;
pub use json::SplitJson;
pub use lines::SplitLines;
pub use rows::{RowForm, SplitCsv};

/// What a message is split into.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SplitSettings {
    /// Its lines.
    Lines(SplitLines),
    /// The elements of a JSON array.
    Json(SplitJson),
    /// The rows of a table in CSV.
    Csv(SplitCsv),
    /// The XML elements of one name.
    Xml(SplitXml),
}

/// Splits a message into its parts, in the order in which they stand.
///
/// A part has the metadata of the whole but the id, the content encoding and the media type, which
/// is that of the part.
///
/// ```
/// use efflux_pipeline::particle::Message;
/// use efflux_pipeline::{Emit, EmitMax, Parcel, Split, SplitSettings, Transform};
///
/// let split = Split::new(SplitSettings::Lines(Default::default()))?;
/// let parcel = Parcel::of_message(Message::new("a\nb\n"));
/// let step = "split".parse()?;
/// let mut out = Emit::new(&parcel, &step, EmitMax::default());
/// split.apply(parcel, &mut out)?;
/// assert_eq!(out.into_parcels().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Split {
    into: SplitSettings,
}

impl Split {
    /// A step that splits this way.
    ///
    /// # Errors
    /// `Fatal` when a setting makes no sense: a separator that is no single byte, an empty name.
    pub fn new(settings: SplitSettings) -> Result<Self, StageError> {
        match &settings {
            SplitSettings::Lines(_) => {}
            SplitSettings::Json(json) => json.check()?,
            SplitSettings::Csv(csv) => csv.check()?,
            SplitSettings::Xml(xml) => xml.check()?,
        }
        Ok(Self { into: settings })
    }
}

impl Transform for Split {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        match &self.into {
            SplitSettings::Lines(lines) => lines.split(&input, out),
            SplitSettings::Json(json) => json.split(&input, out),
            SplitSettings::Csv(csv) => csv.split(&input, out),
            SplitSettings::Xml(xml) => xml.split(&input, out),
        }
    }
}

#[cfg(test)]
mod tests;
