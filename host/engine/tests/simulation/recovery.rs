//! From a log to the runs: what a start of the server does.

use crate::log::Log;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, Timestamp};
use segno_engine::run::{Run, Surroundings};
use segno_engine::workflow::Workflow;
use std::collections::BTreeMap;
use std::sync::Arc;

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
        let is_child =
            matches!(&history[0].1, Event::RunCreated { origin: Origin::Child { .. }, .. });
        let workflow = if is_child { child } else { main };
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
