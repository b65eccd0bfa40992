//! From the path of something in a definition to its line: for those who find a
//! mistake after the text was read.

use super::node::{Kind, Node};
use super::problem::Problems;
use super::source;

/// The line and column at which a path ends, as in `steps.load.params.year`, or
/// of as much of it as there is; `None` if the text cannot be read.
pub fn place_of(source: &str, path: &str) -> Option<(u32, u32)> {
    let mut at = &source::read(source, &mut Problems::default())?;
    for word in path.split(['.', '[']).map(|word| word.trim_end_matches(']')) {
        match below(at, word) {
            Some(next) => at = next,
            None => break,
        }
    }
    Some((at.mark.line, at.mark.column))
}

/// The value of a key, the step with an id, or the element with a number.
fn below<'n>(node: &'n Node, word: &str) -> Option<&'n Node> {
    match &node.kind {
        Kind::Map(entries) => {
            entries.iter().find(|entry| entry.key == word).map(|entry| &entry.value)
        }
        Kind::List(elements) => {
            let is_named = |element: &&Node| {
                below(element, "id")
                    .is_some_and(|id| matches!(&id.kind, Kind::Text(id) if id == word))
            };
            let numbered = || elements.get(word.parse::<usize>().ok()?);
            elements.iter().find(is_named).or_else(numbered)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_line() {
        let source = "workflow: a\nparams:\n  day: \"x\"\nsteps:\n  - id: load\n    when: \"1\"\n    params: { n: [1, 2] }\n";
        assert_eq!(place_of(source, "params.day"), Some((3, 8)));
        assert_eq!(place_of(source, "steps.load.when"), Some((6, 11)));
        assert_eq!(place_of(source, "steps.load.params.n[1]"), Some((7, 22)));
        assert_eq!(place_of(source, "steps.load.retry"), Some((5, 5)), "as far as it goes");
        assert_eq!(place_of("{", "params"), None);
    }
}
