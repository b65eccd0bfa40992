//! A shell around the engine in one thread, with the same duties as the real
//! driver: it commits before it acts, goes on as soon as a commit is ordered,
//! wakes runs at their deadlines, and after a crash takes up what is
//! outstanding. Time, luck and trouble come from the dice.

use crate::errand::Errand;
use crate::executor::{Executor, Key};
use crate::lanes::Tracks;
use crate::log::Log;
use crate::permits::Gate;
use crate::picture::Picture;
use crate::plan::Choices;
use crate::play::Ask;
use crate::post::Publication;
use crate::program::Programs;
use crate::server::Server;
use crate::shelf::{Row, Shelf};
use crate::starts::Batch;
use crate::witness::Witness;
use segno_engine::command::Command;
use segno_engine::effect::Effect;
use segno_engine::event::Event;
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::run::Run;
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
    /// What steps start, and somebody, too.
    pub child: Piece,
    elapsed_ms: u64,
    skew_ms: i64,
    /// What will happen, by when.
    pub future: BTreeMap<(u64, u64), Happening>,
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
    /// What runs want to be done.
    pub effects: VecDeque<(RunId, Effect)>,
    /// What else is to be done.
    pub errands: VecDeque<Errand>,
    /// Who may begin, by workflow.
    pub tracks: Tracks,
    /// Who may run code.
    pub gate: Gate,
    /// What somebody will have started in the end.
    pub batches: Vec<Batch>,
}

/// Something that will happen.
pub enum Happening {
    /// Somebody starts runs.
    Start(Batch),
    /// Somebody makes a run from another.
    SomebodyForks,
    /// Somebody sets a run strategy.
    SomebodySetsStrategy,
    /// Somebody sets how many steps may run at once.
    SomebodySetsLimit,
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
    /// Somebody wants a run to go on that is over.
    SomebodyRetries,
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
            tracks: Tracks::new(),
            gate: Gate::default(),
            batches: Vec::new(),
        };
        world.set_up();
        world.will_start(run_count);
        (0..trouble.crashes).for_each(|_| world.some_time(Happening::Crash));
        (0..trouble.clock_jumps).for_each(|_| world.some_time(Happening::ClockJumps));
        (0..3).for_each(|_| world.some_time(Happening::SomebodyLooks));
        let publications = world.choices.below(16);
        (0..publications).for_each(|_| world.some_time(Happening::SomebodyPublishes));
        if trouble.unreliable && world.choices.chance(40) {
            world.some_time(Happening::SomebodyCancels);
        }
        if trouble.unreliable && world.choices.chance(50) {
            let retries = world.choices.below(6);
            (0..retries).for_each(|_| world.some_time(Happening::SomebodyRetries));
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
            if !self.go_on() && !self.somebody_helps() {
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
        self.check_lanes_are_empty();
        self.check_permits_are_back();
    }

    /// Nothing moves any more: somebody does what others wait for. False if
    /// nobody waits.
    fn somebody_helps(&mut self) -> bool {
        self.check_turns();
        self.let_go_on()
            || self.send_what_is_missing()
            || self.let_runs_begin()
            || self.let_attempts_begin()
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
            Happening::Start(batch) => self.start(batch),
            Happening::SomebodyForks => self.somebody_forks(),
            Happening::SomebodySetsStrategy => self.somebody_sets_strategy(),
            Happening::SomebodySetsLimit => self.somebody_sets_limit(),
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
                    self.errands.extend(commit.rows.iter().filter_map(Row::errand));
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
            Happening::SomebodyRetries => self.somebody_retries(),
            Happening::SomebodySetsBreakpoints => self.somebody_sets_breakpoints(),
            Happening::SignalComes(run, step) => self.signal_comes(run, step),
            Happening::SignalsArePublished(run, step) => self.signals_are_published(run, step),
            Happening::SomebodyLooks => {
                let all: Vec<RunId> = self.runs.keys().copied().collect();
                all.iter().for_each(|run| self.submit(*run, &Command::CheckDeadlines));
            }
        }
    }

    /// Performs what is due. Runs overtake each other; effects of one run don't.
    fn perform_effects(&mut self) {
        loop {
            self.note_free();
            if self.effects.is_empty() && self.errands.is_empty() {
                return;
            }
            let chosen = self.choices.below((self.effects.len() + self.errands.len()) as u32);
            let chosen = chosen as usize;
            if chosen >= self.effects.len() {
                let errand = self.errands.remove(chosen - self.effects.len());
                let errand = errand.expect("it was counted");
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
            if self.choices.below(30) == 1 {
                self.somebody_hurries();
            }
        }
    }

    /// Somebody does now what they would have done later, while what follows from
    /// other things is under way.
    fn somebody_hurries(&mut self) {
        let of_people = |happening: &Happening| {
            matches!(
                happening,
                Happening::Start(_)
                    | Happening::SomebodyForks
                    | Happening::SomebodySetsStrategy
                    | Happening::SomebodySetsLimit
                    | Happening::SomebodyCancels
                    | Happening::SomebodyRetries
                    | Happening::SomebodyActs
                    | Happening::SomebodyLooks
            )
        };
        let theirs = self.future.iter().filter(|(_, happening)| of_people(happening));
        let theirs: Vec<_> = theirs.map(|(at, _)| *at).collect();
        let Some(at) = self.choices.pick(&theirs) else { return };
        let happening = self.future.remove(at).expect("it was just found");
        self.happen(happening);
    }

    /// Lets this happen soon or late.
    pub fn some_time(&mut self, happening: Happening) {
        let within = [10, 1_000, 30_000, 600_000][self.choices.below(4) as usize];
        let wait = u64::from(self.choices.below(within));
        self.later(wait, happening);
    }

    /// Lets this happen then.
    pub fn later(&mut self, wait_ms: u64, happening: Happening) {
        self.happenings += 1;
        self.future.insert((self.elapsed_ms + wait_ms, self.happenings), happening);
    }

    /// A workflow by its name.
    pub fn piece(&self, workflow: &str) -> &Piece {
        if workflow == self.child.workflow.name { &self.child } else { &self.main }
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
