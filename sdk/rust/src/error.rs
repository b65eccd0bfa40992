//! How a step fails in an orderly way: retryable or fatal, with a line for a
//! person and, where it helps, JSON for a program.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::refusal::{Code, Refusal};

/// What a step returns: its output, or why there is none.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step could not do its work.
///
/// Every [`std::error::Error`] turns into a retryable one by `?`; its message
/// is the whole chain of sources. [`fatal!`](crate::fatal) and
/// [`retryable!`](crate::retryable) make one from a text.
///
/// ```
/// use segno::prelude::*;
/// use std::time::Duration;
///
/// fn port(text: &str) -> Result<u16> {
///     Ok(text.parse::<u16>()?)
/// }
/// assert_eq!(port("http").unwrap_err().to_string(), "invalid digit found in string");
///
/// let busy = retryable!("the printer is busy")
///     .retry_after(Duration::from_secs(30))
///     .details(json!({ "queue": 7 }));
/// assert!(!busy.is_fatal());
/// assert_eq!(busy.delay(), Some(Duration::from_secs(30)));
/// ```
#[derive(Clone)]
#[must_use = "an error does nothing until it is returned: `return Err(fatal!(…))`"]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    message: String,
    details: Option<Value>,
    again: Again,
    refusal: Option<Refusal>,
}

/// Whether another attempt makes sense.
#[derive(Clone)]
enum Again {
    Yes { delay: Option<Duration> },
    Never,
}

impl Error {
    /// A failure that another attempt may mend.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::new(message.into(), Again::Yes { delay: None })
    }

    /// A failure that would be the same next time: the step is not tried again.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(message.into(), Again::Never)
    }

    /// Makes the failure retryable, and the next attempt start `delay` from now
    /// at the earliest.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.again = Again::Yes { delay: Some(delay) };
        self
    }

    /// Adds anything more, for a program. The last call counts.
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// Puts what was attempted before the message: `reading the order: …`.
    pub fn context(mut self, attempted: impl fmt::Display) -> Self {
        self.0.message = format!("{attempted}: {}", self.0.message);
        self
    }

    /// Makes the failure fatal, whatever it was.
    pub fn into_fatal(mut self) -> Self {
        self.0.again = Again::Never;
        self
    }

    /// The line for a person.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What [`details`](Self::details) added.
    pub fn added_details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    /// Whether the step is never to be tried again.
    pub fn is_fatal(&self) -> bool {
        matches!(self.0.again, Again::Never)
    }

    /// How long the next attempt has to wait at least, where the step said so.
    pub fn delay(&self) -> Option<Duration> {
        match self.0.again {
            Again::Yes { delay } => delay,
            Again::Never => None,
        }
    }

    /// What the host refused, where this error comes from that.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.refusal.as_ref()
    }

    /// Whether the error comes from a refusal with this code.
    pub fn is_refusal(&self, code: Code) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == code)
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let again = match refusal.code.is_fatal() {
            true => Again::Never,
            false => Again::Yes { delay: None },
        };
        let details = serde_json::json!({ "refused": refusal.code.as_str() });
        let mut error = Self::new(refusal.message.clone(), again).details(details);
        error.0.refusal = Some(refusal);
        error
    }

    fn new(message: String, again: Again) -> Self {
        Self(Box::new(Parts { message, details: None, again, refusal: None }))
    }
}

/// What a step may say about a result, before `?` hands its error on.
///
/// ```
/// use segno::prelude::*;
///
/// fn port(text: &str) -> Result<u16> {
///     text.parse::<u16>().context("reading the port").fatal()
/// }
/// let error = port("http").unwrap_err();
/// assert!(error.is_fatal());
/// assert_eq!(error.message(), "reading the port: invalid digit found in string");
/// ```
pub trait Failing<T> {
    /// Another attempt would fail in the same way: makes the error fatal.
    fn fatal(self) -> Result<T>;

    /// Makes the error retryable, `delay` from now at the earliest.
    fn retry_after(self, delay: Duration) -> Result<T>;

    /// Puts what was attempted before the error's message.
    fn context(self, attempted: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Failing<T> for std::result::Result<T, E> {
    fn fatal(self) -> Result<T> {
        self.map_err(|error| error.into().into_fatal())
    }

    fn retry_after(self, delay: Duration) -> Result<T> {
        self.map_err(|error| error.into().retry_after(delay))
    }

    fn context(self, attempted: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(attempted))
    }
}

/// Makes a fatal [`Error`] from a text, as `format!` would write it. It is a
/// value, so that a step can add to it and return it where it fits.
///
/// ```
/// use segno::prelude::*;
///
/// fn half(n: u32) -> Result<u32> {
///     if n % 2 == 1 {
///         return Err(fatal!("{n} is odd").details(json!({ "n": n })));
///     }
///     Ok(n / 2)
/// }
/// assert!(half(3).unwrap_err().is_fatal());
/// ```
#[macro_export]
macro_rules! fatal {
    ($($text:tt)+) => {
        $crate::Error::fatal(::std::format!($($text)+))
    };
}

/// Makes a retryable [`Error`] from a text, as `format!` would write it: for a
/// failure that is not an error of Rust's.
///
/// ```
/// use segno::prelude::*;
///
/// let error = retryable!("{} of 3 replicas answered", 1);
/// assert!(!error.is_fatal());
/// ```
#[macro_export]
macro_rules! retryable {
    ($($text:tt)+) => {
        $crate::Error::retryable(::std::format!($($text)+))
    };
}

/// `Error` is no `std::error::Error` itself, or this could not stand beside the
/// standard library's `From<T> for T`.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::retryable(with_sources(&error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// What `unwrap` and a failing test show.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { message, details, again, refusal: _ } = &*self.0;
        match again {
            Again::Never => write!(f, "fatal: {message}")?,
            Again::Yes { delay: None } => write!(f, "retryable: {message}")?,
            Again::Yes { delay: Some(delay) } => {
                write!(f, "retryable after {delay:?}: {message}")?;
            }
        }
        match details {
            Some(details) => write!(f, " {details}"),
            None => Ok(()),
        }
    }
}

/// `outer: inner: innermost`. Many errors already print their source, which
/// must not be said twice.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        source = inner.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.text)
        }
    }

    impl std::error::Error for Layer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.source.as_ref().map(|s| s.as_ref() as _)
        }
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (text, inner) = texts.split_first().expect("a layer has a text");
        let source = (!inner.is_empty()).then(|| Box::new(layers(inner)));
        Layer { text, source }
    }

    #[test]
    fn an_error_of_another_library_is_retryable_with_its_sources() {
        let error = Error::from(layers(&["no answer", "connection reset", "os error 104"]));
        assert!(!error.is_fatal());
        assert_eq!(error.message(), "no answer: connection reset: os error 104");
    }

    #[test]
    fn a_source_that_is_printed_already_is_not_repeated() {
        let error = Error::from(layers(&["no answer: reset", "reset"]));
        assert_eq!(error.message(), "no answer: reset");
    }

    #[test]
    fn question_mark_keeps_what_fatal_decided() {
        fn inner() -> Result<()> {
            Err(fatal!("no"))
        }
        fn outer() -> Result<()> {
            inner()?;
            Ok(())
        }
        assert!(outer().unwrap_err().is_fatal());
    }

    #[test]
    fn the_last_word_about_another_attempt_counts() {
        let error = fatal!("busy").retry_after(Duration::from_secs(2));
        assert_eq!(error.delay(), Some(Duration::from_secs(2)));
        assert!(error.into_fatal().delay().is_none());
    }

    #[test]
    fn debug_shows_all_there_is() {
        let error = retryable!("busy").retry_after(Duration::from_secs(2));
        let error = error.details(serde_json::json!({ "queue": 7 }));
        assert_eq!(format!("{error:?}"), r#"retryable after 2s: busy {"queue":7}"#);
        assert_eq!(format!("{:?}", fatal!("no")), "fatal: no");
    }

    #[test]
    fn results_can_be_made_fatal_or_put_off() {
        let parsed = || "x".parse::<u8>();
        assert!(parsed().fatal().unwrap_err().is_fatal());
        let later = parsed().retry_after(Duration::from_millis(5)).unwrap_err();
        assert_eq!(later.delay(), Some(Duration::from_millis(5)));
        let said = parsed().context("reading the age").unwrap_err();
        assert_eq!(said.message(), "reading the age: invalid digit found in string");
    }
}
