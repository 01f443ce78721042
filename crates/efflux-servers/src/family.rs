//! A process and all that came of it.
//!
//! Signals go to each of them: the children of PostgreSQL and of Erlang have process groups of
//! their own.

use std::collections::HashMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal to a process and its descendants, the process first.
pub(crate) fn signal(root: Pid, signal: Signal) {
    send(&family(root), signal);
}

/// Kills a process and its descendants, and returns them so that one can wait for them all: a
/// child that outlives PostgreSQL by a moment keeps the next one from starting.
pub(crate) fn kill(root: Pid) -> Vec<Pid> {
    // Who stands still makes no more children.
    signal(root, Signal::STOP);
    let family = family(root);
    send(&family, Signal::KILL);
    family
}

/// Whether a process has ended, be it waited for or not.
pub(crate) fn has_ended(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.map_or(true, |stat| {
        let state = stat.rsplit_once(") ").map(|(_, fields)| fields);
        state.is_none_or(|state| state.starts_with(['Z', 'X']))
    })
}

fn send(family: &[Pid], signal: Signal) {
    for process in family {
        // Who has ended since needs no signal.
        let _ = kill_process(*process, signal);
    }
}

fn family(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for (process, parent) in parents() {
        children.entry(parent).or_default().push(process);
    }
    let mut family = vec![root];
    let mut done = 0;
    while let Some(process) = family.get(done) {
        let of_it = children.remove(process).unwrap_or_default();
        family.extend(of_it);
        done += 1;
    }
    family
}

/// Each process with its parent.
fn parents() -> Vec<(Pid, Pid)> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter_map(parent).collect()
}

fn parent(process: i32) -> Option<(Pid, Pid)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in parentheses and may hold anything: what follows the last one counts.
    let (_, fields) = stat.rsplit_once(')')?;
    let parent = fields.split_whitespace().nth(1)?.parse().ok()?;
    Some((Pid::from_raw(process)?, Pid::from_raw(parent)?))
}
