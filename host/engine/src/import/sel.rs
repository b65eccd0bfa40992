//! SEL, the other system's expressions, to CEL, ours. SEL is a part of Java
//! with statements; what is an expression in disguise is translated, the rest
//! is refused by name. Nothing is translated that would mean something else.

mod ast;
mod cel;
mod instant;
mod lexer;
mod library;
mod lookup;
mod member;
mod operator;
mod parser;
mod pattern;
mod statement;
mod text;

pub(super) use self::cel::{Level, Term, Ty};
pub(super) use self::lookup::Lookup;
pub(super) use self::text::quoted;

use self::statement::Translator;

/// What an expression has become.
#[derive(Debug)]
pub(super) struct Translation {
    /// The expression in CEL.
    pub(super) term: Term,
    /// What a person should know about it.
    pub(super) remarks: Vec<String>,
}

/// The CEL that `source` means where `lookup` says what its names are.
///
/// # Errors
/// Why it cannot be translated, with a remedy after a `;`.
pub(super) fn translate(source: &str, lookup: &mut dyn Lookup) -> Result<Translation, String> {
    let tokens = lexer::read(source)?;
    let program = parser::parse(tokens)?;
    let mut translator = Translator::new(lookup);
    let term = translator.program(&program)?;
    let remarks = translator.remarks();
    let term = term.into_value()?;
    crate::expression::SOURCE_BYTES_MAX
        .checked_sub(term.text.len())
        .ok_or("gets too long in CEL; compute it in a step".to_owned())?;
    Ok(Translation { term, remarks })
}

#[cfg(test)]
mod tests;
