//! Tags of a workflow or a step: what it is found by, and the permits that it
//! needs.

use super::field::Field;
use super::node::shown;
use super::reader::Reader;
use std::collections::BTreeSet;

/// The most tags of a workflow, and of a step.
const TAGS_MAX: usize = 32;

/// The longest tag.
const TAG_BYTES_MAX: usize = 128;

/// Reads `tags`.
pub(super) fn read(field: &Field<'_>, reader: &mut Reader<'_>) -> Vec<String> {
    let remedy = "list names, as in [nightly, weather]";
    let Some(elements) = field.list(remedy, &mut reader.problems) else { return Vec::new() };
    if elements.len() > TAGS_MAX {
        let message = format!("there are {} tags", elements.len());
        field.problem(&mut reader.problems, message, format!("write at most {TAGS_MAX}"));
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for element in &elements {
        let Some(tag) = element.text(remedy, &mut reader.problems) else { continue };
        if tag.is_empty() || tag.len() > TAG_BYTES_MAX || tag.contains(char::is_control) {
            let message = format!("{} is no tag", shown(tag));
            let remedy = format!("use 1 to {TAG_BYTES_MAX} bytes without control characters");
            element.problem(&mut reader.problems, message, remedy);
        } else if !seen.insert(tag) {
            element.problem(&mut reader.problems, "is there twice", "name each tag once");
        } else {
            found.push(tag.to_owned());
        }
    }
    found
}
