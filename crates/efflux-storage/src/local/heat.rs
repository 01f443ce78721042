//! How often something is read, of late.

use std::sync::atomic::{AtomicU64, Ordering};

/// Reads of all there is after which what was counted before counts half.
const HALF_LIFE_READS: u64 = 65_536;

/// Reads that are counted together for the age, so that readers seldom meet at one counter.
const STEP: u64 = 16;

const COUNT_BITS: u32 = 32;

/// How much was read of all there is: what tells how long ago something was.
#[derive(Debug, Default)]
pub(super) struct Age(AtomicU64);

/// How often one thing is read. It counts about, not exactly: two who count at once may count one.
#[derive(Debug, Default)]
pub(super) struct Heat {
    /// In which age it was counted last, and the count.
    counted: AtomicU64,
}

impl Age {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / HALF_LIFE_READS
    }
}

impl Heat {
    /// Counts a read, and tells the count.
    pub(super) fn count(&self, age: &Age) -> u64 {
        let now = age.now();
        let count = self.reads_at(now) + 1;
        let counted = now << COUNT_BITS | count;
        self.counted.store(counted, Ordering::Relaxed);
        if count.is_multiple_of(STEP) {
            age.0.fetch_add(STEP, Ordering::Relaxed);
        }
        count
    }

    /// How often it was read, of late.
    pub(super) fn reads(&self, age: &Age) -> u64 {
        self.reads_at(age.now())
    }

    fn reads_at(&self, now: u64) -> u64 {
        let counted = self.counted.load(Ordering::Relaxed);
        let (then, count) = (counted >> COUNT_BITS, counted & u64::from(u32::MAX));
        let halvings = u32::try_from(now.saturating_sub(then)).unwrap_or(u32::MAX);
        count.checked_shr(halvings).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_no_longer_counts_less_and_less() {
        let (age, old, young) = (Age::default(), Heat::default(), Heat::default());
        for read in 1..=1000 {
            assert_eq!(old.count(&age), read);
        }
        for _ in 0..3 * HALF_LIFE_READS {
            young.count(&age);
        }
        assert!((60..=250).contains(&old.reads(&age)), "{}", old.reads(&age));
        let steady = young.reads(&age);
        assert!(steady >= HALF_LIFE_READS / 2, "{steady}");
        assert!(steady <= 2 * HALF_LIFE_READS, "{steady}");
    }
}
