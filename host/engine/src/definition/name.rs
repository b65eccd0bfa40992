//! What names may look like: of workflows, steps, parameters and components.

use super::field::Field;
use super::node::shown;
use super::problem::Problems;

/// The longest name of a workflow, step, parameter or loop variable.
pub(super) const NAME_BYTES_MAX: usize = 63;

/// The longest name of a component.
const COMPONENT_BYTES_MAX: usize = 200;

/// Words that CEL keeps for itself even after a dot.
const RESERVED: [&str; 4] = ["in", "true", "false", "null"];

/// A rule for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Lower-case letters, digits and dashes.
    Workflow,
    /// As for a workflow, and underscores.
    Step,
    /// What can stand after a dot in an expression.
    Variable,
}

impl Name {
    /// Whether `text` is such a name.
    pub(super) fn fits(self, text: &str) -> bool {
        let rest = |byte: u8| match self {
            Self::Workflow => is_lower(byte) || byte == b'-',
            Self::Step => is_lower(byte) || matches!(byte, b'-' | b'_'),
            Self::Variable => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        let first = |byte: u8| match self {
            Self::Workflow | Self::Step => is_lower(byte),
            Self::Variable => byte.is_ascii_alphabetic() || byte == b'_',
        };
        let bytes = text.as_bytes();
        (1..=NAME_BYTES_MAX).contains(&bytes.len())
            && first(bytes[0])
            && bytes.iter().copied().all(rest)
            && !(self == Self::Variable && RESERVED.contains(&text))
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Workflow => "a-z, 0-9 and -",
            Self::Step => "a-z, 0-9, - and _",
            Self::Variable => "letters, digits and _",
        }
    }

    /// Whether `text` is such a name; reports it if not.
    pub(super) fn check(self, text: &str, field: &Field<'_>, problems: &mut Problems) -> bool {
        if self.fits(text) {
            return true;
        }
        let start = match self {
            Self::Workflow | Self::Step => "a letter or digit",
            Self::Variable => "a letter",
        };
        let remedy = if self == Self::Variable && RESERVED.contains(&text) {
            "it is a word of the expressions; use another".to_owned()
        } else {
            let rule = self.rule();
            format!("use 1 to {NAME_BYTES_MAX} of {rule}, beginning with {start}")
        };
        problems.add(field.key_mark, &field.path, format!("{} is no name", shown(text)), remedy);
        false
    }
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// The name and the version requirement in `name@requirement`.
///
/// # Errors
/// What is wrong, and after a `;` the remedy.
pub(super) fn component(text: &str) -> Result<(&str, Option<&str>), String> {
    let (name, requirement) = match text.split_once('@') {
        Some((name, requirement)) => (name, Some(requirement)),
        None => (text, None),
    };
    let segment = |segment: &str| {
        segment.bytes().next().is_some_and(is_lower)
            && segment.bytes().all(|byte| is_lower(byte) || byte == b'-')
    };
    if name.len() > COMPONENT_BYTES_MAX || !name.split('/').all(segment) {
        let example = "write it as in \"weather/load@1\"";
        return Err(format!("{} is no name of a component; {example}", shown(name)));
    }
    let number = |part: &str| {
        let is_canonical = part == "0" || !part.starts_with('0');
        (1..=9).contains(&part.len()) && is_canonical && part.bytes().all(|b| b.is_ascii_digit())
    };
    match requirement {
        Some(version) if version.split('.').count() > 3 || !version.split('.').all(number) => {
            let example = "write \"1\", \"1.2\" or \"1.2.3\" after the @";
            Err(format!("{} is no version; {example}", shown(version)))
        }
        requirement => Ok((name, requirement)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_have_a_name_and_perhaps_a_version() {
        assert_eq!(component("weather/load@1"), Ok(("weather/load", Some("1"))));
        assert_eq!(component("a@1.2.3"), Ok(("a", Some("1.2.3"))));
        assert_eq!(component("a-b/c0"), Ok(("a-b/c0", None)));
        for text in [
            "",
            "@1",
            "a@",
            "a@1.",
            "a@1.2.3.4",
            "a@v1",
            "a@01",
            "A",
            "a//b",
            "/a",
            "a/",
            "a@1@2",
            "-a",
            "a b",
        ] {
            assert!(component(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_follow_their_rule() {
        assert!(Name::Workflow.fits("seattle-report2") && Name::Step.fits("per_year-1"));
        assert!(Name::Variable.fits("Year_1") && Name::Variable.fits("_x"));
        for text in ["", "-a", "A", "a_b", "a.b", "é", &"a".repeat(64)] {
            assert!(!Name::Workflow.fits(text), "{text}");
        }
        for text in ["", "1a", "a-b", "in", "null"] {
            assert!(!Name::Variable.fits(text), "{text}");
        }
    }
}
