//! `segno:step/memo`: results of expensive work, recorded once.

use super::wrong_answer;
use crate::sandbox::durable::Answer;
use crate::sandbox::guest::{Guest, wit};

impl wit::segno::step::memo::Host for Guest {
    fn recall(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Guest::recall(self, name)?
            .map(|answer| match answer {
                Answer::Text(Ok(value)) => Ok(value),
                other => Err(wrong_answer("memo", &other)),
            })
            .transpose()
    }

    async fn record(&mut self, name: String, value: String) -> wasmtime::Result<()> {
        Guest::record(self, name, Answer::Text(Ok(value))).await
    }
}
