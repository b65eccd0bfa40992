//! A shell around the engine in one thread, with the same duties as the real
//! driver: it commits before it acts, goes on as soon as a commit is ordered,
//! wakes runs at their deadlines, and after a crash takes up what is
//! outstanding. Time, luck and trouble come from the dice.

use crate::executor::{Executor, Key};
use crate::log::{Commit, Log};
use crate::picture::Picture;
use crate::plan::Choices;
use crate::play::Ask;
use crate::post::{Errand, Publication};
use crate::program::Programs;
use crate::recovery::recover;
use crate::server::Server;
use crate::shelf::{Row, Shelf};
use crate::witness::Witness;
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::effect::Effect;
use segno_engine::event::{Cause, Event, Given, Origin};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, Surroundings};
use segno_engine::settle::settle;
use segno_engine::workflow::Workflow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// When the simulation begins, on its clock.
const START: Timestamp = Timestamp(1_700_000_000_000);

/// A run that takes longer than this has got stuck.
const TIME_MAX_MS: u64 = 14 * 24 * 3_600_000;

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

/// A workflow and what its steps do.
#[derive(Clone)]
pub struct Piece {
    /// The workflow.
    pub workflow: Arc<Workflow>,
    /// The programs of its steps.
    pub programs: Programs,
}

/// What is committed together with a turn of a run.
#[derive(Default)]
pub struct Extra {
    /// What else is kept.
    pub rows: Vec<Row>,
    /// Runs that begin.
    pub born: Vec<Birth>,
}

/// A run that has just begun.
pub type Birth = (RunId, Timestamp, Vec<Event>);

/// Everything there is.
pub struct World {
    /// The dice.
    pub choices: Choices,
    /// How bad it may get.
    pub trouble: Trouble,
    /// What somebody starts.
    pub main: Piece,
    /// What steps start.
    pub child: Piece,
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
    /// The guests.
    pub executor: Executor,
    /// What is kept beside the events.
    pub shelf: Shelf,
    /// What is outside.
    pub server: Server,
    /// How many publications there were.
    pub publications: u64,
    /// Publications that nobody knows to be durable.
    pub unacknowledged: BTreeMap<u64, Publication>,
    /// Before which steps somebody wants runs to stop.
    pub breakpoints: Arc<BTreeSet<String>>,
    effects: VecDeque<(RunId, Effect)>,
    /// What signals ask for.
    pub errands: VecDeque<Errand>,
}

/// Something that will happen.
pub enum Happening {
    /// Somebody starts a run.
    StartRun(u64),
    /// A guest comes to its next call.
    GuestGoesOn(Key),
    /// The server has answered this call.
    ServerAnswers(Key, u64, (Ask, u64)),
    /// A guest has waited long enough in memory.
    GraceEnds(Key, u64),
    /// Somebody publishes something.
    SomebodyPublishes,
    /// Somebody publishes something again.
    SomebodyRepeats(Publication),
    /// What was ordered has become durable.
    FlushEnds,
    /// The process dies.
    Crash,
    /// The clock is put right, or wrong.
    ClockJumps,
    /// Somebody cancels a run.
    SomebodyCancels,
    /// Somebody looks at all deadlines.
    SomebodyLooks,
    /// The signal comes that a gate waits for.
    SignalComes(RunId, StepIndex),
    /// What a step publishes at its end is kept.
    SignalsArePublished(RunId, StepIndex),
    /// Somebody does something with a run or a step.
    SomebodyActs,
    /// Somebody wants runs to stop before other steps.
    SomebodySetsBreakpoints,
}

impl World {
    /// A world in which `run_count` runs of the main workflow will be started.
    pub fn new(
        (main, child): (Piece, Piece),
        run_count: u64,
        trouble: Trouble,
        choices: Choices,
    ) -> Self {
        let mut world = Self {
            choices,
            trouble,
            main,
            child,
            elapsed_ms: 0,
            skew_ms: 0,
            future: BTreeMap::new(),
            happenings: 0,
            log: Log::default(),
            runs: BTreeMap::new(),
            witness: Witness::default(),
            executor: Executor::default(),
            shelf: Shelf::default(),
            server: Server::default(),
            publications: 0,
            unacknowledged: BTreeMap::new(),
            errands: VecDeque::new(),
            breakpoints: Arc::default(),
            effects: VecDeque::new(),
        };
        (1..=run_count).for_each(|number| world.some_time(Happening::StartRun(number)));
        (0..trouble.crashes).for_each(|_| world.some_time(Happening::Crash));
        (0..trouble.clock_jumps).for_each(|_| world.some_time(Happening::ClockJumps));
        (0..3).for_each(|_| world.some_time(Happening::SomebodyLooks));
        let publications = world.choices.below(16);
        (0..publications).for_each(|_| world.some_time(Happening::SomebodyPublishes));
        if trouble.unreliable && world.choices.chance(40) {
            world.some_time(Happening::SomebodyCancels);
        }
        if trouble.unreliable && world.choices.chance(50) {
            let wishes = world.choices.below(12);
            (0..wishes).for_each(|_| world.some_time(Happening::SomebodyActs));
            (0..2).for_each(|_| world.some_time(Happening::SomebodySetsBreakpoints));
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
            if !self.go_on() && !self.let_go_on() && !self.send_what_is_missing() {
                break;
            }
            assert!(self.elapsed_ms < TIME_MAX_MS, "a run got stuck");
            assert!(self.happenings < HAPPENINGS_MAX, "something goes round in circles");
        }
        assert_eq!(self.log.at_risk(), 0, "all is durable in the end");
        for id in self.unacknowledged.keys() {
            assert!(self.shelf.published(*id).is_some(), "publication {id} was lost");
        }
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
            Happening::GuestGoesOn(key) => self.guest_goes_on(key),
            Happening::ServerAnswers(key, sequence, answer) => {
                self.server_answers(key, sequence, answer);
            }
            Happening::GraceEnds(key, sequence) => self.grace_ends(key, sequence),
            Happening::SomebodyPublishes => self.somebody_publishes(),
            Happening::SomebodyRepeats(publication) => self.publish(publication),
            Happening::FlushEnds => {
                for commit in self.log.end_flush() {
                    self.witness.sees(commit);
                    for id in commit.rows.iter().filter_map(Row::publication) {
                        self.unacknowledged.remove(&id);
                    }
                }
                self.send_what_may_be_sent();
            }
            Happening::Crash => self.crash(),
            Happening::ClockJumps => {
                let reach = [1_000, 60_000, 7_200_000][self.choices.below(3) as usize];
                self.skew_ms += i64::from(self.choices.below(2 * reach)) - i64::from(reach);
            }
            Happening::SomebodyCancels => self.cancel_something(),
            Happening::SomebodyActs => self.somebody_acts(),
            Happening::SomebodySetsBreakpoints => self.somebody_sets_breakpoints(),
            Happening::SignalComes(run, step) => self.signal_comes(run, step),
            Happening::SignalsArePublished(run, step) => self.signals_are_published(run, step),
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
        let cause = Cause::Manual { by: "somebody".to_owned() };
        let origin = Origin::Start { number, given: Given::params(params), cause };
        self.begin(id, origin, Surroundings::unknown());
    }

    /// Begins a run that starts at once.
    pub fn begin(&mut self, id: RunId, origin: Origin, surroundings: Surroundings) {
        let born = self.create(id, origin, surroundings);
        self.commit(vec![born], Vec::new());
    }

    /// Begins a run that the caller commits.
    pub fn create(&mut self, id: RunId, origin: Origin, surroundings: Surroundings) -> Birth {
        let piece = match &origin {
            Origin::Child { .. } => &self.child,
            Origin::Start { .. } | Origin::Iteration { .. } => &self.main,
        };
        let workflow = Arc::clone(&piece.workflow);
        let created = Event::RunCreated { workflow: workflow.name.clone(), version: 1, origin };
        let now = self.now();
        let (mut run, events) = Run::begin(id, workflow, surroundings, (created, now))
            .expect("a run begins with its creation");
        run.set_breakpoints(Arc::clone(&self.breakpoints));
        self.runs.insert(id, run);
        (id, now, events)
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

    fn commit(&mut self, records: Vec<Birth>, mut rows: Vec<Row>) {
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

    /// Performs what is due. Runs overtake each other; effects of one run don't.
    fn perform_effects(&mut self) {
        while !self.effects.is_empty() || !self.errands.is_empty() {
            let chosen = self.choices.below((self.effects.len() + self.errands.len()) as u32);
            let chosen = chosen as usize;
            if chosen >= self.effects.len() {
                let errand = self.errands.pop_front().expect("it was counted");
                self.run_errand(errand);
            } else {
                let run = self.effects[chosen].0;
                let first = self.effects.iter().position(|(of, _)| *of == run).unwrap_or(chosen);
                let (run, effect) = self.effects.remove(first).expect("it was just found");
                self.perform(run, effect);
            }
            if self.trouble.crashes > 0 && self.choices.below(400) == 1 {
                self.crash();
            }
        }
    }

    fn cancel_something(&mut self) {
        let open = self.open_runs();
        if let Some(id) = self.choices.pick(&open) {
            self.submit(*id, &Command::Cancel { by: "somebody".to_owned() });
        }
    }

    /// The runs that are not over.
    pub fn open_runs(&self) -> Vec<RunId> {
        let open = self.runs.iter().filter(|(_, run)| run.status().is_open());
        open.map(|(id, _)| *id).collect()
    }

    /// The process dies at this moment, and starts again.
    fn crash(&mut self) {
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
        let before = std::mem::replace(
            &mut self.runs,
            recover(&self.log, (&self.main.workflow, &self.child.workflow)),
        );
        self.shelf = self.log.shelf();
        self.tell_breakpoints();
        self.witness.compares(&self.runs, &self.shelf);
        self.server.compares(&self.runs, &self.shelf);
        let roots: Vec<RunId> = self.runs.keys().copied().collect();
        roots.into_iter().for_each(|run| self.effects.push_back((run, Effect::TellIterations)));
        for (id, run) in &self.runs {
            self.effects.extend(run.outstanding().into_iter().map(|effect| (*id, effect)));
        }
        self.catch_up();
        self.publish_again();
        // Whoever started a run and got no answer asks again.
        let lost = before.into_iter().filter(|(id, _)| !self.runs.contains_key(id));
        let number = |run: Run| match run.origin() {
            Origin::Start { number, .. } => Some(*number),
            Origin::Iteration { .. } | Origin::Child { .. } => None,
        };
        let unanswered: Vec<u64> = lost.filter_map(|(_, run)| number(run)).collect();
        unanswered.into_iter().for_each(|number| self.some_time(Happening::StartRun(number)));
    }

    /// Lets this happen soon or late.
    pub fn some_time(&mut self, happening: Happening) {
        let within = [10, 1_000, 30_000][self.choices.below(3) as usize];
        let wait = u64::from(self.choices.below(within));
        self.later(wait, happening);
    }

    /// Lets this happen then.
    pub fn later(&mut self, wait_ms: u64, happening: Happening) {
        self.happenings += 1;
        self.future.insert((self.elapsed_ms + wait_ms, self.happenings), happening);
    }

    /// What the clock on the wall shows, which may be wrong.
    pub fn now(&self) -> Timestamp {
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
            run.iteration(step, index).is_some()
        }
        Command::Cancel { .. } => run.status().is_open(),
        Command::CheckDeadlines => true,
        Command::Suspend { step, attempt, .. }
        | Command::Continue { step, attempt, .. }
        | Command::StartChild { step, attempt, .. } => run.is_running(*step, *attempt),
        Command::PutAway { step, attempt, .. } => run.is_under_way(*step, *attempt),
        Command::Wake { step, sequence, wake } => {
            run.wait_of(*step).is_some_and(|wait| wait.sequence == *sequence && wait.expects(wake))
        }
        Command::EndChild { step, child, .. } => run.children().get(child) == Some(step),
        _ => true,
    }
}
