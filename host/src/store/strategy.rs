//! A run strategy as text, as definitions, rows and the API have it.

use segno_engine::strategy::RunStrategy;

/// The most runs of a workflow that `parallel(…)` may allow at once.
const PARALLEL_MAX: u32 = 1_000;

/// The strategy as text.
pub fn strategy_text(strategy: RunStrategy) -> String {
    match strategy {
        RunStrategy::All => "parallel".to_owned(),
        RunStrategy::Parallel(runs) => format!("parallel({runs})"),
        RunStrategy::Sequential => "sequential".to_owned(),
        RunStrategy::StrictSequential => "strict_sequential".to_owned(),
        RunStrategy::FirstOnly => "first_only".to_owned(),
        RunStrategy::LastOnly => "last_only".to_owned(),
        RunStrategy::SerialLatestOnly => "serial_latest_only".to_owned(),
    }
}

/// The strategy that a text names.
///
/// # Errors
/// What is wrong, and the remedy.
pub fn parse_strategy(text: &str) -> Result<RunStrategy, String> {
    Ok(match text {
        "parallel" => RunStrategy::All,
        "sequential" => RunStrategy::Sequential,
        "strict_sequential" => RunStrategy::StrictSequential,
        "first_only" => RunStrategy::FirstOnly,
        "last_only" => RunStrategy::LastOnly,
        "serial_latest_only" => RunStrategy::SerialLatestOnly,
        _ => RunStrategy::Parallel(runs_in(text).ok_or_else(|| {
            format!(
                "{text:?} is no run strategy; write parallel, parallel(20) with up to \
                 {PARALLEL_MAX}, sequential, strict_sequential, first_only, last_only or \
                 serial_latest_only"
            )
        })?),
    })
}

/// The number in `parallel(…)`.
fn runs_in(text: &str) -> Option<u32> {
    let number = text.strip_prefix("parallel(")?.strip_suffix(')')?;
    number.trim().parse().ok().filter(|runs| (1..=PARALLEL_MAX).contains(runs))
}

/// For fields of rows.
pub(super) mod as_text {
    use super::{RunStrategy, parse_strategy, strategy_text};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        strategy: &Option<RunStrategy>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        strategy.map(strategy_text).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<RunStrategy>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse_strategy(&text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_survives_its_text() {
        let all = [
            RunStrategy::All,
            RunStrategy::Parallel(1),
            RunStrategy::Parallel(PARALLEL_MAX),
            RunStrategy::Sequential,
            RunStrategy::StrictSequential,
            RunStrategy::FirstOnly,
            RunStrategy::LastOnly,
            RunStrategy::SerialLatestOnly,
        ];
        for strategy in all {
            assert_eq!(parse_strategy(&strategy_text(strategy)), Ok(strategy));
        }
        for wrong in ["", "serial", "parallel(0)", "parallel(1001)", "parallel(", "parallel(x)"] {
            let problem = parse_strategy(wrong).unwrap_err();
            assert!(problem.contains("write parallel"), "{problem}");
        }
    }
}
