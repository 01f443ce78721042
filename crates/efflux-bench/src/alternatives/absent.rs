//! In place of the alternatives, when the bench is built without them.

use std::path::Path;

use crate::Result;
use crate::append::Work;
use crate::measure::Outcome;
use crate::workload::{Second, Workload};

pub(crate) const NAMES: &[&str] = &[];

const ABSENT: &str = "built without the feature `alternatives`";

pub(crate) fn append(_name: &str, _folder: &Path, _work: &Work) -> Result<Outcome> {
    Err(ABSENT.into())
}

pub(crate) struct Places;

impl Places {
    pub(crate) fn build(
        _folder: &Path,
        _places: impl Iterator<Item = ([u8; 16], u64)>,
    ) -> Result<()> {
        Err(ABSENT.into())
    }

    pub(crate) fn open(_folder: &Path) -> Result<Self> {
        Err(ABSENT.into())
    }

    pub(crate) fn get(&self, _id: &[u8; 16]) -> Result<u64> {
        Err(ABSENT.into())
    }
}

pub(crate) struct Searchable;

impl Searchable {
    pub(crate) fn open(_folder: &Path, _workload: &Workload, _records: u64) -> Result<Self> {
        Err(ABSENT.into())
    }

    pub(crate) fn find(&self, _like: u64, _second: Second, _limit: usize) -> Result<u64> {
        Err(ABSENT.into())
    }
}
