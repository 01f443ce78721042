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
mod dataset;
mod frame;
mod limit;
mod measure;
mod reads;
mod report;
mod workload;

use std::error::Error;
use std::path::{Path, PathBuf};

use append::SHAPES;
use workload::Workload;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PAYLOADS: &[usize] = &[100, 1024, 64 * 1024];
const PAYLOADS_QUICK: &[usize] = &[1024];
const ROUNDS: usize = 5;
const ROUNDS_QUICK: usize = 3;
/// Records that the rows that read find there.
const PARTICLES: u64 = 300_000;
const PARTICLES_QUICK: u64 = 50_000;

/// What to measure.
#[derive(Debug, Default, PartialEq)]
struct Options {
    is_quick: bool,
    particles: Option<u64>,
    /// Only rows whose name begins with one of these; all when there are none.
    rows: Vec<String>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.is_quick = true,
                "--particles" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| *number > 0);
                    options.particles = Some(number.ok_or("--particles takes a whole number")?);
                }
                name if is_row(name) => options.rows.push(argument),
                name => return Err(format!("no row begins with {name:?}: {}", row_names()).into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| row.starts_with(wanted))
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    let appends = SHAPES.iter().map(|shape| shape.name);
    appends.chain(reads::NAMES.iter().copied())
}

fn is_row(wanted: &str) -> bool {
    names().any(|name| name.starts_with(wanted))
}

fn row_names() -> String {
    names().collect::<Vec<_>>().join(" ")
}

fn main() -> Result {
    let options = Options::parse(std::env::args().skip(1))?;
    let folder = folder()?;
    std::fs::create_dir_all(&folder)?;
    // On the disk where the workspace is built; gone at the end, also after an error.
    let scratch = tempfile::tempdir_in(&folder)?;
    let mut rows = Vec::new();
    println!("{}", report::heading());
    let measured = measure_all(&options, scratch.path(), &mut |row| {
        print!("{}", report::lines(&row));
        rows.push(row);
    });
    let results = folder.join("results.json");
    std::fs::write(&results, format!("{:#}\n", report::json(&rows)))?;
    println!("\n{}", results.display());
    measured
}

fn measure_all(
    options: &Options,
    scratch: &Path,
    show: &mut dyn FnMut(measure::Measured),
) -> Result {
    let quick = |quick, full| if options.is_quick { quick } else { full };
    let rounds = if options.is_quick {
        ROUNDS_QUICK
    } else {
        ROUNDS
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let payloads = if options.is_quick {
        PAYLOADS_QUICK
    } else {
        PAYLOADS
    };
    for &payload_bytes in payloads {
        let workload = Workload::new(payload_bytes);
        for shape in SHAPES.iter().filter(|shape| options.wants(shape.name)) {
            let work = shape.work(&workload, options.is_quick);
            let row = shape.row(payload_bytes, &work, scratch, &runtime);
            show(measure::measure(row, rounds)?);
        }
    }
    let particles = quick(PARTICLES_QUICK, PARTICLES);
    let size = (options.particles.unwrap_or(particles), rounds);
    reads::measure_all(scratch, &runtime, size, &|name| options.wants(name), show)
}

/// `bench` in the target folder, which xtask names; without it, the workspace's.
fn folder() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    Ok(std::path::absolute(target)?.join("bench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(arguments.iter().map(|&text| text.to_owned()))
    }

    #[test]
    fn arguments_are_read() {
        let options = parse(&["--quick", "--particles", "7", "always"]).unwrap();
        assert!(options.is_quick && options.particles == Some(7));
        assert!(options.wants("always-1x1") && !options.wants("os-1x1000"));
        assert!(parse(&[]).unwrap().wants("scan"));
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        assert!(parse(&["--particles", "0"]).is_err());
        assert!(parse(&["nothing"]).is_err());
    }
}
