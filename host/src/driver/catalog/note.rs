//! What somebody says about something that they set, for whoever wonders why.

/// The longest note.
pub(super) const NOTE_BYTES_MAX: usize = 16 << 10;

/// A note that is empty or too long.
#[derive(Debug, thiserror::Error)]
#[error("a note has 1 to {NOTE_BYTES_MAX} bytes, not {0}; shorten it or leave it out")]
pub struct BadNote(usize);

/// Whether a note may be kept.
pub(in crate::driver) fn check_note(note: Option<&str>) -> Result<(), BadNote> {
    match note.map_or(1, str::len) {
        1..=NOTE_BYTES_MAX => Ok(()),
        bytes => Err(BadNote(bytes)),
    }
}
