//! Brings workflows from elsewhere. [`maestro`] reads Netflix Maestro's
//! definitions, in JSON or in its YAML, and writes ours, with a note for
//! everything that is not simply the same.
//!
//! `document` makes a tree of the text, and `dsl` makes of its YAML what its
//! JSON would be. `workflow` then goes through the tree; `body` translates steps
//! and edges, one file each the kinds, with `signal` for what a step waits for
//! and `signal_output` for what it announces; `triggers` what starts runs, and
//! `started` what these read of it; `render` values of params, with `scope` to
//! say what their names mean and `sel` for expressions.

mod body;
mod builtin;
mod component;
mod context;
mod document;
mod dsl;
mod interpolation;
mod looped;
mod name;
mod note;
mod param;
mod render;
mod scope;
mod sel;
mod setting;
mod signal;
mod signal_output;
mod started;
mod subworkflow;
mod triggers;
mod value;
mod workflow;
mod yaml;

pub use self::note::{Note, NoteKind};

use self::value::Value;
use crate::definition::Problem;

/// What an import gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Each workflow: its name, and its definition in our language.
    pub workflows: Vec<(String, String)>,
    /// What became of everything that is not simply the same.
    pub notes: Vec<Note>,
}

/// The workflow in `source`: a create request or a workflow of Maestro's, in
/// JSON, or a workflow in its YAML.
///
/// # Errors
/// It is neither JSON nor YAML, or no such workflow.
pub fn maestro(source: &str) -> Result<Imported, Vec<Problem>> {
    let tree = document::read(source).map_err(|problem| vec![problem])?;
    let refused =
        |message: String, remedy: &str| Err(vec![document::problem((1, 1), message, remedy)]);
    let request = match dsl::is_dsl(&tree) {
        true => dsl::request(&tree),
        false => Ok(tree),
    };
    let request = match request {
        Ok(request) => request,
        Err(message) => return refused(message, "correct it, or give its JSON"),
    };
    let workflow = request.get("workflow").unwrap_or(&request);
    let has_steps = workflow.get("steps").is_some_and(|steps| !steps.elements().is_empty());
    if workflow.get("id").and_then(Value::text).is_none() || !has_steps {
        let remedy = "give a workflow with `id` and `steps`, or in YAML with `jobs`";
        return refused("is no workflow of Maestro's".to_owned(), remedy);
    }
    let (name, text, notes) = workflow::translate(&request);
    Ok(Imported { workflows: vec![(name, text)], notes })
}
