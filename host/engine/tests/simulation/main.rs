//! A deterministic whole: runs of random workflows, which wait for their turn
//! and for permits, in a simulated shell whose guests fail, whose clock jumps and
//! whose process dies, thousands of times.
//!
//! `SEGNO_SEEDS=100000` tries more, `SEGNO_SEED=17` replays one, which is what
//! a failure tells you to do. Whatever is random comes from that number.

mod audit;
#[path = "../catalog/mod.rs"]
mod catalog;
mod errand;
mod executor;
mod guests;
mod lanes;
mod ledger;
mod log;
mod model;
mod people;
mod perform;
#[path = "../queue/permit_model.rs"]
mod permit_model;
mod permits;
#[path = "../picture/mod.rs"]
mod picture;
#[path = "../plan/mod.rs"]
mod plan;
mod play;
mod post;
mod program;
mod recovery;
mod server;
mod shelf;
mod starts;
mod turn;
#[path = "../wish/mod.rs"]
mod wish;
mod witness;
mod world;

use audit::Audit;
use guests::is_child;
use ledger::Ledger;
use picture::Picture;
use plan::{Bounds, Choices, Plan};
use program::Programs;
use segno_engine::event::{Cause, Origin};
use segno_engine::id::RunId;
use segno_engine::run::{Run, RunStatus};
use starts::k_of;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use world::{Piece, Trouble, World};

/// How many seeds are tried where nobody says otherwise.
const SEEDS: u64 = 3_000;

/// What so many seeds must have met, or the simulation tests nothing.
const EXPECTED: [&str; 55] = [
    "attempts held",
    "attempts let begin",
    "calls answered from a journal",
    "crashes",
    "guests put away",
    "guests woken in memory",
    "iterations",
    "late results",
    "limits lifted",
    "limits set",
    "publications lost",
    "publications of steps",
    "publications repeated",
    "rejections",
    "requests sent again",
    "retries",
    "runs compared with the model",
    "runs forked",
    "runs forked with steps",
    "runs let begin",
    "runs of steps",
    "runs of steps that cancelled",
    "runs retried",
    "runs started again",
    "runs stopped for another",
    "runs that arrived again",
    "runs that began at once",
    "runs that cancelled",
    "runs that failed",
    "runs that succeeded",
    "runs that timed_out",
    "runs that were queued",
    "runs that were refused",
    "runs that were too many",
    "runs unblocked",
    "starts lost",
    "steps that cancelled",
    "steps that completed_with_error",
    "steps that continued as new",
    "steps that failed",
    "steps that skipped",
    "steps that timed_out",
    "steps that unsatisfied",
    "strategies changed",
    "waits dropped by another attempt",
    "waits for what nobody had sent",
    "waits kept by another attempt",
    "waits that missed their signal in a crash",
    "waits that were over at once",
    "wishes",
    "woken by a moment",
    "woken by a signal",
    "woken by a signal to the run",
    "woken by the end of a run",
    "workflows let go on",
];

/// How often something was met.
type Met = BTreeMap<String, u64>;

#[test]
fn nothing_is_lost_whatever_happens() {
    if let Some(seed) = number("SEGNO_SEED") {
        let dice = Dice::of(seed);
        for (plan, programs) in [(&dice.plan, &dice.programs), (&dice.child.0, &dice.child.1)] {
            println!("{}\n{programs:#?}", plan.definition());
        }
        println!("seed {seed} met {:?}", simulate(seed));
        return;
    }
    let count = number("SEGNO_SEEDS").unwrap_or(SEEDS);
    let met = simulate_all(count);
    println!("{count} seeds met {met:?}");
    for what in EXPECTED {
        assert!(count < SEEDS || met.contains_key(what), "no seed met {what}, out of {met:?}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, give a number")))
}

/// Tries the seeds below `count`, on all processors.
fn simulate_all(count: u64) -> Met {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<Result<Met, u64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&next, count))).collect();
        workers.into_iter().map(|worker| worker.join().expect("panics are caught")).collect()
    });
    let mut met = Met::new();
    for result in results {
        let more = result.unwrap_or_else(|seed| {
            panic!(
                "seed {seed} fails, see above; replay it with \
                 SEGNO_SEED={seed} cargo test -p segno-engine --test simulation"
            )
        });
        add(&mut met, more);
    }
    met
}

/// Tries one seed after the other; gives back the one that fails.
fn work(next: &AtomicU64, count: u64) -> Result<Met, u64> {
    let mut met = Met::new();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= count {
            return Ok(met);
        }
        let result = catch_unwind(AssertUnwindSafe(|| simulate(seed)));
        let more = result.map_err(|_| {
            next.store(count, Ordering::Relaxed);
            seed
        })?;
        add(&mut met, more);
    }
}

fn add(met: &mut Met, more: Met) {
    more.into_iter().for_each(|(what, often)| *met.entry(what).or_default() += often);
}

/// What a seed decides before anything happens.
struct Dice {
    plan: Plan,
    programs: Programs,
    /// What steps start.
    child: (Plan, Programs),
    run_count: u64,
    trouble: Trouble,
    /// All that the seed decides later.
    rest: Choices,
}

impl Dice {
    fn of(seed: u64) -> Self {
        let mut generator = fastrand::Rng::with_seed(seed);
        let mut rest = Choices::new(std::iter::repeat_with(move || generator.u32(..)));
        let unreliable = rest.chance(70);
        let trouble = Trouble { unreliable, crashes: rest.below(5), clock_jumps: rest.below(4) };
        // Where the model is asked, nothing may depend on time.
        let bounds = Bounds {
            steps_max: 12,
            depth_max: 2,
            has_timeouts: unreliable,
            has_subworkflows: true,
            has_tags: true,
        };
        let mut plan = Plan::random(&mut rest, bounds);
        let programs = program::random(&mut rest, &plan, true);
        // A step that has a permit and waits for a run that needs it waits for ever.
        let waits_for_runs = programs.values().any(|program| program.waits_for_a_run());
        let limited = !waits_for_runs && rest.chance(40);
        plan.run_step_concurrency = limited.then(|| 1 + rest.below(3));
        let small = Bounds { steps_max: 2, depth_max: 0, has_subworkflows: false, ..bounds };
        let mut child = Plan::random(&mut rest, small);
        child.name = "other";
        let child_programs = program::random(&mut rest, &child, false);
        let child = (child, child_programs);
        Self { plan, programs, child, run_count: 1 + u64::from(rest.below(3)), trouble, rest }
    }
}

/// Lets one seed happen, checks everything, and says what was met.
fn simulate(seed: u64) -> Met {
    let Dice { plan, programs, child, run_count, trouble, rest } = Dice::of(seed);
    let piece = |plan: &Plan, programs: &Programs| {
        let workflow = catalog::check(&plan.definition()).expect("a plan is valid");
        Piece { workflow, programs: programs.clone() }
    };
    let pieces = (piece(&plan, &programs), piece(&child.0, &child.1));
    let mut world = World::new(pieces, run_count, trouble, rest);
    world.run();
    Audit::check(&world.log, &world.runs);
    Ledger::check(&world);
    let workflows = (&world.main.workflow, &world.child.workflow);
    let replayed = recovery::recover(&world.log, workflows);
    assert_eq!(world.runs.len(), replayed.len(), "a run is not in the log");
    for (id, run) in &world.runs {
        assert_eq!(Picture::of(run), Picture::of(&replayed[id]), "the log tells another story");
    }
    let asked: BTreeSet<String> =
        world.batches.iter().flat_map(|batch| batch.requests.iter().cloned()).collect();
    assert_eq!(world.requests(), asked, "somebody got no run");
    if !trouble.unreliable {
        compare((&plan, &programs), (&child.0, &child.1), &world.runs);
    }
    what_was_met(&world, trouble)
}

/// Compares all runs with what the model says of a plan, and of the plan of the
/// runs that its steps start.
fn compare(
    (plan, programs): (&Plan, &Programs),
    (child, child_programs): (&Plan, &Programs),
    runs: &BTreeMap<RunId, Run>,
) {
    let of_child = model::evaluate((child, child_programs), 1, None);
    for run in runs.values() {
        let numbered = numbered(run, runs);
        if !is_like_new(numbered, runs) {
            continue;
        }
        let k = k_of(numbered);
        let (statuses, end) = match run.workflow().name == child.name {
            true => model::evaluate((child, child_programs), k, None),
            false => model::evaluate((plan, programs), k, of_child.1.clone()),
        };
        let place = place_of(run, runs);
        for (step, definition) in run.steps().iter().zip(&run.body().steps) {
            let place = format!("{place}{}", definition.id);
            assert_eq!(step.state.as_str(), statuses[&place], "step {place} of {}", run.id());
        }
        if !place.is_empty() {
            continue;
        }
        match (run.status(), end) {
            (RunStatus::Succeeded { output }, Some(end)) => assert_eq!(*output.value(), end),
            (status, end) => assert_eq!((status.as_str(), end), ("failed", None)),
        }
    }
}

/// The run with a number that a run is, or is an iteration of.
fn numbered<'a>(run: &'a Run, runs: &'a BTreeMap<RunId, Run>) -> &'a Run {
    match run.origin() {
        Origin::Iteration { root, .. } => &runs[root],
        Origin::Start { .. } | Origin::Child { .. } => run,
    }
}

/// Whether a run does what one does that takes nothing over: what it has from
/// another was made of the same params.
fn is_like_new(run: &Run, runs: &BTreeMap<RunId, Run>) -> bool {
    match run.origin() {
        Origin::Start { cause: Cause::Fork { of, carried, .. }, .. } if !carried.is_empty() => {
            // It may be lost that it was made from.
            runs.get(of).is_some_and(|of| k_of(of) == k_of(run) && is_like_new(of, runs))
        }
        _ => true,
    }
}

/// Where the steps of a run are, in the words of the model.
fn place_of(run: &Run, runs: &BTreeMap<RunId, Run>) -> String {
    match run.origin() {
        Origin::Start { .. } | Origin::Child { .. } => String::new(),
        Origin::Iteration { parent, path, index, .. } => {
            let parent = &runs[parent];
            let step = path.last().expect("an iteration has a foreach above it");
            let id = &parent.body().steps[*step as usize].id;
            format!("{}{id}[{index}]/", place_of(parent, runs))
        }
    }
}

fn what_was_met(world: &World, trouble: Trouble) -> Met {
    let mut met = Met::new();
    let mut count = |what: String, often: u32| {
        if often > 0 {
            *met.entry(what).or_default() += u64::from(often);
        }
    };
    count("crashes".to_owned(), world.witness.crashes);
    count("rejections".to_owned(), world.witness.rejections);
    count("wishes".to_owned(), world.witness.wishes);
    count("late results".to_owned(), world.witness.late_results);
    count("calls answered from a journal".to_owned(), world.witness.replayed);
    count("waits that missed their signal in a crash".to_owned(), world.witness.overdue);
    count("requests sent again".to_owned(), world.server.repeated());
    for (what, often) in &world.witness.met {
        count((*what).to_owned(), *often);
    }
    for run in world.runs.values() {
        if is_child(run) {
            count("runs of steps".to_owned(), 1);
            count(format!("runs of steps that {}", run.status().as_str()), 1);
        }
        count(format!("runs that {}", run.status().as_str()), 1);
        count("iterations".to_owned(), matches!(run.origin(), Origin::Iteration { .. }).into());
        count("runs compared with the model".to_owned(), (!trouble.unreliable).into());
        for step in run.steps() {
            count(format!("steps that {}", step.state.as_str()), 1);
            count("retries".to_owned(), step.attempt.saturating_sub(1));
        }
    }
    met
}
