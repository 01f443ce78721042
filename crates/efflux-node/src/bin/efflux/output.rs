//! How results are printed.

mod text;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use clap::ValueEnum;
use efflux_node::json::{content, write_particle};
use efflux_node::particle::Particle;
use serde::Serialize;

use crate::exit::Failure;

pub(crate) use efflux_node::json::Shown;
pub(crate) use text::{grouped, megabytes};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
    /// Payloads, byte for byte
    Raw,
}

/// What follows each payload in raw output.
#[derive(Clone, Debug)]
pub(crate) struct Separator(Vec<u8>);

impl Separator {
    pub(crate) fn plain(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }

    /// Reads a text in which `\n`, `\t`, `\r`, `\0` and `\\` stand for characters.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let plain = match (character, character == '\\') {
                (_, true) => match characters.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('0') => '\0',
                    Some('\\') => '\\',
                    _ => {
                        return Err(Failure::usage(format!(
                            "--separator {text:?} is not understood"
                        ))
                        .with_try(r"\n, \t, \r, \0, \\ or any other text"));
                    }
                },
                (character, false) => character,
            };
            bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(Self(bytes))
    }
}

/// Prints results on standard output.
#[derive(Debug)]
pub(crate) struct Printer {
    format: OutputFormat,
    separator: Separator,
    out: BufWriter<Stdout>,
    style: text::Style,
}

impl Printer {
    pub(crate) fn new(format: OutputFormat, separator: Separator) -> Self {
        let stdout = io::stdout();
        let style = text::Style::of(&stdout);
        Self {
            format,
            separator,
            out: BufWriter::with_capacity(64 * 1024, stdout),
            style,
        }
    }

    pub(crate) const fn format(&self) -> OutputFormat {
        self.format
    }

    /// Prints a particle on one line.
    pub(crate) fn particle(&mut self, particle: &Particle, shown: Shown<'_>) -> io::Result<()> {
        match self.format {
            OutputFormat::Text => text::line(&mut self.out, self.style, particle, shown),
            OutputFormat::Json => {
                write_particle(&mut self.out, particle, shown)?;
                self.out.write_all(b"\n")
            }
            OutputFormat::Raw => self.raw(particle),
        }
    }

    /// Prints a particle with everything that is known of it.
    pub(crate) fn whole(&mut self, particle: &Particle, shown: Shown<'_>) -> io::Result<()> {
        match self.format {
            OutputFormat::Text => text::whole(&mut self.out, self.style, particle, shown),
            _ => self.particle(particle, shown),
        }
    }

    fn raw(&mut self, particle: &Particle) -> io::Result<()> {
        self.out.write_all(&content(particle))?;
        self.out.write_all(&self.separator.0)
    }

    /// Prints a result that is no particle: as JSON where the output is JSON, else as the text.
    pub(crate) fn result(&mut self, json: &impl Serialize, text: &str) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => {
                serde_json::to_writer(&mut self.out, json)?;
                self.out.write_all(b"\n")
            }
            _ => writeln!(self.out, "{text}"),
        }
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints a line on standard error. When nobody reads it any more, that is no failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_may_name_characters() {
        assert_eq!(Separator::parse(r"\0").unwrap().0, [0]);
        assert_eq!(Separator::parse(r"--\n\t\\").unwrap().0, b"--\n\t\\");
        assert_eq!(Separator::parse("").unwrap().0, b"");
        assert!(Separator::parse(r"\x").is_err());
    }
}
