//! Checks the golden vectors in docs/vectors, or writes them anew with `--write`.
//!
//! `cargo run -p efflux-particle --example vectors -- --write`

mod golden;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let write = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--write") => true,
        Some(other) => {
            eprintln!("unexpected argument `{other}`: write `--write` or nothing");
            return ExitCode::from(2);
        }
    };
    match run(write) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(write: bool) -> golden::Result<String> {
    let folder = Path::new(golden::FOLDER);
    let files = golden::files()?;
    for (name, bytes) in &files {
        let path = folder.join(name);
        if write {
            std::fs::create_dir_all(folder)?;
            std::fs::write(&path, bytes)?;
        } else if std::fs::read(&path).ok().as_deref() != Some(bytes) {
            return Err(format!(
                "docs/vectors/{name} is not what this program writes: run the example with --write"
            )
            .into());
        }
    }
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !files.iter().any(|(known, _)| name == known.as_str()) {
            return Err(format!("docs/vectors/{} is no golden vector", name.display()).into());
        }
    }
    let verb = if write { "wrote" } else { "checked" };
    Ok(format!("vectors: {verb} {} files", files.len()))
}
