//! What the shell does for guests: it plays them over their journals, makes the
//! calls that are new, and keeps what they gave. A wait that does not end at
//! once suspends the attempt; nothing goes outside before all that was ordered
//! is durable.

use crate::executor::{self, Guest, Key, Phase, WALL_LIMIT_MS};
use crate::play::{Answer, Ask, Next, Play, Request};
use crate::program::Condition;
use crate::shelf::{Entry, Row};
use crate::world::{Extra, Happening, World};
use segno_engine::command::{Command, Outcome};
use segno_engine::event::{Event, Origin};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::payload::Payload;
use segno_engine::run::Run;
use segno_engine::wait::{RunSignalWait, RunWait, SignalWait, TimerWait, Wait, Wake};
use std::collections::BTreeMap;
use std::sync::Arc;

impl World {
    /// Sees that this attempt is played: afresh, or where it waits in memory.
    pub fn run_attempt(&mut self, key: Key) {
        let (id, step, attempt) = key;
        // An effect may be performed late, when the attempt waits again or is over.
        if !self.runs[&id].is_running(step, attempt) {
            return;
        }
        if let Some(guest) = self.executor.guests.get_mut(&key) {
            if guest.phase == Phase::Parked {
                guest.phase = Phase::Busy;
                self.witness.count("guests woken in memory");
                self.guest_goes_on_later(key);
            }
            return;
        }
        if !self.enter(key) {
            return;
        }
        self.sees_guest(key);
        self.witness.sees_start(key);
        let run = &self.runs[&id];
        let number = run.body().steps[step as usize].id[1..].parse().expect("ids are s<n>");
        let program = Arc::clone(&self.piece(&run.workflow().name).programs[&number]);
        let step_run = &run.steps()[step as usize];
        let input = step_run.input.as_ref().expect("it was given its input");
        let play = Play::new(number, program, input, step_run.sequence);
        let hangs = self.trouble.unreliable && self.choices.chance(5);
        let phase = if hangs { Phase::Hangs } else { Phase::Busy };
        let pace_ms = [1, 50, 5_000][self.choices.below(3) as usize];
        self.executor.guests.insert(key, Guest { play, phase, is_deaf: false, pace_ms });
        match hangs {
            true => self.later(WALL_LIMIT_MS, Happening::GuestGoesOn(key)),
            false => self.guest_goes_on_later(key),
        }
    }

    fn guest_goes_on_later(&mut self, key: Key) {
        let pace = self.executor.guests[&key].pace_ms;
        let wait = u64::from(self.choices.below(pace));
        self.later(wait, Happening::GuestGoesOn(key));
    }

    /// A guest comes to its next call that is not in its journal, or to its end.
    pub fn guest_goes_on(&mut self, key: Key) {
        let (id, step, attempt) = key;
        let Some(guest) = self.executor.guests.get_mut(&key) else {
            return;
        };
        let is_wanted = self.runs[&id].is_running(step, attempt);
        match guest.phase {
            Phase::Busy => {}
            Phase::Hangs => return self.end_guest(key, executor::hung()),
            Phase::Parked | Phase::Holds(..) | Phase::Asks => return,
        }
        if !is_wanted {
            return self.end_late_guest(key);
        }
        // Over what is recorded it is played without a pause.
        let next = loop {
            let next = guest.play.next();
            let Next::Call(request) = &next else {
                break next;
            };
            let Some(entry) = self.shelf.entry((id, step), guest.play.sequence) else {
                break next;
            };
            assert_eq!(*request, entry.request, "step {step} of {id} is played differently");
            let answer = entry.answer.as_ref().expect("only a suspended attempt has an open wait");
            guest.play.take(answer);
            self.witness.replayed += 1;
        };
        match next {
            Next::Call(_) if self.trouble.unreliable && self.choices.chance(5) => {
                let outcome = executor::misfortune(&mut self.choices);
                self.end_guest(key, outcome);
            }
            Next::Call(request) => self.call(key, request),
            Next::Continue(input) => self.continue_as_new(key, input),
            Next::Finish(output) => {
                let well = Outcome::Succeeded(output);
                let outcome = match self.trouble.unreliable {
                    true => executor::outcome(well, &mut self.choices),
                    false => well,
                };
                self.end_guest(key, outcome);
            }
        }
    }

    fn end_guest(&mut self, key: Key, outcome: Outcome) {
        let guest = self.executor.guests.remove(&key);
        self.witness.late_results += u32::from(guest.is_some_and(|guest| guest.is_deaf));
        let command = executor::finish(key, outcome);
        self.submit(key.0, &command);
        if self.choices.chance(5) {
            self.submit(key.0, &command);
        }
    }

    /// Whatever it would do now, nobody waits for it.
    fn end_late_guest(&mut self, key: Key) {
        let outcome = executor::misfortune(&mut self.choices);
        self.end_guest(key, outcome);
    }

    fn continue_as_new(&mut self, key: Key, input: Payload) {
        let (id, step, attempt) = key;
        let guest = self.executor.guests.remove(&key).expect("it was just played");
        let before = &self.runs[&id].steps()[step as usize].signals_taken;
        let mut taken: BTreeMap<String, u64> = before.iter().cloned().collect();
        for (name, sequence) in self.shelf.given((id, step)) {
            let last = taken.entry(name.to_owned()).or_default();
            *last = sequence.max(*last);
        }
        let command = Command::Continue {
            step,
            attempt,
            input,
            sequence: guest.play.sequence,
            signals_taken: taken.into_iter().collect(),
            usage: executor::usage(),
        };
        self.witness.count("steps that continued as new");
        self.submit(id, &command);
    }

    /// Makes a call that the journal does not have.
    fn call(&mut self, key: Key, request: Request) {
        match request {
            Request::Wait(ref conditions, child) => self.wait(key, (conditions, child), &request),
            Request::Effect(ask) => {
                let ordered = self.log.ordered();
                let guest = self.executor.guests.get_mut(&key).expect("it makes a call");
                guest.phase = Phase::Holds(ordered, ask);
                self.send_what_may_be_sent();
            }
            Request::StartChild => self.start_child(key),
        }
    }

    /// Asks the server for all guests whose past is durable.
    pub fn send_what_may_be_sent(&mut self) {
        for (key, sequence, ask) in self.executor.released(self.log.durable()) {
            let (id, step, attempt) = key;
            if !self.runs[&id].is_running(step, attempt) {
                self.executor.guests.remove(&key);
                continue;
            }
            self.server.sees((id, step), &self.shelf);
            let worth = self.server.receive((id, step, sequence), ask);
            let wait = u64::from(self.choices.below(200));
            self.later(wait, Happening::ServerAnswers(key, sequence, (ask, worth)));
        }
    }

    /// The answer of the server has arrived.
    pub fn server_answers(&mut self, key: Key, sequence: u64, (ask, worth): (Ask, u64)) {
        let guest = self.executor.guests.get(&key);
        if !guest.is_some_and(|guest| guest.phase == Phase::Asks && guest.play.sequence == sequence)
        {
            return;
        }
        if !self.runs[&key.0].is_running(key.1, key.2) {
            return self.end_late_guest(key);
        }
        if self.trouble.unreliable && self.choices.chance(8) {
            let outcome = executor::misfortune(&mut self.choices);
            return self.end_guest(key, outcome);
        }
        let answer = Some(Answer::Answered(worth));
        let entry = Entry { request: Request::Effect(ask), wait: None, answer };
        self.keep_rows(vec![Row::Journal((key.0, key.1), sequence, Box::new(entry.clone()))]);
        self.answer(key, entry.answer);
    }

    fn answer(&mut self, key: Key, answer: Option<Answer>) {
        let guest = self.executor.guests.get_mut(&key).expect("it made a call");
        guest.play.take(&answer.expect("the call has its answer"));
        guest.phase = Phase::Busy;
        self.guest_goes_on_later(key);
    }

    fn start_child(&mut self, key: Key) {
        let (id, step, attempt) = key;
        let sequence = self.executor.guests[&key].play.sequence;
        let child = RunId::started_by(id, step, sequence, b"child");
        let entry = Entry {
            request: Request::StartChild,
            wait: None,
            answer: Some(Answer::Started(child)),
        };
        let mut extra = Extra::default();
        extra.rows.push(Row::Journal((id, step), sequence, Box::new(entry.clone())));
        if let Some(run) = self.runs.get(&child) {
            self.witness.count("runs started again");
            let is_known = self.runs[&id].children().contains_key(&child);
            if is_known || !run.status().is_open() {
                self.keep_rows(extra.rows);
                return self.answer(key, entry.answer);
            }
        } else {
            let (origin, workflow) =
                (self.child_origin((id, step), 0), self.child.workflow.name.clone());
            extra.born.push(self.create_alone(child, &workflow, origin));
        }
        self.submit_with(id, &Command::StartChild { step, attempt, child }, extra);
        // A crash may come with any commit.
        if self.executor.guests.contains_key(&key) {
            self.answer(key, entry.answer);
        }
    }

    fn wait(
        &mut self,
        key: Key,
        (conditions, child): (&[Condition], Option<RunId>),
        request: &Request,
    ) {
        let (id, step, attempt) = key;
        let place = (id, step);
        let sequence = self.executor.guests[&key].play.sequence;
        let found = conditions.iter().enumerate().find_map(|(index, condition)| {
            self.holds_already(place, index as u32, (condition, child))
        });
        let wait = self.wait_of(place, sequence, (conditions, child));
        let request = request.clone();
        if let Some(wake) = found {
            self.witness.count("waits that were over at once");
            let mut rows = Vec::new();
            if let Wake::RunSignal { sequence, .. } = &wake {
                rows.push(Row::RunSignalTaken(id, *sequence));
            }
            let answer = Some(Answer::Woken(wake.clone(), self.ended_well(&wake)));
            let entry = Entry { request, wait: Some(wait), answer: answer.clone() };
            rows.push(Row::Journal(place, sequence, Box::new(entry)));
            self.keep_rows(rows);
            return self.answer(key, answer);
        }
        let entry = Entry { request, wait: Some(wait.clone()), answer: None };
        let rows = vec![Row::Journal(place, sequence, Box::new(entry))];
        self.submit_with(
            id,
            &Command::Suspend { step, attempt, wait },
            Extra { rows, ..Extra::default() },
        );
        if let Some(guest) = self.executor.guests.get_mut(&key) {
            guest.phase = Phase::Parked;
            let grace = [50, 2_000, 100_000][self.choices.below(3) as usize];
            let wait = u64::from(self.choices.below(grace));
            self.later(wait, Happening::GraceEnds(key, sequence));
        }
    }

    /// Whether the condition holds without any waiting.
    fn holds_already(
        &self,
        place: (RunId, StepIndex),
        index: u32,
        (condition, child): (&Condition, Option<RunId>),
    ) -> Option<Wake> {
        match condition {
            Condition::Timer(millis) => (*millis == 0).then_some(Wake::Timer { index }),
            Condition::Signal(pattern) if pattern.only_new => None,
            Condition::Signal(pattern) => {
                let name = pattern.name;
                let given = self.shelf.given(place);
                let after = self.taken_before(place, name);
                let sequence = self.shelf.find_signal((name, &pattern.tests()), after, &given)?;
                Some(Wake::Signal { index, name: name.to_owned(), sequence })
            }
            Condition::RunSignal(name) => {
                let sequence = self.shelf.find_run_signal(place.0, name)?;
                Some(Wake::RunSignal { index, name: (*name).to_owned(), sequence })
            }
            Condition::Child => {
                let run = child.expect("a run was started before");
                (!self.runs[&run].status().is_open()).then_some(Wake::Run { index, run })
            }
        }
    }

    /// The last signal of this name that the step had when it continued as new.
    fn taken_before(&self, (run, step): (RunId, StepIndex), name: &str) -> u64 {
        let taken = &self.runs[&run].steps()[step as usize].signals_taken;
        taken.iter().find(|(of, _)| of == name).map_or(0, |(_, sequence)| *sequence)
    }

    fn wait_of(
        &self,
        (run, _): (RunId, StepIndex),
        sequence: u64,
        (conditions, child): (&[Condition], Option<RunId>),
    ) -> Wait {
        let now = self.now().max(self.runs[&run].updated_at());
        let mut wait = Wait { sequence, ..Wait::default() };
        for (index, condition) in conditions.iter().enumerate() {
            let index = index as u32;
            match condition {
                Condition::Timer(millis) => {
                    let until = now.plus_ms(*millis);
                    if wait.timer.is_none_or(|timer| until < timer.until) {
                        wait.timer = Some(TimerWait { index, until });
                    }
                }
                Condition::Signal(pattern) => wait.signals.push(SignalWait {
                    index,
                    name: pattern.name.to_owned(),
                    pattern: pattern.tests(),
                    after: self.shelf.last_signal(pattern.name),
                }),
                Condition::RunSignal(name) => {
                    wait.run_signals.push(RunSignalWait { index, name: (*name).to_owned() });
                }
                Condition::Child => {
                    let run = child.expect("a run was started before");
                    wait.runs.push(RunWait { index, run });
                }
            }
        }
        wait
    }

    /// The grace of a guest that waits in memory is over.
    pub fn grace_ends(&mut self, key: Key, sequence: u64) {
        let (id, step, attempt) = key;
        let guest = self.executor.guests.get(&key);
        let waits = guest
            .is_some_and(|guest| guest.phase == Phase::Parked && guest.play.sequence == sequence);
        if !waits {
            return;
        }
        self.executor.guests.remove(&key);
        if self.runs[&id].is_under_way(step, attempt) {
            self.witness.count("guests put away");
            self.submit(id, &Command::PutAway { step, attempt, usage: executor::usage() });
        }
    }

    /// Whether the run that ended a wait ended well.
    pub fn ended_well(&self, wake: &Wake) -> bool {
        match wake {
            Wake::Run { run, .. } => self.runs[run].status().as_str() == "succeeded",
            Wake::Timer { .. } | Wake::Signal { .. } | Wake::RunSignal { .. } => false,
        }
    }

    /// What the shell keeps because of an event that was just applied.
    pub fn rows_of(&self, id: RunId, event: &Event) -> Vec<Row> {
        match event {
            Event::AttemptResumed { step, wake, .. } => {
                let (sequence, entry) =
                    self.shelf.open_wait((id, *step)).expect("whoever suspended kept the wait");
                let answer = Some(Answer::Woken(wake.clone(), self.ended_well(wake)));
                let entry = Entry { answer, ..entry.clone() };
                let taken = match wake {
                    Wake::RunSignal { sequence, .. } => Some(Row::RunSignalTaken(id, *sequence)),
                    Wake::Timer { .. } | Wake::Signal { .. } | Wake::Run { .. } => None,
                };
                [Row::Journal((id, *step), sequence, Box::new(entry))]
                    .into_iter()
                    .chain(taken)
                    .collect()
            }
            Event::AttemptStarted { step, attempt } if *attempt > 1 => {
                let place = (id, *step);
                vec![Row::Forget(place, self.shelf.kept_until(place))]
            }
            Event::StepContinued { step, .. } => vec![Row::Clear((id, *step))],
            _ => Vec::new(),
        }
    }
}

/// Whether a step started this run.
pub fn is_child(run: &Run) -> bool {
    matches!(run.origin(), Origin::Child { .. })
}
