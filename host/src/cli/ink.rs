//! The few colours of the command line, by what they mean.

/// What a word means to whoever looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ink {
    /// A word like any other.
    #[default]
    Plain,
    /// What the eye should find first.
    Strong,
    /// What may be overlooked.
    Faint,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It is being done.
    Busy,
    /// It has to wait.
    Waiting,
}

impl Ink {
    /// The ink for the status of a run or a step.
    pub(super) fn of_status(status: &str) -> Self {
        match status {
            "succeeded" => Self::Good,
            "failed" | "timed_out" | "completed_with_error" => Self::Bad,
            "running" => Self::Busy,
            "queued" | "waiting" | "suspended" | "paused" => Self::Waiting,
            _ => Self::Faint,
        }
    }

    /// The ink for a line of a log.
    pub(super) fn of_level(level: &str) -> Self {
        match level {
            "error" => Self::Bad,
            "warn" => Self::Waiting,
            "info" => Self::Plain,
            _ => Self::Faint,
        }
    }

    /// The text, in this ink if there are colours.
    pub(super) fn paint(self, text: &str, colours: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Busy => "36",
            Self::Waiting => "33",
        };
        if !colours || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
