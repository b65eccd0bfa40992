//! After a restart: every open run is folded from its events, and what is
//! outstanding for it is put in flight again. Nothing else is remembered.

use super::dormant::Dormant;
use super::lanes::{Found, Place};
use super::{Driver, Due, inspect};
use crate::crash;
use crate::store;
use segno_engine::event::Event;
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::Surroundings;
use std::collections::VecDeque;
use tracing::{error, info};

impl Driver {
    /// Takes up everything that was under way, and begins to keep deadlines.
    /// Returns the number of runs that go on.
    ///
    /// # Errors
    /// The store cannot be read. A single run that cannot be read is reported
    /// in the log and left as it is.
    pub fn recover(&self) -> Result<usize, store::Error> {
        self.restore_triggers()?;
        let mut due = VecDeque::new();
        let (mut count, mut dormant) = (0, 0);
        let mut failure = None;
        let mut parents = Vec::new();
        let mut found = Found::default();
        self.0.store.open_runs(|tenant, run, bytes| {
            if let Some(known) = Dormant::decode(&bytes) {
                dormant += 1;
                if known.has_children {
                    parents.push((tenant.clone(), run));
                }
                self.0.alarms.replace((tenant, run), None, known.alarm);
                if let Some(place) = &known.place {
                    found.add(tenant, run, place);
                }
                let held = self.hold_dormant(tenant, run, &known.permits);
                let resubscribed = self.resubscribe(tenant, known.waiters(run));
                failure = failure.take().or(held.err()).or(resubscribed.err());
                return;
            }
            match self.take_up(tenant, run) {
                Ok(effects) => {
                    count += 1;
                    if let Some(place) =
                        self.live(tenant, run).and_then(|live| Place::of(&live.lock().run))
                    {
                        found.add(tenant, run, &place);
                    }
                    due.extend(effects);
                }
                Err(reason) => error!(%tenant, %run, reason, "an open run cannot be taken up"),
            }
        })?;
        failure.map_or(Ok(()), Err)?;
        if count + dormant > 0 {
            info!(runs = count, waiting = dormant, "open runs go on");
        }
        crash::point("runs taken up");
        // What was to run asks for its permits before anybody else does.
        for (live, step) in due.iter().filter_map(Due::attempt_again) {
            self.ask_again(live, step);
        }
        self.restore_lanes(found, &mut due)?;
        self.perform(due);
        self.look_after_children(parents)?;
        crash::point("effects begun again");
        self.catch_up_signals()?;
        self.restore_schedules()?;
        self.catch_up_triggers();
        self.spawn_alarms();
        Ok(count + dormant)
    }

    /// Runs that a step started may have ended without anybody telling it. Now
    /// that whoever loops is in memory, iterations can be loaded, too.
    fn look_after_children(&self, parents: Vec<(TenantId, RunId)>) -> Result<(), store::Error> {
        let mut due = VecDeque::new();
        for (tenant, run) in parents {
            match self.load(&tenant, run, &mut due) {
                Ok(Some(live)) => {
                    let effects = live.lock().run.outstanding();
                    let effects = effects.into_iter().map(|effect| Due::outstanding(&live, effect));
                    due.extend(effects.filter(Due::is_known_while_dormant));
                }
                Ok(None) => {}
                Err(error) => self.cannot_wake(run, &error),
            }
        }
        self.perform(due);
        Ok(())
    }

    fn take_up(&self, tenant: &TenantId, run: RunId) -> Result<Vec<Due>, String> {
        let history = inspect::history(&self.0.store, tenant, run).map_err(|e| e.to_string())?;
        let created = history.first().and_then(|record| record.events.first());
        let Some(Event::RunCreated { workflow, version, .. }) = created else {
            return Err("its history does not begin with its start".to_owned());
        };
        let found = self.workflow(tenant, workflow, *version).map_err(|e| e.to_string())?;
        let workflow =
            found.ok_or_else(|| format!("version {version} of workflow {workflow} is gone"))?;
        let folded = inspect::fold(run, workflow, Surroundings::unknown(), &history)
            .map_err(|corrupt| corrupt.to_string())?;
        self.resubscribe(tenant, Dormant::waiters_of(&folded)).map_err(|e| e.to_string())?;
        let adopted = self.adopt(tenant, folded, history.len() as u64, false);
        Ok(adopted.map_err(|error| error.to_string())?.1)
    }

    #[expect(clippy::disallowed_methods, reason = "they are tasks of their own")]
    fn spawn_alarms(&self) {
        tokio::spawn(self.clone().watch_alarms());
        tokio::spawn(self.clone().watch_schedules());
        tokio::spawn(self.clone().watch_expiry());
    }
}
