//! What somebody wants of a run or step that has gone on since: fine if it is so
//! already, or else refused with what would fit.

use super::actions::RunAction;
use super::{Driver, Error, inspect};
use segno_engine::command::{Rejection, StepAction};
use segno_engine::decide::Refusal;
use segno_engine::event::Event;
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::run::RunStatus;

impl Driver {
    /// Does nothing with a run that is over, if it ended as is wanted.
    ///
    /// # Errors
    /// There is no such run, or it ended in another way.
    pub(super) async fn act_on_ended(
        &self,
        tenant: &TenantId,
        run: RunId,
        action: RunAction,
    ) -> Result<(), Error> {
        let ended = self.snapshot(tenant, run).await?.ok_or(Error::NoSuchRun(run))?.run;
        match (action, ended.status()) {
            (RunAction::Cancel, RunStatus::Cancelled) => return Ok(()),
            (RunAction::Kill, RunStatus::Failed { failure }) if failure.reason == "killed" => {
                return Ok(());
            }
            _ => {}
        }
        Err(Error::Refused(Refusal::Rejected(ended.not_allowed(action.as_str()))))
    }

    /// Does nothing with a step that has gone on because of the same wish.
    ///
    /// # Errors
    /// It has not: `rejection` says why it cannot.
    pub(super) async fn unless_done(
        &self,
        tenant: &TenantId,
        (run, step): (RunId, StepIndex),
        (action, rejection): (StepAction, Rejection),
    ) -> Result<(), Error> {
        let has_effect = matches!(action, StepAction::Bypass | StepAction::Resume);
        if has_effect {
            self.store().barrier().durable().await?;
            let history = inspect::history(self.store(), tenant, run)?;
            let events = history.iter().flat_map(|record| &record.events);
            if is_done(events, step, action) {
                return Ok(());
            }
        }
        Err(Error::Refused(Refusal::Rejected(rejection)))
    }
}

/// Whether the step has gone on because of this, and was not retried since.
fn is_done<'e>(
    events: impl Iterator<Item = &'e Event>,
    step: StepIndex,
    action: StepAction,
) -> bool {
    let mut done = false;
    for event in events {
        match (event, action) {
            (Event::RunRetried { steps, .. }, _) => done &= !steps.contains(&step),
            (event, _) if event.step() != Some(step) => {}
            (Event::WaitBypassed { .. }, StepAction::Bypass)
            | (Event::StepResumed { .. }, StepAction::Resume) => done = true,
            (Event::WaitStarted { .. }, StepAction::Bypass)
            | (Event::StepPaused { .. }, StepAction::Resume)
            | (
                Event::StepCancelled { .. } | Event::StepKilled { .. } | Event::StepSkipped { .. },
                _,
            ) => done = false,
            _ => {}
        }
    }
    done
}
