//! What somebody does with runs and their steps. A run is named by its
//! identifier, a step by its id, or by the way to it through the iterations of
//! loops, as in `per-year[3].aggregate`.

use super::live::{Live, LiveState};
use super::{Driver, Error, StartError};
use crate::store;
use segno_engine::command::{Command, Rejection, StepAction};
use segno_engine::decide::Refusal;
use segno_engine::id::{RunId, TenantId};
use std::sync::Arc;

/// Something that may be done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAction {
    /// Stop it and everything inside.
    Cancel,
    /// End it as failed.
    Kill,
    /// Let nothing new start in it.
    Pause,
    /// Let it go on.
    Resume,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The run cannot be found or does not allow it.
    #[error(transparent)]
    Run(#[from] Error),
    /// The run has no such step.
    #[error("{run} has no step {path:?}: {why}")]
    NoSuchStep {
        /// The run.
        run: RunId,
        /// What was asked for.
        path: String,
        /// Where the way ends, and what there is.
        why: String,
    },
    /// What was given does not fit.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It does not fit how the run stands.
    #[error("{0}")]
    NotAllowed(String),
}

impl From<store::Error> for ActionError {
    fn from(error: store::Error) -> Self {
        Self::Run(error.into())
    }
}

impl From<Refusal> for ActionError {
    fn from(refusal: Refusal) -> Self {
        Self::Run(refusal.into())
    }
}

impl RunAction {
    /// Its name, as users say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    fn command(self, by: &str) -> Command {
        let by = by.to_owned();
        match self {
            Self::Cancel => Command::Cancel { by },
            Self::Kill => Command::Kill { by },
            Self::Pause => Command::Pause { by },
            Self::Resume => Command::Resume { by },
        }
    }
}

impl Driver {
    /// Does something with a run. Returns when that is on stable storage; what
    /// runs inside is then being told.
    ///
    /// # Errors
    /// There is no such run, or it does not allow it as it stands.
    pub async fn act(
        &self,
        tenant: &TenantId,
        run: RunId,
        (action, by): (RunAction, &str),
    ) -> Result<(), Error> {
        let Some(live) = self.open(tenant, run)? else {
            return self.act_on_ended(tenant, run, action).await;
        };
        let ticket = match self.submit(&live, &action.command(by), Vec::new()) {
            // It has ended meanwhile.
            Err(Refusal::Rejected(Rejection::Over { .. })) => {
                return self.act_on_ended(tenant, run, action).await;
            }
            done => done,
        };
        self.set_alarm(&live, &mut live.lock());
        let done = match ticket {
            Ok(ticket) => ticket.durable().await.map_err(Error::Store),
            Err(refusal) => Err(refusal.into()),
        };
        self.rest(&live);
        done
    }

    /// Does something with a step of a run, or of one of its iterations. What is
    /// skipped in a run that is over is skipped in a retry of it.
    ///
    /// # Errors
    /// There is no such run or step, or it does not allow it as it stands.
    pub async fn act_on_step(
        &self,
        tenant: &TenantId,
        (run, path): (RunId, &str),
        (action, by): (StepAction, &str),
    ) -> Result<(), ActionError> {
        let (at, step) = self.locate_step(tenant, (run, path))?;
        let Some(live) = self.open(tenant, at)? else {
            if action == StepAction::Skip {
                return self.skip_in_ended(tenant, (at, step), by).await;
            }
            let live = self.revive(tenant, at)?.ok_or(Error::NoSuchRun(at))?;
            let rejection = live.lock().run.step_is_over(step, action.as_str());
            self.put_back(&live);
            return Ok(self.unless_done(tenant, (at, step), (action, rejection)).await?);
        };
        let command = Command::Step { step, action, by: by.to_owned() };
        let ticket = match self.submit(&live, &command, Vec::new()) {
            Err(Refusal::Rejected(rejection @ Rejection::NotAllowed { .. })) => {
                self.rest(&live);
                return Ok(self.unless_done(tenant, (at, step), (action, rejection)).await?);
            }
            done => done,
        };
        self.set_alarm(&live, &mut live.lock());
        let done = match ticket {
            Ok(ticket) => ticket.durable().await.map_err(ActionError::from),
            Err(refusal) => Err(refusal.into()),
        };
        self.rest(&live);
        done
    }

    /// A run that was only looked at need not stay.
    pub(super) fn put_back(&self, live: &Arc<Live>) {
        {
            let state = live.lock();
            if !state.run.status().is_open() {
                // One that has just ended leaves when the store shows it.
                let mut known = self.lock_live();
                if state.ticket.is_durable()
                    && known.get(&live.id).is_some_and(|known| Arc::ptr_eq(known, live))
                {
                    known.remove(&live.id);
                }
                return;
            }
        }
        self.sleep_soon(live);
    }

    /// Sees that a run is the one that is known: somebody else may have put it
    /// back, and then it is known again unless it has moved on since. The caller
    /// holds its state.
    pub(super) fn is_known(
        &self,
        live: &Arc<Live>,
        state: &LiveState,
    ) -> Result<bool, store::Error> {
        let mut known = self.lock_live();
        if let Some(known) = known.get(&live.id) {
            return Ok(Arc::ptr_eq(known, live));
        }
        let later = self.0.store.events(&live.tenant, live.id, state.records, 1)?;
        if later.is_empty() {
            known.insert(live.id, Arc::clone(live));
        }
        Ok(later.is_empty())
    }
}
