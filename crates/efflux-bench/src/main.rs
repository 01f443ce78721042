//! Measures Efflux against what the machine can do, and against stores a program could embed
//! instead. `cargo xtask bench` builds and runs it; docs/performance.md tells what the rows mean.
//!
//! ```text
//! efflux-bench [--quick] [--particles N] [ROW...]
//! ```

#[cfg(feature = "alternatives")]
mod alternatives;
#[cfg(not(feature = "alternatives"))]
#[path = "alternatives/absent.rs"]
mod alternatives;
mod append;
mod callers;
mod child;
mod dataset;
mod following;
mod frame;
mod growth;
mod guard;
mod lag;
mod large;
mod limit;
mod machine;
mod measure;
mod options;
mod pipelines;
mod plain_file;
mod process;
mod reads;
mod remote;
mod report;
mod servers;
mod topics;
mod workload;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Runtime;

use append::SHAPES;
use machine::Machine;
use measure::Measured;
use options::Options;
use workload::Workload;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
struct Size {
    payloads: &'static [usize],
    rounds: usize,
    /// Records that the rows that read find there.
    records: u64,
    /// Orders that pipelines work on.
    orders: u64,
    /// Records of the large topic.
    particles: u64,
    /// Records and their bytes, each time the index follows.
    followed: &'static [(u64, usize)],
    /// Topics, and records appended to them in a run.
    topics: (usize, usize),
    /// Topics that are open together.
    topics_open: usize,
    /// Whether servers are started, where they are installed, without being asked for by name.
    has_servers: bool,
}

const FULL: Size = Size {
    payloads: &[100, 1024, 64 * 1024],
    rounds: 5,
    records: 300_000,
    orders: 100_000,
    particles: 10_000_000,
    followed: &[(2_000_000, 100), (500_000, 1024)],
    topics: (1000, 30_000),
    topics_open: 10_000,
    has_servers: true,
};

const QUICK: Size = Size {
    payloads: &[1024],
    rounds: 3,
    records: 50_000,
    orders: 30_000,
    particles: 100_000,
    followed: &[(200_000, 100)],
    topics: (200, 5000),
    topics_open: 200,
    has_servers: false,
};

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "child" => child::main(rest, &runtime()?),
        Some((first, rest)) if first == "guard" => guard::main(rest),
        _ => bench(&Options::parse(arguments.into_iter())?, &runtime()?),
    }
}

fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().build()?)
}

fn bench(options: &Options, runtime: &Runtime) -> Result {
    let folder = folder()?;
    std::fs::create_dir_all(&folder)?;
    // On the disk where the workspace is built; gone at the end, also after an error.
    let scratch = tempfile::tempdir_in(&folder)?;
    let machine = Machine::look();
    println!("{}\n\n{}", machine.line(), report::heading());
    let mut rows = Vec::new();
    let place = (scratch.path(), runtime);
    let measured = measure_all(options, place, machine.cores, &mut |row| {
        print!("{}", report::lines(&row));
        rows.push(row);
    });
    let results = folder.join("results.json");
    std::fs::write(&results, format!("{:#}\n", report::json(&machine, &rows)))?;
    println!("\n{}\n{}", report::goals(&rows), results.display());
    measured
}

fn measure_all(
    options: &Options,
    place: (&Path, &Runtime),
    cores: usize,
    show: &mut dyn FnMut(Measured),
) -> Result {
    let size = if options.is_quick { &QUICK } else { &FULL };
    let wants = |name: &str| options.wants(name);
    for &payload_bytes in size.payloads {
        let workload = Workload::new(payload_bytes);
        for shape in SHAPES.iter().filter(|shape| wants(shape.name)) {
            let work = shape.work(&workload, options.is_quick);
            show(shape.measure(&work, payload_bytes, size.rounds, place)?);
        }
    }
    for &followed in size.followed.iter().filter(|_| wants(following::NAME)) {
        show(following::row(place, followed, size.rounds.min(3))?);
    }
    if options.wants(topics::NAME) {
        show(topics::row(place, size.topics, size.rounds)?);
    }
    if options.wants(topics::OPEN_NAME) {
        show(topics::open_row(place.0, size.topics_open)?);
    }
    let remote = remote::Size {
        is_quick: options.is_quick,
        rounds: size.rounds,
        records: size.records,
        has_servers: size.has_servers || !options.rows.is_empty(),
    };
    remote::measure_all(place, remote, &wants, show)?;
    let read = (size.records, size.rounds, cores);
    reads::measure_all(place, read, &wants, show)?;
    pipelines::measure_all(place, (size.orders, size.rounds), &wants, show)?;
    let particles = options.particles.unwrap_or(size.particles);
    large::measure_all(place, (particles, size.rounds), &wants, show)
}

/// `bench` in the target folder, which xtask names; without it, the workspace's.
fn folder() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    Ok(std::path::absolute(target)?.join("bench"))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
