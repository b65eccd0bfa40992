//! The promise that a commit will be on the disk, and how to wait for it.
//!
//! A ticket holds nothing of the store but its line, so a forgotten ticket
//! never keeps a data directory open.

use std::sync::Arc;

use super::error::Error;
use super::line::{Line, Wait};

/// Stands for one commit and all that were ordered before it.
#[derive(Debug, Clone)]
pub struct Ticket(State);

#[derive(Debug, Clone)]
enum State {
    Done,
    Ordered { sequence: u64, line: Arc<Line> },
    Refused(Error),
}

impl Ticket {
    /// A ticket that waits for nothing.
    pub fn done() -> Ticket {
        Ticket(State::Done)
    }

    pub(super) fn ordered(sequence: u64, line: Arc<Line>) -> Ticket {
        Ticket(State::Ordered { sequence, line })
    }

    pub(super) fn refused(error: Error) -> Ticket {
        Ticket(State::Refused(error))
    }

    /// Whether the commit is on the disk by now.
    pub fn is_durable(&self) -> bool {
        match &self.0 {
            State::Done => true,
            State::Ordered { sequence, line } => line.is_durable(*sequence),
            State::Refused(_) => false,
        }
    }

    /// Returns when the commit, and with it every earlier one, is on the disk.
    ///
    /// The future may be dropped at any point and another one asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the commit will never get there. It may then
    /// be lost or not; a restart tells.
    pub async fn durable(&self) -> Result<(), Error> {
        let (sequence, line) = match &self.0 {
            State::Done => return Ok(()),
            State::Refused(error) => return Err(error.clone()),
            State::Ordered { sequence, line } => (*sequence, line),
        };
        match line.wait(sequence) {
            Wait::Over(outcome) => outcome,
            Wait::For(settled) => {
                settled.await.unwrap_or_else(|_| Err(Error::unavailable("the store was dropped")))
            }
        }
    }
}
