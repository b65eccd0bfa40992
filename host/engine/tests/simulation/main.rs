//! A deterministic whole: random workflows run in a simulated shell whose
//! guests fail, whose clock jumps and whose process dies, thousands of times.
//!
//! `SEGNO_SEEDS=100000` tries more, `SEGNO_SEED=17` replays one, which is what
//! a failure tells you to do. Whatever is random comes from that number.

mod audit;
#[path = "../catalog/mod.rs"]
mod catalog;
mod executor;
mod log;
mod model;
#[path = "../picture/mod.rs"]
mod picture;
#[path = "../plan/mod.rs"]
mod plan;
mod recovery;
mod witness;
mod world;

use audit::Audit;
use picture::Picture;
use plan::{Bounds, Choices, Plan};
use segno_engine::event::Origin;
use segno_engine::id::RunId;
use segno_engine::run::{Run, RunStatus};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use world::{Trouble, World};

/// How many seeds are tried where nobody says otherwise.
const SEEDS: u64 = 10_000;

/// What so many seeds must have met, or the simulation tests nothing.
const EXPECTED: [&str; 12] = [
    "crashes",
    "iterations",
    "late results",
    "rejections",
    "retries",
    "runs compared with the model",
    "runs that cancelled",
    "runs that failed",
    "runs that succeeded",
    "runs that timed_out",
    "steps that timed_out",
    "steps that unsatisfied",
];

/// How often something was met.
type Met = BTreeMap<String, u64>;

#[test]
fn nothing_is_lost_whatever_happens() {
    if let Some(seed) = number("SEGNO_SEED") {
        println!("{}", Dice::of(seed).plan.definition());
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
        let bounds = Bounds { steps_max: 12, depth_max: 2, has_timeouts: unreliable };
        let plan = Plan::random(&mut rest, bounds);
        Self { plan, run_count: 1 + u64::from(rest.below(3)), trouble, rest }
    }
}

/// Lets one seed happen, checks everything, and says what was met.
fn simulate(seed: u64) -> Met {
    let Dice { plan, run_count, trouble, rest } = Dice::of(seed);
    let workflow = catalog::check(&plan.definition()).expect("a plan is valid");
    let mut world = World::new(Arc::clone(&workflow), run_count, trouble, rest);
    world.run();
    Audit::check(&world.log, &world.runs);
    let replayed = recovery::recover(&world.log, &workflow);
    assert_eq!(world.runs.len(), replayed.len(), "a run is not in the log");
    for (id, run) in &world.runs {
        assert_eq!(Picture::of(run), Picture::of(&replayed[id]), "the log tells another story");
    }
    let roots = world.runs.values().filter(|run| matches!(run.origin(), Origin::Start { .. }));
    assert_eq!(roots.count() as u64, run_count, "somebody got no run");
    if !trouble.unreliable {
        compare(&plan, &world.runs);
    }
    what_was_met(&world, trouble)
}

fn compare(plan: &Plan, runs: &BTreeMap<RunId, Run>) {
    let (statuses, end) = model::evaluate(plan);
    for run in runs.values() {
        let place = place_of(run, runs);
        for (step, definition) in run.steps().iter().zip(&run.body().steps) {
            let place = format!("{place}{}", definition.id);
            assert_eq!(step.state.as_str(), statuses[&place], "step {place} of {}", run.id());
        }
        if !place.is_empty() {
            continue;
        }
        match (run.status(), &end) {
            (RunStatus::Succeeded { output }, Some(end)) => assert_eq!(output.value(), end),
            (status, end) => assert_eq!((status.as_str(), end), ("failed", &None)),
        }
    }
}

/// Where the steps of a run are, in the words of the model.
fn place_of(run: &Run, runs: &BTreeMap<RunId, Run>) -> String {
    match run.origin() {
        Origin::Start { .. } => String::new(),
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
    count("late results".to_owned(), world.witness.late_results);
    for run in world.runs.values() {
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
