//! What is wrong with the settings of rows.

use std::collections::BTreeMap;

use super::{ColumnSource, TableName, WriteMode};
use crate::setting_fault::SettingFault;

/// All that is wrong with how rows get into a table, without looking at the table.
pub(in crate::port) fn faults(
    table: &str,
    columns: &BTreeMap<String, ColumnSource>,
    mode: WriteMode,
    key: &[String],
) -> Vec<SettingFault> {
    let of_table = table.parse::<TableName>().err();
    let of_table = of_table.map(|what| SettingFault::of("table", what));
    let mut faults: Vec<_> = of_table.into_iter().collect();
    if mode == WriteMode::Upsert && key.is_empty() {
        let what = "mode upsert needs key, the columns by which a row is known again";
        faults.push(SettingFault::lack(what).within("mode"));
    }
    for (at, name) in key.iter().enumerate() {
        let is_column = columns.is_empty() || columns.contains_key(name);
        if mode == WriteMode::Upsert && !is_column {
            let what = format!("{name:?} is not among the columns: no row could be known by it");
            faults.push(SettingFault::of(at, what).within("key"));
        }
        let before = key.iter().take(at);
        if before.clone().any(|other| other == name) {
            let what = format!("{name:?} stands twice in key");
            faults.push(SettingFault::of(at, what).within("key"));
        }
    }
    faults
}
