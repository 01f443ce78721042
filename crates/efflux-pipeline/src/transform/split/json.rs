//! The elements of a JSON array.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::byte_order_mark::without_byte_order_mark;
use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::limits::PATH_NAMES_MAX;
use crate::transform::part::part;

/// Which JSON array is split. An element becomes a message with the very bytes that it has in the
/// array, so that no number loses a digit.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct SplitJson {
    /// Where the array stands, as names with dots between them: `orders` or `result.0.items`. Without
    /// it the payload is the array itself.
    pub path: Option<String>,
}

impl SplitJson {
    pub(super) fn check(&self) -> Result<(), StageError> {
        let fatal = |what: String| Err(StageError::fatal(what));
        let Some(path) = &self.path else {
            return Ok(());
        };
        if path.split('.').any(str::is_empty) {
            return fatal(format!("the path {path:?} has an empty name in it"));
        }
        if path.split('.').count() > PATH_NAMES_MAX {
            return fatal(format!("the path has more than {PATH_NAMES_MAX} names"));
        }
        Ok(())
    }

    pub(super) fn split(&self, input: &Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let content = input.content()?;
        let content = content.as_ref();
        let whole = without_byte_order_mark(content);
        let mut value: &RawValue = serde_json::from_slice(whole)
            .map_err(|error| StageError::rejected(format!("the payload is no JSON: {error}")))?;
        for name in self.path.iter().flat_map(|path| path.split('.')) {
            value = member(value, name)?;
        }
        let elements: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|error| {
            let place = self.path.as_deref().unwrap_or("the payload");
            StageError::rejected(format!("{place} is no JSON array: {error}"))
        })?;
        for element in elements {
            let json = element.get().to_owned();
            out.push(part(&input.message, json, "application/json"))?;
        }
        Ok(())
    }
}

/// The value with this name in an object, or with this number in an array.
fn member<'a>(value: &'a RawValue, name: &str) -> Result<&'a RawValue, StageError> {
    let text = value.get();
    let found = match (text.as_bytes().first(), name.parse::<usize>()) {
        (Some(b'{'), _) => serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text)
            .map(|mut object| object.remove(name)),
        (Some(b'['), Ok(place)) => {
            serde_json::from_str::<Vec<&RawValue>>(text).map(|array| array.get(place).copied())
        }
        _ => Ok(None),
    };
    found
        .map_err(|error| StageError::rejected(format!("the payload is no JSON: {error}")))?
        .ok_or_else(|| {
            StageError::rejected(format!("the payload has no value {name:?} in its path"))
        })
}
