//! How a user names a component: `weather/load`, or `weather/load@1.0.0`.

use std::convert::Infallible;
use std::str::FromStr;

/// A name, and a version if one was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The name; the server checks it.
    pub(super) name: String,
    /// The version.
    pub(super) version: Option<String>,
}

impl FromStr for Reference {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('@') {
            Some((name, version)) => {
                Self { name: name.to_owned(), version: Some(version.to_owned()) }
            }
            None => Self { name: text.to_owned(), version: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_follows_the_at() {
        let reference: Reference = "weather/load@1.0.0".parse().unwrap();
        assert_eq!(
            (reference.name.as_str(), reference.version.as_deref()),
            ("weather/load", Some("1.0.0"))
        );
        let reference: Reference = "weather/load".parse().unwrap();
        assert_eq!((reference.name.as_str(), reference.version), ("weather/load", None));
    }
}
