//! What to measure, as the command line says it.

use crate::append::SHAPES;
use crate::{Result, following, large, pipelines, reads, remote, topics};

/// What to measure.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) is_quick: bool,
    /// Particles of the large topic.
    pub(crate) particles: Option<u64>,
    /// Only rows whose name begins with one of these; all when there are none.
    pub(crate) rows: Vec<String>,
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.is_quick = true,
                "--particles" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| *number >= PARTICLES_MIN);
                    let wrong = format!("--particles takes a whole number from {PARTICLES_MIN} on");
                    options.particles = Some(number.ok_or(wrong)?);
                }
                name if is_row(name) => options.rows.push(argument),
                name => return Err(format!("no row begins with {name:?}: {}", row_names()).into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| row.starts_with(wanted))
    }
}

/// Two whole batches, so that half of them can be asked for.
const PARTICLES_MIN: u64 = 2000;

fn names() -> impl Iterator<Item = &'static str> {
    let appends = SHAPES.iter().map(|shape| shape.name);
    let others = [following::NAME, topics::NAME, topics::OPEN_NAME];
    appends
        .chain(others)
        .chain(remote::names())
        .chain(reads::NAMES.iter().copied())
        .chain(pipelines::NAMES.iter().copied())
        .chain(large::NAMES.iter().copied())
}

fn is_row(wanted: &str) -> bool {
    names().any(|name| name.starts_with(wanted))
}

fn row_names() -> String {
    names().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(arguments.iter().map(|&text| text.to_owned()))
    }

    #[test]
    fn arguments_are_read() {
        let options = parse(&["--quick", "--particles", "7000", "always"]).unwrap();
        assert!(options.is_quick && options.particles == Some(7000));
        assert!(options.wants("always-1x1") && !options.wants("os-1x1000"));
        assert!(parse(&[]).unwrap().wants("scan"));
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        assert!(parse(&["--particles", "0"]).is_err());
        assert!(parse(&["nothing"]).is_err());
    }
}
