//! Who published a signal.

use crate::id::{Attempt, RunId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who published a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Publisher {
    /// Somebody, over the API.
    Api {
        /// Who says to be that: the header `x-segno-user`, or `api`.
        by: String,
    },
    /// A step: while it ran, or at its end.
    Step {
        /// Its run, or the iteration that it is in.
        run: RunId,
        /// Its id.
        step: String,
        /// Which attempt.
        attempt: Attempt,
    },
    /// A delivery to a webhook.
    Webhook {
        /// The webhook's name.
        source: String,
    },
    /// Whoever had a one-time URL.
    Url,
}

impl Publisher {
    /// Somebody, over the API.
    pub fn api(by: impl Into<String>) -> Self {
        Self::Api { by: by.into() }
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api { by } => f.write_str(by),
            Self::Step { run, step, attempt: 0 | 1 } => write!(f, "step {step} of {run}"),
            Self::Step { run, step, attempt } => {
                write!(f, "step {step} of {run}, attempt {attempt}")
            }
            Self::Webhook { source } => write!(f, "webhook {source}"),
            Self::Url => f.write_str("a one-time URL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Timestamp;

    #[test]
    fn a_publisher_is_an_object_and_a_phrase() {
        let run = RunId::new(Timestamp(1), 2);
        let step = |attempt| Publisher::Step { run, step: "load".to_owned(), attempt };
        for (publisher, phrase) in [
            (Publisher::api("ada"), "ada".to_owned()),
            (step(1), format!("step load of {run}")),
            (step(3), format!("step load of {run}, attempt 3")),
            (Publisher::Webhook { source: "github".to_owned() }, "webhook github".to_owned()),
            (Publisher::Url, "a one-time URL".to_owned()),
        ] {
            assert_eq!(publisher.to_string(), phrase);
            let text = serde_json::to_string(&publisher).unwrap();
            assert_eq!(serde_json::from_str::<Publisher>(&text).unwrap(), publisher, "{text}");
        }
        let text = serde_json::to_value(step(3)).unwrap();
        let expected = serde_json::json!({ "kind": "step", "run": run.to_string(), "step": "load", "attempt": 3 });
        assert_eq!(text, expected);
    }
}
