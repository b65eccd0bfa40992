//! `segno component list`.

use crate::cli::answer::{self, Component};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::{day_and_time, size};
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only the versions of this one
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["components"]).with_any("name", arguments.name.as_ref());
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no components; push one with `segno component push`");
        return Ok(());
    }
    let mut table = Table::new(["NAME", "VERSION", "SIZE#", "PUSHED", "DIGEST"]);
    for component in answer::read_all::<Component>(&answers)? {
        table.row([
            component.name.into(),
            component.version.into(),
            size(component.size_bytes).into(),
            day_and_time(&component.pushed_at).into(),
            Cell::inked(short(&component.digest), Ink::Faint),
        ]);
    }
    terminal.table(&table)
}

/// Enough of a digest to tell two apart.
pub(in crate::cli) fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
