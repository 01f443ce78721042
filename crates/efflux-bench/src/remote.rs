//! A store that a node hosts, against the same store in the program: `efflux serve` as a process of
//! its own, spoken to over the loopback by `Store::open("http://…")`.

mod appends;
mod echo;
mod node;
mod reads;

use std::path::Path;

use tokio::runtime::Runtime;

use crate::Result;
use crate::measure::Measured;

const EMBEDDED: &str = "efflux, embedded";
const REMOTE: &str = "efflux, node";
const PAYLOAD_BYTES: usize = 1024;

/// The names of all rows.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let appends = appends::SHAPES.iter().map(|shape| shape.name);
    appends.chain(reads::NAMES.iter().copied())
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) is_quick: bool,
    pub(crate) rounds: usize,
    /// Records that the rows which read find there.
    pub(crate) records: u64,
    /// Whether servers are measured beside it, where they are installed.
    pub(crate) has_servers: bool,
}

/// Measures the rows of which `is_wanted` tells.
pub(crate) fn measure_all(
    place: (&Path, &Runtime),
    size: Size,
    is_wanted: &dyn Fn(&str) -> bool,
    show: &mut dyn FnMut(Measured),
) -> Result<()> {
    if !names().any(is_wanted) {
        return Ok(());
    }
    appends::measure_all(place, size, is_wanted, show)?;
    reads::measure_all(place, size, is_wanted, show)
}
