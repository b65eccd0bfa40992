//! A run that is open, in memory. Whoever holds the lock of its state orders
//! its commits, so that the log of a run is in the order of its turns.

use crate::sandbox::Watch;
use crate::store::Ticket;
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId, Timestamp};
use segno_engine::run::Run;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// An open run.
pub(crate) struct Live {
    /// Whose it is.
    pub(crate) tenant: TenantId,
    /// Which it is.
    pub(crate) id: RunId,
    state: Mutex<LiveState>,
    /// Wakes those who watch the run, at every commit.
    pub(crate) changed: Notify,
}

/// What changes about an open run.
pub(crate) struct LiveState {
    /// The run itself.
    pub(crate) run: Run,
    /// How many records its log has.
    pub(crate) records: u64,
    /// How many bytes this process has added to its log.
    pub(crate) bytes: usize,
    /// The last commit.
    pub(crate) ticket: Ticket,
    /// When the driver has promised to look at it again.
    pub(crate) alarm: Option<Timestamp>,
    /// The attempts that were handed to the sandbox.
    pub(crate) attempts: HashMap<StepIndex, InFlight>,
}

/// An attempt that was handed to the sandbox.
#[derive(Clone)]
pub(crate) struct InFlight {
    /// Which one.
    pub(crate) attempt: Attempt,
    /// Shows how it is doing, and can end it.
    pub(crate) watch: Watch,
    /// Closed when the guest is gone.
    pub(crate) gone: watch::Receiver<()>,
}

impl Live {
    pub(crate) fn new(tenant: TenantId, run: Run, records: u64, ticket: Ticket) -> Arc<Self> {
        Arc::new(Self {
            tenant,
            id: run.id(),
            state: Mutex::new(LiveState {
                run,
                records,
                bytes: 0,
                ticket,
                alarm: None,
                attempts: HashMap::new(),
            }),
            changed: Notify::new(),
        })
    }

    /// The state, for a moment: never held across an `await`. A panic while it
    /// was held ended that turn before its commit, so the state is as it was.
    pub(crate) fn lock(&self) -> MutexGuard<'_, LiveState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Returns when the guest is gone.
    pub(crate) async fn wait_until_gone(mut self) {
        // The sender is dropped with the guest, and never sends.
        while self.gone.changed().await.is_ok() {}
    }
}
