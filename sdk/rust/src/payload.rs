//! From values to the JSON that crosses the boundary and back. What does not
//! fit is fatal, since it would be the same next time, and names its place.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The value as JSON. `what` begins the sentence that says it cannot be.
pub(crate) fn encode<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::fatal(format!("{what} cannot be JSON: {error}")))
}

/// The value in one JSON document. `what` begins the sentence that says that
/// it does not fit.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(what: &str, text: &str) -> Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let decoded =
        serde_path_to_error::deserialize(&mut json).map_err(|error| misfit(what, error))?;
    json.end()
        .map_err(|error| Error::fatal(format!("{what} is not one JSON document: {error}")))?;
    Ok(decoded)
}

fn misfit(what: &str, error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let cause = error.into_inner();
    let place = match path.as_str() {
        "." => String::new(),
        path => format!(" at `{path}`"),
    };
    Error::fatal(format!("{what} does not fit{place}: {cause}"))
        .details(serde_json::json!({ "path": path }))
}
