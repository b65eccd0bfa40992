//! What becomes of schedules when a workflow changes. Those of its definition
//! come, change and go with the active version, in the commit of the change;
//! those made by hand stand still while it has no active version.

use super::change::{NewSchedule, made};
use super::queue::Id;
use super::{Entry, row};
use crate::driver::catalog::Changed;
use crate::driver::{Driver, VersionSelector};
use crate::store::{self, Ticket, Write};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::schedule::state::ScheduleState;
use segno_engine::schedule::{ScheduleTrigger, Trigger};
use std::collections::BTreeMap;

/// Who makes schedules of definitions.
const BY_DEFINITION: &str = "definition";

/// Schedules that are others once a change is ordered; those that go are absent.
type After = Vec<(Id, Option<Entry>)>;

impl Driver {
    /// Orders the change of a workflow, and what follows from it for schedules.
    pub(in crate::driver) fn commit_with_schedules(
        &self,
        tenant: &TenantId,
        changed: &Changed<'_>,
        mut writes: Vec<Write>,
    ) -> Result<Ticket, store::Error> {
        self.decide_before_push(tenant, changed);
        let now = self.0.clock.now();
        let mut all = self.0.schedules.lock();
        let mut after = After::new();
        for (id, entry) in of_tenant(&all, tenant) {
            if entry.record.workflow != changed.workflow {
                continue;
            }
            let mut entry = entry.clone();
            let follow = match entry.record.trigger.clone() {
                Some(trigger) => {
                    self.follow_definition(id, &mut entry, (&trigger, changed), now)?
                }
                None => self.follow_activity(id, &mut entry, (changed, now))?,
            };
            let Some(follow) = follow else {
                writes.extend(Write::schedule_gone(tenant, &entry.record)?);
                after.push((id.clone(), None));
                continue;
            };
            if !follow.is_empty() {
                writes.extend(follow);
                after.push((id.clone(), Some(entry)));
            }
        }
        for trigger in schedules_of(changed) {
            let id = (tenant.clone(), format!("{}/{}", changed.workflow, trigger.id));
            if !all.contains_key(&id) {
                let entry = new_entry(&id, changed, (trigger, now));
                writes.push(row(tenant, &entry.record)?);
                after.push((id, Some(entry)));
            }
        }
        let ticket = self.change_triggers(tenant, changed, writes)?;
        for (id, entry) in after {
            let wake = entry.as_ref().and_then(|entry| entry.wake(tenant, now));
            self.0.schedules.queue.set(&id, wake);
            match entry {
                Some(entry) => all.insert(id, entry),
                None => all.remove(&id),
            };
        }
        Ok(ticket)
    }

    /// What was due before the change is decided before it.
    fn decide_before_push(&self, tenant: &TenantId, changed: &Changed<'_>) {
        let ids: Vec<Id> = {
            let all = self.0.schedules.lock();
            let own = of_tenant(&all, tenant)
                .filter(|(_, entry)| entry.record.workflow == changed.workflow);
            own.map(|(id, _)| id.clone()).collect()
        };
        for id in ids {
            self.decide_before_change(&id);
        }
    }

    /// What follows for a schedule of the definition: the rows to write, none if
    /// nothing is different, nothing at all if it goes.
    fn follow_definition(
        &self,
        id: &Id,
        entry: &mut Entry,
        (trigger, changed): (&str, &Changed<'_>),
        now: Timestamp,
    ) -> Result<Option<Vec<Write>>, store::Error> {
        if changed.is_deleted {
            return Ok(None);
        }
        let before = entry.record.clone();
        let mut writes = self.set_inactive(id, entry, (changed.active.is_none(), now))?;
        if changed.active.is_some() {
            let Some(found) = schedules_of(changed).find(|found| found.id == trigger) else {
                return Ok(None);
            };
            if entry.record.spec != found.schedule {
                writes.extend(self.change_spec(id, entry, (found.schedule.clone(), now))?);
                entry.record.changed_at = now;
                BY_DEFINITION.clone_into(&mut entry.record.changed_by);
            }
        }
        if entry.record != before {
            writes.push(row(&id.0, &entry.record)?);
        }
        Ok(Some(writes))
    }

    /// What follows for a schedule by hand that asks for the active version.
    fn follow_activity(
        &self,
        id: &Id,
        entry: &mut Entry,
        (changed, now): (&Changed<'_>, Timestamp),
    ) -> Result<Option<Vec<Write>>, store::Error> {
        let asks = entry.selector() == VersionSelector::Active;
        // That the workflow is gone is said at every instant.
        let inactive = asks && changed.active.is_none() && !changed.is_deleted;
        let before = entry.record.state.clone();
        let mut writes = self.set_inactive(id, entry, (inactive, now))?;
        if entry.record.state != before {
            writes.push(row(&id.0, &entry.record)?);
        }
        Ok(Some(writes))
    }
}

/// The schedules of a tenant.
fn of_tenant<'a>(
    all: &'a BTreeMap<Id, Entry>,
    tenant: &'a TenantId,
) -> impl Iterator<Item = (&'a Id, &'a Entry)> {
    let from = (tenant.clone(), String::new());
    all.range(from..).take_while(move |((owner, _), _)| owner == tenant)
}

/// The schedules that the active version has.
fn schedules_of<'a>(changed: &'a Changed<'_>) -> impl Iterator<Item = &'a ScheduleTrigger> {
    let workflow = changed.active.as_ref().map(|(_, workflow)| workflow);
    let triggers = workflow.into_iter().flat_map(|workflow| &workflow.triggers);
    triggers.filter_map(|trigger| match trigger {
        Trigger::Schedule(schedule) => Some(schedule),
        Trigger::Signal(_) => None,
    })
}

fn new_entry(
    (_, name): &Id,
    changed: &Changed<'_>,
    (trigger, now): (&ScheduleTrigger, Timestamp),
) -> Entry {
    let mut state = ScheduleState::new(now);
    if trigger.paused {
        state.pause(now, BY_DEFINITION.to_owned(), None);
    }
    let new = NewSchedule {
        name: name.clone(),
        workflow: changed.workflow.to_owned(),
        version: VersionSelector::Active,
        spec: trigger.schedule.clone(),
        paused: Some(trigger.paused),
        note: None,
    };
    let mut record = made(new, state, (now, BY_DEFINITION));
    record.trigger = Some(trigger.id.clone());
    Entry::new(record)
}
