//! Threads that do what blocks: writing, syncing, indexing. They are shared by all topics.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A piece of work that may block.
type Job = Box<dyn FnOnce() + Send>;

/// Threads that do what blocks: one is started with the store, others when all are at work. They end
/// when the store is dropped.
///
/// The queue is bounded by its users: a topic has at most one commit in it, a consumer one sync.
pub(crate) struct Workers {
    name: String,
    count_max: usize,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What waits for the threads. A job holds this, never the threads: those end when the store is
/// dropped, and a job that held them would put that off to its own end.
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    ready: Condvar,
}

struct Jobs {
    waiting: VecDeque<Job>,
    /// Jobs for later, by when they are due and the order in which they came.
    later: BTreeMap<(Instant, u64), Job>,
    count: u64,
    /// Threads that wait for a job.
    idle: usize,
    closed: bool,
}

impl Workers {
    /// Starts the first thread; at most `count_max` will be.
    pub(crate) fn start(name: &str, count_max: usize) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            jobs: Mutex::new(Jobs {
                waiting: VecDeque::new(),
                later: BTreeMap::new(),
                count: 0,
                idle: 0,
                closed: false,
            }),
            ready: Condvar::new(),
        });
        let workers = Self {
            name: name.to_owned(),
            count_max,
            queue,
            threads: Mutex::new(Vec::new()),
        };
        workers.start_one(&mut workers.threads.lock())?;
        Ok(workers)
    }

    fn start_one(&self, threads: &mut Vec<JoinHandle<()>>) -> io::Result<()> {
        let queue = Arc::clone(&self.queue);
        let thread = thread::Builder::new()
            .name(format!("{}-{}", self.name, threads.len()))
            .spawn(move || queue.run())?;
        threads.push(thread);
        Ok(())
    }

    /// What jobs hold that go on in steps.
    pub(crate) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        let mut jobs = self.queue.jobs.lock();
        jobs.waiting.push_back(Box::new(job));
        self.see_to(&jobs);
    }

    /// Runs a job when `delay` is over, or at once when the store is closed before.
    pub(crate) fn submit_after(&self, delay: Duration, job: impl FnOnce() + Send + 'static) {
        let mut jobs = self.queue.jobs.lock();
        jobs.count += 1;
        let place = (Instant::now() + delay, jobs.count);
        jobs.later.insert(place, Box::new(job));
        self.see_to(&jobs);
    }

    /// Sees to it that a thread comes to what was handed in.
    fn see_to(&self, jobs: &Jobs) {
        self.queue.ready.notify_one();
        if jobs.idle >= jobs.waiting.len().max(1) {
            return;
        }
        let mut threads = self.threads.lock();
        if threads.len() < self.count_max {
            // Where none can be started, those that are there come to it in turn.
            let _ = self.start_one(&mut threads);
        }
    }

    /// Runs `work` on one of the threads and waits for what it returns.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.submit(move || {
            let _ = answer.send(work());
        });
        answered.await.ok()
    }
}

impl Queue {
    /// Hands in the next step of a job that runs: its thread comes to it, if no other does.
    pub(crate) fn submit_next(&self, job: impl FnOnce() + Send + 'static) {
        self.jobs.lock().waiting.push_back(Box::new(job));
        self.ready.notify_one();
    }

    fn run(&self) {
        while let Some(job) = self.next() {
            // A job that stops at a defect is over; the thread is there for the others.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    /// The next job; none when the queue is closed and empty.
    fn next(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            let due = jobs.later.first_key_value().map(|((due, _), _)| *due);
            if due.is_some_and(|due| jobs.closed || due <= Instant::now()) {
                return jobs.later.pop_first().map(|(_, job)| job);
            }
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs.idle += 1;
            match due {
                Some(due) => {
                    self.ready.wait_until(&mut jobs, due);
                }
                None => self.ready.wait(&mut jobs),
            }
            jobs.idle -= 1;
        }
    }
}

impl Drop for Workers {
    /// Finishes the queue, then ends the threads.
    fn drop(&mut self) {
        self.queue.jobs.lock().closed = true;
        self.queue.ready.notify_all();
        for thread in self.threads.get_mut().drain(..) {
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("threads", &self.threads.lock().len())
            .finish_non_exhaustive()
    }
}
