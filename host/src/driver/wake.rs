//! A signal comes to a step that waits for it: a guest, or a `wait` step.

use super::live::Live;
use super::signals::Waiter;
use super::wait::{patterns, shown, waiters};
use super::{Driver, Extra};
use crate::crash;
use crate::sandbox::{Answer, Happening};
use crate::store::{SignalRecord, SignalUse, Write};
use segno_engine::command::Command;
use segno_engine::id::{StepIndex, TenantId};
use segno_engine::payload::Payload;
use segno_engine::wait::Wake;
use std::collections::VecDeque;
use std::sync::Arc;
use tracing::{debug, error};

impl Driver {
    /// Gives a signal to a step that waits for it.
    pub(super) fn wake_by_signal(
        &self,
        tenant: &TenantId,
        waiter: &Waiter,
        signal: &Arc<SignalRecord>,
    ) {
        let live = match self.open(tenant, waiter.run) {
            Ok(Some(live)) => live,
            Ok(None) => return,
            Err(error) => return self.cannot_wake(waiter.run, &error),
        };
        let Waiter { step, sequence, index, .. } = *waiter;
        let wake = Wake::Signal { index, name: signal.name.clone(), sequence: signal.sequence };
        let answer = Answer::Woken { index, happening: Happening::Signal(shown(signal)) };
        let mut due = VecDeque::new();
        let turn = {
            let mut state = live.lock();
            let (command, answer) = match state.run.is_gate(step, sequence) {
                true => (Command::EndWait { step, output: output_of(signal) }, None),
                false => (Command::Wake { step, sequence, wake }, Some(answer)),
            };
            let id = state.run.body().steps.get(step as usize).map(|step| step.id.clone());
            let used = SignalUse { run: live.id, step: id, trigger: None, at: self.0.clock.now() };
            let used = Write::signal_use(tenant, (&signal.name, signal.sequence), &used);
            let extra = Extra { writes: used.into_iter().collect(), answer };
            self.turn_locked(&live, &mut state, (&command, extra), &mut due)
        };
        if let Err((refusal, _)) = turn {
            debug!(run = %live.id, %refusal, "a signal came too late for a wait");
            self.rest(&live);
        }
        crash::point("wake ordered");
        self.perform(due);
    }

    /// A step without a guest waits for a signal, past or future.
    pub(super) fn await_signal(&self, live: &Arc<Live>, step: StepIndex) {
        let waiters = {
            let mut state = live.lock();
            let Some(wait) = state.run.wait_of(step).cloned() else { return };
            state.subscribed.insert(step, patterns(&wait));
            waiters(live.id, step, &wait)
        };
        let looked = self.resubscribe(&live.tenant, waiters).and_then(|()| self.catch_up_signals());
        if let Err(error) = looked {
            error!(run = %live.id, %error, "the signals cannot be read");
        }
    }
}

/// What a `wait` step gives.
fn output_of(signal: &SignalRecord) -> Payload {
    Payload::from(serde_json::json!({
        "name": signal.name,
        "id": signal.id,
        "sequence": signal.sequence,
        "params": signal.params.to_value(),
        "payload": signal.payload.value(),
    }))
}
