//! A run strategy in a row: as text, as definitions and the API have it.

use segno_engine::strategy::RunStrategy;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn serialize<S: Serializer>(
    strategy: &Option<RunStrategy>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    strategy.map(|strategy| strategy.to_string()).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<RunStrategy>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}
