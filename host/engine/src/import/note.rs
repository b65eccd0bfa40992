//! What an import has to say about what became of its source.

use std::fmt;

/// One remark on an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The place in the source, for example `steps.load.retry_policy`.
    pub place: String,
    /// What it asks of the reader.
    pub kind: NoteKind,
    /// What became of it.
    pub message: String,
}

/// What a [`Note`] asks of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// Nothing: it is there in another form.
    Translated,
    /// To do or to check something before the workflow can be used.
    NeedsYou,
    /// To know that it is gone.
    Dropped,
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Translated => "translated",
            Self::NeedsYou => "needs you",
            Self::Dropped => "dropped",
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, kind, message } = self;
        write!(f, "{kind}: {place}: {message}")
    }
}

/// The notes so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    found: Vec<Note>,
}

impl Notes {
    /// Says what something has become.
    pub(super) fn translated(&mut self, place: &str, message: impl Into<String>) {
        self.add(place, NoteKind::Translated, message.into());
    }

    /// Says what a person has to do.
    pub(super) fn needs_you(&mut self, place: &str, message: impl Into<String>) {
        self.add(place, NoteKind::NeedsYou, message.into());
    }

    /// Says that something is gone, and why.
    pub(super) fn dropped(&mut self, place: &str, message: impl Into<String>) {
        self.add(place, NoteKind::Dropped, message.into());
    }

    fn add(&mut self, place: &str, kind: NoteKind, message: String) {
        let note = Note { place: place.to_owned(), kind, message: message.replace('\n', " ") };
        if !self.found.contains(&note) {
            self.found.push(note);
        }
    }

    /// All of them, in the order in which they were made.
    pub(super) fn finish(self) -> Vec<Note> {
        self.found
    }
}
