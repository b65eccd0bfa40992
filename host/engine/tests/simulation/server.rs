//! The service outside that steps call: it does what it is asked once for each
//! idempotency key, and remembers who asked for what.

use crate::play::{Answer, Ask};
use crate::shelf::{Place, Shelf};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::Run;
use std::collections::BTreeMap;

/// The run, the step, and the place of the call in the step's journal.
pub type IdempotencyKey = (RunId, StepIndex, u64);

/// What was asked, and how often.
#[derive(Default)]
pub struct Server {
    done: BTreeMap<IdempotencyKey, (Ask, u32)>,
    /// Which key it was done under.
    keys: BTreeMap<(RunId, StepIndex, u64, Ask), u64>,
    /// What each step had been given when it last asked.
    pasts: BTreeMap<Place, BTreeMap<u64, Answer>>,
}

impl Server {
    /// A step asks now: what made it ask must outlast every crash.
    pub fn sees(&mut self, place: Place, shelf: &Shelf) {
        let journal = shelf.journals.get(&place).into_iter().flatten();
        let given = journal.filter(|(_, entry)| entry.wait.is_some());
        let given = given.filter_map(|(sequence, entry)| Some((*sequence, entry.answer.clone()?)));
        self.pasts.insert(place, given.collect());
    }

    /// This is what there is after a crash.
    pub fn compares(&self, runs: &BTreeMap<RunId, Run>, shelf: &Shelf) {
        for ((id, step), past) in &self.pasts {
            let run = runs.get(id).unwrap_or_else(|| panic!("{id} asked, and the crash lost it"));
            let begins = run.steps()[*step as usize].sequence;
            for (sequence, answer) in past.range(begins..) {
                let kept = shelf.entry((*id, *step), *sequence).and_then(|one| one.answer.as_ref());
                assert_eq!(kept, Some(answer), "step {step} of {id} asked because of {sequence}");
            }
        }
    }

    /// Does it, if it was not done under this key, and says what it is worth.
    pub fn receive(&mut self, key: IdempotencyKey, ask: Ask) -> u64 {
        let (run, step, sequence) = key;
        let (before, count) = self.done.entry(key).or_insert((ask, 0));
        assert_eq!(*before, ask, "two requests of step {step} of {run} have key {sequence}");
        *count += 1;
        // A step that begins from scratch asks again.
        let begun = sequence >> 32;
        let first = *self.keys.entry((run, step, begun, ask)).or_insert(sequence);
        assert_eq!(first, sequence, "step {step} of {run} asked for {ask:?} under two keys");
        worth(ask.round, ask.place)
    }

    /// Whether it was done.
    pub fn did(&self, run: RunId, step: StepIndex, ask: Ask) -> bool {
        self.keys.keys().any(|(of, its, _, what)| (*of, *its, *what) == (run, step, ask))
    }

    /// How many requests came more than once.
    pub fn repeated(&self) -> u32 {
        self.done.values().filter(|(_, count)| *count > 1).count() as u32
    }
}

/// What the server answers.
pub fn worth(round: u64, place: usize) -> u64 {
    (round + 3 * place as u64) % 4
}
