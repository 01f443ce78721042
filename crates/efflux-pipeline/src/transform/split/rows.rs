//! The rows of a table in CSV.

use serde::Deserialize;

use crate::emit::Emit;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::transform::part::part;
use crate::transform::table::{Table, TableForm};

/// How a table is split.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct SplitCsv {
    /// The character between two fields; a comma without it. `\t` is a tab.
    pub separator: Option<String>,
    /// What a row becomes.
    pub form: RowForm,
}

/// What a row of a table becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RowForm {
    /// A JSON object: the names of the first row, and the row's fields as texts.
    #[default]
    Json,
    /// A table of two rows: the first row, and this one.
    Csv,
}

impl SplitCsv {
    fn form(&self) -> Result<TableForm, StageError> {
        TableForm::new(self.separator.as_deref())
    }

    pub(super) fn check(&self) -> Result<(), StageError> {
        self.form().map(|_| ())
    }

    pub(super) fn split(&self, input: &Parcel, out: &mut Emit<'_>) -> Result<(), StageError> {
        let content = input.content()?;
        let form = self.form()?;
        let mut table = Table::read(&content, form)?;
        while let Some(row) = table.row()? {
            let message = match self.form {
                RowForm::Json => part(&input.message, row.to_json(), "application/json"),
                RowForm::Csv => part(&input.message, row.to_csv(form)?, "text/csv"),
            };
            out.push(message)?;
        }
        Ok(())
    }
}
