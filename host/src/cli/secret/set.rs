//! `segno secret set`: the value comes from standard input, so that it is in no
//! history and in no list of processes.

use super::Which;
use crate::cli::answer::{self, Secret};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::{Result, bail};
use serde_json::json;
use std::io::{self, IsTerminal as _};
use std::path::Path;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    if io::stdin().is_terminal() {
        terminal.note("type the value, then Enter and Ctrl-D; whoever watches can read it");
    }
    let text = file::read_text(Path::new("-"))?;
    let value = value_of(&text);
    if value.is_empty() {
        bail!(
            "standard input is empty; write for example `segno secret set {} < FILE`",
            which.name
        );
    }
    let answer = client.put(&Route::to(["secrets", &which.name]), &json!({ "value": value }))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Secret { name, .. } = answer::read(&answer)?;
    terminal.print(&format!("set {name}"))
}

/// The text without the line break that editors and `echo` put at its end.
fn value_of(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_a_value() {
        assert_eq!(value_of("sk_live\n"), "sk_live");
        assert_eq!(value_of("sk_live\r\n"), "sk_live");
        assert_eq!(value_of("two\nlines\n\n"), "two\nlines\n");
        assert_eq!(value_of(" x "), " x ");
        assert_eq!(value_of("\n"), "");
    }
}
