//! Lets the entries of forgotten topics go, and those of runs that were merged, a few at a time.

use std::ops::ControlFlow;

use super::attach::known;
use super::key::{self, Key};
use super::shared::Shared;
use super::topic::State;
use crate::error::Result;
use crate::table::{Changes, Entry, Space, Table, read_point_value};

/// Keys that are removed together: 32,768, some 15 ms.
const KEYS_MAX: usize = 32_768;

/// Sweeps whenever there is something to sweep and the table is open.
pub(super) async fn sweep(shared: &Shared) {
    loop {
        shared.sweep.notified().await;
        if !shared.is_open() {
            continue;
        }
        while let Ok((table, epoch)) = shared.table() {
            match mark_forgotten(shared, &*table).and_then(|()| step(&*table)) {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => break,
                Err(_) => {
                    drop(table);
                    shared.broken(epoch);
                    break;
                }
            }
        }
    }
}

/// The last thing the thread does: topics that were deleted must be known to be gone, and what was
/// written is made durable. What fails here is found out and mended when the store is next opened.
pub(super) fn finish(shared: &Shared) {
    let is_needed = !shared.forgotten.lock().is_empty() && shared.is_there();
    if !is_needed && !shared.is_open() {
        return;
    }
    let Ok((table, _)) = shared.table() else {
        return;
    };
    let _ = mark_forgotten(shared, &*table).and_then(|()| table.persist());
}

/// Writes down which topics are gone.
fn mark_forgotten(shared: &Shared, table: &dyn Table) -> Result<()> {
    let names = std::mem::take(&mut *shared.forgotten.lock());
    for name in names {
        let Some((number, _)) = known(table, name.as_str())? else {
            continue;
        };
        // A topic of the same name was made since: when it is attached, its number is its own, and
        // when it is not yet, it will find the one that stands there to be another's.
        if shared
            .follower_of(&name)
            .is_some_and(|topic| match &*topic.state.read() {
                State::Attached(attached) => attached.number == number,
                _ => true,
            })
        {
            continue;
        }
        let runs = vec![
            Entry::remove(Key::Topic(name.as_str()).bytes()),
            Entry::put(Key::Gone(number).bytes(), Vec::new()),
        ];
        table.write(Changes {
            runs,
            ..Changes::default()
        })?;
    }
    Ok(())
}

/// Removes some entries; false when there is none that can go.
fn step(table: &dyn Table) -> Result<bool> {
    Ok(step_merged(table)? || step_gone(table)?)
}

/// Removes some keys of runs that were merged into another.
fn step_merged(table: &dyn Table) -> Result<bool> {
    let (from, until) = key::merged_range();
    let mut merged = None;
    table.scan(Space::Runs, &from, &until, &mut |key, end| {
        merged = key::read_merged(key).zip(read_point_value(end));
        ControlFlow::Break(())
    })?;
    let Some((run, end)) = merged else {
        return Ok(false);
    };
    let range = key::runs_range(run.topic, run.start, end);
    let is_part = |key: &[u8]| key::is_part_of_merged(key, run);
    let keys = some_keys(table, Space::Runs, range, &is_part)?;
    let is_last = keys.len() < KEYS_MAX;
    if !keys.is_empty() {
        table.remove(Space::Runs, keys)?;
    }
    if is_last {
        table.write(Changes {
            runs: vec![Entry::remove(Key::Merged(run).bytes())],
            ..Changes::default()
        })?;
    }
    Ok(true)
}

/// Removes some entries of a topic that is gone.
fn step_gone(table: &dyn Table) -> Result<bool> {
    let (from, until) = key::gone_range();
    let mut gone = None;
    table.scan(Space::Runs, &from, &until, &mut |key, _| {
        gone = key::read_gone(key);
        ControlFlow::Break(())
    })?;
    let Some(number) = gone else { return Ok(false) };
    // Runs go first: without them nothing else is ever looked at.
    for space in [Space::Runs, Space::Groups] {
        let range = key::topic_range(number, space);
        let keys = some_keys(table, space, range, &|_| true)?;
        if !keys.is_empty() {
            table.remove(space, keys)?;
            return Ok(true);
        }
    }
    table.remove(Space::Runs, vec![Key::Gone(number).bytes()])?;
    Ok(true)
}

/// The first keys of a range that can go: all of them when there are fewer than [`KEYS_MAX`].
fn some_keys(
    table: &dyn Table,
    space: Space,
    (from, until): (Vec<u8>, Vec<u8>),
    can_go: &dyn Fn(&[u8]) -> bool,
) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    table.scan(space, &from, &until, &mut |key, _| {
        if can_go(key) {
            keys.push(key.to_vec());
        }
        if keys.len() < KEYS_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    Ok(keys)
}
