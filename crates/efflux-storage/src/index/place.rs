//! A run of a topic in its table, and what single look-ups in it find.

use std::sync::Arc;

use efflux_particle::Id;

use super::damaged;
use super::held::{Bytes, Filters, Found, Held};
use super::ids::{self, IdHash};
use super::key::{Key, RunName};
use super::rare;
use super::run::Run;
use super::topic::Attached;
use crate::error::Result;
use crate::table::Table;

/// A run of a topic in its table.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'a dyn Table,
    pub(super) run: &'a Run,
    attached: &'a Attached,
    held: &'a Held,
}

impl<'a> Place<'a> {
    pub(super) fn new(attached: &'a Attached, run: &'a Run, held: &'a Held) -> Self {
        Self {
            table: &*attached.table,
            run,
            attached,
            held,
        }
    }

    pub(super) const fn name(self) -> RunName {
        self.run.name(self.attached.number)
    }

    /// The hash of an id in this topic.
    pub(super) fn hash(self, id: &Id) -> IdHash {
        IdHash::of(id, self.attached.seed)
    }

    /// What the run has of a term.
    pub(super) fn found(self, term: &[u8]) -> Result<Arc<Found>> {
        let read = || {
            let list = Key::Term(self.name(), term).get(self.table)?;
            Ok(Found {
                list: list.map(|list| Bytes::Held((*list).into())),
                rare: self.rare(term)?.into(),
            })
        };
        let topic = (self.attached.epoch, self.attached.number);
        self.held.term(topic, self.run, term, read)
    }

    /// The offsets of particles that have this term as a rare one, or another of the same hash.
    fn rare(self, term: &[u8]) -> Result<Vec<u32>> {
        let Some(bits) = self.run.rare_bits else {
            return Ok(Vec::new());
        };
        let hash = rare::hash(term);
        let bucket = rare::bucket(hash, bits);
        let Some(bytes) = Key::Rare(self.name(), bucket).get(self.table)? else {
            return Ok(Vec::new());
        };
        let mut offsets = Vec::new();
        rare::decode(bucket, bits, &bytes, |entry| {
            if entry.hash == hash {
                offsets.push(entry.offset);
            }
        })
        .ok_or_else(damaged)?;
        Ok(offsets)
    }

    /// The offsets of particles that have this id, whose hash this is, or another of the same hash.
    pub(super) fn id(self, id: &Id, hash: IdHash) -> Result<Vec<u32>> {
        if !self.run.ids.may_have(id) || !self.filters()?.run_may_have(self.run, hash) {
            return Ok(Vec::new());
        }
        self.id_in_bucket(hash)
    }

    /// The same, where the filter does not leave the run out.
    pub(super) fn id_in_bucket(self, hash: IdHash) -> Result<Vec<u32>> {
        let bucket = Key::Ids(self.name(), hash.bucket(self.run.count)).get(self.table)?;
        match bucket {
            Some(bucket) => ids::find(&bucket, hash).ok_or_else(damaged),
            None => Ok(Vec::new()),
        }
    }

    fn filters(self) -> Result<Arc<Filters>> {
        filters(self.attached, self.held)
    }
}

/// The filters of the topic's newest runs.
pub(super) fn filters(attached: &Attached, held: &Held) -> Result<Arc<Filters>> {
    held.filters(attached, |run| {
        let filter = Key::Filter(run.name(attached.number)).get(&*attached.table)?;
        filter.ok_or_else(damaged)
    })
}
