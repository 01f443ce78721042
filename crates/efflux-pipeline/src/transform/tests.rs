//! What tests of transforms share: a message in, messages out.

#![expect(clippy::unwrap_used, reason = "these are tests, all of it")]

use efflux_storage::particle::Message;

use crate::emit::{Emit, EmitMax};
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::Transform;

/// What becomes of a message.
pub(super) fn apply(stage: &dyn Transform, message: Message) -> Result<Vec<Message>, StageError> {
    let id = "in".parse().unwrap();
    let parcel = Parcel::of_message(message.with_id(id));
    let step = "step".parse().unwrap();
    let mut out = Emit::new(&parcel, &step, EmitMax::default());
    stage.apply(parcel, &mut out)?;
    let made = out.into_parcels();
    Ok(made.into_iter().map(|parcel| parcel.message).collect())
}

/// The payloads of what becomes of a payload, as texts.
pub(super) fn texts(stage: &dyn Transform, payload: impl Into<Vec<u8>>) -> Vec<String> {
    let made = apply(stage, Message::new(payload.into())).unwrap();
    made.iter()
        .map(|message| String::from_utf8(message.payload().to_vec()).unwrap())
        .collect()
}

/// Why a payload is rejected.
pub(super) fn refusal(stage: &dyn Transform, payload: impl Into<Vec<u8>>) -> String {
    let error = apply(stage, Message::new(payload.into())).unwrap_err();
    assert!(matches!(error, StageError::Rejected(_)), "{error}");
    error.to_string()
}
