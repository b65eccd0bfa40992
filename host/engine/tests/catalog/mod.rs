//! Definitions for tests: every component exists, and may do whatever it likes.

use segno_engine::definition::{self, Catalog};
use segno_engine::workflow::{Limits, Pin, Workflow};
use std::sync::Arc;

/// The workflow that `source` defines, or what is wrong with it.
pub fn check(source: &str) -> Result<Arc<Workflow>, Vec<String>> {
    match definition::check(source, &Everything) {
        Ok(workflow) => Ok(Arc::new(workflow)),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

/// A catalog in which whatever is asked for is found.
struct Everything;

impl Catalog for Everything {
    fn component(&self, name: &str, requirement: Option<&str>) -> Result<Pin, String> {
        Ok(Pin {
            name: name.to_owned(),
            version: requirement.unwrap_or("1").to_owned(),
            digest: format!("sha256:{}", "0".repeat(64)),
        })
    }

    fn ceiling(&self) -> Limits {
        Limits::default()
    }
}
