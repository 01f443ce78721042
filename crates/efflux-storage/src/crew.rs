//! One kind of work on several cores, its results in the order in which the work came.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

/// Threads that do one kind of work for whoever holds the crew, who works too while it waits: together
/// they are as many as there are cores. Results come in the order in which the work was handed in.
///
/// - a thread is started only when work waits that nobody has begun
/// - dropping the crew ends its threads; work that nobody has begun is dropped
///
/// The holder bounds the queue: it looks at [`Crew::pending`] before it hands in more.
pub(crate) struct Crew<I, O> {
    shared: Arc<Shared<I, O>>,
    threads: Vec<JoinHandle<()>>,
    threads_max: usize,
    /// The number of the piece of work that comes next from [`Crew::take`].
    next: u64,
    /// The number of the piece of work that comes next to [`Crew::put`].
    end: u64,
}

struct Shared<I, O> {
    work: fn(&I) -> O,
    state: Mutex<State<I, O>>,
    waits: Condvar,
    is_done: Condvar,
}

struct State<I, O> {
    waiting: VecDeque<(u64, I)>,
    done: BTreeMap<u64, thread::Result<O>>,
    /// Results of pieces before this one are not wanted any more.
    wanted_from: u64,
    is_over: bool,
}

impl<I: Send + 'static, O: Send + 'static> Crew<I, O> {
    /// A crew for all cores.
    pub(crate) fn new(work: fn(&I) -> O) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::of(cores, work)
    }

    /// A crew of that many, its holder included.
    pub(crate) fn of(cores: usize, work: fn(&I) -> O) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            done: BTreeMap::new(),
            wanted_from: 0,
            is_over: false,
        };
        let shared = Shared {
            work,
            state: Mutex::new(state),
            waits: Condvar::new(),
            is_done: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
            threads: Vec::new(),
            threads_max: cores.saturating_sub(1),
            next: 0,
            end: 0,
        }
    }

    /// How many work, the holder included.
    pub(crate) const fn cores(&self) -> usize {
        self.threads_max + 1
    }

    /// How many pieces were handed in and not taken.
    pub(crate) fn pending(&self) -> usize {
        usize::try_from(self.end - self.next).unwrap_or(usize::MAX)
    }

    /// Hands in a piece of work.
    pub(crate) fn put(&mut self, piece: I) {
        let waiting = {
            let mut state = self.shared.state.lock();
            state.waiting.push_back((self.end, piece));
            state.waiting.len()
        };
        self.end += 1;
        // The first piece is the holder's own: a crew with little to do starts no thread.
        if waiting > 1 && self.threads.len() < self.threads_max {
            self.start_thread();
        }
        self.shared.waits.notify_one();
    }

    /// Fewer threads than there could be are slower and no worse.
    fn start_thread(&mut self) {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("efflux-crew".to_owned());
        match thread.spawn(move || shared.run()) {
            Ok(thread) => self.threads.push(thread),
            Err(_) => self.threads_max = self.threads.len(),
        }
    }

    /// The result of the piece that was handed in first; none when there is none. While it is not
    /// there yet, other pieces are worked on.
    pub(crate) fn take(&mut self) -> Option<O> {
        if self.next == self.end {
            return None;
        }
        let mut state = self.shared.state.lock();
        loop {
            if let Some(result) = state.done.remove(&self.next) {
                self.next += 1;
                state.wanted_from = self.next;
                drop(state);
                // A defect of ours is the holder's as if it had done the work itself.
                return Some(result.unwrap_or_else(|panic| resume_unwind(panic)));
            }
            match state.waiting.pop_front() {
                Some((number, piece)) => {
                    drop(state);
                    let result = self.shared.work_on(&piece);
                    state = self.shared.state.lock();
                    state.done.insert(number, result);
                }
                None => self.shared.is_done.wait(&mut state),
            }
        }
    }

    /// Drops all work that was handed in and not taken.
    pub(crate) fn discard(&mut self) {
        self.next = self.end;
        let mut state = self.shared.state.lock();
        state.wanted_from = self.end;
        state.waiting.clear();
        state.done.clear();
    }
}

impl<I, O> Shared<I, O> {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.is_over {
            let Some((number, piece)) = state.waiting.pop_front() else {
                self.waits.wait(&mut state);
                continue;
            };
            drop(state);
            let result = self.work_on(&piece);
            state = self.state.lock();
            if number >= state.wanted_from {
                state.done.insert(number, result);
                self.is_done.notify_one();
            }
        }
    }

    fn work_on(&self, piece: &I) -> thread::Result<O> {
        catch_unwind(AssertUnwindSafe(|| (self.work)(piece)))
    }
}

impl<I, O> Drop for Crew<I, O> {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state.lock();
            state.is_over = true;
            state.waiting.clear();
        }
        self.shared.waits.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl<I, O> fmt::Debug for Crew<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the longer the smaller the number is.
    fn slow_square(number: &u64) -> u64 {
        let number = *number;
        let rounds = 1000 * (100 - number.min(100));
        let spent = (0..rounds).fold(0_u64, |sum, at| sum.wrapping_mul(31).wrapping_add(at));
        number * number + u64::from(std::hint::black_box(spent) == 1 && rounds == 0)
    }

    #[test]
    fn results_come_in_the_order_of_the_work_with_any_number_of_cores() {
        for cores in [1, 2, 3, 8] {
            let mut crew = Crew::of(cores, slow_square);
            let mut results = Vec::new();
            for number in 0..100 {
                crew.put(number);
                if crew.pending() > 10 {
                    results.extend(crew.take());
                }
            }
            results.extend(std::iter::from_fn(|| crew.take()));
            assert!(
                results
                    .into_iter()
                    .eq((0..100).map(|number| number * number)),
                "{cores}"
            );
            assert!(crew.threads.len() < cores);
        }
    }

    #[test]
    fn discarded_work_gives_no_result() {
        for cores in [1, 4] {
            let mut crew = Crew::of(cores, slow_square);
            for _ in 0..20 {
                (0..10).for_each(|number| crew.put(number));
                assert_eq!(crew.take(), Some(0));
                crew.discard();
                assert_eq!((crew.pending(), crew.take()), (0, None));
                crew.put(7);
                assert_eq!(crew.take(), Some(49));
            }
        }
    }

    #[test]
    fn one_piece_at_a_time_starts_no_thread() {
        let mut crew = Crew::of(4, slow_square);
        for number in 0..10 {
            crew.put(number);
            assert_eq!(crew.take(), Some(number * number));
        }
        assert!(crew.threads.is_empty());
    }

    #[test]
    fn a_defect_in_the_work_is_the_holders() {
        for cores in [1, 2] {
            let mut crew = Crew::of(cores, |number: &u64| {
                assert!(*number != 2, "two");
                *number
            });
            (0..4).for_each(|number| crew.put(number));
            assert_eq!((crew.take(), crew.take()), (Some(0), Some(1)));
            assert!(catch_unwind(AssertUnwindSafe(|| crew.take())).is_err());
            assert_eq!(crew.take(), Some(3));
        }
    }
}
