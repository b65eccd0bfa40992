//! `segno component test`: plays the cases of a script against a component, in
//! this process and without a server.

mod report;

use super::{build, cargo};
use crate::cli::file;
use crate::cli::measure::Stopwatch;
use crate::cli::terminal::Terminal;
use crate::rehearsal::{Rehearsal, Script};
use anyhow::{Context as _, Result, bail};
use report::{Played, Report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The script of a crate, beside its Cargo.toml.
const SCRIPT: &str = "test.yaml";

/// What a script may say, for `--help`.
const FORM: &str = "\
Scripts:
  - case: an order is shipped when it is paid
    input: { order: a1 }
    http: [{ method: POST, url: \"https://pay.example.com/charges\", status: 200, json: { id: c1 } }]
    steps:
      - suspended: { signal: paid, match: { order: a1 }, left: 1 day }
      - advance: 2 hours
      - publish: { name: paid, params: { order: a1 }, payload: { cents: 1250 } }
      - output: { shipped: true }
      - requests: [{ json: { order: a1 }, idempotency_key: run_test/step/0 }]

  A case may have: input, grants (as in a workflow; otherwise what the component
  asks for), secrets: [NAME], kv: { key: value }, namespaces: { name: { key:
  value } }, http (several answers to one request are given in order; instead of
  status: refused: timeout), children: { workflow: [{ output: {}, takes: 2h },
  { fails: { message: why } }] }.

  What happens: publish (to everyone), signal (to this run), post (to a one-time
  URL), advance (time), try_again (after a failure). What is looked at:
  suspended (signal, match, run, left, until), output, fails (reason, message,
  contains, details), and what there is so far: requests, logs, published,
  started, kv, namespaces. The time begins at 2026-01-01T00:00:00Z; the run is
  run_test, its step is `step`.";

/// What to play.
#[derive(Debug, clap::Args)]
#[command(after_long_help = FORM)]
pub(in crate::cli) struct Arguments {
    /// The directory of a crate, which is built first, or a component
    #[arg(default_value = ".", value_name = "CRATE_OR_FILE")]
    path: PathBuf,
    /// The script; a crate has its own in test.yaml
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

pub(super) fn perform(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode> {
    let path = script_of(arguments)?;
    let text = file::read_text(&path)?;
    // Before anything is built: a typing error should not take a minute to show.
    let script = match Script::read(&text) {
        Ok(script) => script,
        Err(problems) => return report::problems(&path, &problems, terminal),
    };
    let component = match cargo::is_crate(&arguments.path) {
        true => build::one(&arguments.path, terminal)?.path,
        false => arguments.path.clone(),
    };
    let bytes = file::read_bytes(&component)?;
    let mut report = Report::new(&path, terminal);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let rehearsal = Rehearsal::new(bytes)
            .await
            .with_context(|| format!("{} cannot be played", cargo::shortest(&component)))?;
        for case in &script.cases {
            let time = Stopwatch::start();
            let failure = rehearsal.play(case).await?;
            let (name, line) = (case.name.clone(), case.line);
            report.add(Played { name, line, duration_ms: time.elapsed_ms(), failure })?;
        }
        report.finish()
    })
}

fn script_of(arguments: &Arguments) -> Result<PathBuf> {
    let Arguments { path, script } = arguments;
    if let Some(script) = script {
        return Ok(script.clone());
    }
    if !cargo::is_crate(path) {
        let shown = path.display();
        if !path.exists() {
            bail!("there is no {shown}: give the directory of a crate, or a component");
        }
        bail!(
            "a file has no script of its own: write `segno component test {shown} --script {SCRIPT}`"
        );
    }
    let directory = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let script = directory.join(SCRIPT);
    if !script.exists() {
        bail!(
            "there is no {}: write cases into it that begin with `- case: what it shows`, or give \
             another script with --script",
            script.display()
        );
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_has_its_script_beside_it_and_a_file_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let given = |path: &Path| Arguments { path: path.to_owned(), script: None };
        let manifest = directory.path().join("Cargo.toml");
        let missing = script_of(&given(directory.path())).unwrap_err().to_string();
        assert!(missing.contains("test.yaml: write cases"), "{missing}");
        let script = directory.path().join("test.yaml");
        std::fs::write(&script, "").unwrap();
        assert_eq!(script_of(&given(directory.path())).unwrap(), script);
        assert_eq!(script_of(&given(&manifest)).unwrap(), script);
        let file = directory.path().join("a.wasm");
        assert!(script_of(&given(&file)).unwrap_err().to_string().starts_with("there is no"));
        std::fs::write(&file, "").unwrap();
        let lacking = script_of(&given(&file)).unwrap_err().to_string();
        assert!(lacking.ends_with("a.wasm --script test.yaml`"), "{lacking}");
    }
}
