//! `segno:step/workflows`: runs that a step starts.

use super::wrong_answer;
use crate::sandbox::durable::{Answer, Call, Happening};
use crate::sandbox::guest::{Guest, wit};
use wit::{Failure, Refusal};

impl wit::segno::step::workflows::Host for Guest {
    async fn start(
        &mut self,
        workflow: String,
        version: Option<u64>,
        params: String,
    ) -> wasmtime::Result<Result<String, Refusal>> {
        let started = self.call_for_text(Call::StartRun { workflow, version, params }).await?;
        Ok(started.map_err(Into::into))
    }

    async fn wait(&mut self, run: String) -> wasmtime::Result<Result<String, Failure>> {
        match self.call_durable(Call::WaitRun { run }).await? {
            Answer::Woken { happening: Happening::Run(result), .. } => {
                Ok(result.map_err(|(message, details)| Failure { message, details }))
            }
            other => Err(wrong_answer("workflows.wait", &other)),
        }
    }
}
