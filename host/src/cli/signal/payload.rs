//! What a signal says, as a user types it: JSON, or a file of JSON. It goes to
//! the server as it is: parsing it into values would sort and round.

use crate::cli::file;
use anyhow::{Context as _, Result, anyhow};
use serde_json::value::RawValue;
use std::path::Path;

/// A payload as it was typed.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Payload(String);

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Payload {
    /// The document; `@FILE` stands for what is in a file, `@-` for standard
    /// input.
    pub(in crate::cli) fn read(&self) -> Result<Box<RawValue>> {
        let (text, shown) = match self.0.strip_prefix('@') {
            Some(path) => {
                let text = file::read_text(Path::new(path)).context("cannot read the payload")?;
                (text, path.to_owned())
            }
            None => (self.0.clone(), format!("{:?}", self.0)),
        };
        RawValue::from_string(text.trim().to_owned()).map_err(|error| {
            anyhow!(
                "the payload {shown} is no JSON ({error}); for example '{{\"by\": \"me\"}}', or '\"text\"'"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_and_stays_as_it_is() {
        let read = |text: &str| Payload::from(text).read();
        assert_eq!(read(" {\"b\": 1.50, \"a\": [ ]} ").unwrap().get(), "{\"b\": 1.50, \"a\": [ ]}");
        let refusal = read("yes").unwrap_err().to_string();
        assert!(refusal.starts_with("the payload \"yes\" is no JSON (expected value"), "{refusal}");
        assert!(format!("{:#}", read("@no-such-file").unwrap_err()).contains("there is no file"));
    }
}
