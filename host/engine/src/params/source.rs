//! Where the value of a param comes from, and what may change one of which mode.

use crate::workflow::ParamMode;
use serde::{Deserialize, Serialize};

/// Where a param's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamSource {
    /// The definition of the workflow.
    Definition,
    /// Whoever started the run.
    Start,
    /// Whoever had the run taken up again.
    Retry,
    /// Whoever made this run from another.
    Fork,
    /// The run that this one is a part of.
    Parent,
    /// The schedule that started the run.
    Schedule,
    /// The signal that started the run.
    Signal,
}

impl ParamSource {
    /// The source as text, as users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Start => "start",
            Self::Retry => "retry",
            Self::Fork => "fork",
            Self::Parent => "parent",
            Self::Schedule => "schedule",
            Self::Signal => "signal",
        }
    }

    /// Whether it may change a param of this mode.
    pub fn may_change(self, mode: ParamMode) -> bool {
        match self {
            Self::Definition => true,
            Self::Start | Self::Parent | Self::Schedule | Self::Signal => {
                mode <= ParamMode::MutableOnStart
            }
            Self::Retry | Self::Fork => mode <= ParamMode::MutableOnStartRestart,
        }
    }

    /// Why it may not, and the remedy; `None` if it may.
    pub(super) fn refused(self, mode: ParamMode) -> Option<&'static str> {
        if self.may_change(mode) {
            return None;
        }
        Some(match mode {
            ParamMode::Constant => "its mode is constant, so nobody may change it; leave it out",
            ParamMode::Immutable => {
                "its mode is immutable, so only the definition may change it; leave it out"
            }
            ParamMode::MutableOnStart => {
                "its mode is mutable_on_start, so only a start may change it; leave it out, or \
                 start a new run"
            }
            ParamMode::MutableOnStartRestart => {
                "its mode is mutable_on_start_restart, so only a start, retry or fork may change \
                 it; leave it out"
            }
            ParamMode::Mutable => "it may not be changed here; leave it out",
        })
    }
}
