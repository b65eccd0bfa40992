//! Schedules and backfills on the stage: made, changed, and what became of them.

use crate::stage::{BY, Stage};
use segno_engine::definition::read_schedule;
use segno_engine::event::{Cause, Origin};
use segno_engine::id::{RunId, Timestamp};
use segno_host::clock::rfc3339;
use segno_host::driver::{
    Apply, BackfillAction, NewBackfill, NewSchedule, ScheduleError, VersionSelector,
};
use segno_host::store::{BackfillRecord, Paging, ScheduleRecord, TickOutcome, TickRecord};
use std::collections::BTreeSet;

/// Its runs are over at once, and show what they were given.
pub const QUICK: &str = "workflow: quick\nparams: { day: { type: string, value: none } }\nsteps: [{ id: end, noop: true }]\noutput: { day: \"${params.day}\", at: \"${run.scheduled_at}\" }\n";

/// Its runs wait until they are let go.
pub const SLOW: &str = "workflow: slow\nsteps: [{ id: gate, wait: { signal: go } }]\n";

pub fn new_schedule(text: &str) -> NewSchedule {
    let document = read_schedule(text, &["name", "workflow"]).expect("it is one");
    NewSchedule {
        name: document.name.expect("it has a name"),
        workflow: document.workflow.expect("it has a workflow"),
        version: document.version.map_or(VersionSelector::Active, |it| it.parse().expect("one")),
        spec: document.schedule,
        paused: document.paused,
        note: document.note,
    }
}

pub fn moment(text: &str) -> Timestamp {
    segno_engine::definition::read_moment(text).expect("it is a moment")
}

/// The time of day of a moment.
pub fn clock(at: Timestamp) -> String {
    rfc3339(at)[11..19].to_owned()
}

impl Stage {
    pub fn schedule(&self, text: &str) -> ScheduleRecord {
        self.try_schedule(text).expect("it can be made")
    }

    pub fn try_schedule(&self, text: &str) -> Result<ScheduleRecord, ScheduleError> {
        self.block(self.driver().create_schedule(&self.tenant, new_schedule(text), BY))
    }

    pub fn change(&self, text: &str) -> Result<ScheduleRecord, ScheduleError> {
        let new = new_schedule(text);
        let name = new.name.clone();
        self.block(self.driver().change_schedule(&self.tenant, (&name, |_: &_| Ok(new)), BY))
    }

    pub fn shown(&self, name: &str) -> ScheduleRecord {
        self.block(self.driver().schedule_named(&self.tenant, name)).expect("there is one")
    }

    /// What became of the instants, oldest decision first.
    pub fn ticks(&self, name: &str) -> Vec<TickRecord> {
        self.shown(name);
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let paging = Paging::first(1_000).after(after);
            let page = self.driver().store().ticks(&self.tenant, name, &paging);
            let page = page.expect("the store answers");
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                all.reverse();
                return all;
            }
        }
    }

    /// The same in short: the time of day and what became of it.
    pub fn told(&self, name: &str) -> Vec<String> {
        self.ticks(name).iter().map(told).collect()
    }

    /// Waits until this is what became of the instants.
    pub fn comes_to_be_told(&self, name: &str, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
        self.comes_to(expected, || self.told(name));
    }

    /// The instants of the schedule's runs, in order; no instant has two.
    pub fn run_instants(&self, schedule: &str) -> Vec<Timestamp> {
        let mut instants = Vec::new();
        for run in self.runs_of(schedule) {
            let known = self.run(run);
            let Origin::Start { cause: Cause::Schedule { at, .. }, .. } = known.origin() else {
                panic!("{run} is no run of a schedule");
            };
            instants.push(*at);
        }
        instants.sort_unstable();
        let distinct: BTreeSet<_> = instants.iter().collect();
        assert_eq!(distinct.len(), instants.len(), "an instant has two runs: {instants:?}");
        instants
    }

    /// All runs that schedules of this name started, oldest identifier first.
    pub fn runs_of(&self, schedule: &str) -> Vec<RunId> {
        self.block(self.driver().store().barrier().durable()).expect("the store is sound");
        let page = self.driver().store().runs(&self.tenant, None, &Paging::first(1_000));
        let items = page.expect("the store answers").items.into_iter().rev();
        let own = |name: &Option<(String, Timestamp)>| {
            name.as_ref().is_some_and(|(name, _)| name == schedule)
        };
        items.filter(|record| own(&record.schedule)).map(|record| record.run).collect()
    }

    /// The runs of the instants at these times of day.
    pub fn run_at(&self, schedule: &str, time: &str) -> RunId {
        let runs = self.runs_of(schedule).into_iter();
        let at = |run: &RunId| match self.run(*run).origin() {
            Origin::Start { cause: Cause::Schedule { at, .. }, .. } => clock(*at) == time,
            _ => false,
        };
        runs.into_iter().find(at).unwrap_or_else(|| panic!("there is no run for {time}"))
    }

    pub fn push(&self, source: &str, active: bool) {
        let apply = Apply { source, active, by: BY };
        self.block(self.driver().apply_workflow(&self.tenant, apply)).expect("it is sound");
    }

    pub fn deactivate(&self, workflow: &str) {
        self.block(self.driver().deactivate_workflow(&self.tenant, workflow, BY))
            .expect("there is one");
    }

    pub fn activate(&self, workflow: &str) {
        let latest = VersionSelector::Latest;
        self.block(self.driver().activate_workflow(&self.tenant, workflow, latest, BY))
            .expect("there is one");
    }

    pub fn backfill(&self, schedule: &str, number: u64) -> BackfillRecord {
        self.block(self.driver().backfill(&self.tenant, schedule, number)).expect("there is one")
    }

    pub fn new_backfill(
        &self,
        schedule: &str,
        (from, until): (&str, &str),
        concurrency: u32,
    ) -> Result<BackfillRecord, ScheduleError> {
        self.keyed_backfill(schedule, ((from, until), concurrency), None).map(|(made, _)| made)
    }

    pub fn keyed_backfill(
        &self,
        schedule: &str,
        ((from, until), concurrency): ((&str, &str), u32),
        key: Option<&str>,
    ) -> Result<(BackfillRecord, bool), ScheduleError> {
        let key = key.map(str::to_owned);
        let wanted = NewBackfill { from: moment(from), until: moment(until), concurrency, key };
        self.block(self.driver().create_backfill(&self.tenant, (schedule, wanted), BY))
    }

    pub fn act_on_backfill(&self, schedule: &str, number: u64, action: BackfillAction) {
        let which = (schedule, number);
        self.block(self.driver().act_on_backfill(&self.tenant, which, (action, None), BY))
            .expect("it fits");
    }
}

fn told(tick: &TickRecord) -> String {
    let at = clock(tick.at);
    match &tick.outcome {
        TickOutcome::Run(_) => format!("{at} run"),
        TickOutcome::Skipped(why) | TickOutcome::Missed(why) if tick.count > 1 => {
            format!("{at} to {} {} times {why}", clock(tick.last), tick.count)
        }
        TickOutcome::Skipped(why) | TickOutcome::Missed(why) => format!("{at} {why}"),
        TickOutcome::Failed(_) => format!("{at} failed"),
    }
}
