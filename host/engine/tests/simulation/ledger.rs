//! Goes through the rows of a finished log, commit by commit, with books of its
//! own: what was published, what each wait was given, what each call gave.

use crate::log::Commit;
use crate::play::{Answer, Ask, Request};
use crate::program::{Call, Condition, Pattern};
use crate::shelf::{Entry, Place, Row, Signal};
use crate::world::World;
use segno_engine::id::RunId;
use segno_engine::run::{Run, StepState};
use segno_engine::signal::Params;
use segno_engine::wait::Wake;
use segno_engine::workflow::StepKind;
use std::collections::{BTreeMap, BTreeSet};

/// The books.
#[derive(Default)]
pub struct Ledger {
    /// Signals to everyone, and which commit published them.
    signals: BTreeMap<(&'static str, u64), (Params, usize)>,
    /// Signals to runs that no wait has consumed.
    waiting: BTreeMap<(RunId, &'static str), BTreeSet<u64>>,
    /// Signals to runs that a wait was given.
    consumed: BTreeSet<(RunId, u64)>,
    ids: BTreeSet<u64>,
    /// Every call that was ever made, by its place, whatever became of it.
    requests: BTreeMap<(Place, u64), Request>,
    journals: BTreeMap<Place, BTreeMap<u64, Entry>>,
    /// Which commit began a wait.
    began: BTreeMap<(Place, u64), usize>,
    given: BTreeSet<(Place, u64, String, u64)>,
    /// The last signal that waits for what was published before were given.
    last_given: BTreeMap<(Place, u64, Pattern), u64>,
}

impl Ledger {
    /// Checks everything that was kept, and what the server was asked for.
    pub fn check(world: &World) {
        let mut ledger = Self::default();
        for (position, commit) in world.log.commits().iter().enumerate() {
            for row in &commit.rows {
                ledger.enter(position, commit, row);
            }
        }
        for (id, run) in &world.runs {
            check_effects(world, *id, run);
        }
    }

    fn enter(&mut self, position: usize, commit: &Commit, row: &Row) {
        match row {
            Row::Signal(Signal { name, sequence, id, params }) => {
                assert!(self.ids.insert(*id), "publication {id} was accepted twice");
                let before = self.signals.keys().filter(|(of, _)| of == name).count() as u64;
                assert_eq!(*sequence, before + 1, "the sequences of {name} have a gap");
                self.signals.insert((name, *sequence), (params.clone(), position));
            }
            Row::RunSignal(run, sequence, signal) => {
                assert!(self.ids.insert(signal.id), "publication {} was accepted twice", signal.id);
                self.waiting.entry((*run, signal.name)).or_default().insert(*sequence);
            }
            Row::RunSignalTaken(run, sequence) => self.take(commit, *run, *sequence),
            Row::Forget(place, from) => {
                let dropped = self.journals.entry(*place).or_default().split_off(from);
                let lost = dropped.values().find(|one| one.wait.is_some() && one.answer.is_some());
                assert!(lost.is_none(), "{place:?} forgot what it was given: {lost:?}");
            }
            Row::Clear(place) => {
                self.journals.remove(place);
            }
            // Lanes and permits are looked at when they change.
            Row::Strategy(..) | Row::Limit(..) => {}
            Row::Journal(place, sequence, entry) => {
                self.enter_call(position, commit, (*place, *sequence, entry));
            }
        }
    }

    /// A signal to a run is consumed by one wait, in the same commit, and in
    /// the order in which it came.
    fn take(&mut self, commit: &Commit, run: RunId, sequence: u64) {
        let takers = commit.rows.iter().filter(|row| match row {
            Row::Journal((of, _), _, entry) => match &entry.answer {
                Some(Answer::Woken(Wake::RunSignal { sequence: taken, .. }, _)) => {
                    (*of, *taken) == (run, sequence)
                }
                _ => false,
            },
            _ => false,
        });
        assert_eq!(takers.count(), 1, "signal {sequence} to {run} was not given to one wait");
        let mut queues = self.waiting.iter_mut().filter(|((to, _), _)| *to == run);
        let queue = queues.find(|(_, queue)| queue.contains(&sequence));
        let (_, queue) = queue.expect("a signal is consumed once, after it was published");
        assert_eq!(queue.pop_first(), Some(sequence), "a signal to {run} was passed over");
    }

    fn enter_call(
        &mut self,
        position: usize,
        commit: &Commit,
        (place, sequence, entry): (Place, u64, &Entry),
    ) {
        let request =
            self.requests.entry((place, sequence)).or_insert_with(|| entry.request.clone());
        assert_eq!(*request, entry.request, "{place:?} made another call at {sequence}");
        let journal = self.journals.entry(place).or_default();
        let before = journal.insert(sequence, entry.clone());
        match (&before, &entry.answer) {
            (None, None) => {
                self.began.insert((place, sequence), position);
            }
            (None, Some(answer)) => {
                self.enter_answer(position, (place, sequence, answer), &entry.request)
            }
            (Some(Entry { answer: None, wait: Some(wait), .. }), Some(answer)) => {
                let Answer::Woken(wake, _) = answer else {
                    panic!("a wait was answered with {answer:?}");
                };
                assert!(wait.expects(wake), "{wait:?} ended with {wake:?}");
                if let (Wake::Timer { .. }, Some(timer)) = (wake, wait.timer) {
                    let at = commit.records().find(|(run, _)| *run == place.0);
                    let at = at.expect("a wait ends in an event").1.at;
                    assert!(timer.until <= at, "{place:?} woke at {at:?}, too early for {timer:?}");
                }
                self.enter_answer(position, (place, sequence, answer), &entry.request);
            }
            _ => panic!("{place:?} has two answers at {sequence}: {before:?} and {entry:?}"),
        }
    }

    fn enter_answer(
        &mut self,
        position: usize,
        (place, sequence, answer): (Place, u64, &Answer),
        request: &Request,
    ) {
        let (Answer::Woken(wake, _), Request::Wait(all, _)) = (answer, request) else {
            return;
        };
        let (index, name, signal) = match wake {
            Wake::Signal { index, name, sequence } => (index, name, sequence),
            Wake::RunSignal { index, name, sequence } => {
                let wanted = all[*index as usize];
                assert!(matches!(wanted, Condition::RunSignal(of) if of == name), "{wanted:?}");
                let is_new = self.consumed.insert((place.0, *sequence));
                assert!(is_new, "{place:?} was given {name} {sequence}, which was consumed");
                return;
            }
            Wake::Timer { .. } | Wake::Run { .. } => return,
        };
        let Condition::Signal(pattern) = all[*index as usize] else {
            panic!("condition {index} of {all:?} is no signal");
        };
        assert_eq!(pattern.name, name);
        let (params, published) =
            self.signals.get(&(pattern.name, *signal)).expect("it was published before");
        assert!(pattern.tests().fits(params), "{params} does not fit {pattern:?}");
        // A step that begins from scratch may be given it again.
        let begun = sequence >> 32;
        let is_new = self.given.insert((place, begun, name.clone(), *signal));
        assert!(is_new, "{place:?} was given {name} {signal} twice");
        if pattern.only_new {
            let began = self.began[&(place, sequence)];
            assert!(began < *published && *published < position, "{name} {signal} is not new");
        } else {
            let last = self.last_given.entry((place, begun, pattern)).or_default();
            assert!(*last < *signal, "{place:?} was given {name} {signal} after {last}");
            *last = *signal;
        }
    }
}

/// A step that succeeded has had everything done that it asks for.
fn check_effects(world: &World, id: RunId, run: &Run) {
    let programs = &world.piece(&run.workflow().name).programs;
    for (place, (step, definition)) in run.steps().iter().zip(&run.body().steps).enumerate() {
        let is_call = matches!(definition.kind, StepKind::Call(_));
        // What was taken over from another run has never run here.
        let never_ran = step.attempt == 0;
        if !is_call || never_ran || !matches!(step.state, StepState::Succeeded { .. }) {
            continue;
        }
        let number: usize = definition.id[1..].parse().expect("ids are s<n>");
        let program = &programs[&number];
        assert_eq!(u64::from(step.continued), program.rounds, "step {place} of {id}");
        for round in 0..=program.rounds {
            let effects = program.calls.iter().enumerate();
            for (call, _) in effects.filter(|(_, call)| matches!(call, Call::Effect)) {
                let ask = Ask { round, place: call, reminds: false };
                assert!(
                    world.server.did(id, place as u32, ask),
                    "{ask:?} of {place} of {id} was lost"
                );
            }
        }
    }
}
