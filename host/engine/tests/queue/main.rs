//! Who may begin: lanes of runs and permits of steps, each against a naive model
//! that looks at everything every time, and the behaviours by name.

mod lane;
mod lane_model;
mod permit_model;
mod permits;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// The same cases every time, so that a failure is not a matter of luck.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
