//! `segno:step/kv`: values that outlive runs.

use super::wrong_answer;
use crate::sandbox::durable::{Answer, Call};
use crate::sandbox::guest::{Guest, wit};
use wit::Refusal;

impl wit::segno::step::kv::Host for Guest {
    async fn get(
        &mut self,
        namespace: String,
        key: String,
    ) -> wasmtime::Result<Result<Option<String>, Refusal>> {
        match self.call_durable(Call::KvGet { namespace, key }).await? {
            Answer::Value(value) => Ok(value.map_err(Into::into)),
            other => Err(wrong_answer("kv.get", &other)),
        }
    }

    async fn set(
        &mut self,
        namespace: String,
        key: String,
        value: String,
    ) -> wasmtime::Result<Result<(), Refusal>> {
        let done = self.call_to_do(Call::KvSet { namespace, key, value }).await?;
        Ok(done.map_err(Into::into))
    }

    async fn delete(
        &mut self,
        namespace: String,
        key: String,
    ) -> wasmtime::Result<Result<(), Refusal>> {
        let done = self.call_to_do(Call::KvDelete { namespace, key }).await?;
        Ok(done.map_err(Into::into))
    }
}
