//! `segno component get`: one version, or the newest.

use super::reference::Reference;
use crate::cli::answer::{self, Component};
use crate::cli::client::Client;
use crate::cli::measure::{day_and_time, size};
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::{Result, bail};
use semver::Version;

/// The most versions of one component that are looked through.
const VERSIONS_MAX: usize = 10_000;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which component; the newest version unless one is named
    #[arg(value_name = "NAME[@VERSION]")]
    reference: Reference,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Reference { name, version } = &arguments.reference;
    let all = client.list(&Route::to(["components"]).with("name", name), VERSIONS_MAX)?;
    let mut known = answer::read_all(&all)?;
    let place = choose(&known, name, version.as_deref())?;
    if terminal.is_json() {
        return terminal.json(&all[place]);
    }
    let component = known.swap_remove(place);
    let mut facts = Table::of_facts();
    facts.fact("component", format!("{}@{}", component.name, component.version));
    facts.fact("digest", component.digest);
    facts.fact("size", size(component.size_bytes));
    facts.fact("pushed", day_and_time(&component.pushed_at));
    let Component { imports, http, secrets, .. } = component;
    for (what, all) in [("imports", imports), ("http", http), ("secrets", secrets)] {
        for (place, entry) in all.into_iter().enumerate() {
            facts.fact(if place == 0 { what } else { "" }, entry);
        }
    }
    terminal.table(&facts)
}

/// Which of all versions is meant.
fn choose(all: &[Component], name: &str, version: Option<&str>) -> Result<usize> {
    let places = 0..all.len();
    let found = match version {
        Some(version) => all.iter().position(|component| component.version == version),
        None => places.max_by_key(|place| Version::parse(&all[*place].version).ok()),
    };
    match found {
        Some(place) => Ok(place),
        None if all.is_empty() => {
            bail!("there is no component {name:?}; `segno component list` shows what there is")
        }
        None => {
            let versions: Vec<_> = all.iter().map(|known| known.version.as_str()).collect();
            let version = version.unwrap_or_default();
            bail!("component {name:?} has no version {version:?}, but {}", versions.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_not_the_last_of_the_alphabet() {
        let all = ["1.9.0", "1.10.0", "1.2.0"].map(|version| Component {
            name: "a/b".to_owned(),
            version: version.to_owned(),
            digest: String::new(),
            size_bytes: 0,
            imports: Vec::new(),
            http: Vec::new(),
            secrets: Vec::new(),
            pushed_at: String::new(),
            unchanged: false,
        });
        let chosen = |version| choose(&all, "a/b", version);
        assert_eq!((chosen(None).unwrap(), chosen(Some("1.2.0")).unwrap()), (1, 2));
        let refusal = chosen(Some("2.0.0")).unwrap_err().to_string();
        assert_eq!(refusal, r#"component "a/b" has no version "2.0.0", but 1.9.0, 1.10.0, 1.2.0"#);
        assert!(choose(&[], "a/b", None).unwrap_err().to_string().contains("component list"));
    }
}
