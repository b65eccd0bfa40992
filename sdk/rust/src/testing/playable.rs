//! Which functions a script can play, and how a test says a time.

use std::time::Duration;

use serde::Deserialize;

use super::stage::Step;
use crate::entry::{Returned, call};
use crate::{Context, duration};

/// A function that can be a step: either of the two forms that
/// [`step`](macro@crate::step) takes. `Form` tells them apart.
pub trait Playable<Form> {
    /// The function behind its JSON.
    #[doc(hidden)]
    fn boxed(self) -> Box<Step>;
}

impl<F, T, R> Playable<(T, R)> for F
where
    F: Fn(T) -> R + 'static,
    T: for<'de> Deserialize<'de>,
    R: Returned,
{
    fn boxed(self) -> Box<Step> {
        Box::new(move |context, input| call(context, input, |_, input| self(input)))
    }
}

impl<F, T, R> Playable<(Context, T, R)> for F
where
    F: Fn(&Context, T) -> R + 'static,
    T: for<'de> Deserialize<'de>,
    R: Returned,
{
    fn boxed(self) -> Box<Step> {
        Box::new(move |context, input| call(context, input, &self))
    }
}

/// How far a test moves the time: a `Duration`, or a text such as `3 days`.
pub trait Span {
    /// The duration.
    ///
    /// # Panics
    /// If a text is no duration.
    fn duration(self) -> Duration;
}

impl Span for Duration {
    fn duration(self) -> Duration {
        self
    }
}

impl Span for &str {
    #[track_caller]
    fn duration(self) -> Duration {
        duration::duration(self).unwrap_or_else(|error| panic!("{error}"))
    }
}
