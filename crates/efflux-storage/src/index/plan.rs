//! What a query asks of one run: its lists, loaded once, joined chunk by chunk.
//!
//! What comes out is a superset of the matches; every particle is held against the query itself
//! afterwards. Exact are `=`, `!=` and `exists` on terms that are not rare in the run; rare terms
//! may bring a particle too many, or, negated, are not taken away. A prefix finds the terms that
//! begin with it, and all particles whose value of that field is rare. Times are narrowed to zones.
//! Negated comparisons of ids, and tests of the payload, narrow nothing.

use std::ops::ControlFlow;
use std::sync::Arc;

use efflux_particle::Id;

use super::damaged;
use super::held::{Bytes, Found};
use super::key::{self, Key};
use super::list;
use super::place::Place;
use super::set::{CHUNK, Set};
use super::term::{self, Field, Kind};
use super::zones::Zones;
use crate::error::Result;
use crate::query::{Expr, Leaf, Term, TimeField};
use crate::table::Space;

/// Most terms that a prefix is looked up as; one that begins more of them narrows nothing.
const PREFIX_TERMS_MAX: usize = 4096;

/// Most bytes of the lists of a plan's narrowest part for which all of a run is looked at together:
/// some thousand places, which are sought in the other lists in some 50 µs.
const FEW_BYTES_MAX: usize = 1024;

/// What a query asks of one run.
pub(super) enum Plan {
    All,
    Never,
    And(Vec<Self>),
    Or(Vec<Self>),
    /// The offsets of all terms; or all but those of their lists.
    Terms {
        terms: Vec<Arc<Found>>,
        negated: bool,
    },
    Times {
        zones: Zones,
        from: Option<i64>,
        until: Option<i64>,
    },
    /// From the first offset to the last.
    Range(u32, u32),
}

impl Plan {
    /// Loads what is needed to answer `expr` in a run.
    pub(super) fn load(expr: &Expr, place: Place<'_>) -> Result<Self> {
        Ok(match expr {
            Expr::All => Self::All,
            Expr::Never => Self::Never,
            Expr::And(parts) => {
                let mut plans = Vec::new();
                for part in parts {
                    match Self::load(part, place)? {
                        Self::Never => return Ok(Self::Never),
                        Self::All => {}
                        plan => plans.push(plan),
                    }
                }
                // The narrowest first: where it has nothing, the others are not even read.
                plans.sort_by_key(Self::bytes);
                if plans.is_empty() {
                    Self::All
                } else {
                    Self::And(plans)
                }
            }
            Expr::Or(parts) => {
                let mut plans = Vec::new();
                for part in parts {
                    match Self::load(part, place)? {
                        Self::All => return Ok(Self::All),
                        Self::Never => {}
                        plan => plans.push(plan),
                    }
                }
                if plans.is_empty() {
                    Self::Never
                } else {
                    Self::Or(plans)
                }
            }
            Expr::Leaf(leaf) => Self::leaf(leaf, place)?,
        })
    }

    fn leaf(leaf: &Leaf, place: Place<'_>) -> Result<Self> {
        match leaf {
            Leaf::Is {
                field,
                value,
                negated,
            } => match term_field(field) {
                Some(field) => place.term(&term::of_value(field, value), *negated),
                None if *negated => Ok(Self::All),
                None => place.id_text(value),
            },
            Leaf::Exists { field, negated } => match term_field(field) {
                Some(field) => place.term(&term::of_field(Kind::Present, field), *negated),
                None => Ok(Self::All),
            },
            Leaf::StartsWith {
                field,
                prefix,
                negated,
            } => match term_field(field) {
                Some(field) => place.prefix(field, prefix, *negated),
                None => Ok(Self::All),
            },
            Leaf::Time { field, from, until } => place.times(*field, *from, *until),
            Leaf::Sequence { from, until } => Ok(place.range(*from, *until)),
            Leaf::Data { .. } => Ok(Self::All),
        }
    }

    /// About how many bytes must be read for a chunk, as a measure of how much the plan narrows.
    fn bytes(&self) -> usize {
        match self {
            Self::Never | Self::Range(..) => 0,
            Self::All => usize::MAX,
            Self::And(plans) => plans.iter().map(Self::bytes).min().unwrap_or(0),
            Self::Or(plans) => plans.iter().map(Self::bytes).fold(0, usize::saturating_add),
            Self::Terms { negated: true, .. } => usize::MAX - 1,
            Self::Terms { terms, .. } => terms.iter().map(|term| term.bytes()).sum(),
            Self::Times { .. } => 1 << 20,
        }
    }

    /// Those of some places of a chunk that may match.
    fn narrow(&self, chunk: u32, set: Set) -> Result<Set> {
        match (self.only_term(), set) {
            (Some((list, rare)), Set::Array(mut places)) => {
                let mut rare = of_chunk(rare, chunk).into_places();
                rare.retain(|place| places.binary_search(place).is_ok());
                list::retain(list, chunk, &mut places).ok_or_else(damaged)?;
                Ok(Set::Array(places).or(Set::Array(rare)))
            }
            (_, set) => Ok(set.and(self.chunk(chunk)?)),
        }
    }

    /// The offsets of the run that may match, ascending, where it is soon found out that they are
    /// few; none where they may be many.
    pub(super) fn few(&self) -> Result<Option<Vec<u32>>> {
        let (narrowest, others) = match self {
            Self::And(plans) => match plans.split_first() {
                Some(split) => split,
                None => return Ok(None),
            },
            plan => (plan, &[][..]),
        };
        let (Self::Terms { terms, negated }, bytes) = (narrowest, narrowest.bytes()) else {
            return Ok(None);
        };
        let is_sparse = |term: &Arc<Found>| term.list.as_deref().is_none_or(list::is_sparse);
        if *negated || bytes > FEW_BYTES_MAX || !terms.iter().all(is_sparse) {
            return Ok(None);
        }
        let mut offsets = Vec::with_capacity(bytes);
        for term in terms {
            if let Some(list) = &term.list {
                list::decode(list, |offset| offsets.push(offset)).ok_or_else(damaged)?;
            }
            offsets.extend_from_slice(&term.rare);
        }
        offsets.sort_unstable();
        offsets.dedup();
        for other in others {
            other.keep(&mut offsets)?;
        }
        Ok(Some(offsets))
    }

    /// Keeps of some offsets, which ascend, those that may match.
    fn keep(&self, offsets: &mut Vec<u32>) -> Result<()> {
        if let Some((list, rare)) = self.only_term() {
            let mut rare = rare.to_vec();
            rare.retain(|offset| offsets.binary_search(offset).is_ok());
            list::keep(list, offsets).ok_or_else(damaged)?;
            if !rare.is_empty() {
                offsets.extend(rare);
                offsets.sort_unstable();
                offsets.dedup();
            }
            return Ok(());
        }
        let mut kept = Vec::with_capacity(offsets.len());
        for same in offsets.chunk_by(|a, b| a / CHUNK == b / CHUNK) {
            let chunk = same.first().map_or(0, |first| first / CHUNK);
            let places = self.narrow(chunk, of_chunk(same, chunk))?.into_places();
            kept.extend(places.into_iter().map(|it| chunk * CHUNK + u32::from(it)));
        }
        *offsets = kept;
        Ok(())
    }

    /// The list and the rare offsets that tell all that the plan does.
    fn only_term(&self) -> Option<(&Bytes, &[u32])> {
        let Self::Terms { terms, negated } = self else {
            return None;
        };
        match terms.as_slice() {
            [term] if !*negated => Some((term.list.as_ref()?, &term.rare)),
            _ => None,
        }
    }

    /// The places of a chunk that may match.
    pub(super) fn chunk(&self, chunk: u32) -> Result<Set> {
        Ok(match self {
            Self::All => Set::ALL,
            Self::Never => Set::NONE,
            Self::And(plans) => {
                let mut set = Set::ALL;
                for plan in plans {
                    set = plan.narrow(chunk, set)?;
                    if set.is_none() {
                        break;
                    }
                }
                set
            }
            Self::Or(plans) => {
                let mut set = Set::NONE;
                for plan in plans {
                    set = set.or(plan.chunk(chunk)?);
                }
                set
            }
            Self::Terms { terms, negated } => {
                let mut set = Set::NONE;
                for term in terms {
                    if let Some(list) = &term.list {
                        set = set.or(list::chunk(list, chunk).ok_or_else(damaged)?);
                    }
                    if !negated {
                        set = set.or(of_chunk(&term.rare, chunk));
                    }
                }
                if *negated { set.not() } else { set }
            }
            Self::Times { zones, from, until } => zones.chunk(chunk, *from, *until),
            Self::Range(first, last) => range_of_chunk(*first, *last, chunk),
        })
    }
}

/// The offsets that lie in a chunk.
fn of_chunk(offsets: &[u32], chunk: u32) -> Set {
    let from = offsets.partition_point(|offset| offset / CHUNK < chunk);
    let in_chunk = offsets
        .iter()
        .skip(from)
        .take_while(|offset| *offset / CHUNK == chunk);
    Set::Array(
        in_chunk
            .filter_map(|offset| u16::try_from(offset % CHUNK).ok())
            .collect(),
    )
}

fn range_of_chunk(first: u32, last: u32, chunk: u32) -> Set {
    let number = |offset: u32| u16::try_from(offset % CHUNK).unwrap_or(u16::MAX);
    let from = match (first / CHUNK).cmp(&chunk) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => number(first),
        std::cmp::Ordering::Greater => return Set::NONE,
    };
    let until = match (last / CHUNK).cmp(&chunk) {
        std::cmp::Ordering::Less => return Set::NONE,
        std::cmp::Ordering::Equal => number(last),
        std::cmp::Ordering::Greater => u16::MAX,
    };
    Set::Range(from, until)
}

/// The field of terms; none for the id, which is looked up by itself.
fn term_field(field: &Term) -> Option<Field<'_>> {
    match field {
        Term::Id => None,
        Term::DataType => Some(Field::DataType),
        Term::ContentType => Some(Field::ContentType),
        Term::ContentEncoding => Some(Field::ContentEncoding),
        Term::MessageGroup => Some(Field::MessageGroup),
        Term::Property(name) => Some(Field::Property(name)),
    }
}

impl Place<'_> {
    fn term(self, term: &[u8], negated: bool) -> Result<Plan> {
        Ok(plan_of(vec![self.found(term)?], negated))
    }

    fn prefix(self, field: Field<'_>, prefix: &str, negated: bool) -> Result<Plan> {
        let mut begin = term::of_field(Kind::Is, field);
        // Of a long value only so many bytes stand in its term.
        let known = prefix.as_bytes().get(..term::CUT_BYTES);
        if negated && known.is_some() {
            return Ok(Plan::All);
        }
        begin.extend_from_slice(known.unwrap_or(prefix.as_bytes()));
        let (from, until) = key::term_range(self.name(), &begin);
        let mut keys = Vec::new();
        self.table.scan(Space::Runs, &from, &until, &mut |key, _| {
            keys.push(key.to_vec());
            match keys.len() {
                0..=PREFIX_TERMS_MAX => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
        if keys.len() > PREFIX_TERMS_MAX {
            return Ok(Plan::All);
        }
        let mut terms = Vec::new();
        for key in keys {
            let list = self.table.get(Space::Runs, &key)?.map(Bytes::Stored);
            let rare = Box::default();
            terms.push(Arc::new(Found { list, rare }));
        }
        if !negated {
            terms.push(self.found(&term::of_field(Kind::Uncommon, field))?);
        }
        Ok(plan_of(terms, negated))
    }

    fn times(self, field: TimeField, from: Option<i64>, until: Option<i64>) -> Result<Plan> {
        let name = self.name();
        let (span, key) = match field {
            TimeField::Timestamp => (self.run.timestamps, Key::Timestamps(name)),
            TimeField::Created => (self.run.created, Key::Created(name)),
        };
        if !span.meets(from, until) {
            return Ok(Plan::Never);
        }
        if from.is_none_or(|from| from <= span.first)
            && until.is_none_or(|until| span.last <= until)
        {
            return Ok(Plan::All);
        }
        let bytes = key.get(self.table)?.ok_or_else(damaged)?;
        let zones = Zones::decode(&bytes).ok_or_else(damaged)?;
        Ok(Plan::Times { zones, from, until })
    }

    fn range(self, from: u64, until: u64) -> Plan {
        let (start, end) = (self.run.start, self.run.end());
        if until < start || from >= end {
            return Plan::Never;
        }
        let offset = |sequence: u64| u32::try_from(sequence.saturating_sub(start)).ok();
        match (offset(from), offset(until.min(end))) {
            (Some(first), Some(last)) => Plan::Range(first, last),
            _ => Plan::All,
        }
    }

    fn id_text(self, text: &str) -> Result<Plan> {
        let Ok(id) = text.parse::<Id>() else {
            return Ok(Plan::Never);
        };
        let found = Found {
            list: None,
            rare: self.id(&id, self.hash(&id))?.into(),
        };
        Ok(plan_of(vec![Arc::new(found)], false))
    }
}

fn plan_of(mut terms: Vec<Arc<Found>>, negated: bool) -> Plan {
    terms.retain(|term| term.list.is_some() || !negated && !term.rare.is_empty());
    match (terms.is_empty(), negated) {
        (true, true) => Plan::All,
        (true, false) => Plan::Never,
        _ => Plan::Terms { terms, negated },
    }
}
