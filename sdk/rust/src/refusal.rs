//! Why the host did not do what it was asked. A refusal becomes an [`Error`] by
//! itself, retryable or fatal as fits its code; [`Error::refusal`] gives it back
//! to a step that wants to decide otherwise.

use std::fmt;

use crate::Error;

/// Why the host did not do what it was asked.
///
/// ```
/// use segno::prelude::*;
/// use segno::refusal::Code;
///
/// fn paid(sent: Result<u64>) -> Result<Option<u64>> {
///     match sent {
///         Err(error) if error.is_refusal(Code::UnknownOutcome) => Ok(None),
///         other => other.map(Some),
///     }
/// }
/// let unknown = segno::Refusal { code: Code::UnknownOutcome, message: "crashed".to_owned() };
/// assert_eq!(paid(Err(unknown.into())).unwrap(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for a program.
    pub code: Code,
    /// One line for a person, with the remedy.
    pub message: String,
}

/// Why, in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// The step was not granted it. Fatal.
    Denied,
    /// The request makes no sense. Fatal.
    Invalid,
    /// A limit of the host is reached. Fatal.
    Limit,
    /// There is no such thing. Fatal.
    NotFound,
    /// It has ended already. Fatal.
    Over,
    /// No answer came in time. Retryable.
    Timeout,
    /// Nobody is there. Retryable.
    Unreachable,
    /// The host crashed between sending a request and recording its answer, and
    /// the step asked to be told. Fatal, unless the step knows better.
    UnknownOutcome,
    /// A word that this SDK does not know, from a later host. Retryable.
    Other(String),
}

impl Code {
    /// The code as the contract writes it, such as `not-found`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Limit => "limit",
            Self::NotFound => "not-found",
            Self::Over => "over",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::UnknownOutcome => "unknown-outcome",
            Self::Other(word) => word,
        }
    }

    /// Whether the same request is refused again, however often it is made.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Denied
            | Self::Invalid
            | Self::Limit
            | Self::NotFound
            | Self::Over
            | Self::UnknownOutcome => true,
            Self::Timeout | Self::Unreachable | Self::Other(_) => false,
        }
    }
}

impl From<&str> for Code {
    fn from(word: &str) -> Self {
        match word {
            "denied" => Self::Denied,
            "invalid" => Self::Invalid,
            "limit" => Self::Limit,
            "not-found" => Self::NotFound,
            "over" => Self::Over,
            "timeout" => Self::Timeout,
            "unreachable" => Self::Unreachable,
            "unknown-outcome" => Self::UnknownOutcome,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `Refusal` is no `std::error::Error`, or `?` would make each of them
/// retryable.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 9] = [
        "denied",
        "invalid",
        "limit",
        "not-found",
        "over",
        "timeout",
        "unreachable",
        "unknown-outcome",
        "tired",
    ];

    #[test]
    fn every_word_of_the_contract_is_known_and_any_other_is_kept() {
        for word in WORDS {
            let code = Code::from(word);
            assert_eq!(code.as_str(), word);
            assert_eq!(matches!(code, Code::Other(_)), word == "tired", "{word}");
        }
    }

    #[test]
    fn only_what_may_pass_is_retryable() {
        let retryable = WORDS.into_iter().filter(|word| {
            let refusal = Refusal { code: Code::from(*word), message: "no".to_owned() };
            !Error::from(refusal).is_fatal()
        });
        assert_eq!(retryable.collect::<Vec<_>>(), ["timeout", "unreachable", "tired"]);
    }

    #[test]
    fn the_refusal_stays_in_the_error() {
        let refusal = Refusal { code: Code::Denied, message: "no grant".to_owned() };
        let error = Error::from(refusal.clone()).context("charging");
        assert_eq!(error.message(), "charging: no grant");
        assert_eq!(error.refusal(), Some(&refusal));
        assert!(error.is_refusal(Code::Denied) && !error.is_refusal(Code::Limit));
        assert_eq!(error.added_details().unwrap()["refused"], "denied");
    }
}
