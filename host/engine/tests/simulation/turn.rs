//! One turn of a run, as the driver takes it: a command is decided on, and what
//! follows is committed as a whole before anything is done about it.

use crate::log::Commit;
use crate::shelf::Row;
use crate::world::{Birth, Extra, World};
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::effect::Effect;
use segno_engine::event::{Event, Origin};
use segno_engine::id::RunId;
use segno_engine::run::{Run, StepState, Surroundings};
use segno_engine::settle::settle;
use std::sync::Arc;

impl World {
    /// Begins an iteration, which starts at once.
    pub fn begin_iteration(&mut self, id: RunId, origin: Origin, surroundings: Surroundings) {
        let Origin::Iteration { parent, .. } = &origin else { return };
        let around = &self.runs[parent];
        let (workflow, is_held) = (Arc::clone(around.workflow()), around.is_on_hold());
        let created = Event::RunCreated { workflow: workflow.name.clone(), version: 1, origin };
        let now = self.now();
        let created = Run::create(id, workflow, surroundings, (created, now));
        let (mut run, mut events) = created.expect("a run begins with its creation");
        run.set_breakpoints(Arc::clone(&self.breakpoints));
        run.set_held(is_held);
        events.extend(run.admit(now).expect("it has not begun"));
        self.runs.insert(id, run);
        self.commit(vec![(id, now, events)], Vec::new());
    }

    /// Brings a command to a run, as the driver does.
    pub fn submit(&mut self, id: RunId, command: &Command) {
        self.submit_with(id, command, Extra::default());
    }

    /// Brings a command to a run, with what belongs into the same commit.
    pub fn submit_with(&mut self, id: RunId, command: &Command, extra: Extra) {
        let now = self.now();
        let run = self.runs.get_mut(&id).expect("whoever knows the run was told by it");
        let is_awaited = awaits(run, command);
        let result = run.handle(command, now);
        if let Err(Refusal::Corrupt(corrupt)) = &result {
            panic!("{command:?}: {corrupt}");
        }
        assert!(settle(run).is_empty(), "nothing follows by itself after a turn");
        match result {
            Ok((at, events)) => {
                assert!(is_awaited, "{command:?} was accepted, and nobody waited for it");
                if !events.is_empty() {
                    let Extra { rows, mut born } = extra;
                    born.push((id, at, events));
                    self.commit(born, rows);
                }
            }
            Err(Refusal::Rejected(rejection)) => {
                assert!(extra.born.is_empty(), "{command:?} was prepared for: {rejection}");
                assert!(!is_awaited, "{command:?} was awaited: {rejection}");
                self.witness.rejections += 1;
            }
            Err(Refusal::Corrupt(_)) => {}
        }
    }

    /// Orders what happened to runs, and what else is kept of it.
    pub fn commit(&mut self, records: Vec<Birth>, mut rows: Vec<Row>) {
        for (id, _, events) in &records {
            let run = &self.runs[id];
            for effect in events.iter().flat_map(|event| run.effects_of(event)) {
                // Each may be performed twice without harm.
                for _ in 0..=u32::from(self.choices.chance(5)) {
                    self.effects.push_back((*id, effect.clone()));
                }
            }
            for event in events {
                self.witness.meets(*id, event);
                self.track_event(*id, event);
                rows.extend(self.rows_of(*id, event));
            }
        }
        for row in &rows {
            if let Row::Forget(place, from) = row {
                self.witness.sees_retry(&self.shelf, *place, *from);
            }
            self.shelf.apply(row);
        }
        self.log.append(Commit::new(&records, rows));
    }

    /// Keeps something that changes no run.
    pub fn keep_rows(&mut self, rows: Vec<Row>) {
        self.commit(Vec::new(), rows);
    }
}

/// Whether `command` answers something that is in flight for the run, or is
/// welcome anyway.
fn awaits(run: &Run, command: &Command) -> bool {
    match command {
        Command::FinishAttempt { step, attempt, .. } => {
            run.outstanding().contains(&Effect::RunAttempt { step: *step, attempt: *attempt })
        }
        Command::EndIteration { step, index, end } => {
            let wanted = run.iteration(*step, *index).map(|(id, _)| id);
            let generation = run.iteration_generation(*step, *index);
            (wanted, generation) == (Some(end.run), end.generation)
        }
        Command::Cancel { .. } | Command::Admit | Command::Replace { .. } => run.status().is_open(),
        Command::CheckDeadlines => true,
        Command::Release { step, attempt } => {
            let step = &run.steps()[*step as usize];
            matches!(step.state, StepState::Queued { .. }) && step.attempt == *attempt
        }
        Command::Hold { step, attempt, .. }
        | Command::Suspend { step, attempt, .. }
        | Command::Continue { step, attempt, .. }
        | Command::StartChild { step, attempt, .. } => run.is_running(*step, *attempt),
        Command::PutAway { step, attempt, .. } => run.is_under_way(*step, *attempt),
        Command::Wake { step, sequence, wake } => {
            run.wait_of(*step).is_some_and(|wait| wait.sequence == *sequence && wait.expects(wake))
        }
        Command::EndChild { step, end } => {
            let is_stale = end.generation < run.child_generation(end.run, *step);
            run.children().get(&end.run) == Some(step) && !is_stale
        }
        _ => true,
    }
}
