//! The words and signs of a CEL source: just enough to see where an expression
//! ends inside a template, and to keep hostile sources from the parser. What
//! they mean is the parser's business.

use std::ops::Range;

/// What a stretch of source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name, keyword or number.
    Word,
    /// A string or bytes literal with its prefix and quotes.
    Text,
    /// From `//` to the end of the line.
    Comment,
    /// Any other character but white space.
    Sign(char),
}

/// The tokens of a source, each with its place. A literal without an end goes
/// on to the end of the source.
pub(crate) struct Tokens<'s> {
    source: &'s str,
    place: usize,
}

impl<'s> Tokens<'s> {
    /// The tokens of `source` from the byte `place` on.
    pub(crate) fn new(source: &'s str, place: usize) -> Self {
        Self { source, place }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.place..]
    }

    /// The length of the token at the start of `rest`.
    fn measure(rest: &str, first: char) -> (Token, usize) {
        if let Some(length) = literal(rest) {
            return (Token::Text, length);
        }
        if first == '_' || first.is_ascii_alphanumeric() {
            let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
            return (Token::Word, rest.find(|c| !word(c)).unwrap_or(rest.len()));
        }
        if rest.starts_with("//") {
            return (Token::Comment, rest.find('\n').unwrap_or(rest.len()));
        }
        (Token::Sign(first), first.len_utf8())
    }
}

impl Iterator for Tokens<'_> {
    type Item = (Token, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        self.place += self.rest().len() - self.rest().trim_start().len();
        let (token, length) = Self::measure(self.rest(), self.rest().chars().next()?);
        let start = self.place;
        self.place += length;
        Some((token, start..self.place))
    }
}

/// The byte of the `}` that closes an expression which starts at `start`, or
/// `None` if nothing does. Braces in literals and comments do not count, and
/// those of a map are matched.
pub(crate) fn closing_brace(source: &str, start: usize) -> Option<usize> {
    let mut open = 0_usize;
    for (token, range) in Tokens::new(source, start) {
        match token {
            Token::Sign('{') => open += 1,
            Token::Sign('}') if open == 0 => return Some(range.start),
            Token::Sign('}') => open -= 1,
            Token::Word | Token::Text | Token::Comment | Token::Sign(_) => {}
        }
    }
    None
}

/// The length of the string or bytes literal that `source` starts with.
fn literal(source: &str) -> Option<usize> {
    let prefix = source.bytes().take_while(|byte| b"rRbB".contains(byte)).take(2).count();
    let raw = source[..prefix].contains(['r', 'R']);
    let quoted = &source[prefix..];
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let triple: String = [quote; 3].iter().collect();
    let mark = if quoted.starts_with(&triple) { &triple[..] } else { &triple[..1] };
    let mut place = mark.len();
    while place < quoted.len() {
        let rest = &quoted[place..];
        if rest.starts_with(mark) {
            return Some(prefix + place + mark.len());
        }
        let escaped = if !raw && rest.starts_with('\\') { 1 } else { 0 };
        place += rest.chars().take(1 + escaped).map(char::len_utf8).sum::<usize>();
    }
    Some(source.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brace_closes_only_what_it_closes() {
        let cases = [
            ("a}", Some(1)),
            ("{'a': 1}.a}", Some(10)),
            ("'}' + \"}\"}", Some(9)),
            (r"'\'}' }", Some(6)),
            (r"r'\'}", Some(4)),
            ("'''}'}''' }", Some(10)),
            ("1 // }\n}", Some(7)),
            ("{", None),
            ("'}", None),
            ("é}", Some(2)),
        ];
        for (source, expected) in cases {
            assert_eq!(closing_brace(source, 0), expected, "{source}");
        }
    }

    #[test]
    fn tokens_cover_a_source() {
        let tokens: Vec<_> = Tokens::new("a.b[ 'x' ] // y", 0).map(|(token, _)| token).collect();
        let (word, sign) = (Token::Word, Token::Sign);
        let expected = [word, sign('.'), word, sign('['), Token::Text, sign(']'), Token::Comment];
        assert_eq!(tokens, expected);
    }
}
