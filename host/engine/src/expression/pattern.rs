//! Regular expressions for `matches`. They take a time that grows with the text
//! and with the pattern, which is known beforehand and paid for.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// How many characters of a text a pattern may be about, repetitions multiplied
/// out: `(ab){3}` is about six. A search may have to keep track of them all.
const POSITIONS_MAX: usize = 1_000;

/// How many of them are tracked at the price of an operation.
const POSITIONS_PER_OPERATION: usize = 4;

/// The longest pattern when compiled, in bytes. Classes such as `\w` are large.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// How deep a pattern may be nested.
const NESTING_MAX: u32 = 50;

/// A pattern that is ready to be searched for.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    operations_per_byte: usize,
}

impl Pattern {
    /// The pattern that `text` means.
    ///
    /// # Errors
    /// What is wrong with it, and after a `;` the remedy.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let wrong = |error: &dyn std::error::Error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ").trim_end_matches('.');
            format!("is none: {reason}; correct the pattern")
        };
        let mut parser = ParserBuilder::new().nest_limit(NESTING_MAX).build();
        let positions = positions(&parser.parse(text).map_err(|error| wrong(&error))?);
        if positions > POSITIONS_MAX {
            return Err(format!("repeats to more than {POSITIONS_MAX} characters; repeat less"));
        }
        let regex = RegexBuilder::new(text)
            .nest_limit(NESTING_MAX)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|error| wrong(&error))?;
        Ok(Self { regex, operations_per_byte: 1 + positions / POSITIONS_PER_OPERATION })
    }

    /// The most operations that a search in `text` takes.
    pub(crate) fn cost(&self, text: &str) -> usize {
        text.len().saturating_mul(self.operations_per_byte)
    }

    /// Whether it is found anywhere in `text`.
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn positions(pattern: &Hir) -> usize {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            positions(&repetition.sub).saturating_mul(times as usize)
        }
        HirKind::Capture(group) => positions(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(positions).fold(0, usize::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_is_paid_for_by_what_it_repeats_to() {
        let cost = |pattern: &str| Pattern::compile(pattern).map(|pattern| pattern.cost("x"));
        assert_eq!(cost("^[a-z]+$"), Ok(1));
        assert_eq!(cost(r"^\d{4}-\d{2}-\d{2}"), Ok(3));
        assert_eq!(cost("(ab){100}"), Ok(51));
        assert_eq!(cost(r"^\w+@\w+\.com$"), Ok(3));
        for pattern in
            ["(", "a{1001}", "(a{40}){40}", "a{2,2000}", "(a{99}){99}{99}", "(?=x)", r"\1"]
        {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
