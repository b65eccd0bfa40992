//! A run is repeated with the process killed at every point where a crash could
//! tear something apart: after each of its commits, before and after each of its
//! effects. Wherever that is, after a restart the run ends as if nothing had
//! happened: same output, every effect once, every signal consumed once, every
//! line in the log once. So it is with what starts runs: every set of signals and
//! every instant has one, and no second.

mod calls;
mod mortal;
mod order;
mod schedules;
mod triggers;

use crate::durable::service::{Request, Service};
use crate::guests::{component, examples};
use crate::server::{segno, text};
use mortal::{Mortal, Place};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use tempfile::TempDir;

/// Runs at a time. They wait more than they work.
const WORKERS: usize = 6;

/// So many failures say as much as all of them.
const FAILURES_MAX: usize = 3;

/// A group of commits was written, and was not flushed.
const COMMIT: &str = "group written";

/// How late a host dies that dies late: time enough for a request to leave, or
/// for a commit to reach the disk.
const LATE_MS: u64 = 100;

/// The points that a host passes while it takes up what another one left. It
/// passes each of them at least once, except where nothing was under way.
const TAKING_UP: [&str; 6] = [
    "mark written#1",
    "mark flushed#1",
    "runs taken up#1",
    "effects begun again#1",
    "group written#1",
    "guest starts#1",
];

/// What is repeated.
struct Sweep {
    /// How long a guest that waits stays in memory.
    grace: &'static str,
    /// Where the host that takes up dies as well: at one of these places.
    again: &'static [&'static str],
    /// If it says any, the host dies at these only, and late: at [`COMMIT`]
    /// whatever does not wait for a slow disk gets ahead of it; elsewhere what
    /// has just been ordered is on the disk by then, and nothing came of it.
    late_at: &'static [&'static str],
    /// Points that must be among those where it dies.
    points: &'static [&'static str],
    /// Plays the run and judges what came of it.
    play: fn(&mut Mortal, &Service),
}

/// What has become of the sweep up to now.
#[derive(Default)]
struct Progress {
    /// Where to die next: a point and for which time.
    next: Vec<(String, u64)>,
    /// Points at which a host has died.
    died: BTreeSet<String>,
    /// Places where the host that took up has died.
    died_again: BTreeSet<Place>,
    failed: Vec<Place>,
    runs: usize,
}

impl Sweep {
    fn run(&self) {
        let uncrashed = self.once(&[]);
        let mut counts = BTreeMap::<String, u64>::new();
        for place in uncrashed.passed() {
            let (name, _) = place.rsplit_once('#').expect("a name and a count");
            if self.late_at.is_empty() || self.late_at.contains(&name) {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        }
        drop(uncrashed);
        for point in self.points {
            // It may depend on the moment whether one run passes it.
            counts.entry((*point).to_owned()).or_insert(1);
        }
        let all = counts.iter().flat_map(|(name, count)| (1..=*count).map(|at| (name.clone(), at)));
        let progress = Mutex::new(Progress { next: all.collect(), ..Progress::default() });
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| self.work(&counts, &progress));
            }
        });
        let progress = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Progress { died, died_again, failed, runs, .. } = progress;
        assert!(failed.is_empty(), "it does not survive a kill at {failed:?}");
        let spared: Vec<_> = self.points.iter().filter(|point| !died.contains(**point)).collect();
        assert!(spared.is_empty(), "nothing died at {spared:?}; it did at {counts:?}");
        let spared: Vec<_> = self.again.iter().filter(|at| !died_again.contains(**at)).collect();
        assert!(spared.is_empty(), "no host that took up died at {spared:?}");
        println!("{runs} runs, killed at {counts:?}");
    }

    /// Takes places and dies there, as long as there are any.
    fn work(&self, counts: &BTreeMap<String, u64>, progress: &Mutex<Progress>) {
        let lock = || progress.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (name, at, again) = {
                let mut progress = lock();
                let Some((name, at)) = progress.next.pop() else { return };
                if progress.failed.len() >= FAILURES_MAX {
                    return;
                }
                progress.runs += 1;
                let again = self.again.get(progress.runs % self.again.len().max(1));
                (name, at, again)
            };
            let place = format!("{name}#{at}");
            let places: Vec<Place> =
                [place.as_str()].into_iter().chain(again.copied()).map(str::to_owned).collect();
            // A thread of its own, whose name is in the message if it panics.
            let outcome = thread::scope(|scope| {
                let thread = thread::Builder::new().name(places.join(", then "));
                let played = thread.spawn_scoped(scope, || self.once(&places).deaths().to_vec());
                played.expect("a thread can be started").join()
            });
            let mut progress = lock();
            match outcome {
                Ok(deaths) if deaths.first() == Some(&place) => {
                    // How often a point is passed differs a little: go on until
                    // it is not passed so often.
                    if at >= counts[&name] {
                        progress.next.push((name.clone(), at + 1));
                    }
                    progress.died.insert(name);
                    progress.died_again.extend(deaths.into_iter().skip(1));
                }
                Ok(deaths) => assert!(deaths.is_empty(), "{deaths:?} instead of {place}"),
                Err(_) => progress.failed.push(place),
            }
        }
    }

    /// Plays the run on a host that dies at these places.
    fn once(&self, places: &[Place]) -> Mortal {
        let service = Service::start();
        let options = ["--grant-http", &service.url(), "--wait-grace", self.grace];
        let late_ms = if self.late_at.is_empty() { 0 } else { LATE_MS };
        let mut mortal = Mortal::start(Some(seed()), &options, (places, late_ms));
        (self.play)(&mut mortal, &service);
        mortal
    }
}

/// A directory with the components and workflows that are played.
fn seed() -> &'static TempDir {
    static SEED: OnceLock<TempDir> = OnceLock::new();
    SEED.get_or_init(|| {
        let seed = Mortal::start(None, &[], (&[], 0));
        let done = |words: &[&str]| {
            let output = segno(&[&["--server", seed.url()], words].concat());
            assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        };
        for example in ["order-fulfilment", "probe"] {
            let file = component(example);
            let name = format!("{example}@1.0.0");
            done(&["component", "push", &file.to_string_lossy(), &name]);
        }
        let file = examples().join("order-fulfilment/workflow.yaml");
        done(&["workflow", "apply", &file.to_string_lossy()]);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let definitions = calls::WORKFLOWS.iter();
        let definitions = definitions.chain(&triggers::WORKFLOWS).chain(&schedules::WORKFLOWS);
        for (number, definition) in definitions.enumerate() {
            let file = directory.path().join(format!("{number}.yaml"));
            std::fs::write(&file, definition).expect("the directory is writable");
            done(&["workflow", "apply", &file.to_string_lossy()]);
        }
        let url = format!("{}/v1/tenants/default/secrets/{}", seed.url(), triggers::SECRET.0);
        let set = ureq::put(url).send_json(json!({ "value": triggers::SECRET.1 }));
        assert!(set.is_ok(), "{set:?}");
        let file = directory.path().join("webhook.yaml");
        std::fs::write(&file, triggers::WEBHOOK).expect("the directory is writable");
        done(&["webhook", "create", &file.to_string_lossy()]);
        seed.end()
    })
}

/// What a service was asked to do, in order: path, key without the run, body.
type Effects = Vec<(String, String, serde_json::Value)>;

/// Each effect of these runs, and nobody else's. An answer that a host did not
/// live to record is asked for again, under the same key and with the same body.
fn effects(service: &Service, runs: &[&str], deaths: usize) -> Effects {
    let requests = service.requests();
    let mut by_key = BTreeMap::new();
    let mut effects = Vec::new();
    for Request { path, key, body, .. } in &requests {
        let first = by_key.entry(key).or_insert((path, body));
        assert_eq!(*first, (path, body), "{key} is the key of two effects");
    }
    let mut seen = BTreeSet::new();
    for Request { path, key, body, .. } in &requests {
        if seen.insert(key) {
            let (run, place) = key.split_once('/').expect("a key begins with the run");
            assert!(runs.contains(&run), "{key} belongs to a run that nobody was told of");
            effects.push((path.clone(), place.to_owned(), body.clone()));
        }
    }
    let again = requests.len() - effects.len();
    assert!(again <= deaths, "{again} requests were sent again after {deaths} kills");
    effects
}

/// The events of a run that is over say each thing once, and no signal was given
/// to it twice.
fn check_events(mortal: &mut Mortal, run: &str) {
    let events = mortal.events(run);
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    for once in ["run_created", "attempt_started", "step_succeeded", "run_succeeded"] {
        assert_eq!(of(once), 1, "{once} in {events:#?}");
    }
    assert_eq!(of("attempt_suspended"), of("attempt_resumed"), "{events:#?}");
    let mut given = BTreeSet::new();
    for wake in events.iter().map(|event| &event["wake"]) {
        for kind in ["signal", "run_signal"] {
            let Some(signal) = wake.get(kind) else { continue };
            let place = (kind, signal["name"].to_string(), signal["sequence"].as_u64());
            assert!(given.insert(place), "a signal was given twice: {events:#?}");
        }
    }
}

/// A run without attempts that has succeeded says each thing once.
fn check_starts(mortal: &mut Mortal, run: &str) {
    let events = mortal.events(run);
    let mut said = BTreeSet::new();
    for event in &events {
        let what = (event["type"].to_string(), event["step"].to_string());
        assert!(said.insert(what), "{} is said twice in {events:#?}", event["type"]);
    }
    assert_eq!(events.last().map(|last| &last["type"]), Some(&json!("run_succeeded")));
}
