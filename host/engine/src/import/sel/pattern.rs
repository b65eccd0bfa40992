//! Patterns of dates: `yyyy-MM-dd'T'HH:mm` there, `%Y-%m-%dT%H:%M` here.

/// A pattern in our signs.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::import) struct Pattern {
    /// As `format` and `parseTimestamp` take it.
    pub(super) text: String,
    /// Whether it names a whole day.
    pub(super) has_day: bool,
    /// Whether it has hours and no minutes, which cannot be read as it is.
    pub(super) lacks_minutes: bool,
}

impl Pattern {
    /// The pattern that the letters of `pattern` mean.
    ///
    /// # Errors
    /// A letter has no equal.
    pub(super) fn read(pattern: &str) -> Result<Self, String> {
        let chars: Vec<char> = pattern.chars().collect();
        let mut text = String::new();
        let mut signs = Vec::new();
        let mut place = 0;
        while let Some(c) = chars.get(place).copied() {
            if c == '\'' {
                let end = chars[place + 1..].iter().position(|c| *c == '\'');
                let end = end.ok_or("has a pattern whose quotes do not end; close them")?;
                let quoted: String = chars[place + 1..place + 1 + end].iter().collect();
                text.push_str(if end == 0 { "'" } else { &quoted });
                place += end + 2;
                continue;
            }
            let length = chars[place..].iter().take_while(|other| **other == c).count();
            if c.is_ascii_alphabetic() {
                let sign = sign(c, length).ok_or_else(|| {
                    let letters = c.to_string().repeat(length);
                    format!("{letters:?} in a date's pattern has no equal here; use another")
                })?;
                signs.push(sign);
                text.push_str(sign);
            } else {
                text.push_str(&c.to_string().replace('%', "%%").repeat(length));
            }
            place += length;
        }
        let has = |sign: &str| signs.contains(&sign);
        let has_day = has("%Y") && (has("%m") && has("%d") || has("%j"));
        Ok(Self { has_day, lacks_minutes: has("%H") && !has("%M"), text })
    }
}

fn sign(letter: char, length: usize) -> Option<&'static str> {
    Some(match (letter, length) {
        ('y' | 'Y', 3..) => "%Y",
        ('y' | 'Y', 2) => "%y",
        ('M', 2) => "%m",
        ('M', 3) => "%b",
        ('M', 4..) => "%B",
        ('d', 2) => "%d",
        ('D', 3) => "%j",
        ('H', 2) => "%H",
        ('h', 2) => "%I",
        ('m', 2) => "%M",
        ('s', 2) => "%S",
        ('S', 3) => "%3f",
        ('a', _) => "%p",
        ('E', 1..=3) => "%a",
        ('E', 4..) => "%A",
        ('e', 1) => "%u",
        ('x', 4) => "%G",
        ('w', 2) => "%V",
        ('Z', 1) => "%z",
        ('Z', 2) => "%:z",
        _ => return None,
    })
}
