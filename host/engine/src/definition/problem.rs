//! What is wrong with a definition, and the collection that finds it all.

use super::node::Mark;
use crate::suggestion::{closest, listed};
use std::fmt;

/// The most problems that are shown.
pub const PROBLEMS_MAX: usize = 100;

/// How much is shown of a path, in characters.
const PATH_SHOWN: usize = 200;

/// For how many words a similar one is looked for, so that a hostile definition
/// cannot make that expensive.
const SUGGESTIONS_MAX: usize = 200;

/// One mistake in a definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The way there, for example `steps.load.retry`. A step without an id is
    /// named by its number, as in `steps[2]`; empty for the whole definition.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, path, message, remedy } = self;
        let colon = if path.is_empty() { "" } else { ": " };
        write!(f, "{line}:{column} {path}{colon}{message}; {remedy}")
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<Problem>,
    suggestions: usize,
}

impl Problems {
    /// Adds a problem. Line ends would break the one line that it is shown on.
    pub(super) fn add(
        &mut self,
        mark: Mark,
        path: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let one_line = |text: String| text.replace(['\n', '\r'], " ");
        let shown = path.char_indices().nth(PATH_SHOWN).map_or(path, |(end, _)| &path[..end]);
        let cut = if shown.len() < path.len() { "…" } else { "" };
        self.found.push(Problem {
            line: mark.line,
            column: mark.column,
            path: one_line(format!("{shown}{cut}")),
            message: one_line(message.into()),
            remedy: one_line(remedy.into()),
        });
    }

    /// Adds a problem whose one text ends in the remedy, after a `;`.
    pub(super) fn add_text(&mut self, mark: Mark, path: &str, text: &str, otherwise: &str) {
        let (message, remedy) = text.rsplit_once("; ").unwrap_or((text, otherwise));
        self.add(mark, path, message, remedy);
    }

    /// The remedy for a word that is not known: a similar one that is, or
    /// `otherwise`, or what there is.
    pub(super) fn did_you_mean<'k>(
        &mut self,
        word: &str,
        otherwise: Option<&str>,
        known: impl FnOnce() -> Vec<&'k str>,
    ) -> String {
        self.suggestions += 1;
        if self.suggestions > SUGGESTIONS_MAX {
            return otherwise.unwrap_or("use one that is there").to_owned();
        }
        let known = known();
        match closest(word, known.iter().copied()) {
            Some(similar) => format!("did you mean {similar:?}?"),
            None => otherwise.map_or_else(|| listed(&known), str::to_owned),
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems in the order of their places, not more than can be read.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.found.sort();
        self.found.dedup();
        if let Some(first_hidden) = self.found.get(PROBLEMS_MAX).cloned() {
            let hidden = self.found.len() - PROBLEMS_MAX;
            self.found.truncate(PROBLEMS_MAX);
            self.found.push(Problem {
                path: String::new(),
                message: format!("there are {hidden} more problems from here on"),
                remedy: "correct those above first".to_owned(),
                ..first_hidden
            });
        }
        self.found
    }
}
