//! Text with `${name}` and `$name` in it, where `$$` is a dollar.

/// A piece of such text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Name(String),
}

/// The pieces of `text`.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(place) = rest.find('$') {
        plain.push_str(&rest[..place]);
        rest = &rest[place..];
        if let Some(after) = rest.strip_prefix("$$") {
            plain.push('$');
            let length = variable(&rest[1..]).map_or(0, |(length, _)| length - 1);
            plain.push_str(&after[..length]);
            rest = &after[length..];
        } else if let Some((length, name)) = variable(rest) {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = &rest[length..];
        } else {
            plain.push('$');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// The name at the start of text that begins with a dollar, and how long it is
/// with its signs.
fn variable(text: &str) -> Option<(usize, &str)> {
    let after = &text[1..];
    let is_first = |c: char| c.is_ascii_alphabetic();
    if let Some(inner) = after.strip_prefix('{') {
        let name = &inner[..inner.find('}')?];
        let fits = name.starts_with(is_first)
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        return fits.then_some((name.len() + 3, name));
    }
    if !after.starts_with(is_first) {
        return None;
    }
    let is_rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = after.find(|c| !is_rest(c)).unwrap_or(after.len());
    Some((end + 1, &after[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_name_params_unless_they_are_doubled() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let name = |name: &str| Piece::Name(name.to_owned());
        assert_eq!(
            pieces("a ${b} $c-d"),
            [text("a "), name("b"), text(" "), name("c"), text("-d")]
        );
        assert_eq!(pieces("$${b} $$c $$"), [text("${b} $c $")]);
        assert_eq!(pieces("5$ ${} $1"), [text("5$ ${} $1")]);
        assert_eq!(pieces("${job.1__x}"), [name("job.1__x")]);
        assert_eq!(pieces(""), [text("")]);
    }
}
