//! Lines.

use serde::Deserialize;

use crate::byte_order_mark::without_byte_order_mark;
use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;

/// How lines are split. A line ends with `\n` or `\r\n`, which is not part of it; the last one need
/// not end. The bytes need not be text.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct SplitLines {
    /// Whether empty lines become messages too. Without it they are left out.
    pub keep_empty: bool,
}

impl SplitLines {
    pub(super) fn split(&self, input: &Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let content = input.content()?;
        let whole = without_byte_order_mark(&content);
        // What stands behind the last line's end is no line.
        let body = whole.strip_suffix(b"\n").unwrap_or(whole);
        if whole.is_empty() {
            return Ok(());
        }
        let plain = input.message.clone().without_content_encoding();
        for line in body.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() && !self.keep_empty {
                continue;
            }
            // The line shares the content's memory.
            out.push(plain.clone().with_payload(content.slice_ref(line)))?;
        }
        Ok(())
    }
}
