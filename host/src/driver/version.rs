//! Which version of a workflow somebody means.

use segno_engine::id::InvalidId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Which version of a workflow is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VersionSelector {
    /// The one with this number.
    Number(u64),
    /// The one that was pushed last.
    Latest,
    /// The active one, and nothing if there is none.
    Active,
    /// The active one, and the latest if there is none.
    #[default]
    Default,
}

impl fmt::Display for VersionSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Latest => f.write_str("latest"),
            Self::Active => f.write_str("active"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl FromStr for VersionSelector {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "latest" => Ok(Self::Latest),
            "active" => Ok(Self::Active),
            "default" => Ok(Self::Default),
            _ => match text.parse() {
                Ok(number @ 1..) => Ok(Self::Number(number)),
                _ => Err(InvalidId {
                    what: "version",
                    text: text.chars().take(80).collect(),
                    rule: "it is a number from 1, latest, active or default",
                }),
            },
        }
    }
}

impl From<Option<u64>> for VersionSelector {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Default, Self::Number)
    }
}

/// A number as a number, all else as text.
impl Serialize for VersionSelector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Latest | Self::Active | Self::Default => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for VersionSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a version is a number from 1, latest, active or default")]
        enum Given {
            Number(u64),
            Text(String),
        }
        let parsed = match Given::deserialize(deserializer)? {
            Given::Number(number) => number.to_string().parse(),
            Given::Text(text) => text.parse(),
        };
        parsed.map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_survives_text_and_json() {
        let all = [
            VersionSelector::Number(3),
            VersionSelector::Latest,
            VersionSelector::Active,
            VersionSelector::Default,
        ];
        for selector in all {
            assert_eq!(selector.to_string().parse(), Ok(selector));
            assert_eq!(serde_json::from_value(json!(selector)).ok(), Some(selector));
        }
        assert_eq!(json!(VersionSelector::Number(3)), json!(3));
        assert_eq!(serde_json::from_value(json!("3")).ok(), Some(VersionSelector::Number(3)));
    }

    #[test]
    fn what_is_no_selector_says_what_is_one() {
        for wrong in ["0", "-1", "newest", "", "1.0"] {
            let problem = wrong.parse::<VersionSelector>().unwrap_err().to_string();
            assert!(problem.contains("latest, active or default"), "{problem}");
        }
        for wrong in [json!(0), json!(1.5), json!([1]), json!("x")] {
            let problem = serde_json::from_value::<VersionSelector>(wrong).unwrap_err();
            assert!(problem.to_string().contains("latest, active or default"), "{problem}");
        }
    }
}
