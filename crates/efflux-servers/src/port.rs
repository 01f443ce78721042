//! Ports of the loopback address.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Result;

/// Beneath the ports that Linux gives to clients by default: while a server is stopped, nobody is
/// given its port by chance.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;
/// Tests run in processes with neighbouring numbers: each gets ports of its own.
const PER_PROCESS: u32 = 16;

/// How many ports this process has asked for.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let begin = std::process::id().wrapping_mul(PER_PROCESS);
    for _ in 0..COUNT {
        let number = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let Ok(port) = u16::try_from(FIRST + number) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into())
}
