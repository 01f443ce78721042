//! Crashes, power cuts, failing disks and rot: nothing that was acknowledged is lost or changed.
//!
//! Every case follows from a seed. Appends of one task are the same in every run; of several tasks,
//! too, because the simulated disk holds the first write until the others have been handed in.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

mod case;
mod history;
mod rounds;
mod session;

mod background;
mod canaries;
mod commits;
mod consumers;
mod durable;
mod every;
mod faults;
mod kill;
mod random;
mod rot;
mod syscalls;
