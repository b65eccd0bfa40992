//! How runs come into being: alone or in batches, as forks of others, and again
//! when they are over. A crash may lose any of it, and who got no answer asks
//! again.

use crate::errand::Errand;
use crate::lanes::entry_of;
use crate::world::{Birth, Happening, World};
use segno_engine::command::{Command, Retry};
use segno_engine::event::{Carried, Cause, Event, Given, Origin};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, RunStatus, Surroundings};
use segno_engine::scope::Scope as _;
use segno_engine::strategy::lane::{Admission, Entry, Verdict};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Runs of one workflow that somebody starts together, under these names.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The workflow.
    pub workflow: String,
    /// What the requests are called.
    pub requests: Vec<String>,
}

impl World {
    /// What will be started, and what else people will do about runs.
    pub fn will_start(&mut self, run_count: u64) {
        let others = u64::from(self.choices.below(4));
        let mut requests = 0;
        for (workflow, mut left) in [
            (self.main.workflow.name.clone(), run_count),
            (self.child.workflow.name.clone(), others),
        ] {
            while left > 0 {
                let count = match self.choices.chance(30) {
                    true => left.min(3),
                    false => 1,
                };
                left -= count;
                let names = (requests + 1..=requests + count).map(|it| format!("request {it}"));
                requests += count;
                let batch = Batch { workflow: workflow.clone(), requests: names.collect() };
                self.batches.push(batch.clone());
                self.some_time(Happening::Start(batch));
            }
        }
        let [forks, strategies, limits] = [30, 40, 50]
            .map(|often| u32::from(self.choices.chance(often)) * (1 + self.choices.below(4)));
        (0..forks).for_each(|_| self.some_time(Happening::SomebodyForks));
        (0..strategies).for_each(|_| self.some_time(Happening::SomebodySetsStrategy));
        (0..2 * limits).for_each(|_| self.some_time(Happening::SomebodySetsLimit));
    }

    /// Somebody starts runs, unless that was done before.
    pub fn start(&mut self, batch: Batch) {
        let known = self.requests();
        let done = batch.requests.iter().filter(|request| known.contains(*request)).count();
        assert!(done == 0 || done == batch.requests.len(), "half of {batch:?} was started");
        if done > 0 {
            return;
        }
        let Batch { workflow, requests } = batch;
        let first = self.next_number(&workflow);
        let entries: Vec<Entry> = (first..first + requests.len() as u64)
            .map(|number| Entry { run: self.new_id(), number, retry: 0 })
            .collect();
        let admissions = match entries.as_slice() {
            [only] => vec![self.arrive(&workflow, *only)],
            all => self.arrive_together(&workflow, all),
        };
        let mut born = Vec::new();
        for ((by, entry), admission) in requests.into_iter().zip(&entries).zip(admissions) {
            let (number, given, cause) = (entry.number, given(1), Cause::Manual { by });
            let origin = Origin::Start { number, given, cause };
            born.push(self.create_numbered((entry.run, &workflow), origin, admission));
        }
        self.commit(born, Vec::new());
        if let Some(last) = entries.iter().rev().find(|it| self.runs[&it.run].status().is_open()) {
            self.sees_arrival(&workflow, last.run);
        }
    }

    /// The names of the requests that made runs.
    pub fn requests(&self) -> BTreeSet<String> {
        let request = |run: &Run| match run.origin() {
            Origin::Start { cause: Cause::Manual { by }, .. } => Some(by.clone()),
            _ => None,
        };
        self.runs.values().filter_map(request).collect()
    }

    /// Somebody wants a run to go on from a step of another.
    pub fn somebody_forks(&mut self) {
        let numbered = self.runs.values().filter(|run| run.origin().number().is_some());
        let numbered: Vec<RunId> = numbered.map(Run::id).collect();
        let Some(of) = self.choices.pick(&numbered).copied() else { return };
        let old = &self.runs[&of];
        let workflow = Arc::clone(old.workflow());
        let ids: Vec<&str> = workflow.body.steps.iter().map(|step| step.id.as_str()).collect();
        let from = self.choices.chance(75).then(|| self.choices.pick(&ids).copied()).flatten();
        let carried = from.map(|from| old.carried_to(&workflow, from).expect("it has the step"));
        let carried = carried.unwrap_or_default();
        if let Some(from) = from {
            check_carried(old, from, &carried);
        }
        let k = match self.choices.chance(30) {
            true => self.choices.below(3).into(),
            false => k_of(old),
        };
        self.witness.count("runs forked");
        if !carried.is_empty() {
            self.witness.count("runs forked with steps");
        }
        let (by, from) = ("somebody".to_owned(), from.unwrap_or_default().to_owned());
        let number = self.next_number(&workflow.name);
        let scheduled_at = old.run().scheduled_at;
        let cause = Cause::Fork { by, of, from, carried, scheduled_at };
        let origin = Origin::Start { number, given: given(k), cause };
        let id = self.new_id();
        self.begin_numbered(id, &workflow.name, origin);
    }

    /// Makes a run with a number that arrives alone.
    pub fn begin_numbered(&mut self, id: RunId, workflow: &str, origin: Origin) {
        let born = self.create_alone(id, workflow, origin);
        self.commit(vec![born], Vec::new());
        self.sees_arrival(workflow, id);
    }

    /// The same for the caller to commit.
    pub fn create_alone(&mut self, id: RunId, workflow: &str, origin: Origin) -> Birth {
        let number = origin.number().expect("an iteration does not arrive");
        let retry = origin.generation();
        let admission = self.arrive(workflow, Entry { run: id, number, retry });
        self.create_numbered((id, workflow), origin, admission)
    }

    fn create_numbered(
        &mut self,
        (id, workflow): (RunId, &str),
        origin: Origin,
        admission: Admission,
    ) -> Birth {
        let now = self.now();
        let piece = Arc::clone(&self.piece(workflow).workflow);
        let created = Event::RunCreated { workflow: piece.name.clone(), version: 1, origin };
        let created = Run::create(id, piece, Surroundings::unknown(), (created, now));
        let (mut run, mut events) = created.expect("a run begins with its creation");
        run.set_breakpoints(Arc::clone(&self.breakpoints));
        run.set_held(self.is_held_above(run.origin()));
        events.extend(match admission.verdict {
            Verdict::Begin => run.admit(now).expect("it has not begun"),
            Verdict::Queue => Vec::new(),
            Verdict::Refuse { by } => {
                run.handle(&Command::Replace { by }, now).expect("it has not begun").1
            }
        });
        self.replace_soon(id, &admission);
        self.runs.insert(id, run);
        (id, now, events)
    }

    /// Whether a run is paused that waits for the one with this origin.
    fn is_held_above(&self, origin: &Origin) -> bool {
        let Origin::Child { parent, step, .. } = origin else { return false };
        let around = &self.runs[parent];
        around.has_subworkflow(*step) && around.is_on_hold()
    }

    /// The run of a subworkflow, for this retry of its step, or of a guest.
    pub fn child_origin(&self, (parent, step): (RunId, StepIndex), generation: u32) -> Origin {
        let number = self.next_number(&self.child.workflow.name);
        let root = self.root_of(parent);
        let scheduled_at = self.runs[&parent].run().scheduled_at;
        let (given, depth) = (given(1), 1);
        Origin::Child { number, given, parent, step, root, depth, generation, scheduled_at }
    }

    /// The run at the beginning of the chain.
    pub fn root_of(&self, run: RunId) -> RunId {
        match self.runs[&run].origin() {
            Origin::Start { .. } => run,
            Origin::Child { root, .. } => *root,
            Origin::Iteration { root, .. } => self.root_of(*root),
        }
    }

    fn next_number(&self, workflow: &str) -> u64 {
        let of_it = self.runs.values().filter(|run| run.workflow().name == workflow);
        of_it.filter_map(|run| run.origin().number()).max().unwrap_or(0) + 1
    }

    fn new_id(&mut self) -> RunId {
        let random = u128::from(self.choices.below(u32::MAX)) << 32
            | u128::from(self.choices.below(u32::MAX));
        RunId::new(self.now(), random)
    }

    /// Lets a run go on, in its turn; false if the strategy allows no other.
    pub fn take_up_again(&mut self, id: RunId, mut retry: Retry) -> bool {
        let run = &self.runs[&id];
        let workflow = run.workflow().name.clone();
        let place = entry_of(run).filter(|_| !run.status().is_open());
        let next = |entry: Entry| retry.generation.unwrap_or(entry.retry + 1);
        let Some(entry) = place.map(|entry| Entry { retry: next(entry), ..entry }) else {
            self.submit(id, &Command::Retry(Box::new(retry)));
            return true;
        };
        let admission = self.arrive(&workflow, entry);
        match admission.verdict {
            Verdict::Begin => {}
            Verdict::Queue => retry.queued = true,
            Verdict::Refuse { .. } => return false,
        }
        self.witness.count("runs that arrived again");
        self.submit(id, &Command::Retry(Box::new(retry)));
        let run = &self.runs[&id];
        assert_eq!(entry_of(run), Some(entry), "the run goes on as it arrived");
        assert_eq!(run.status() != &RunStatus::Queued, admission.verdict == Verdict::Begin);
        if admission.verdict == Verdict::Begin {
            self.sees_begin(&self.runs[&id]);
        }
        self.replace_soon(id, &admission);
        self.sees_arrival(&workflow, id);
        self.errands.push_back(Errand::Admit(workflow));
        true
    }

    /// After a crash: whoever started runs and got no answer asks again.
    pub fn ask_again(&mut self, before: &BTreeSet<String>) {
        let known = self.requests();
        let lost = |batch: &&Batch| {
            let first = &batch.requests[0];
            before.contains(first) && !known.contains(first)
        };
        let lost: Vec<Batch> = self.batches.iter().filter(lost).cloned().collect();
        for batch in lost {
            self.witness.count("starts lost");
            self.some_time(Happening::Start(batch));
        }
    }
}

/// What is taken over is what was complete and stands on nothing that runs again;
/// and all of that is.
fn check_carried(old: &Run, from: &str, carried: &[Carried]) {
    let taken: BTreeSet<StepIndex> = carried.iter().map(|one| one.step).collect();
    let steps = old.body().steps.iter().zip(old.steps());
    for (place, (definition, step)) in steps.enumerate() {
        let stands = definition.needs.iter().all(|need| taken.contains(&need.step));
        let expected = definition.id != from && step.state.is_complete() && stands;
        let is_taken = taken.contains(&(place as StepIndex));
        assert_eq!(is_taken, expected, "{} from {from} of {}", definition.id, old.id());
    }
}

/// The param of a run; an iteration has that of its run.
pub fn k_of(run: &Run) -> u64 {
    let given = run.given().expect("it is no iteration");
    given.params.value()["k"].as_u64().expect("it is a number")
}

fn given(k: u64) -> Given {
    Given::params(Payload::from(json!({ "k": k })))
}
