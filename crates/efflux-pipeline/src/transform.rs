//! What becomes of a message on its way.

#[cfg(feature = "convert")]
mod convert;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "jq")]
mod jq;
pub mod limits;
mod metadata;
#[cfg(any(
    feature = "convert",
    feature = "jq",
    feature = "split",
    feature = "unzip",
    feature = "xslt"
))]
mod part;
#[cfg(feature = "split")]
mod split;
#[cfg(any(feature = "convert", feature = "split"))]
mod table;
#[cfg(all(
    test,
    any(
        feature = "convert",
        feature = "jq",
        feature = "split",
        feature = "unzip",
        feature = "wasm",
        feature = "xslt"
    )
))]
mod tests;
#[cfg(feature = "unzip")]
mod unzip;
#[cfg(feature = "wasm")]
mod wasm;
#[cfg(feature = "xslt")]
mod xslt;

use std::fmt;

use async_trait::async_trait;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
#[cfg(feature = "convert")]
pub use convert::{
    Compression, Convert, ConvertSettings, CsvSettings, Decompress, JsonToCsvSettings,
};
#[cfg(feature = "fetch")]
pub use fetch::{Fetch, FetchSettings};
#[cfg(feature = "jq")]
pub use jq::{Jq, JqError, JqFilter, JqSettings};
#[cfg(feature = "split")]
pub use split::{RowForm, Split, SplitCsv, SplitJson, SplitLines, SplitSettings, SplitXml};
#[cfg(feature = "unzip")]
pub use unzip::{ENTRY, Unzip, UnzipSettings};
#[cfg(feature = "wasm")]
pub use wasm::{Wasm, WasmSettings};
#[cfg(feature = "xslt")]
pub use xslt::{Xslt, XsltSettings};

pub use self::metadata::{MetadataSettings, MetadataTransform};

/// Makes none, one or many messages out of one.
///
/// 1. The same message always becomes the same messages in the same order.
/// 2. What comes out goes through [`Emit`], which gives it ids that follow from the id of what came
///    in and its place among the outputs, so that a redelivery into a topic adds nothing.
/// 3. A transform waits for nothing; what has to wait is an [`AsyncTransform`]. It may take its
///    time: it runs on a thread where it holds up nobody else.
/// 4. What was added before an error is not used.
pub trait Transform: Send + Sync + fmt::Debug {
    /// Adds what becomes of `input` to `out`.
    ///
    /// # Errors
    /// [`StageError::Rejected`] when the message cannot be transformed.
    fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError>;

    /// Whether what comes out may be of another message group than what came in. Then a pipeline reads
    /// its topic in strict order, so that messages of these groups stay in order too.
    fn regroups(&self) -> bool {
        false
    }
}

/// A transform that waits for something, such as an answer from elsewhere.
///
/// 1. What comes out goes through [`Emit`]. It need not be the same each time: the first answer that
///    is delivered counts.
/// 2. It is given up by dropping it. It changes nothing elsewhere, so that giving up does no harm.
/// 3. Several messages may be in it at once.
#[async_trait]
pub trait AsyncTransform: Send + Sync + fmt::Debug {
    /// Adds what becomes of `input` to `out`.
    ///
    /// # Errors
    /// [`StageError`], which the pipeline's error policy answers.
    async fn apply(&self, input: Parcel, out: &mut Emit<'_>) -> Result<(), StageError>;
}
