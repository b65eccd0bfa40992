//! JSON as it came: laid out for reading, with every key in its place and every
//! number as it was written. Parsing it into values would sort and round.

/// One level of indentation.
const INDENT: &str = "  ";

/// Valid JSON, with a line for each member and each element.
pub(super) fn laid_out(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                text.push(c);
                string(&mut rest, &mut text);
            }
            '{' | '[' => {
                text.push(c);
                while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(close) = rest.next_if(|c| matches!(c, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    line(depth, &mut text);
                }
            }
            '}' | ']' => {
                depth -= 1;
                line(depth, &mut text);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(depth, &mut text);
            }
            ':' => text.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => text.push(c),
        }
    }
    text
}

/// Takes a string's characters, the quote at its end included.
fn string(rest: &mut impl Iterator<Item = char>, text: &mut String) {
    while let Some(c) = rest.next() {
        text.push(c);
        match c {
            '"' => return,
            '\\' => text.extend(rest.next()),
            _ => {}
        }
    }
}

fn line(depth: usize, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n(INDENT, depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn nothing_but_white_space_changes() {
        let json = r#" {"z":[1.50, {"a":[ ],"b":{}}],"a\"{":"x, \\","n":12345678901234567890123} "#;
        let lines = [
            "{",
            "  \"z\": [",
            "    1.50,",
            "    {",
            "      \"a\": [],",
            "      \"b\": {}",
            "    }",
            "  ],",
            "  \"a\\\"{\": \"x, \\\\\",",
            "  \"n\": 12345678901234567890123",
            "}",
        ];
        assert_eq!(laid_out(json), lines.join("\n"));
    }

    #[test]
    fn what_others_lay_out_is_laid_out_the_same() {
        let json = r#"{"a":[],"b":[[1],{"c":null}],"d":"é\u00e9"}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        let compact = value.to_string();
        assert_eq!(laid_out(&compact), serde_json::to_string_pretty(&value).unwrap());
    }
}
