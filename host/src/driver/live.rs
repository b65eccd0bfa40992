//! A run that is open, in memory. Whoever holds the lock of its state orders
//! its commits, so that the log of a run is in the order of its turns.

use super::inbox::Inbox;
use crate::sandbox::{Answer, Watch};
use crate::store::Ticket;
use segno_engine::event::Origin;
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId, Timestamp};
use segno_engine::run::Run;
use segno_engine::signal::Pattern;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot, watch};

/// An open run.
pub(crate) struct Live {
    /// Whose it is.
    pub(crate) tenant: TenantId,
    /// Which it is.
    pub(crate) id: RunId,
    /// The run with a number that it is, or is an iteration of.
    pub(crate) numbered: RunId,
    /// The run at the beginning of the chain, and how many are between; an
    /// iteration has those of the run with a number.
    pub(crate) family: Option<(RunId, u32)>,
    /// How many steps its workflow lets a run and all below it run at once.
    pub(crate) steps_max: Option<u32>,
    /// Whether it began before it came into memory: what is below it may be in
    /// the store alone.
    pub(crate) is_from_store: bool,
    is_over: AtomicBool,
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
    /// Guests that wait in memory for the answer of their wait.
    pub(crate) parked: HashMap<StepIndex, oneshot::Sender<Answer>>,
    /// The signals that suspended steps wait for.
    pub(crate) subscribed: HashMap<StepIndex, Vec<(String, Pattern)>>,
    /// Signals for this run that no wait has taken.
    pub(crate) inbox: Inbox,
    /// Steps that may have a journal.
    pub(crate) journaled: HashSet<StepIndex>,
    /// Whether the store takes the run for one that only waits.
    pub(crate) is_dormant: bool,
    /// Whether it ever did.
    pub(crate) was_dormant: bool,
    /// Whether the run was over before the turn that is under way.
    pub(crate) was_over: bool,
    /// Steps that have permits, or stand in line for them.
    pub(crate) permits: HashMap<StepIndex, Vec<String>>,
}

/// An attempt that was handed to the sandbox.
#[derive(Clone)]
pub(crate) struct InFlight {
    /// Which one.
    pub(crate) attempt: Attempt,
    /// Tells one guest of an attempt from the next.
    pub(crate) serial: u64,
    /// Shows how it is doing, and can end it.
    pub(crate) watch: Watch,
    /// Closed when the guest is gone.
    pub(crate) gone: watch::Receiver<()>,
    /// The guest has given up waiting and leaves memory.
    pub(crate) leaving: bool,
}

impl Live {
    pub(crate) fn new(tenant: TenantId, run: Run, records: u64, ticket: Ticket) -> Arc<Self> {
        let id = run.id();
        let (numbered, family) = match run.origin() {
            Origin::Start { .. } => (id, Some((id, 0))),
            Origin::Child { root, depth, .. } => (id, Some((*root, *depth))),
            Origin::Iteration { root, .. } => (*root, None),
        };
        Arc::new(Self {
            tenant,
            id,
            numbered,
            family,
            steps_max: run.workflow().run_step_concurrency,
            is_from_store: records > 0,
            is_over: AtomicBool::new(!run.status().is_open()),
            state: Mutex::new(LiveState {
                run,
                records,
                bytes: 0,
                ticket,
                alarm: None,
                attempts: HashMap::new(),
                parked: HashMap::new(),
                subscribed: HashMap::new(),
                inbox: Inbox::default(),
                journaled: HashSet::new(),
                is_dormant: false,
                was_dormant: false,
                was_over: false,
                permits: HashMap::new(),
            }),
            changed: Notify::new(),
        })
    }

    /// Says whether the run is over now.
    pub(crate) fn note_end(&self, run: &Run) {
        self.is_over.store(!run.status().is_open(), Ordering::SeqCst);
    }

    /// Whether the run is over, for who may not hold it: once others are told of
    /// its end, this says so.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// The state, if nobody holds it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, LiveState>> {
        self.state.try_lock().ok()
    }

    /// The state, for a moment: never held across an `await`. A panic while it
    /// was held ended that turn before its commit, so the state is as it was.
    pub(crate) fn lock(&self) -> MutexGuard<'_, LiveState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveState {
    /// The store takes the run for one that only waits.
    pub(crate) fn mark_dormant(&mut self) {
        self.is_dormant = true;
        self.was_dormant = true;
    }
}

impl InFlight {
    /// Returns when the guest is gone.
    pub(crate) async fn wait_until_gone(mut self) {
        // The sender is dropped with the guest, and never sends.
        while self.gone.changed().await.is_ok() {}
    }
}
