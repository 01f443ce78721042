//! Where programs are.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where Debian keeps each version of a server in a folder of its own, and a program in it.
const VERSIONS: [(&str, &str); 2] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr/lib/rabbitmq/lib", "sbin"),
];

/// A program in the search path, or where Debian keeps servers.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    find(name, versioned().chain(searched))
}

/// A program of the Python environment that `cargo xtask setup` makes in the target folder.
pub(crate) fn python() -> Result<PathBuf> {
    let running = std::env::current_exe()?;
    let above = running.ancestors().map(Path::to_owned);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let targets = above.chain(source.map(|folder| folder.join("target")));
    let folders = targets.map(|target| target.join("tools/python/bin"));
    find("python", folders).map_err(|_| Error::Missing {
        program: "aiosmtpd, a mail server in Python,".to_owned(),
    })
}

fn find(name: &str, mut folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf> {
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|it| it.is_file()));
    found.ok_or_else(|| Error::Missing {
        program: name.to_owned(),
    })
}

fn versioned() -> impl Iterator<Item = PathBuf> {
    VERSIONS.into_iter().flat_map(|(folder, programs)| {
        let versions = fs::read_dir(folder).into_iter().flatten();
        versions.filter_map(move |version| Some(version.ok()?.path().join(programs)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_what_installs_it() {
        let error = program("efflux-no-such-program").unwrap_err().to_string();
        assert!(error.contains("efflux-no-such-program"), "{error}");
        assert!(error.contains("cargo xtask setup"), "{error}");
    }
}
