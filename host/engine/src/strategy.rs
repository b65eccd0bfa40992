//! Which runs of a workflow go on at once, and how people write it. [`lane`]
//! holds the runs and does what the strategy says.

pub mod lane;

use crate::suggestion::closest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which runs of a workflow go on at once. As text it is one of `parallel`,
/// `parallel(20)`, `sequential`, `strict_sequential`, `first_only`, `last_only`
/// and `serial_latest_only`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStrategy {
    /// All of them.
    #[default]
    All,
    /// At most so many, in the order of their numbers.
    Parallel(u32),
    /// One after the other.
    Sequential,
    /// One after the other, and none behind one that failed, until somebody
    /// says so.
    StrictSequential,
    /// A run that is started while another is open does not begin.
    FirstOnly,
    /// A run that is started ends all others that are open.
    LastOnly,
    /// One after the other; of those that wait only the newest.
    SerialLatestOnly,
}

impl RunStrategy {
    /// The most runs that `parallel(n)` lets go on at once.
    pub const PARALLEL_MAX: u32 = 1_000;

    /// How many runs go on at once, at most.
    pub fn runs_max(self) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::Parallel(count) => count as usize,
            Self::Sequential
            | Self::StrictSequential
            | Self::FirstOnly
            | Self::LastOnly
            | Self::SerialLatestOnly => 1,
        }
    }
}

/// The strategies that are a word.
const WORDS: [(&str, RunStrategy); 6] = [
    ("parallel", RunStrategy::All),
    ("sequential", RunStrategy::Sequential),
    ("strict_sequential", RunStrategy::StrictSequential),
    ("first_only", RunStrategy::FirstOnly),
    ("last_only", RunStrategy::LastOnly),
    ("serial_latest_only", RunStrategy::SerialLatestOnly),
];

impl fmt::Display for RunStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parallel(count) => return write!(f, "parallel({count})"),
            Self::All => "parallel",
            Self::Sequential => "sequential",
            Self::StrictSequential => "strict_sequential",
            Self::FirstOnly => "first_only",
            Self::LastOnly => "last_only",
            Self::SerialLatestOnly => "serial_latest_only",
        })
    }
}

/// A text that is no run strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStrategy {
    /// No strategy has this name.
    #[error("{text:?} is not a run strategy; {remedy}")]
    Unknown {
        /// The beginning of the text.
        text: String,
        /// What to write.
        remedy: String,
    },
    /// The number in `parallel(n)` is none, or too low or too high.
    #[error(
        "the number in {text:?} is not from 1 to {}; write for example parallel(20)",
        RunStrategy::PARALLEL_MAX
    )]
    Number {
        /// The beginning of the text.
        text: String,
    },
}

impl FromStr for RunStrategy {
    type Err = InvalidStrategy;

    fn from_str(text: &str) -> Result<Self, InvalidStrategy> {
        if let Some((_, strategy)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*strategy);
        }
        let shown = || text.chars().take(80).collect();
        let number = text.strip_prefix("parallel(").and_then(|rest| rest.strip_suffix(')'));
        if let Some(number) = number {
            // A `u32` may be written with a plus sign.
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            return match number.parse() {
                Ok(count @ 1..=Self::PARALLEL_MAX) if digits => Ok(Self::Parallel(count)),
                _ => Err(InvalidStrategy::Number { text: shown() }),
            };
        }
        let words = WORDS.iter().map(|(word, _)| *word);
        let remedy = match closest(text, words.clone()) {
            Some(word) => format!("did you mean {word}?"),
            None => {
                format!("write parallel(20), or one of {}", words.collect::<Vec<_>>().join(", "))
            }
        };
        Err(InvalidStrategy::Unknown { text: shown(), remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_survives_its_text() {
        let numbered = [1, 20, RunStrategy::PARALLEL_MAX].map(RunStrategy::Parallel);
        for strategy in WORDS.map(|(_, strategy)| strategy).into_iter().chain(numbered) {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        for (word, strategy) in WORDS {
            assert_eq!(strategy.to_string(), word);
        }
        assert_eq!(RunStrategy::Parallel(20).to_string(), "parallel(20)");
    }

    #[test]
    fn what_is_no_strategy_is_refused_with_a_remedy() {
        let refused = |text: &str| text.parse::<RunStrategy>().unwrap_err().to_string();
        assert_eq!(
            refused("sequental"),
            "\"sequental\" is not a run strategy; did you mean sequential?"
        );
        assert_eq!(
            refused("nonsense"),
            "\"nonsense\" is not a run strategy; write parallel(20), or one of parallel, \
             sequential, strict_sequential, first_only, last_only, serial_latest_only"
        );
        for text in ["parallel(0)", "parallel(1001)", "parallel()", "parallel(+5)", "parallel( 5)"]
        {
            assert_eq!(
                refused(text),
                format!(
                    "the number in {text:?} is not from 1 to 1000; write for example parallel(20)"
                )
            );
        }
        for text in ["", "Sequential", "parallel(5", "all", &"a".repeat(1_000)] {
            assert!(text.parse::<RunStrategy>().is_err(), "{text}");
        }
    }
}
