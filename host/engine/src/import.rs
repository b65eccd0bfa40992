//! Brings workflows from elsewhere.
mod document;
mod note;
mod sel;
mod value;
mod yaml;
pub use self::note::{Note, NoteKind};
