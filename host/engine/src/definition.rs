//! Workflow definitions: from an author's YAML or JSON to a [`Workflow`], with
//! everything that is wrong found at once, each with its place and the remedy.
//!
//! A definition is read in three passes. `source` makes a tree of the text;
//! `workflow`, `param`, `body`, `step` and what they call make a draft of the
//! tree, one file for each part of the language; `link` checks that the parts
//! fit together, and `hopeless` that they can work. A new key belongs to one file of the second pass and to
//! `schema.json`; a new kind of step to `kind`, to a file of its own, to `build`,
//! and there too.

mod body;
mod build;
mod circle;
mod draft;
mod field;
mod foreach;
mod grants;
mod graph;
mod hopeless;
mod kind;
mod limits;
mod link;
mod loops;
mod name;
mod node;
mod outputs;
mod param;
mod pattern;
mod place;
mod problem;
mod quantity;
mod reader;
mod retry;
mod schedule_document;
mod setting;
mod site;
mod source;
mod step;
mod step_param;
mod strategy;
mod subworkflow;
mod tags;
mod triggers;
mod typed;
mod wait;
mod webhook;
mod while_loop;
mod workflow;

pub use self::foreach::CONCURRENCY_DEFAULT;
pub use self::place::place_of;
pub use self::problem::{PROBLEMS_MAX, Problem};
pub use self::schedule_document::{ScheduleDocument, read_moment};
pub use self::source::SOURCE_BYTES_MAX;
pub(crate) use self::webhook::webhook;
pub use self::while_loop::MAX_ITERATIONS_DEFAULT;

use self::name::Name;
use self::node::Mark;
pub(crate) use self::quantity::show_ms;
use self::reader::Reader;
use crate::schedule::Schedule;
use crate::workflow::{Limits, Pin, Workflow};

/// The JSON Schema of definitions, draft 2020-12, for editors and other tools.
///
/// It takes whatever [`check`] takes. `check` knows more: components, graphs,
/// expressions and the operator's limits. `tests/schema` holds the two
/// together: a key, default or bound that only one of them has fails there.
pub const SCHEMA: &str = include_str!("definition/schema.json");

/// The schedule that `source` says, a JSON or YAML map with the keys of an entry
/// of `triggers:`, but without `id` and `paused`.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn check_schedule(source: &str) -> Result<Schedule, Vec<Problem>> {
    triggers::schedule_alone(source)
}

/// The schedule that `source` says by itself, with the workflow that it starts and
/// the like. It has to have the keys that are `needed`.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn read_schedule(source: &str, needed: &[&str]) -> Result<ScheduleDocument, Vec<Problem>> {
    schedule_document::read(source, needed)
}

/// What a definition needs to know about the place where it will run.
pub trait Catalog {
    /// The component that `name` and the version `requirement` stand for now.
    ///
    /// # Errors
    /// There is none; says what there is. What follows the last `; ` is taken
    /// for the remedy.
    fn component(&self, name: &str, requirement: Option<&str>) -> Result<Pin, String>;

    /// The operator's limits: no step may ask for more. An absent one is none.
    fn ceiling(&self) -> Limits;
}

/// Whether a workflow may have this name.
pub(crate) fn is_workflow_name(text: &str) -> bool {
    Name::Workflow.fits(text)
}

/// The workflow that `source` defines, in YAML or JSON.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn check(source: &str, catalog: &dyn Catalog) -> Result<Workflow, Vec<Problem>> {
    let mut reader = Reader::new(catalog);
    let Some(root) = source::read(source, &mut reader.problems) else {
        return Err(reader.problems.finish());
    };
    let draft = workflow::read(&root, &mut reader);
    let mut problems = reader.problems;
    let mut outer_steps = link::check(&draft, &mut problems);
    hopeless::check(&draft, &mut problems);
    if !problems.is_empty() {
        return Err(problems.finish());
    }
    build::workflow(draft, &mut outer_steps).ok_or_else(|| {
        let message = "the definition is incomplete in a way that was not noticed";
        problems.add(Mark::START, "", message, "report this as a bug");
        problems.finish()
    })
}
