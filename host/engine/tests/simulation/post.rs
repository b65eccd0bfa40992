//! How signals come to runs: they are ordered, then whoever waits for them is
//! woken, in any order and with crashes in between, after which waits that were
//! passed over catch up.

use crate::errand::Errand;
use crate::program::{ORDERS, RUN_SIGNALS, SIGNALS, params};
use crate::shelf::{Row, RunSignal, Signal};
use crate::world::{Happening, World};
use segno_engine::command::Command;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::Run;
use segno_engine::wait::{Wait, Wake};
use std::collections::BTreeSet;

/// Something that somebody wants to be published.
#[derive(Clone, Copy, Debug)]
pub struct Publication {
    /// Under the same one it is published once.
    pub id: u64,
    /// For one run, or for everyone.
    pub to: Option<RunId>,
    /// The signal's name.
    pub name: &'static str,
    /// Its param.
    pub order: Option<u32>,
}

impl World {
    /// Somebody publishes something, or one thing again.
    pub fn somebody_publishes(&mut self) {
        self.publications += 1;
        let id = self.publications;
        let open: Vec<RunId> = self.open_runs();
        let publication = match self.choices.chance(40) {
            true => {
                let name = self.choices.pick(&RUN_SIGNALS).expect("there are some");
                let Some(run) = self.choices.pick(&open) else { return };
                Publication { id, to: Some(*run), name, order: None }
            }
            false => {
                let name = self.choices.pick(&SIGNALS).expect("there are some");
                let order = self.choices.chance(90).then(|| self.choices.below(ORDERS));
                Publication { id, to: None, name, order }
            }
        };
        self.publish(publication);
    }

    /// Accepts a publication, once, and sees that it is heard.
    pub fn publish(&mut self, publication: Publication) {
        let Publication { id, to, name, order } = publication;
        if self.shelf.published(id).is_some() {
            self.witness.count("publications repeated");
            return;
        }
        let Some(run) = to else {
            self.unacknowledged.insert(id, publication);
            let (sequence, params) = (self.shelf.last_signal(name) + 1, params(order));
            let signal = Signal { name, sequence, id, params };
            let waiters = self.waiters(&signal);
            self.keep_rows(vec![Row::Signal(signal)]);
            self.errands.extend(waiters);
            return;
        };
        if self.runs.get(&run).is_none_or(|run| !run.status().is_open()) {
            self.unacknowledged.remove(&id);
            return;
        }
        self.unacknowledged.insert(id, publication);
        let sequence = self.shelf.count_to(run) + 1;
        self.keep_rows(vec![Row::RunSignal(run, sequence, RunSignal { name, id })]);
        self.errands.push_back(Errand::Look(run));
    }

    fn waiters(&self, signal: &Signal) -> Vec<Errand> {
        let suspended = self.runs.iter().flat_map(|(id, run)| waits(run).map(|w| (*id, w)));
        let fitting = suspended.filter_map(|(id, (step, wait))| {
            let fits = wait.signals.iter().find(|one| {
                one.name == signal.name
                    && one.after < signal.sequence
                    && one.pattern.fits(&signal.params)
            })?;
            let name = signal.name.to_owned();
            let wake = Wake::Signal { index: fits.index, name, sequence: signal.sequence };
            Some(Errand::Wake(id, step, wait.sequence, wake))
        });
        fitting.collect()
    }

    /// Wakes a step from a wait.
    pub fn wake(&mut self, run: RunId, (step, sequence): (StepIndex, u64), wake: Wake) {
        self.submit(run, &Command::Wake { step, sequence, wake });
    }

    /// Sees who of a run waits for what it was sent.
    pub fn look(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else { return };
        let found = waits(run).find_map(|(step, wait)| {
            let one = wait.run_signals.iter().find_map(|one| {
                let sequence = self.shelf.find_run_signal(id, &one.name)?;
                let (index, name) = (one.index, one.name.clone());
                Some(Wake::RunSignal { index, name, sequence })
            })?;
            Some((step, wait.sequence, one))
        });
        if let Some((step, sequence, wake)) = found {
            self.wake(id, (step, sequence), wake);
            self.errands.push_back(Errand::Look(id));
        }
    }

    /// After a crash: finds every wait whose signal had come before it.
    pub fn catch_up(&mut self) {
        for (id, run) in &self.runs {
            for (step, wait) in waits(run) {
                if let Some(wake) = self.overdue(wait) {
                    self.witness.overdue += 1;
                    self.errands.push_back(Errand::Wake(*id, step, wait.sequence, wake));
                }
            }
            self.errands.push_back(Errand::Look(*id));
        }
    }

    fn overdue(&self, wait: &Wait) -> Option<Wake> {
        wait.signals.iter().find_map(|one| {
            let found =
                self.shelf.find_signal((&one.name, &one.pattern), one.after, &BTreeSet::new());
            let name = one.name.clone();
            found.map(|sequence| Wake::Signal { index: one.index, name, sequence })
        })
    }

    /// Nothing moves any more: every run that is open waits for what nobody has
    /// sent. Sends something to one of them; false if none is open.
    pub fn send_what_is_missing(&mut self) -> bool {
        let mut missing = None;
        for (id, run) in &self.runs {
            for (step, wait) in waits(run) {
                assert!(wait.timer.is_none(), "step {step} of {id} overslept: {wait:?}");
                assert_eq!(self.overdue(wait), None, "step {step} of {id} was not woken");
                for one in &wait.run_signals {
                    let found = self.shelf.find_run_signal(*id, &one.name);
                    assert_eq!(found, None, "step {step} of {id} does not see its signals");
                }
                for one in &wait.runs {
                    let is_open = self.runs[&one.run].status().is_open();
                    assert!(is_open, "step {step} of {id} waits for a run that is over");
                }
                missing = missing.or_else(|| self.missing(*id, wait));
            }
        }
        let Some(mut publication) = missing else {
            return false;
        };
        self.witness.count("waits for what nobody had sent");
        self.publications += 1;
        publication.id = self.publications;
        self.publish(publication);
        true
    }

    fn missing(&self, run: RunId, wait: &Wait) -> Option<Publication> {
        let known = |all: &[&'static str], name: &str| all.iter().copied().find(|one| *one == name);
        if let Some(one) = wait.signals.first() {
            let orders = [None, Some(0), Some(1)];
            let order = orders.into_iter().find(|order| one.pattern.fits(&params(*order)))?;
            return Some(Publication { id: 0, to: None, name: known(&SIGNALS, &one.name)?, order });
        }
        let one = wait.run_signals.first()?;
        let name = known(&RUN_SIGNALS, &one.name)?;
        Some(Publication { id: 0, to: Some(run), name, order: None })
    }

    /// What nobody was told of when the process died is published again.
    pub fn publish_again(&mut self) {
        let unacknowledged: Vec<_> = self.unacknowledged.values().copied().collect();
        for publication in unacknowledged {
            if self.shelf.published(publication.id).is_none() {
                self.witness.count("publications lost");
            }
            self.some_time(Happening::SomebodyRepeats(publication));
        }
    }
}

fn waits(run: &Run) -> impl Iterator<Item = (StepIndex, &Wait)> {
    let steps = 0..run.steps().len() as StepIndex;
    steps.filter_map(|step| Some((step, run.wait_of(step)?)))
}
