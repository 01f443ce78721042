//! A table of its own for each row.

use crate::stage_error::StageError;
use crate::transform::table::{Row, TableForm, malformed};

impl Row<'_, '_> {
    /// A table of its own: the names, and this row.
    pub(in crate::transform) fn to_csv(&self, form: TableForm) -> Result<Vec<u8>, StageError> {
        let mut writer = form.writer();
        let rows = [&self.table.names, &self.table.row];
        rows.iter()
            .try_for_each(|row| writer.write_byte_record(row))
            .map_err(malformed)?;
        writer
            .into_inner()
            .map_err(|error| StageError::rejected(error.to_string()))
    }
}
