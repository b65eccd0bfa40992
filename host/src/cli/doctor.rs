//! `segno doctor`: whether this machine has what a server needs, and what to do
//! where it has not.

use super::table::{Cell, Table};
use super::terminal::Terminal;
use crate::sandbox::{self, Fact};
use anyhow::Result;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to look at.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The data directory of the server
    #[arg(long, value_name = "DIR", default_value = ".segno", env = "SEGNO_DATA_DIR")]
    data_dir: PathBuf,
}

/// Space on the disk below which the store would soon stop.
const FREE_BYTES_MIN: u64 = 1 << 30;

pub(super) fn perform(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode> {
    let mut facts = sandbox::facts(&sandbox::Config::new(arguments.data_dir.join("artefacts")));
    facts.push(disk(&arguments.data_dir));
    let all_well = facts.iter().all(|fact| fact.ok);
    if terminal.is_json() {
        let facts = facts.iter().map(|Fact { name, value, ok, remedy }| {
            json!({ "name": name, "value": value, "ok": ok, "remedy": remedy })
        });
        terminal.json(&facts.collect::<serde_json::Value>())?;
    } else {
        let mut table = Table::new(["", "WHAT", "FOUND", "REMEDY"]);
        for Fact { name, value, ok, remedy } in facts {
            let mark = if ok { "ok" } else { "!" };
            table.row::<4>([mark.into(), name.into(), value.into(), Cell::from(remedy)]);
        }
        terminal.table(&table)?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The free space where the data directory is, or will be.
fn disk(data_dir: &Path) -> Fact {
    let there = data_dir.ancestors().find(|path| path.exists());
    let place = there.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = "free disk";
    match rustix::fs::statvfs(place) {
        Ok(space) => {
            let free = space.f_bavail * space.f_frsize;
            let ok = free >= FREE_BYTES_MIN;
            let remedy = "make room, or choose another --data-dir";
            let remedy = if ok { String::new() } else { remedy.to_owned() };
            Fact { name, value: format!("{} MiB at {}", free >> 20, place.display()), ok, remedy }
        }
        Err(error) => {
            let remedy = "choose another --data-dir".to_owned();
            Fact { name, value: format!("{}: {error}", place.display()), ok: false, remedy }
        }
    }
}
