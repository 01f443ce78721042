//! Writes a small export to standard output: a root, a single, a batch of two.
//!
//! `cargo run -p efflux-particle --example chain | python3 tests/verifier/verify.py`

use std::io::{self, Write};

use efflux_particle::{Draft, Head, Id, Message, Stamp, Timestamp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let topic = "orders".parse()?;
    let mut out = io::stdout().lock();

    let (mut head, root) = Head::root(&topic, &stamp(0, false))?;
    out.write_all(root.frame())?;

    let single = Message::new("{\"total\":12}")
        .with_data_type("order.placed")
        .with_property("customer", "42");
    let (next, particle) = head.link(Draft::encode(&single, &stamp(1, false))?);
    head = next;
    out.write_all(particle.frame())?;

    // Either both of these are there or none: the first one says that another follows.
    for (number, remaining) in [(2, 1), (3, 0)] {
        let message = Message::new(format!("line {number}")).with_data_type("order.line");
        let draft = Draft::encode(&message, &stamp(number, true))?;
        let (next, particle) = head.link_in_batch(draft, remaining)?;
        head = next;
        out.write_all(particle.frame())?;
    }
    eprintln!("head {head}");
    Ok(())
}

/// A store takes ids and times from its clock; here they are fixed.
fn stamp(number: u8, in_batch: bool) -> Stamp {
    Stamp {
        id: Id::from_uuid([number; 16]),
        created: Timestamp::from_nanos(1_767_225_600_000_000_000 + i64::from(number)),
        in_batch,
    }
}
