//! Which steps run code at once: permits are asked for when an attempt is to
//! begin, kept while it waits, and given back when its guest is gone. Beside the
//! machine of the engine goes the naive one, which knows of every permit that a
//! step could ever need.

use crate::errand::Errand;
use crate::executor::Key;
use crate::permit_model::Model;
use crate::plan::TAGS;
use crate::shelf::{Place, Row};
use crate::world::World;
use segno_engine::command::Command;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::permit::{Acquired, Permits};
use segno_engine::run::StepState;
use segno_engine::workflow::StepKind;
use std::collections::BTreeMap;

/// The permits, and what is known of who needs which.
#[derive(Default)]
pub struct Gate {
    permits: Permits<Place>,
    /// The limits that it goes by.
    limits: BTreeMap<String, u32>,
    /// What each step asked for, and whether it is about to give it back.
    asked: BTreeMap<Place, (Vec<String>, bool)>,
    model: Model<Place>,
}

impl World {
    /// Takes the permits of an attempt, or holds it.
    pub fn enter(&mut self, (id, step, attempt): Key) -> bool {
        match self.acquire((id, step)) {
            Acquired::Granted => true,
            Acquired::Waits(permit) => {
                self.witness.count("attempts held");
                self.submit(id, &Command::Hold { step, attempt, permit });
                false
            }
        }
    }

    fn acquire(&mut self, place: Place) -> Acquired {
        let (all, names) = self.permit_names(place);
        let gate = &mut self.gate;
        let acquired = match names.is_empty() {
            true => Acquired::Granted,
            false => gate.permits.acquire(place, &names),
        };
        let is_known = gate.asked.contains_key(&place);
        gate.asked.entry(place).or_insert((names, false));
        let expected = gate.model.acquire(place, &all);
        let fits = match (&acquired, &expected) {
            (Acquired::Granted, None) => true,
            // What came since then is counted, but not named first.
            (Acquired::Waits(name), Some(short)) => is_known || name == short,
            _ => false,
        };
        assert!(fits, "{place:?} asked for {all:?}: {acquired:?}, expected {expected:?}");
        acquired
    }

    /// A guest begins or goes on: its step must have its permits.
    pub fn sees_guest(&self, (id, step, attempt): Key) {
        let place = (id, step);
        assert!(self.gate.model.holding.contains_key(&place), "{place:?} has no permits");
        let twin = self.executor.guests.iter().find(|((run, at, other), guest)| {
            (*run, *at) == place && *other != attempt && !guest.is_deaf
        });
        assert!(twin.is_none(), "step {step} of {id} has two guests that are wanted");
    }

    /// Steps that no longer need their permits give them back soon.
    pub fn note_free(&mut self) {
        let free = |(place, (_, is_leaving)): &(&Place, &(Vec<String>, bool))| {
            !is_leaving && !self.needs_permits(**place)
        };
        let free: Vec<Place> = self.gate.asked.iter().filter(free).map(|(it, _)| *it).collect();
        for place in free {
            self.gate.asked.get_mut(&place).expect("it asked").1 = true;
            self.errands.push_back(Errand::GiveBack(place));
        }
    }

    /// A step gives its permits back, unless it needs them again.
    pub fn give_back(&mut self, place: Place) {
        if self.needs_permits(place) {
            if let Some((_, is_leaving)) = self.gate.asked.get_mut(&place) {
                *is_leaving = false;
            }
            return;
        }
        self.gate.asked.remove(&place);
        let granted = self.gate.permits.release(&place);
        let expected = self.gate.model.release(place);
        self.grant(granted, expected);
    }

    /// These got all that they wait for.
    fn grant(&mut self, granted: Vec<Place>, expected: Vec<Place>) {
        assert_eq!(granted, expected, "others were to get their permits");
        for (id, step) in granted {
            let attempt = self.runs[&id].steps()[step as usize].attempt;
            self.witness.count("attempts let begin");
            self.submit(id, &Command::Release { step, attempt });
        }
    }

    /// Limits have changed, and that is on the disk. What becomes less counts
    /// first, then everybody is told what it needs, and only then it is given
    /// out what became more.
    pub fn limits_changed(&mut self) {
        let wanted = self.shelf.limits.clone();
        let names: Vec<String> = self.gate.limits.keys().chain(wanted.keys()).cloned().collect();
        let before = self.gate.limits.clone();
        // What is limited no more still is, until it is given out.
        self.gate.limits.extend(wanted.clone());
        let is_less = |name: &String| match (before.get(name), wanted.get(name)) {
            (Some(before), Some(now)) => now < before,
            (before, now) => before.is_none() && now.is_some(),
        };
        let (less, more): (Vec<_>, Vec<_>) = names.into_iter().partition(is_less);
        for name in less {
            self.set_limit(&name, wanted.get(&name).copied());
        }
        self.hold_again();
        self.gate.limits.clone_from(&wanted);
        for name in more {
            self.set_limit(&name, wanted.get(&name).copied());
        }
    }

    fn set_limit(&mut self, name: &str, limit: Option<u32>) {
        let granted = self.gate.permits.set_limit(name, limit);
        let expected = self.gate.model.set_limit(name, limit);
        self.grant(granted, expected);
    }

    /// Whoever runs or stands in line does so for what is limited now.
    fn hold_again(&mut self) {
        for place in self.all_calls() {
            if !self.gate.asked.contains_key(&place) || !self.needs_permits(place) {
                // It asks when it begins.
                continue;
            }
            let (all, names) = self.permit_names(place);
            let gate = &mut self.gate;
            let is_in_line = gate.model.waiting.iter().any(|(waits, _)| *waits == place);
            let granted = match is_in_line || gate.permits.holds(&place) {
                true => gate.permits.renew(&place, &names),
                false => {
                    gate.permits.hold(place, &names);
                    Vec::new()
                }
            };
            let expected = gate.model.renew(place, &all);
            gate.asked.insert(place, (names, false));
            self.grant(granted, expected);
        }
    }

    /// After a crash: a step that waits has its permits, whatever the limits are;
    /// one that was to run asks for them before anybody else does.
    pub fn restore_permits(&mut self) {
        self.gate = Gate { limits: self.shelf.limits.clone(), ..Gate::default() };
        for (name, limit) in self.gate.limits.clone() {
            self.set_limit(&name, Some(limit));
        }
        let calls = self.all_calls();
        for place in &calls {
            if let StepState::Suspended { .. } = self.state_of(*place) {
                let (all, names) = self.permit_names(*place);
                if !names.is_empty() {
                    self.gate.permits.hold(*place, &names);
                }
                self.gate.model.hold(*place, &all);
                self.gate.asked.insert(*place, (names, false));
            }
        }
        for place in calls {
            if *self.state_of(place) == StepState::Running {
                self.acquire(place);
            }
        }
    }

    /// After a crash: an attempt that was held stands in line again.
    pub fn stand_again(&mut self, place: Place) {
        let (id, step) = place;
        if !matches!(self.state_of(place), StepState::Queued { .. }) {
            return;
        }
        if self.acquire(place) == Acquired::Granted {
            let attempt = self.runs[&id].steps()[step as usize].attempt;
            self.submit(id, &Command::Release { step, attempt });
        }
    }

    /// A run is over that may have limited what is below it.
    pub fn forget_root(&mut self, root: RunId) {
        // It may have been taken up again meanwhile.
        if !self.runs[&root].status().is_open() {
            self.set_limit(&format!("root:{root}"), None);
        }
    }

    /// Somebody sets a limit, or lifts it.
    pub fn somebody_sets_limit(&mut self) {
        let tags = TAGS.iter().map(|tag| format!("tag:{tag}"));
        let workflows = self.tracks.keys().map(|name| format!("workflow:{name}"));
        let names: Vec<String> = tags.chain(workflows).collect();
        let name = self.choices.pick(&names).expect("there are some").clone();
        let limit = self.choices.chance(80).then(|| self.choices.below(4));
        self.witness.count("limits set");
        self.keep_rows(vec![Row::Limit(name, limit)]);
    }

    /// Nothing moves any more: every attempt that is held has a reason, and
    /// somebody lifts what holds one. False if none is held.
    pub fn let_attempts_begin(&mut self) -> bool {
        let is_held = |place: &Place| matches!(self.state_of(*place), StepState::Queued { .. });
        let held = self.all_calls().into_iter().filter(is_held);
        let held: Vec<Place> = held.collect();
        for place in &held {
            let short = self.gate.permits.waits_for(place);
            let short = short.unwrap_or_else(|| panic!("{place:?} is held for no reason"));
            let holders = self.gate.model.held(&short.name);
            assert_eq!(holders, short.in_use, "{place:?} waits for {}", short.name);
            assert!(short.in_use >= short.limit, "{place:?} could have {}", short.name);
        }
        let Some(short) = held.first().and_then(|place| self.gate.permits.waits_for(place)) else {
            return false;
        };
        assert!(!short.name.starts_with("root:"), "nothing will move {held:?}");
        self.witness.count("limits lifted");
        self.keep_rows(vec![Row::Limit(short.name, None)]);
        true
    }

    /// Everything is over: nobody has a permit or waits for one.
    pub fn check_permits_are_back(&self) {
        for usage in self.gate.permits.usage() {
            assert_eq!((usage.held, usage.waiting), (0, 0), "{} is not given back", usage.name);
        }
        assert!(self.gate.asked.is_empty(), "nobody needs permits any more");
    }

    /// The permits that a step could need, and those of them that are limited.
    fn permit_names(&mut self, (id, step): Place) -> (Vec<String>, Vec<String>) {
        let run = &self.runs[&id];
        let mut all = vec![format!("workflow:{}", run.workflow().name)];
        let tags = &run.body().steps[step as usize].tags;
        all.extend(tags.iter().map(|tag| format!("tag:{tag}")));
        let mut names: Vec<String> =
            all.iter().filter(|name| self.gate.limits.contains_key(*name)).cloned().collect();
        let root = self.root_of(id);
        let limit = self.runs.get(&root).filter(|root| root.status().is_open());
        let limit = limit.and_then(|root| root.workflow().run_step_concurrency);
        if let Some(limit) = limit {
            let name = format!("root:{root}");
            if !self.gate.model.limits.contains_key(&name) {
                self.set_limit(&name, Some(limit));
            }
            all.push(name.clone());
            names.push(name);
        }
        (all, names)
    }

    fn needs_permits(&self, place: Place) -> bool {
        let (id, step) = place;
        let has_guest = || {
            let of_it = (id, step, 0)..=(id, step, u32::MAX);
            self.executor.guests.range(of_it).next().is_some()
        };
        matches!(
            self.state_of(place),
            StepState::Running | StepState::Suspended { .. } | StepState::Queued { .. }
        ) || has_guest()
    }

    fn state_of(&self, (id, step): Place) -> &StepState {
        &self.runs[&id].steps()[step as usize].state
    }

    /// The steps that run code.
    fn all_calls(&self) -> Vec<Place> {
        let calls = self.runs.iter().flat_map(|(id, run)| {
            let steps = run.body().steps.iter().enumerate();
            steps
                .filter(|(_, step)| matches!(step.kind, StepKind::Call(_)))
                .map(|(step, _)| (*id, step as StepIndex))
        });
        calls.collect()
    }
}
