//! From a log to the runs: what a start of the server does.

use crate::errand::Errand;
use crate::log::Log;
use crate::world::{Happening, World};
use segno_engine::effect::Effect;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, Timestamp};
use segno_engine::run::{Run, Surroundings};
use segno_engine::workflow::Workflow;
use std::collections::BTreeMap;
use std::sync::Arc;

impl World {
    /// The process dies at this moment, and starts again.
    pub fn crash(&mut self) {
        self.witness.crashes += 1;
        let lucky = self.choices.below(self.log.at_risk() as u32 + 1) as usize;
        self.log.crash(lucky);
        self.executor.crash();
        self.effects.clear();
        self.errands.clear();
        let outlasts = |happening: &Happening| {
            !matches!(
                happening,
                Happening::GuestGoesOn(_)
                    | Happening::ServerAnswers(..)
                    | Happening::GraceEnds(..)
                    | Happening::FlushEnds
                    | Happening::SignalComes(..)
                    | Happening::SignalsArePublished(..)
            )
        };
        self.future.retain(|_, happening| outlasts(happening));
        let requests = self.requests();
        self.runs = recover(&self.log, (&self.main.workflow, &self.child.workflow));
        self.shelf = self.log.shelf();
        self.tell_breakpoints();
        self.witness.compares(&self.runs, &self.shelf);
        self.server.compares(&self.runs, &self.shelf);
        let roots: Vec<RunId> = self.runs.keys().copied().collect();
        roots.into_iter().for_each(|run| self.effects.push_back((run, Effect::TellBelow)));
        self.restore_permits();
        self.restore_lanes();
        for (id, run) in &self.runs {
            for effect in run.outstanding() {
                match effect {
                    Effect::AwaitPermits { step, .. } => {
                        self.errands.push_back(Errand::StandAgain((*id, step)));
                    }
                    effect => self.effects.push_back((*id, effect)),
                }
            }
        }
        self.catch_up();
        self.publish_again();
        self.ask_again(&requests);
    }
}

/// Every run in the log, as its events left it.
pub fn recover(log: &Log, (main, child): (&Arc<Workflow>, &Arc<Workflow>)) -> BTreeMap<RunId, Run> {
    let mut histories: BTreeMap<RunId, Vec<(Timestamp, Event)>> = BTreeMap::new();
    let mut by_age = Vec::new();
    for (id, Record { at, events }) in log.read() {
        let history = histories.entry(id).or_default();
        if history.is_empty() {
            by_age.push(id);
        }
        history.extend(events.into_iter().map(|event| (at, event)));
    }
    // A parent was created before its children, so it is already there.
    let mut runs = BTreeMap::new();
    for id in by_age {
        let history = &histories[&id];
        let surroundings = surroundings(&runs, &history[0].1);
        let of_child =
            matches!(&history[0].1, Event::RunCreated { workflow, .. } if *workflow == child.name);
        let workflow = if of_child { child } else { main };
        let history = history.iter().map(|(at, event)| (*at, event));
        let run = Run::replay(id, Arc::clone(workflow), surroundings, history)
            .expect("the log holds what happened");
        runs.insert(id, run);
    }
    runs
}

fn surroundings(runs: &BTreeMap<RunId, Run>, created: &Event) -> Surroundings {
    match created {
        Event::RunCreated { origin: Origin::Iteration { parent, path, .. }, .. } => {
            let step = path.last().expect("an iteration has a foreach above it");
            runs[parent].surroundings_of(*step)
        }
        _ => Surroundings::unknown(),
    }
}
