//! A shell around the engine in one thread, with the same duties as the real
//! driver: it commits before it acts, goes on as soon as a commit is ordered,
//! wakes runs at their deadlines, and after a crash takes up what is
//! outstanding. Time, luck and trouble come from the dice.

use crate::executor::{Executor, Key};
use crate::log::Log;
use crate::picture::Picture;
use crate::plan::Choices;
use crate::recovery::recover;
use crate::witness::Witness;
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::effect::Effect;
use segno_engine::event::{Event, IterationResult, Origin, Record};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, Surroundings};
use segno_engine::settle::settle;
use segno_engine::workflow::Workflow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// When the simulation begins, on its clock.
const START: Timestamp = Timestamp(1_700_000_000_000);

/// A run that takes longer than this has got stuck.
const TIME_MAX_MS: u64 = 7 * 24 * 3_600_000;

/// More happenings than this mean that something goes round in circles.
const HAPPENINGS_MAX: u64 = 200_000;

/// How bad it may get.
#[derive(Clone, Copy)]
pub struct Trouble {
    /// Whether guests fail and people cancel.
    pub unreliable: bool,
    /// How often the process dies.
    pub crashes: u32,
    /// How often the clock jumps.
    pub clock_jumps: u32,
}

/// Everything there is.
pub struct World {
    choices: Choices,
    trouble: Trouble,
    workflow: Arc<Workflow>,
    elapsed_ms: u64,
    skew_ms: i64,
    future: BTreeMap<(u64, u64), Happening>,
    happenings: u64,
    /// What was committed.
    pub log: Log,
    /// The runs in memory.
    pub runs: BTreeMap<RunId, Run>,
    /// What was seen from outside.
    pub witness: Witness,
    executor: Executor,
    effects: VecDeque<(RunId, Effect)>,
}

enum Happening {
    StartRun(u64),
    GuestEnds(Key),
    FlushEnds,
    Crash,
    ClockJumps,
    SomebodyCancels,
    SomebodyLooks,
}

impl World {
    /// A world in which `run_count` runs of `workflow` will be started.
    pub fn new(
        workflow: Arc<Workflow>,
        run_count: u64,
        trouble: Trouble,
        choices: Choices,
    ) -> Self {
        let mut world = Self {
            choices,
            trouble,
            workflow,
            elapsed_ms: 0,
            skew_ms: 0,
            future: BTreeMap::new(),
            happenings: 0,
            log: Log::default(),
            runs: BTreeMap::new(),
            witness: Witness::default(),
            executor: Executor::default(),
            effects: VecDeque::new(),
        };
        (1..=run_count).for_each(|number| world.some_time(Happening::StartRun(number)));
        (0..trouble.crashes).for_each(|_| world.some_time(Happening::Crash));
        (0..trouble.clock_jumps).for_each(|_| world.some_time(Happening::ClockJumps));
        (0..3).for_each(|_| world.some_time(Happening::SomebodyLooks));
        if trouble.unreliable && world.choices.chance(40) {
            world.some_time(Happening::SomebodyCancels);
        }
        world
    }

    /// Lets everything happen until nothing more can.
    pub fn run(&mut self) {
        loop {
            self.perform_effects();
            if self.log.start_flush() {
                let wait = u64::from(self.choices.below(20));
                self.later(wait, Happening::FlushEnds);
            }
            if !self.go_on() {
                break;
            }
            assert!(self.elapsed_ms < TIME_MAX_MS, "a run got stuck");
            assert!(self.happenings < HAPPENINGS_MAX, "something goes round in circles");
        }
        assert_eq!(self.log.at_risk(), 0, "all is durable in the end");
        for run in self.runs.values() {
            assert!(!run.status().is_open(), "nothing will move {:#?}", Picture::of(run));
        }
    }

    /// Advances to the next happening or alarm; false if there is none.
    fn go_on(&mut self) -> bool {
        let deadline = |(id, run): (&RunId, &Run)| Some((run.next_deadline()?, *id));
        let alarm = self.runs.iter().filter_map(deadline).min();
        let alarm = alarm.map(|(at, run)| (self.elapsed_at(at), run));
        let next = self.future.first_key_value().map(|((at, _), _)| *at);
        match (alarm, next) {
            (Some((at, run)), next) if next.is_none_or(|next| at < next) => {
                self.elapsed_ms = at;
                self.happenings += 1;
                self.submit(run, &Command::CheckDeadlines);
            }
            (_, Some(_)) => {
                let ((at, _), happening) = self.future.pop_first().expect("it is there");
                self.elapsed_ms = at;
                self.happen(happening);
            }
            _ => return false,
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::StartRun(number) => self.start_run(number),
            Happening::GuestEnds(key) => self.end_guest(key),
            Happening::FlushEnds => {
                let durable = self.log.end_flush();
                durable.iter().for_each(|(run, record)| self.witness.sees(*run, record));
            }
            Happening::Crash => self.crash(),
            Happening::ClockJumps => {
                let reach = [1_000, 60_000, 7_200_000][self.choices.below(3) as usize];
                self.skew_ms += i64::from(self.choices.below(2 * reach)) - i64::from(reach);
            }
            Happening::SomebodyCancels => self.cancel_something(),
            Happening::SomebodyLooks => {
                let all: Vec<RunId> = self.runs.keys().copied().collect();
                all.iter().for_each(|run| self.submit(*run, &Command::CheckDeadlines));
            }
        }
    }

    fn start_run(&mut self, number: u64) {
        let random = u128::from(self.choices.below(u32::MAX)) << 8 | u128::from(number);
        let id = RunId::new(self.now(), random);
        let params = Payload::parse(r#"{"k":1}"#).expect("it is JSON");
        let origin = Origin::Start { number, params };
        self.begin(id, origin, Surroundings::unknown());
    }

    fn begin(&mut self, id: RunId, origin: Origin, surroundings: Surroundings) {
        let created = Event::RunCreated { workflow: "random".to_owned(), version: 1, origin };
        let now = self.now();
        let (run, events) = Run::begin(id, Arc::clone(&self.workflow), surroundings, created, now)
            .expect("a run begins with its creation");
        self.runs.insert(id, run);
        self.commit(id, now, events);
    }

    /// Brings a command to a run, as the driver does.
    fn submit(&mut self, id: RunId, command: &Command) {
        let now = self.now();
        let run = self.runs.get_mut(&id).expect("whoever knows the run was told by it");
        let is_awaited = awaits(run, command);
        let result = run.handle(command, now);
        assert!(settle(run).is_empty(), "nothing follows by itself after a turn");
        match result {
            Ok((at, events)) => {
                assert!(is_awaited, "{command:?} was accepted, and nobody waited for it");
                if !events.is_empty() {
                    self.commit(id, at, events);
                }
            }
            Err(Refusal::Rejected(rejection)) => {
                assert!(!is_awaited, "{command:?} was awaited: {rejection}");
                self.witness.rejections += 1;
            }
            Err(Refusal::Corrupt(corrupt)) => panic!("{command:?}: {corrupt}"),
        }
    }

    fn commit(&mut self, id: RunId, at: Timestamp, events: Vec<Event>) {
        let run = &self.runs[&id];
        for effect in events.iter().flat_map(|event| run.effects_of(event)) {
            // Each may be performed twice without harm.
            for _ in 0..=u32::from(self.choices.chance(5)) {
                self.effects.push_back((id, effect.clone()));
            }
        }
        self.log.append(id, &Record { at, events });
    }

    /// Performs what is due. Runs overtake each other; effects of one run don't.
    fn perform_effects(&mut self) {
        while !self.effects.is_empty() {
            let chosen = self.choices.below(self.effects.len() as u32) as usize;
            let run = self.effects[chosen].0;
            let first = self.effects.iter().position(|(of, _)| *of == run).unwrap_or(chosen);
            let (run, effect) = self.effects.remove(first).expect("it was just found");
            self.perform(run, effect);
            if self.trouble.crashes > 0 && self.choices.below(400) == 1 {
                self.crash();
            }
        }
    }

    fn perform(&mut self, id: RunId, effect: Effect) {
        match effect {
            Effect::RunAttempt { step, attempt } => self.run_attempt((id, step, attempt)),
            Effect::AbortAttempt { step, attempt } => {
                self.executor.abort((id, step, attempt), &mut self.choices);
            }
            Effect::StartIteration { step, index } => self.start_iteration(id, step, index),
            Effect::CancelIteration { step, index } => self.cancel_iteration(id, step, index),
            Effect::ReportEnd { parent, step, index, result } => {
                self.submit(parent, &Command::EndIteration { step, index, result });
            }
        }
    }

    fn run_attempt(&mut self, key: Key) {
        let (id, step, _) = key;
        self.witness.sees_start(key);
        let run = &self.runs[&id];
        let number = run.body().steps[step as usize].id[1..].parse().expect("ids are s<n>");
        let input = run.steps()[step as usize].input.as_ref().expect("it was given its input");
        let unreliable = self.trouble.unreliable;
        let guest = self.executor.start(key, (number, input), unreliable, &mut self.choices);
        if let Some(takes) = guest {
            self.later(takes, Happening::GuestEnds(key));
        }
    }

    fn end_guest(&mut self, key: Key) {
        let is_awaited = self.executor.is_awaited(key);
        let Some(command) = self.executor.finish(key) else {
            return;
        };
        self.witness.late_results += u32::from(!is_awaited);
        self.submit(key.0, &command);
        if self.choices.chance(5) {
            self.submit(key.0, &command);
        }
    }

    fn start_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = RunId::child(parent, step, index);
        if let Some(result) = self.runs.get(&child).map(Run::iteration_result) {
            self.report(parent, (step, index), result);
            return;
        }
        let around = &self.runs[&parent];
        if let Some((child, origin)) = around.iteration(step, index) {
            let surroundings = around.surroundings_of(step);
            self.begin(child, origin, surroundings);
        }
    }

    fn cancel_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = RunId::child(parent, step, index);
        let result = match self.runs.get(&child) {
            None => Some(IterationResult::Cancelled),
            Some(run) => run.iteration_result(),
        };
        match result {
            None => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
            result => self.report(parent, (step, index), result),
        }
    }

    fn report(
        &mut self,
        parent: RunId,
        (step, index): (StepIndex, u32),
        result: Option<IterationResult>,
    ) {
        if let Some(result) = result {
            self.submit(parent, &Command::EndIteration { step, index, result });
        }
    }

    fn cancel_something(&mut self) {
        let open = self.runs.iter().filter(|(_, run)| run.status().is_open());
        let open: Vec<RunId> = open.map(|(id, _)| *id).collect();
        if let Some(id) = self.choices.pick(&open) {
            self.submit(*id, &Command::Cancel { by: "somebody".to_owned() });
        }
    }

    /// The process dies at this moment, and starts again.
    fn crash(&mut self) {
        self.witness.crashes += 1;
        let lucky = self.choices.below(self.log.at_risk() as u32 + 1) as usize;
        self.log.crash(lucky);
        self.executor.crash();
        self.effects.clear();
        let outlasts = |happening: &Happening| {
            !matches!(happening, Happening::GuestEnds(_) | Happening::FlushEnds)
        };
        self.future.retain(|_, happening| outlasts(happening));
        let before = std::mem::replace(&mut self.runs, recover(&self.log, &self.workflow));
        self.witness.compares(&self.runs);
        for (id, run) in &self.runs {
            self.effects.extend(run.outstanding().into_iter().map(|effect| (*id, effect)));
        }
        // Whoever started a run and got no answer asks again.
        let lost = before.into_iter().filter(|(id, _)| !self.runs.contains_key(id));
        let number = |run: Run| match run.origin() {
            Origin::Start { number, .. } => Some(*number),
            Origin::Iteration { .. } => None,
        };
        let unanswered: Vec<u64> = lost.filter_map(|(_, run)| number(run)).collect();
        unanswered.into_iter().for_each(|number| self.some_time(Happening::StartRun(number)));
    }

    fn some_time(&mut self, happening: Happening) {
        let within = [10, 1_000, 30_000][self.choices.below(3) as usize];
        let wait = u64::from(self.choices.below(within));
        self.later(wait, happening);
    }

    fn later(&mut self, wait_ms: u64, happening: Happening) {
        self.happenings += 1;
        self.future.insert((self.elapsed_ms + wait_ms, self.happenings), happening);
    }

    /// What the clock on the wall shows, which may be wrong.
    fn now(&self) -> Timestamp {
        Timestamp((START.0 + self.elapsed_ms).saturating_add_signed(self.skew_ms))
    }

    /// When the clock on the wall will show `at`, if it doesn't jump before.
    fn elapsed_at(&self, at: Timestamp) -> u64 {
        self.elapsed_ms + at.since(self.now())
    }
}

/// Whether `command` answers something that is in flight for the run, or is
/// welcome anyway.
fn awaits(run: &Run, command: &Command) -> bool {
    match command {
        Command::FinishAttempt { step, attempt, .. } => {
            run.outstanding().contains(&Effect::RunAttempt { step: *step, attempt: *attempt })
        }
        Command::EndIteration { step, index, .. } => {
            let (step, index) = (*step, *index);
            let outstanding = run.outstanding();
            outstanding.contains(&Effect::StartIteration { step, index })
                || outstanding.contains(&Effect::CancelIteration { step, index })
        }
        Command::Cancel { .. } => run.status().is_open(),
        Command::CheckDeadlines => true,
    }
}
