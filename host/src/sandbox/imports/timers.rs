//! `segno:step/timers`: time, as the step reads it, and sleeping.

use super::wrong_answer;
use crate::sandbox::durable::{Answer, Call};
use crate::sandbox::guest::{Guest, wit};

impl wit::segno::step::timers::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.watch.count_host_call();
        Ok(self.tape.readings().read(self.now_ms()))
    }

    async fn sleep(&mut self, duration_ms: u64) -> wasmtime::Result<()> {
        sleep(self, Call::Sleep { duration_ms }).await
    }

    async fn sleep_until(&mut self, moment_ms: u64) -> wasmtime::Result<()> {
        sleep(self, Call::SleepUntil { moment_ms }).await
    }
}

async fn sleep(guest: &mut Guest, call: Call) -> wasmtime::Result<()> {
    match guest.call_durable(call).await? {
        Answer::Woken { .. } => Ok(()),
        other => Err(wrong_answer("timers", &other)),
    }
}
