//! What ports to databases share: how a message becomes a row, and how a position is kept.

mod cell;
mod column_source;
mod doubt;
mod faults;
mod row;
mod suggestion;
mod table_name;
mod write_mode;

pub(in crate::port) use cell::Cell;
pub use column_source::ColumnSource;
pub(in crate::port) use doubt::{Before, Doubt, elsewhere};
pub(in crate::port) use faults::faults;
pub(in crate::port) use row::{Mapping, Row};
pub(in crate::port) use suggestion::{did_you_mean, no_such_column};
pub(in crate::port) use table_name::{TableName, quoted};
pub use write_mode::WriteMode;

/// The table that keeps how far a pipeline has come. It lies beside the table that is written.
pub(in crate::port) const POSITION_TABLE: &str = "efflux_position";
