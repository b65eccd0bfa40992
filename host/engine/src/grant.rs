//! What a step may reach beyond its own input: hosts, secrets, shared keys, and
//! the signals that everybody sees. A component asks for hosts and secrets, a
//! workflow's step grants them, an operator allows hosts; all have to agree.

mod origin;

pub use self::origin::{BadOrigin, Origin, Scheme, normal_host};

use crate::signal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most entries in one list of grants or requests.
pub const ENTRIES_MAX: usize = 100;

/// The longest name of a secret or of a namespace.
pub const NAME_BYTES_MAX: usize = 63;

/// What a workflow grants to a step. Without a word in the workflow, nothing,
/// but publishing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Where it may send requests.
    pub http: Vec<Origin>,
    /// The names of the secrets that it may use.
    pub secrets: Vec<String>,
    /// The namespaces of keys that it may read and write, beside the workflow's
    /// own.
    pub kv: Vec<String>,
    /// The names under which it may publish signals to everyone. `None`: any
    /// name; an empty list: none.
    pub signals: Option<Vec<NamePattern>>,
}

impl Grants {
    /// Whether the step may use this secret.
    pub fn has_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|granted| granted == name)
    }

    /// Whether the step may use this namespace. The workflow's own, `""`, needs
    /// no grant.
    pub fn has_namespace(&self, namespace: &str) -> bool {
        namespace.is_empty() || self.kv.iter().any(|granted| granted == namespace)
    }

    /// Whether the step may publish this signal to everyone.
    pub fn may_publish(&self, signal: &str) -> bool {
        self.signals.as_ref().is_none_or(|all| all.iter().any(|pattern| pattern.covers(signal)))
    }
}

/// What a component says it needs. Without a word, nothing. In its file this is
/// JSON: `{"http":["https://api.example.com"],"secrets":["PAY_KEY"]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// Where it sends requests.
    pub http: Vec<Origin>,
    /// The names of the secrets that it uses.
    pub secrets: Vec<String>,
}

impl Requests {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.secrets.is_empty()
    }

    /// The same in one form, however it was written: sorted, nothing twice.
    ///
    /// # Errors
    /// A name is none, or there are too many; says the remedy after a `;`.
    pub fn normal(mut self) -> Result<Self, BadName> {
        self.http.sort();
        self.http.dedup();
        self.secrets.sort();
        self.secrets.dedup();
        for (what, count) in [("http", self.http.len()), ("secrets", self.secrets.len())] {
            if count > ENTRIES_MAX {
                return Err(BadName(format!(
                    "`{what}` has {count} entries; write at most {ENTRIES_MAX}"
                )));
            }
        }
        self.secrets.iter().try_for_each(|name| check_secret(name))?;
        Ok(self)
    }
}

/// A name that is no good; the remedy stands after a `;`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(String);

/// Checks the name of a secret: letters, digits and underscores, as in `PAY_KEY`.
///
/// # Errors
/// It is no such name.
pub fn check_secret(name: &str) -> Result<(), BadName> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    check(name, "a secret", "letters, digits and _, beginning with a letter", fits)
}

/// Checks the name of a namespace of keys: lower-case letters, digits, dashes
/// and underscores, as in `shared`.
///
/// # Errors
/// It is no such name.
pub fn check_namespace(name: &str) -> Result<(), BadName> {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    check(name, "a namespace", "a-z, 0-9, - and _, beginning with a letter", fits)
}

fn check(name: &str, what: &str, rule: &str, fits: fn(u8) -> bool) -> Result<(), BadName> {
    let is_name = name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.bytes().all(fits);
    if is_name {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(BadName(format!("{shown:?} is no name of {what}; use 1 to {NAME_BYTES_MAX} of {rule}")))
}

/// A name, or with a `*` at its end every name that begins so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NamePattern(String);

impl NamePattern {
    /// Whether `name` is one of those that are meant.
    pub fn covers(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

impl FromStr for NamePattern {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let beginning = text.strip_suffix('*').unwrap_or(text);
        if beginning.contains('*') {
            let remedy = "put it only at the end, as in \"report.*\"";
            return Err(BadName(format!("{text:?} has a * inside; {remedy}")));
        }
        signal::check_name("a signal's name", text)
            .map_err(|error| BadName(format!("{error}; write it as in \"report.done\"")))?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NamePattern {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_granted_without_a_word_but_publishing() {
        let none = Grants::default();
        assert!(!none.has_secret("PAY_KEY") && !none.has_namespace("shared"));
        assert!(none.has_namespace("") && none.may_publish("anything"));
        let silent = Grants { signals: Some(Vec::new()), ..Grants::default() };
        assert!(!silent.may_publish("anything"));
    }

    #[test]
    fn a_star_at_the_end_stands_for_the_rest() {
        let pattern: NamePattern = "report.*".parse().unwrap();
        assert!(pattern.covers("report.done") && pattern.covers("report."));
        assert!(!pattern.covers("report") && !pattern.covers("reports.done"));
        let exact: NamePattern = "paid".parse().unwrap();
        assert!(exact.covers("paid") && !exact.covers("paid.twice"));
        for wrong in ["", "a*b", "**", "a\nb"] {
            assert!(wrong.parse::<NamePattern>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_follow_their_rule() {
        assert!(check_secret("PAY_KEY").is_ok() && check_secret("a1").is_ok());
        assert!(check_namespace("shared-2").is_ok());
        for wrong in ["", "1A", "_A", "A-B", "A B", "É", &"A".repeat(64)] {
            assert!(check_secret(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "A", "-a", "a/b"] {
            assert!(check_namespace(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn requests_have_one_form() {
        let read = |text: &str| serde_json::from_str::<Requests>(text);
        let one = read(r#"{"secrets":["B","A","B"],"http":["HTTPS://A.example:443"]}"#).unwrap();
        let other = read(r#"{"http":["https://a.example"],"secrets":["A","B"]}"#).unwrap();
        assert_eq!(one.normal().unwrap(), other.clone().normal().unwrap());
        assert_eq!(
            serde_json::to_string(&other).unwrap(),
            r#"{"http":["https://a.example"],"secrets":["A","B"]}"#
        );
        assert!(read(r#"{"http":["ftp://a"]}"#).is_err() && read(r#"{"files":["/"]}"#).is_err());
        assert!(read(r#"{"secrets":["no name"]}"#).unwrap().normal().is_err());
    }
}
