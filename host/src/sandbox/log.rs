//! The log of one attempt: lines in order, cleaned for a terminal, with a
//! ceiling on their total size. Whoever writes never waits and never fails;
//! what doesn't fit is counted.

use super::limits::Bytes;
use std::fmt::Write as _;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every detail.
    Trace,
    /// For the step's author.
    Debug,
    /// What the step is doing; also everything on standard output.
    Info,
    /// Odd, but the step goes on; also everything on standard error.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// The level as users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line of an attempt's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The task's clock when the line came, in milliseconds since 1970.
    pub at_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// The text: no control characters but tabs.
    pub message: Box<str>,
}

/// The longest line; more is cut.
pub(super) const LINE_BYTES_MAX: usize = 8 << 10;

/// What a line costs beside its text, so that empty lines are not free.
const LINE_OVERHEAD_BYTES: usize = 32;

/// Lines up to a total size.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<LogLine>,
    bytes_left: usize,
    dropped: u64,
    /// Lines count, but are not kept: they are in the log already.
    muted: bool,
}

impl Log {
    pub(super) fn new(bytes_max: u64) -> Self {
        let bytes_left = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self { lines: Vec::new(), bytes_left, dropped: 0, muted: false }
    }

    /// Adds the lines of `text`.
    pub(super) fn write(&mut self, at_ms: u64, level: Level, text: &str) {
        let text = text.strip_suffix('\n').unwrap_or(text);
        for line in text.split('\n') {
            self.add(at_ms, level, line.strip_suffix('\r').unwrap_or(line));
        }
    }

    /// The lines from the `skip`-th on.
    pub(super) fn lines(&self, skip: usize) -> Vec<LogLine> {
        self.lines.get(skip..).unwrap_or_default().to_vec()
    }

    /// From now on, lines are in the log already, or not.
    pub(super) fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    /// The lines so far; more may come.
    pub(super) fn take_lines(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }

    /// Puts lines back before those that came since.
    pub(super) fn put_back(&mut self, mut lines: Vec<LogLine>) {
        lines.append(&mut self.lines);
        self.lines = lines;
    }

    /// All lines and the number of those that didn't fit.
    pub(super) fn take(&mut self) -> (Vec<LogLine>, u64) {
        (std::mem::take(&mut self.lines), self.dropped)
    }

    fn add(&mut self, at_ms: u64, level: Level, line: &str) {
        if self.bytes_left < LINE_OVERHEAD_BYTES {
            self.dropped += 1;
            return;
        }
        let message = printable(line, LINE_BYTES_MAX);
        let cost = message.len() + LINE_OVERHEAD_BYTES;
        if cost > self.bytes_left {
            // From here on every line is dropped, so that the log is a prefix
            // and not a selection of the short ones.
            self.bytes_left = 0;
            self.dropped += 1;
            return;
        }
        self.bytes_left -= cost;
        if !self.muted {
            self.lines.push(LogLine { at_ms, level, message });
        }
    }
}

/// The last line of a log that exceeded its limit.
pub(super) fn dropped_line(at_ms: u64, dropped: u64, bytes_max: u64) -> LogLine {
    let message = format!(
        "{dropped} more lines were dropped: the log limit is {}; more is given by \
         `limits: {{ log: {} }}` on the step",
        Bytes(bytes_max),
        Bytes(bytes_max.saturating_mul(2))
    );
    LogLine { at_ms, level: Level::Warn, message: message.into() }
}

/// `text` in at most `bytes_max` bytes and a note of what was cut, with control
/// characters other than tabs, and those that turn the direction of text, shown
/// as escapes: what a guest says must not steer a terminal.
pub(super) fn printable(text: &str, bytes_max: usize) -> Box<str> {
    let harmless = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\t';
    if text.len() <= bytes_max && text.bytes().all(harmless) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len().min(bytes_max) + 32);
    for (at, letter) in text.char_indices() {
        if shown.len() + letter.len_utf8() > bytes_max {
            let cut = text.len() - at;
            // Writing to a string cannot fail.
            let _ = write!(shown, "… ({cut} more bytes)");
            break;
        }
        if letter == '\t' || !steers(letter) {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_unicode());
        }
    }
    shown.into()
}

/// Whether `letter` controls a terminal or the direction of text.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(log: &mut Log) -> Vec<String> {
        log.take().0.into_iter().map(|line| line.message.into()).collect()
    }

    #[test]
    fn text_becomes_lines() {
        let mut log = Log::new(1_000);
        log.write(1, Level::Info, "one\r\ntwo\n");
        log.write(2, Level::Info, "");
        assert_eq!(messages(&mut log), ["one", "two", ""]);
    }

    #[test]
    fn what_steers_a_terminal_is_shown_instead() {
        let shown = printable("a\u{1b}[31m\tä\u{202e}\u{7f}", 100);
        assert_eq!(&*shown, "a\\u{1b}[31m\tä\\u{202e}\\u{7f}");
    }

    #[test]
    fn long_lines_are_cut_between_letters() {
        assert_eq!(&*printable("äää", 5), "ää… (2 more bytes)");
        assert_eq!(&*printable("abc", 3), "abc");
    }

    #[test]
    fn the_log_is_a_prefix_of_what_was_written() {
        let mut log = Log::new(100);
        log.write(0, Level::Info, "first");
        log.write(0, Level::Info, &"x".repeat(90));
        log.write(0, Level::Info, "short");
        let (lines, dropped) = log.take();
        assert_eq!((lines.len(), dropped), (1, 2));
    }

    #[test]
    fn empty_lines_use_up_the_log_too() {
        let mut log = Log::new(1_000);
        log.write(0, Level::Info, &"\n".repeat(1_000_000));
        let (lines, dropped) = log.take();
        assert!(lines.len() < 50 && dropped > 900_000, "{} {dropped}", lines.len());
    }
}
