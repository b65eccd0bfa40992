//! What is set for a workflow beside its versions, as facts.

use crate::cli::answer::Properties;
use crate::cli::ink::Ink;
use crate::cli::table::{Cell, Table};

/// Adds the properties that are set.
pub(super) fn show(properties: Properties, facts: &mut Table) {
    let Properties {
        owner,
        description,
        tags,
        run_strategy,
        step_concurrency,
        paused,
        paused_note,
    } = properties;
    if let Some(description) = description {
        facts.fact("about", description);
    }
    if let Some(owner) = owner {
        facts.fact("owner", owner);
    }
    if !tags.is_empty() {
        facts.fact("tags", tags.join(", "));
    }
    facts.fact("runs", run_strategy);
    if let Some(steps) = step_concurrency {
        facts.fact("steps", format!("{steps} at once"));
    }
    if paused {
        let why = paused_note.map(|note| format!(": {note}")).unwrap_or_default();
        facts.fact("state", Cell::inked(format!("paused{why}"), Ink::Waiting));
    }
}
