//! Opening a topic whose segments hold any bytes: no panic, no memory past a bound, and an answer
//! that is either sound or says that something is damaged.

use crate::small_store::Small;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let Some((first, edits)) = input.split_first() else {
        return;
    };
    let small = Small::pick(*first);
    let mut paths = small.paths(".seg");
    if first & 0x40 != 0 {
        paths.extend(small.paths("HEAD"));
    }
    if first & 0x80 != 0 {
        paths.extend(small.paths(".off"));
    }
    small.change(&paths, edits, |_| {});
    small.use_topic();
}
