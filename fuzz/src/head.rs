//! Opening a topic whose HEAD record says anything, with a right checksum or a wrong one.

use crate::small_store::Small;

/// Where the two records begin, and how many of their bytes the checksum behind them covers.
const SLOTS_AT: [usize; 2] = [0, 512];
const CHECKED_BYTES: usize = 108;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let Some((first, edits)) = input.split_first() else {
        return;
    };
    let small = Small::pick(*first);
    let is_sealed = first & 0x80 == 0;
    small.change(&small.paths("HEAD"), edits, |bytes| {
        if is_sealed {
            seal(bytes);
        }
    });
    small.use_topic();
}

fn seal(bytes: &mut [u8]) {
    for at in SLOTS_AT {
        let slot = bytes.get_mut(at..at + CHECKED_BYTES + 4);
        if let Some((checked, checksum)) =
            slot.and_then(|slot| slot.split_at_mut_checked(CHECKED_BYTES))
        {
            checksum.copy_from_slice(&crc32c::crc32c(checked).to_le_bytes());
        }
    }
}
