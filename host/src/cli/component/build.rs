//! `segno component build`: one component for each crate that is named.

use super::cargo::{self, Built, Package};
use crate::cli::measure::{duration, size};
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What to build.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The directory of a crate, or its Cargo.toml
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Copy the components to this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn perform(arguments: &Arguments, terminal: &Terminal) -> Result<()> {
    let mut all = build(&arguments.paths, terminal)?;
    if let Some(directory) = &arguments.out {
        refuse_twins(&all)?;
        for built in &mut all {
            built.path = copy(&built.path, directory)?;
        }
    }
    show(&all, terminal)
}

/// Builds the components of these crates, and shows them.
pub(in crate::cli) fn all(paths: &[PathBuf], terminal: &Terminal) -> Result<Vec<Built>> {
    let all = build(paths, terminal)?;
    show(&all, terminal)?;
    Ok(all)
}

/// Builds the component of this crate, and shows nothing.
pub(in crate::cli) fn one(path: &Path, terminal: &Terminal) -> Result<Built> {
    cargo::build(&cargo::find(path)?, terminal)
}

fn build(paths: &[PathBuf], terminal: &Terminal) -> Result<Vec<Built>> {
    let packages = paths.iter().map(|path| cargo::find(path));
    let packages = packages.collect::<Result<Vec<Package>>>()?;
    packages.iter().map(|package| cargo::build(package, terminal)).collect()
}

fn copy(from: &Path, directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let to = directory.join(from.file_name().expect("cargo builds files that have names"));
    fs::copy(from, &to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(to)
}

/// Two crates of the same name would be one file in the same directory.
fn refuse_twins(all: &[Built]) -> Result<()> {
    let mut seen = HashMap::new();
    for built in all {
        let name = built.path.file_name();
        if let Some(other) = seen.insert(name, &built.component) {
            let name = name.unwrap_or_default().display();
            bail!("{other} and {} are both {name}; give each an --out", built.component);
        }
    }
    Ok(())
}

fn show(all: &[Built], terminal: &Terminal) -> Result<()> {
    if terminal.is_json() {
        let all = all.iter().map(|built| {
            json!({
                "name": built.component,
                "version": built.version,
                "path": built.path,
                "size_bytes": built.size_bytes,
                "duration_ms": built.duration_ms,
            })
        });
        return terminal.json(&all.collect::<serde_json::Value>());
    }
    let mut table = Table::new(["COMPONENT", "VERSION", "SIZE#", "TIME#", "FILE"]);
    for built in all {
        table.row([
            built.component.as_str().into(),
            built.version.as_str().into(),
            size(built.size_bytes).into(),
            duration(built.duration_ms).into(),
            cargo::shortest(&built.path).into(),
        ]);
    }
    terminal.table(&table)
}
