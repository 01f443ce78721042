//! JSON through a program in jq's language.

mod bounds;
mod natives;
mod program;
mod run;
mod value;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use thiserror::Error;

use crate::emit::Emit;
use crate::filter::Filter;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::Transform;
use crate::transform::limits::JQ_STEPS_DEFAULT_MAX;
use crate::transform::part::part;
use program::Program;

/// A program in jq's language.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct JqSettings {
    /// The program. It sees the payload as `.` and the metadata as `$meta`.
    pub program: String,
    /// How many steps it may take for one message: each term that is evaluated is one.
    #[serde(default = "steps_max")]
    #[cfg_attr(feature = "file", schemars(range(min = 1)))]
    pub steps_max: u64,
}

const fn steps_max() -> u64 {
    JQ_STEPS_DEFAULT_MAX
}

/// Why a text is no program: what is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} (byte {at} of the program)")]
pub struct JqError {
    /// The byte where it is wrong.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

/// Makes messages of a JSON payload by a program in jq's language: one for each of its outputs.
///
/// - The program sees the metadata as `$meta`: `id`, `data_type`, `content_type`, `message_group`,
///   `timestamp`, `properties`, and as `origin` the `topic`, `sequence` and `id` of the particle.
/// - It has the functions of jaq, but none that reads a clock, the environment or another input.
/// - A program that takes too many steps, goes too deep or makes a value too large ends with the
///   message rejected; `try` does not catch that.
///
/// ```
/// use efflux_pipeline::particle::Message;
/// use efflux_pipeline::{Emit, EmitMax, Jq, JqSettings, Parcel, Transform};
///
/// let program = ".items[] | {sku, region: $meta.properties.region}".to_owned();
/// let jq = Jq::new(&JqSettings { program, steps_max: 1000 })?;
/// let order = Message::new("{\"items\":[{\"sku\":7}]}").with_property("region", "eu");
/// let parcel = Parcel::of_message(order);
/// let step = "jq".parse()?;
/// let mut out = Emit::new(&parcel, &step, EmitMax::default());
/// jq.apply(parcel, &mut out)?;
/// let made = out.into_parcels();
/// assert_eq!(made[0].message.payload(), "{\"sku\":7,\"region\":\"eu\"}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Jq {
    program: Program,
}

/// Keeps the messages for which a program's first output is neither `false` nor `null`.
///
/// The program is that of [`Jq`]. No output at all is `false`.
#[derive(Debug)]
pub struct JqFilter {
    program: Program,
}

impl Jq {
    /// A step with this program, which is compiled once.
    ///
    /// # Errors
    /// What is wrong with the program, and where.
    pub fn new(settings: &JqSettings) -> Result<Self, JqError> {
        let program = Program::compile(settings)?;
        Ok(Self { program })
    }
}

impl JqFilter {
    /// A filter with this program, which is compiled once.
    ///
    /// # Errors
    /// What is wrong with the program, and where.
    pub fn new(settings: &JqSettings) -> Result<Self, JqError> {
        let program = Program::compile(settings)?;
        Ok(Self { program })
    }
}

impl Transform for Jq {
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let bytes_max = out.bytes_left();
        let outputs = self.program.outputs(&input, bytes_max)?;
        for json in outputs {
            out.push(part(&input.message, json, "application/json"))?;
        }
        Ok(())
    }
}

impl Filter for JqFilter {
    fn keeps(&self, parcel: &Parcel) -> Result<bool, StageError> {
        self.program.is_true(parcel)
    }
}
