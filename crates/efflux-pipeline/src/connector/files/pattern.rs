//! Which files of a folder are taken.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::limits::PATTERNS_MAX;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;

/// Which files are taken: those that match one of the patterns, or all when there is none.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    of_names: GlobSet,
    of_paths: GlobSet,
    are_none: bool,
}

impl Patterns {
    /// All that is wrong with patterns.
    pub(super) fn faults(patterns: &[String]) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if patterns.len() > PATTERNS_MAX {
            faults.push(SettingFault::new(format!(
                "{} patterns: at most {PATTERNS_MAX} are allowed",
                patterns.len()
            )));
        }
        for (at, pattern) in patterns.iter().enumerate() {
            let climbs = || {
                pattern
                    .split('/')
                    .any(|part| matches!(part, "" | "." | ".."))
            };
            let what = match glob(pattern) {
                Err(error) => format!("{pattern:?} is no pattern: {error}"),
                Ok(_) if climbs() => format!(
                    "{pattern:?} matches no file: a pattern is held against the path in the folder, \
                     as in sub/*.csv"
                ),
                Ok(_) => continue,
            };
            faults.push(SettingFault::of(at, what));
        }
        faults
    }

    pub(super) fn new(patterns: &[String]) -> Result<Self, StageError> {
        SettingFault::none_of(Self::faults(patterns))?;
        let (mut of_names, mut of_paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let glob = glob(pattern).map_err(StageError::fatal)?;
            match pattern.contains('/') {
                true => of_paths.add(glob),
                false => of_names.add(glob),
            };
        }
        let build = |builder: GlobSetBuilder| builder.build().map_err(StageError::fatal);
        Ok(Self {
            of_names: build(of_names)?,
            of_paths: build(of_paths)?,
            are_none: patterns.is_empty(),
        })
    }

    pub(super) fn take(&self, relative: &Path) -> bool {
        let is_named = || {
            relative
                .file_name()
                .is_some_and(|name| self.of_names.is_match(name))
        };
        self.are_none || is_named() || self.of_paths.is_match(relative)
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, path: &str) -> bool {
        let patterns = Patterns::new(&[pattern.to_owned()]).unwrap();
        patterns.take(Path::new(path))
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_the_name() {
        assert!(takes("*.csv", "a.csv"));
        assert!(takes("*.csv", "sub/a.csv"));
        assert!(takes("*.{csv,json}", "a.json"));
        assert!(!takes("*.csv", "a.csv.part"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_about_the_path() {
        assert!(takes("in/*.csv", "in/a.csv"));
        assert!(takes("in/**/*.csv", "in/b/c/a.csv"));
        assert!(!takes("in/*.csv", "in/b/a.csv"));
        assert!(!takes("in/*.csv", "a.csv"));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        let told = Patterns::new(&["[".to_owned()]).unwrap_err().to_string();
        assert!(told.contains("\"[\" is no pattern"), "{told}");
    }
}
