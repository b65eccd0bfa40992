//! `segno component push`: a component, or the crate that one is built from.

use super::cargo;
use super::reference::Reference;
use crate::cli::answer::{self, Component};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::measure::size;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// What to push.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A component, or the directory of a crate, which is built first
    #[arg(value_name = "FILE_OR_CRATE")]
    path: PathBuf,
    /// What it is called; a crate says so itself
    #[arg(value_name = "NAME[@VERSION]")]
    reference: Option<Reference>,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { path, reference } = arguments;
    let (file, name, version) = if cargo::is_crate(path) {
        let package = cargo::find(path)?;
        let built = cargo::build(&package, terminal)?;
        let given = reference.clone().unwrap_or(Reference { name: built.component, version: None });
        (built.path, given.name, given.version.unwrap_or(built.version))
    } else {
        let (name, version) = of_file(path, reference.as_ref())?;
        (path.clone(), name, version)
    };
    let bytes = file::read_bytes(&file)?;
    let route = Route::to(["components"]).with("name", &name).with("version", &version);
    let answer = client
        .send(&route, "application/wasm", &bytes)
        .with_context(|| format!("{} was not taken", cargo::shortest(&file)))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Component { name, version, size_bytes, digest, unchanged, .. } = answer::read(&answer)?;
    let done = if unchanged { "unchanged" } else { "pushed" };
    terminal.print(&format!("{done} {name}@{version}  {}  {digest}", size(size_bytes)))
}

/// A file says nothing of its name and version.
fn of_file(path: &Path, reference: Option<&Reference>) -> Result<(String, String)> {
    match reference.cloned() {
        Some(Reference { name, version: Some(version) }) => Ok((name, version)),
        _ => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = reference.map_or_else(|| stem.replace('_', "-"), |known| known.name.clone());
            bail!(
                "a file has no name and version of its own: write `segno component push {} {name}@1.0.0`",
                path.display()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_needs_a_name_and_a_version() {
        let path = Path::new("a/weather_load.wasm");
        let refusal = |reference: Option<&str>| {
            let reference = reference.map(|text| text.parse().unwrap());
            of_file(path, reference.as_ref()).unwrap_err().to_string()
        };
        assert!(refusal(None).ends_with("push a/weather_load.wasm weather-load@1.0.0`"));
        assert!(refusal(Some("weather/load")).ends_with("weather_load.wasm weather/load@1.0.0`"));
        let full = "weather/load@2.1.0".parse().unwrap();
        assert_eq!(of_file(path, Some(&full)).unwrap().1, "2.1.0");
    }
}
