//! `segno:step/signals`: publishing signals and waiting for them.

use super::wrong_answer;
use crate::sandbox::durable::{Answer, Call, Happening, Pattern, Signal};
use crate::sandbox::guest::{Guest, wit};
use wit::Refusal;
use wit::segno::step::signals;

impl signals::Host for Guest {
    async fn publish(
        &mut self,
        name: String,
        params: String,
        payload: String,
    ) -> wasmtime::Result<Result<u64, Refusal>> {
        publish(self, Call::Publish { name, params, payload }).await
    }

    async fn publish_to_run(
        &mut self,
        run: String,
        name: String,
        payload: String,
    ) -> wasmtime::Result<Result<u64, Refusal>> {
        publish(self, Call::PublishToRun { run, name, payload }).await
    }

    async fn wait(
        &mut self,
        pattern: signals::Pattern,
        timeout_ms: Option<u64>,
    ) -> wasmtime::Result<Option<signals::Signal>> {
        let call = Call::WaitSignal { pattern: pattern.into(), timeout_ms };
        match self.call_durable(call).await? {
            Answer::Woken { happening: Happening::Signal(signal), .. } => Ok(Some(signal.into())),
            Answer::Woken { happening: Happening::Timer, .. } => Ok(None),
            other => Err(wrong_answer("signals.wait", &other)),
        }
    }

    async fn one_time_url(&mut self, name: String) -> wasmtime::Result<String> {
        let url = self.call_for_text(Call::OneTimeUrl { name }).await?;
        url.map_err(|refusal| {
            crate::sandbox::limits::Stop::Misuse(format!("`one-time-url`: {}", refusal.message))
                .into()
        })
    }
}

async fn publish(guest: &mut Guest, call: Call) -> wasmtime::Result<Result<u64, Refusal>> {
    match guest.call_durable(call).await? {
        Answer::Published(published) => Ok(published.map_err(Into::into)),
        other => Err(wrong_answer("signals.publish", &other)),
    }
}

impl From<signals::Pattern> for Pattern {
    fn from(pattern: signals::Pattern) -> Self {
        Self {
            name: pattern.name,
            this_run: pattern.audience == signals::Audience::ThisRun,
            params: pattern.match_,
            only_new: pattern.since == signals::Since::Now,
        }
    }
}

impl From<Signal> for signals::Signal {
    fn from(signal: Signal) -> Self {
        let Signal { name, id, sequence, params, payload, published_at_ms, this_run: _ } = signal;
        Self { name, id, sequence, params, payload, published_at_ms }
    }
}
