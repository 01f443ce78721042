//! A table in memory, for stores that are kept there.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Changes, Entry, Held, Space, Table, Value, Visit};
use crate::error::Result;

/// A table in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryTable {
    groups: RwLock<Map>,
    runs: RwLock<Map>,
}

type Map = BTreeMap<Box<[u8]>, Arc<[u8]>>;

impl MemoryTable {
    const fn space(&self, space: Space) -> &RwLock<Map> {
        match space {
            Space::Groups => &self.groups,
            Space::Runs => &self.runs,
        }
    }
}

fn apply(map: &mut Map, entry: Entry) {
    match entry.value {
        Some(value) => map.insert(entry.key.into(), value.into()),
        None => map.remove(entry.key.as_slice()),
    };
}

impl Table for MemoryTable {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Value>> {
        let map = self.space(space).read();
        Ok(map
            .get(key)
            .map(|value| Value(Held::Memory(Arc::clone(value)))))
    }

    fn scan(&self, space: Space, from: &[u8], until: &[u8], visit: Visit<'_>) -> Result<()> {
        if from >= until {
            return Ok(());
        }
        let map = self.space(space).read();
        let bounds = (Bound::Included(from), Bound::Excluded(until));
        for (key, value) in map.range::<[u8], _>(bounds) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, changes: Changes) -> Result<()> {
        for (space, entries) in [(Space::Groups, changes.groups), (Space::Runs, changes.runs)] {
            let mut map = self.space(space).write();
            for entry in entries {
                apply(&mut map, entry);
            }
        }
        Ok(())
    }

    fn remove(&self, space: Space, keys: Vec<Vec<u8>>) -> Result<()> {
        let mut map = self.space(space).write();
        for key in keys {
            map.remove(key.as_slice());
        }
        Ok(())
    }

    fn persist(&self) -> Result<()> {
        Ok(())
    }
}
