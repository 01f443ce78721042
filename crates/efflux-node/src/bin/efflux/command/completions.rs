//! `efflux completions`: completions for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::Outcome;
use crate::exit::Exit;

pub(crate) const EXAMPLES: &str = "\
Examples:
  efflux completions bash > ~/.local/share/bash-completion/completions/efflux
  efflux completions zsh > ~/.zfunc/_efflux
  efflux completions fish > ~/.config/fish/completions/efflux.fish";

/// What `efflux completions` takes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut script = Vec::new();
    let mut command = crate::arguments::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "efflux", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Exit::Success)
}
