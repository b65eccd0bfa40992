//! `segno workflow import`: a definition of another system as one of ours. It
//! is part of this program, so no server is asked.

use super::problems;
use crate::cli::file;
use crate::cli::terminal::Terminal;
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use segno_engine::import::{self, Imported, NoteKind};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where a definition comes from.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    /// Netflix Maestro, JSON or YAML
    Maestro,
}

/// What to import.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The system that it was written for
    #[arg(long, value_name = "SYSTEM")]
    from: From,
    /// A definition of that system; `-` is standard input
    file: PathBuf,
    /// Write each workflow to a file of its own, <name>.yaml in this folder
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

pub(super) fn perform(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode> {
    let source = file::read_text(&arguments.file)?;
    let From::Maestro = arguments.from;
    let Imported { workflows, notes } = match import::maestro(&source) {
        Ok(imported) => imported,
        Err(found) => {
            let file = problems::name_of(&arguments.file);
            found.iter().for_each(|problem| terminal.error(&format!("{file}:{problem}")));
            return Ok(ExitCode::FAILURE);
        }
    };
    if terminal.is_json() {
        let workflows: Vec<_> = workflows
            .iter()
            .map(|(name, definition)| json!({ "workflow": name, "definition": definition }))
            .collect();
        let notes: Vec<_> = notes
            .iter()
            .map(|note| {
                let kind = note.kind.to_string().replace(' ', "_");
                json!({ "place": note.place, "kind": kind, "message": note.message })
            })
            .collect();
        terminal.json(&json!({ "workflows": workflows, "notes": notes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    match &arguments.to {
        Some(folder) => write(folder, &workflows, terminal)?,
        None => print(&workflows, terminal)?,
    }
    for kind in [NoteKind::NeedsYou, NoteKind::Dropped, NoteKind::Translated] {
        let of_kind = notes.iter().filter(|note| note.kind == kind);
        of_kind.for_each(|note| terminal.note(&note.to_string()));
    }
    Ok(ExitCode::SUCCESS)
}

/// One after the other, as documents of YAML.
fn print(workflows: &[(String, String)], terminal: &Terminal) -> Result<()> {
    for (place, (_, definition)) in workflows.iter().enumerate() {
        if place > 0 {
            terminal.print("---")?;
        }
        terminal.print(definition.trim_end())?;
    }
    Ok(())
}

/// Each in a file of its own. What is there is not written over.
fn write(folder: &Path, workflows: &[(String, String)], terminal: &Terminal) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, definition) in workflows {
        let file = folder.join(format!("{}.yaml", name.replace('/', "-")));
        let written = std::fs::File::create_new(&file)
            .and_then(|mut file| file.write_all(definition.as_bytes()));
        let shown = file.display();
        written.with_context(|| format!("cannot write {shown}; is it there already?"))?;
        terminal.print(&format!("wrote {shown}"))?;
    }
    Ok(())
}
