//! What handlers read from a request. Whatever cannot be read is refused with a problem document.

mod accept;
mod batch;
mod body;
mod condition;
mod elements;
mod frames;
mod header;
mod json;
mod message;
mod parameters;
mod restoration;

pub(crate) use self::accept::choose;
pub(crate) use self::batch::{MessageForm, from_json, from_ndjson};
pub(crate) use self::body::receive;
pub(crate) use self::condition::{Condition, condition};
pub(crate) use self::elements::elements;
pub(crate) use self::frames::{batches_from_frames, from_frames};
pub(crate) use self::header::{essence, one, plain};
pub(crate) use self::json::{Json, check_nesting, object};
pub(crate) use self::message::{described, message, parsed, with_encoding};
pub(crate) use self::parameters::{Path, Query};
pub(crate) use self::restoration::RestorationParts;
