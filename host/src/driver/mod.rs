//! The driver turns the wheel: a command comes in, the engine decides, the
//! store commits, and the effects are performed. Every change of a run goes
//! through `Driver::turn`; nothing else in the host touches one.

mod alarms;
mod attempt;
mod catalog;
mod ended;
mod inspect;
mod live;
mod logs;
mod perform;
mod recover;
mod start;

pub use catalog::{Applied, ApplyError, PushError, Pushed};
pub use inspect::Snapshot;
pub use logs::LogPage;
pub use start::{StartError, StartRun, Started};

use crate::clock::Clock;
use crate::config::Limits;
use crate::sandbox::Sandbox;
use crate::store::{self, Store, Ticket, Write};
use alarms::Alarms;
use live::{Live, LiveState};
use perform::Due;
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, TenantId, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{debug, error};

/// Moves runs. Cheap to clone.
#[derive(Clone)]
pub struct Driver(Arc<Inner>);

struct Inner {
    store: Store,
    sandbox: Sandbox,
    clock: Clock,
    limits: Limits,
    live: Mutex<HashMap<RunId, Arc<Live>>>,
    ended: Mutex<ended::Ended>,
    alarms: Alarms,
    catalog: catalog::Cache,
    starts: Mutex<start::Starts>,
    stopping: AtomicBool,
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
    pub fn new(store: Store, sandbox: Sandbox, clock: Clock, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            store,
            sandbox,
            clock,
            limits,
            live: Mutex::default(),
            ended: Mutex::default(),
            alarms: Alarms::default(),
            catalog: catalog::Cache::default(),
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

    /// Stops a run. Returns when that is on stable storage; what runs inside
    /// is then being stopped.
    ///
    /// # Errors
    /// There is no such run, or it is over.
    pub async fn cancel(&self, tenant: &TenantId, run: RunId, by: &str) -> Result<(), Error> {
        let Some(live) = self.live(tenant, run) else {
            return Err(match self.snapshot(tenant, run).await? {
                Some(ended) => Error::Refused(Refusal::Rejected(ended.over())),
                None => Error::NoSuchRun(run),
            });
        };
        let ticket = self.submit(&live, &Command::Cancel { by: by.to_owned() }, Vec::new())?;
        Ok(ticket.durable().await?)
    }

    /// Ends every guest and lets no further one begin. What they did is not
    /// recorded: a restart runs those attempts again.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        let open: Vec<_> = self.lock_live().values().cloned().collect();
        for live in open {
            live.lock().attempts.values().for_each(|running| running.watch.cancel());
            live.changed.notify_waiters();
        }
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
        let (at, events) = match state.run.handle(command, self.0.clock.now()) {
            Ok(turn) => turn,
            Err(refusal) => {
                if let Refusal::Corrupt(corrupt) = &refusal {
                    error!(run = %live.id, %corrupt, "the engine contradicts itself");
                }
                // What the attempt logged is worth keeping all the same.
                if !extra.is_empty() {
                    self.0.store.commit(extra);
                }
                return Err(refusal);
            }
        };
        if events.is_empty() && extra.is_empty() {
            return Ok(state.ticket.clone());
        }
        self.record(live, &mut state, (at, events), (extra, due));
        Ok(state.ticket.clone())
    }

    /// Orders the commit of events that were already applied.
    fn record(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        (at, events): (Timestamp, Vec<Event>),
        (mut writes, due): (Vec<Write>, &mut VecDeque<Due>),
    ) {
        for event in &events {
            debug!(run = %live.id, ?event);
            let effects = state.run.effects_of(event);
            due.extend(effects.into_iter().map(|effect| Due::new(live, effect)));
        }
        if !events.is_empty() {
            let bytes = Record { at, events }.encode();
            state.bytes += bytes.len();
            writes.push(Write::event(&live.tenant, live.id, state.records, bytes));
            state.records += 1;
        }
        let over = !state.run.status().is_open();
        if over {
            writes.extend(inspect::closing_writes(&live.tenant, &state.run));
        }
        state.ticket = self.0.store.commit(writes);
        self.set_alarm(live, state);
        if over {
            self.put_away(live, state.bytes, matches!(state.run.origin(), Origin::Start { .. }));
        }
        live.changed.notify_waiters();
    }

    fn set_alarm(&self, live: &Arc<Live>, state: &mut LiveState) {
        let next = state.run.next_deadline();
        if next != state.alarm {
            self.0.alarms.replace(live.id, state.alarm, next);
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
