//! What steps publish when their work is done. Each signal has an identity that
//! follows from the run, the step and how often that came to publish, so that
//! doing it again after a crash changes nothing.

use super::Driver;
use super::live::Live;
use super::signals::{Publish, PublishError};
use crate::crash;
use segno_engine::command::Command;
use segno_engine::id::StepIndex;
use segno_engine::run::{StepRun, StepState};
use segno_engine::signal::Publisher;
use std::sync::Arc;
use tracing::{debug, error};

/// What a step publishes.
struct Publication {
    command: Command,
    signals: Vec<Publish>,
}

impl Driver {
    /// Publishes what the step has to publish, apart from the caller: whom it
    /// wakes may publish in turn, and so on.
    pub(super) fn publish_signals(&self, live: &Arc<Live>, step: StepIndex) {
        let Some(publication) = publication(live, step) else { return };
        let (driver, live) = (self.clone(), Arc::clone(live));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            error!(run = %live.id, "a step cannot publish here; it does when the host is ready again");
            return;
        };
        runtime.spawn(async move {
            crash::point("step is about to publish");
            if let Err(error) = driver.publish_all(&live, publication).await {
                error!(run = %live.id, %error, "the signals of a step cannot be published");
            }
        });
    }

    async fn publish_all(
        &self,
        live: &Arc<Live>,
        publication: Publication,
    ) -> Result<(), PublishError> {
        let Publication { mut command, signals } = publication;
        for publish in signals {
            let sequence = self.publish_in_time(live, publish).await?;
            if let Command::EndPublishing { sequences, .. } = &mut command {
                sequences.push(sequence);
            }
            crash::point("signal of a step is ordered");
        }
        if let Err(refusal) = self.submit(live, &command, Vec::new()) {
            debug!(run = %live.id, %refusal, "nobody waits for the signals of a step any more");
        }
        Ok(())
    }

    /// Publishes one signal; while too much is on its way to the disk, it waits
    /// for the disk.
    async fn publish_in_time(
        &self,
        live: &Arc<Live>,
        publish: Publish,
    ) -> Result<u64, PublishError> {
        loop {
            match self.order_publish(&live.tenant, publish.clone(), Vec::new()) {
                Ok((published, _)) => return Ok(published.sequence),
                Err(PublishError::Busy) => self.0.store.barrier().durable().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

/// What the step has to publish, if it still has.
fn publication(live: &Live, step: StepIndex) -> Option<Publication> {
    let state = live.lock();
    let run = &state.run;
    let StepRun { attempt, publications, state: how, .. } = run.steps().get(step as usize)?;
    let StepState::Publishing { signals, .. } = how else { return None };
    let id = &run.body().steps[step as usize].id;
    let publisher = Publisher::Step { run: live.id, step: id.clone(), attempt: *attempt };
    let signals = signals.iter().enumerate().map(|(index, signal)| Publish {
        name: signal.name.clone(),
        id: Some(format!("{}/{id}/end/{publications}/{index}", live.id)),
        params: signal.params.clone(),
        payload: signal.payload.clone(),
        publisher: publisher.clone(),
    });
    let (attempt, publication) = (*attempt, *publications);
    let command = Command::EndPublishing { step, attempt, publication, sequences: Vec::new() };
    Some(Publication { command, signals: signals.collect() })
}
