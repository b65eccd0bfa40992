//! Where words go: results to standard output, everything else to standard
//! error. Knows whether a person is looking, and keeps the control characters
//! of guests off their screen.

use super::ink::Ink;
use super::json;
use super::table::Table;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::io::{self, IsTerminal, Write};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns, for people
    #[default]
    Table,
    /// JSON, for programs
    Json,
}

/// The reader of standard output has gone: nobody is left to tell anything.
#[derive(Debug)]
pub(super) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for Closed {}

/// Standard output and standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    format: Format,
    out: Looks,
    err: Looks,
}

/// One of the two, as somebody sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looks {
    /// Lines may be drawn over: it is a terminal.
    pub(super) live: bool,
    /// Colours are shown and wanted.
    pub(super) colours: bool,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Terminal {
    /// What this process was given.
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            out: Looks::of(io::stdout().is_terminal()),
            err: Looks::of(io::stderr().is_terminal()),
        }
    }

    /// Whether results are for a program.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The same, with results for people.
    pub(super) fn for_people(self) -> Self {
        Self { format: Format::Table, ..self }
    }

    /// How the one or the other looks.
    pub(super) fn looks(&self, target: Target) -> Looks {
        match target {
            Target::Out => self.out,
            Target::Err => self.err,
        }
    }

    /// A line of the result.
    pub(super) fn print(&self, line: &str) -> anyhow::Result<()> {
        self.write(Target::Out, &format!("{line}\n"))
    }

    /// A result, as JSON.
    pub(super) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.print(&json::laid_out(&serde_json::to_string(value)?))
    }

    /// A result, as columns.
    pub(super) fn table(&self, table: &Table) -> anyhow::Result<()> {
        self.print(&table.render(self.out.colours))
    }

    /// Writes text as it is, at once.
    pub(super) fn write(&self, target: Target, text: &str) -> anyhow::Result<()> {
        match target {
            Target::Out => write_all(io::stdout().lock(), text),
            Target::Err => {
                // If nobody reads what goes wrong, the work goes on.
                let _ = write_all(io::stderr().lock(), text);
                Ok(())
            }
        }
    }

    /// A word beside the result, on standard error.
    pub(super) fn note(&self, text: &str) {
        let _ = self.write(Target::Err, &format!("{text}\n"));
    }

    /// What went wrong.
    pub(super) fn error(&self, text: &str) {
        self.note(&format!("{} {text}", Ink::Bad.paint("error:", self.err.colours)));
    }
}

impl Looks {
    fn of(is_terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = is_terminal && !is_dumb;
        Self { live, colours: live && !set("NO_COLOR") }
    }
}

/// The text with every control character written out, so that it cannot move
/// the cursor, change colours or hide other text.
pub(super) fn printable(text: &str) -> String {
    let hides =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(hides) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if hides(c) => clean.extend(c.escape_default()),
            c => clean.push(c),
        }
    }
    clean
}

fn write_all(mut stream: impl Write, text: &str) -> anyhow::Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        Err(error) => Err(anyhow::Error::new(error).context("cannot write the result")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_told_apart() {
        assert!(write_all(Gone, "x").unwrap_err().is::<Closed>());
        assert!(write_all(Vec::new(), "x").is_ok());
    }

    #[test]
    fn only_harmless_characters_are_printed() {
        assert_eq!(printable("a\tb\u{202e}c"), "a\\tb\\u{202e}c");
        assert_eq!(printable("Grüße, 世界"), "Grüße, 世界");
    }
}
