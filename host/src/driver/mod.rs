//! The driver turns the wheel: a command comes in, the engine decides, the
//! store commits, and the effects are performed. Every change of a run goes
//! through `Driver::turn`; nothing else in the host touches one.

mod actions;
mod alarms;
mod ancestors;
mod attempt;
mod batch;
mod beginning;
mod catalog;
mod children;
mod dormant;
mod durable;
mod ended;
mod families;
mod fork;
mod hold;
mod inbox;
mod inspect;
mod iterations;
mod journal;
mod lanes;
mod limits;
mod lineage;
mod live;
mod located;
mod logs;
mod perform;
mod permits;
mod publishing;
mod recover;
mod retry;
mod rollup;
mod schedules;
mod secrets;
mod signals;
mod start;
mod subworkflow;
mod triggers;
mod version;
mod wait;
mod wake;
mod webhooks;
mod wish;

pub use actions::{ActionError, RunAction};
pub use batch::BATCH_MAX;
pub use catalog::{
    Applied, Apply, ApplyError, BreakpointError, PropertiesChange, PushError, Pushed, Selected,
    TagError, WorkflowError,
};
pub use fork::ForkRun;
pub use inbox::{RunSignal, SignalRunError, WaitpointError};
pub use inspect::Snapshot;
pub use journal::Called;
pub use lineage::{LINEAGE_DEPTH_MAX, LINEAGE_RUNS_MAX, Lineage, Link, Source, SourceSignal};
pub use located::Located;
pub use logs::LogPage;
pub use retry::RetryRun;
pub use schedules::{
    BACKFILL_INSTANTS_MAX, BackfillAction, NewBackfill, NewSchedule, ScheduleError,
    identity as schedule_identity, run_of as run_of_schedule,
};
pub use secrets::SecretError;
pub use signals::{Publish, PublishError, Published, SIGNAL_RETENTION_MS};
pub use start::{Before, StartError, StartRun, Started};
pub use version::VersionSelector;
pub use webhooks::{
    Admitted, Delivered, DeliveryError, Hook, Incoming, WEBHOOK_BYTES_MAX, WebhookError,
};

use crate::clock::Clock;
use crate::config::Limits;
use crate::egress::{Egress, Vault};
use crate::sandbox::{Answer, Sandbox};
use crate::store::{self, Store, Ticket, Write};
use alarms::Alarms;
use lanes::Place;
use live::{Live, LiveState};
use perform::Due;
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::event::{Event, Record};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::run::RunStatus;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{debug, error};

/// Moves runs. Cheap to clone.
#[derive(Clone)]
pub struct Driver(Arc<Inner>);

/// What lies beyond the host, and how long a guest waits for it in memory.
pub struct Outside {
    /// The way out.
    pub egress: Egress,
    /// Keeps secrets.
    pub vault: Vault,
    /// Where others reach the API, without a `/` at the end.
    pub public_url: String,
    /// How long a guest that waits stays in memory at most.
    pub grace: Duration,
}

struct Inner {
    store: Store,
    sandbox: Sandbox,
    clock: Clock,
    limits: Limits,
    live: Mutex<HashMap<RunId, Arc<Live>>>,
    ended: Mutex<ended::Ended>,
    alarms: Alarms,
    signals: signals::Signals,
    schedules: schedules::Schedules,
    triggers: triggers::Triggers,
    webhooks: webhooks::Webhooks,
    families: families::Families,
    outside: Outside,
    loading: Mutex<()>,
    /// Who tells runs whether they are held.
    telling: Mutex<()>,
    catalog: catalog::Cache,
    gates: permits::Gates,
    breakpoints: hold::Breakpoints,
    starts: Mutex<start::Starts>,
    stopping: AtomicBool,
}

/// What comes with a turn.
#[derive(Default)]
struct Extra {
    /// Written in the same commit.
    writes: Vec<Write>,
    /// What a step that is resumed gets; only a timer needs none.
    answer: Option<Answer>,
}

/// Why a run could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such run in this tenant.
    #[error("there is no run {0} in this tenant; `segno run list` shows what there is")]
    NoSuchRun(RunId),
    /// The engine says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// A driver of everything in `store`. It moves nothing before `recover`.
    pub fn new(
        (store, sandbox): (Store, Sandbox),
        clock: Clock,
        limits: Limits,
        outside: Outside,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            sandbox,
            clock,
            limits,
            live: Mutex::default(),
            ended: Mutex::default(),
            alarms: Alarms::default(),
            signals: signals::Signals::default(),
            schedules: schedules::Schedules::default(),
            triggers: triggers::Triggers::default(),
            webhooks: webhooks::Webhooks::default(),
            families: families::Families::default(),
            outside,
            loading: Mutex::default(),
            telling: Mutex::default(),
            catalog: catalog::Cache::default(),
            gates: permits::Gates::default(),
            breakpoints: hold::Breakpoints::default(),
            starts: Mutex::default(),
            stopping: AtomicBool::new(false),
        }))
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    /// The clock that the runs go by.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ends every guest and lets no further one begin. What they did is not
    /// recorded: a restart runs those attempts again.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        self.0.alarms.look();
        self.look_at_schedules();
        self.look_at_expiry();
        self.write_delivery_counts();
        let open: Vec<_> = self.lock_live().values().cloned().collect();
        for live in open {
            live.lock().attempts.values().for_each(|running| running.watch.cancel());
            live.changed.notify_waiters();
        }
    }

    /// How many runs are in memory.
    pub fn runs_in_memory(&self) -> usize {
        self.lock_live().len()
    }

    /// Whether a run is in memory: one that only waits is not, and one that is
    /// over is for a while.
    pub fn is_in_memory(&self, tenant: &TenantId, run: RunId) -> bool {
        self.lock_live().get(&run).is_some_and(|live| live.tenant == *tenant)
    }

    /// Whether the host is about to end: nobody should wait for a run any more.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// One turn and everything that follows from it inside this process.
    fn submit(
        &self,
        live: &Arc<Live>,
        command: &Command,
        extra: Vec<Write>,
    ) -> Result<Ticket, Refusal> {
        let mut due = VecDeque::new();
        let ticket = self.turn(live, command, extra, &mut due)?;
        self.perform(due);
        Ok(ticket)
    }

    /// One turn: decide, apply, commit. What has to be done then is added to
    /// `due`; it may be done at once, because nothing of it leaves the process
    /// before the commit is durable. `extra` is written in the same commit.
    fn turn(
        &self,
        live: &Arc<Live>,
        command: &Command,
        extra: Vec<Write>,
        due: &mut VecDeque<Due>,
    ) -> Result<Ticket, Refusal> {
        let mut state = live.lock();
        let extra = Extra { writes: extra, ..Extra::default() };
        match self.turn_locked(live, &mut state, (command, extra), due) {
            Ok(()) => Ok(state.ticket.clone()),
            Err((refusal, extra)) => {
                // What the attempt logged is worth keeping all the same.
                if !extra.is_empty() {
                    self.0.store.commit(extra);
                }
                Err(refusal)
            }
        }
    }

    /// A turn by someone who holds the run. Gives the extra writes back with a
    /// refusal: nothing has happened then.
    fn turn_locked(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        (command, extra): (&Command, Extra),
        due: &mut VecDeque<Due>,
    ) -> Result<(), (Refusal, Vec<Write>)> {
        state.was_over = !state.run.status().is_open();
        let (at, events) = match state.run.handle(command, self.0.clock.now()) {
            Ok(turn) => turn,
            Err(refusal) => {
                if let Refusal::Corrupt(corrupt) = &refusal {
                    error!(run = %live.id, %corrupt, "the engine contradicts itself");
                }
                return Err((refusal, extra.writes));
            }
        };
        if !(events.is_empty() && extra.writes.is_empty()) {
            self.record(live, state, (at, events), (extra, due));
        }
        Ok(())
    }

    /// Orders the commit of events that were already applied.
    fn record(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        (at, events): (Timestamp, Vec<Event>),
        (extra, due): (Extra, &mut VecDeque<Due>),
    ) {
        let writes = self.write_up(live, state, (at, events), (extra, due));
        let ticket = self.0.store.commit(writes);
        self.committed(live, state, ticket);
    }

    /// What has to be written for events that were already applied.
    fn write_up(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        (at, events): (Timestamp, Vec<Event>),
        (extra, due): (Extra, &mut VecDeque<Due>),
    ) -> Vec<Write> {
        let Extra { mut writes, mut answer } = extra;
        for event in &events {
            debug!(run = %live.id, ?event);
            self.end_waits(live, state, event, due);
            writes.extend(inspect::rows_of(live, state, event));
            match event {
                Event::AttemptResumed { step, attempt, wake } => {
                    let answer = answer.take().unwrap_or_else(|| wait::answer_of(wake));
                    writes.push(journal::answer_row(live, (*step, state), &answer));
                    due.push_back(Due::resume(live, (*step, *attempt), state, answer));
                }
                _ => {
                    let effects = state.run.effects_of(event);
                    due.extend(effects.into_iter().map(|effect| Due::new(live, effect)));
                }
            }
        }
        let is_end = |event: &Event| {
            matches!(
                event,
                Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped
            )
        };
        let ends = events.iter().any(is_end);
        if !events.is_empty() {
            let bytes = Record { at, events }.encode();
            state.bytes += bytes.len();
            writes.push(Write::event(&live.tenant, live.id, state.records, bytes));
            state.records += 1;
        }
        if std::mem::take(&mut state.is_dormant) {
            writes.push(dormant::awake(&live.tenant, &state.run));
        }
        if ends {
            writes.extend(inspect::closing_writes(&live.tenant, &state.run));
            if let Some(place) = Place::of(&state.run) {
                let failed = matches!(state.run.status(), RunStatus::Failed { .. });
                due.push_back(Due::left(live, place, failed));
            }
        }
        live.note_end(&state.run);
        permits::note_free(live, state, due);
        writes
    }

    /// What follows once a change of a run is ordered.
    fn committed(&self, live: &Arc<Live>, state: &mut LiveState, ticket: Ticket) {
        state.ticket = ticket;
        self.set_alarm(live, state);
        if !state.run.status().is_open() {
            if !state.was_over {
                self.0.families.ended(state.run.origin());
                self.note_schedule_end(live, state);
            }
            // Whoever looks for a run in the store must not find it open.
            let keep = state.run.origin().number().is_some() || state.was_dormant;
            self.put_away(live, state.bytes, keep);
        }
        live.changed.notify_waiters();
    }

    fn set_alarm(&self, live: &Arc<Live>, state: &mut LiveState) {
        let next = state.run.next_deadline();
        if next != state.alarm {
            self.0.alarms.replace((&live.tenant, live.id), state.alarm, next);
            state.alarm = next;
        }
    }

    fn live(&self, tenant: &TenantId, run: RunId) -> Option<Arc<Live>> {
        self.lock_live().get(&run).filter(|live| live.tenant == *tenant).cloned()
    }

    fn lock_live(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<Live>>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
