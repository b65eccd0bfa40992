//! Server-sent events: from lines to what happened.

use serde::Deserialize;
use serde_json::Value;
use std::io::{self, BufRead};

/// The longest line that is read; a longer one is no event of ours.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// One thing that happened, as far as the lines show it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Happening {
    /// What.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// When; progress has no moment.
    pub(super) at: String,
    /// To which step.
    pub(super) step: String,
    /// In which attempt.
    pub(super) attempt: u32,
    /// When the next attempt is due.
    pub(super) retry_at: Option<String>,
    /// Why it failed.
    pub(super) failure: Option<Cause>,
    /// Why a step did not run.
    pub(super) reason: String,
    /// How many iterations.
    pub(super) count: u64,
    /// Which iteration.
    pub(super) index: u64,
    /// How an iteration ended.
    pub(super) status: String,
    /// Parts that are finished.
    pub(super) done: u64,
    /// Parts in all.
    pub(super) total: u64,
    /// The present part.
    pub(super) message: String,
    /// A run that a step started.
    pub(super) run: String,
    /// What ended a wait.
    pub(super) wake: Value,
    /// The permit that is short.
    pub(super) permit: String,
    /// Who wanted it.
    pub(super) by: String,
    /// Why a run is stopped.
    pub(super) stop: Value,
}

/// Why something failed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Cause {
    /// For a program.
    pub(super) reason: String,
    /// For a person.
    pub(super) message: String,
}

impl Happening {
    /// Whether nothing follows.
    pub(super) fn is_last(&self) -> bool {
        matches!(self.kind.as_str(), "run_succeeded" | "run_failed" | "run_stopped")
    }

    /// Whether it is in the run's log, and would be sent again.
    pub(super) fn is_recorded(&self) -> bool {
        self.kind != "progress"
    }
}

/// The happenings in a stream, each with its own JSON.
pub(super) struct Stream<R> {
    lines: R,
}

impl<R: BufRead> Stream<R> {
    /// Reads from here.
    pub(super) fn new(lines: R) -> Self {
        Self { lines }
    }

    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let mut limited = io::Read::take(&mut self.lines, LINE_BYTES_MAX);
        limited.read_until(b'\n', line)?;
        // Half a line is what is left of a connection that broke.
        Ok(line.ends_with(b"\n"))
    }
}

impl<R: BufRead> Iterator for Stream<R> {
    type Item = io::Result<(Happening, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut line, mut data) = (Vec::new(), Vec::new());
        loop {
            match self.line(&mut line) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            let text = line.trim_ascii_end();
            if let Some(more) = text.strip_prefix(b"data:") {
                if !data.is_empty() {
                    data.push(b'\n');
                }
                data.extend_from_slice(more.trim_ascii_start());
            }
            if !text.is_empty() || data.is_empty() {
                continue;
            }
            return Some(read(&data));
        }
    }
}

fn read(data: &[u8]) -> io::Result<(Happening, String)> {
    let text = std::str::from_utf8(data).map_err(io::Error::other)?;
    Ok((serde_json::from_str(text)?, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_everything_else() {
        let text = ": hello\n\nid: 0\nevent: run_started\ndata: {\"type\":\"run_started\",\"at\":\"x\"}\n\n\
                    :\n\nevent: progress\r\ndata: {\"type\":\"progress\",\r\ndata: \"done\":3}\r\n\r\ndata: {\"ty";
        let all: Vec<_> = Stream::new(text.as_bytes()).map(|event| event.unwrap().0).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].kind.as_str(), all[0].at.as_str()), ("run_started", "x"));
        assert_eq!((all[1].kind.as_str(), all[1].done), ("progress", 3));
        assert!(all[0].is_recorded() && !all[1].is_recorded());
        assert!(Stream::new("data: x\n\n".as_bytes()).next().unwrap().is_err());
    }
}
