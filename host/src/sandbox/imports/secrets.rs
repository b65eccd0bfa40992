//! `segno:step/secrets`: secrets that a step can use without seeing them.

use crate::sandbox::durable::Call;
use crate::sandbox::guest::{Guest, wit};
use wit::Refusal;

impl wit::segno::step::secrets::Host for Guest {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, Refusal>> {
        let handle = self.call_for_text(Call::Secret { name }).await?;
        Ok(handle.map_err(Into::into))
    }
}
