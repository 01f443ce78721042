//! What one round trip over the loopback takes: a thread that gives back a little for what it gets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::measure::median_time;

/// As many bytes as the request of one append has, and as its answer has.
const ASKED_BYTES: usize = 1600;
const ANSWERED_BYTES: usize = 400;
const ROUNDS: usize = 2000;

/// The median of round trips, one after the other.
pub(super) fn round_trip() -> Result<Duration> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    thread::scope(|scope| {
        // Ends when the near side is gone.
        let echo = scope.spawn(move || give_back(far));
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            near.write_all(&[1; ASKED_BYTES])?;
            near.read_exact(&mut [0; ANSWERED_BYTES])?;
            times.push(start.elapsed());
        }
        drop(near);
        echo.join().map_err(|_| "the echo panicked")?;
        median_time(times).ok_or_else(|| "no round trip was made".into())
    })
}

fn give_back(mut far: TcpStream) {
    let mut asked = [0; ASKED_BYTES];
    while far.read_exact(&mut asked).is_ok() {
        if far.write_all(&[2; ANSWERED_BYTES]).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_takes_some_time_and_not_much() {
        let took = round_trip().unwrap();
        assert!(took > Duration::ZERO && took < Duration::from_secs(1));
    }
}
