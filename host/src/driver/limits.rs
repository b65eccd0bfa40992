//! Limits of steps that change while steps run, wait and stand in line.

use super::live::{Live, LiveState};
use super::permits::{Holder, needs_permits};
use super::{Driver, Due, dormant};
use crate::store;
use segno_engine::id::{StepIndex, TenantId};
use segno_engine::run::StepState;
use segno_engine::workflow::StepKind;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};
use tracing::error;

/// Limits that let more through than before: by permit, how many there are now.
type More = Vec<(String, Option<u32>)>;

impl Driver {
    /// Limits have changed: steps that are held may begin, and steps that run
    /// count from now on. What became less counts first, then everybody is told
    /// what it needs now, and only then it is given out what became more.
    /// `is_new` says whether something is limited that was not before.
    pub(super) fn limits_changed(&self, tenant: &TenantId, is_new: bool) {
        let mut due = VecDeque::new();
        if let Err(error) = self.take_in_limits(tenant, is_new, &mut due) {
            error!(%tenant, %error, "the limits of steps cannot be read");
        }
        self.perform(due);
    }

    fn take_in_limits(
        &self,
        tenant: &TenantId,
        is_new: bool,
        due: &mut VecDeque<Due>,
    ) -> Result<(), store::Error> {
        let _one_at_a_time = self.0.gates.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let more = self.lower_limits(tenant)?;
        for live in self.live_runs(tenant) {
            self.renew_all(&live, due);
        }
        if is_new {
            self.renew_dormant(tenant, due)?;
        }
        let granted = self.raise_limits(tenant, more);
        self.grant(tenant, granted, due);
        Ok(())
    }

    /// Goes by the limits that are less than before; says which are more. What
    /// is limited no more still is, until it is given out.
    fn lower_limits(&self, tenant: &TenantId) -> Result<More, store::Error> {
        let mut gates = self.0.gates.lock();
        let Some(gate) = gates.get_mut(tenant) else { return Ok(More::new()) };
        let tags = self.0.store.tag_limits(tenant)?;
        let known: BTreeSet<String> = tags.iter().map(|(tag, _)| tag.clone()).collect();
        let gone = gate.tags.difference(&known).map(|tag| (format!("tag:{tag}"), None));
        let mut wanted: More = gone.collect();
        wanted.extend(tags.into_iter().map(|(tag, limit)| (format!("tag:{tag}"), Some(limit))));
        gate.tags.extend(known);
        for (name, settings) in &mut gate.workflows {
            let record = self.0.store.workflow(tenant, name)?;
            let properties = record.map(|record| record.properties).unwrap_or_default();
            let limit = properties.step_concurrency;
            settings.tags = properties.tags;
            settings.is_limited |= limit.is_some();
            wanted.push((format!("workflow:{name}"), limit));
        }
        let permits = &mut gate.permits;
        let is_less = |name: &str, limit: Option<u32>| match (permits.limit(name), limit) {
            (Some(before), Some(now)) => now < before,
            (before, now) => before.is_none() && now.is_some(),
        };
        let (less, more): (More, More) =
            wanted.into_iter().partition(|(name, limit)| is_less(name, *limit));
        for (name, limit) in less {
            permits.set_limit(&name, limit);
        }
        Ok(more)
    }

    /// Goes by the limits that are more than before; who got permits by it.
    fn raise_limits(&self, tenant: &TenantId, more: More) -> Vec<Holder> {
        let mut gates = self.0.gates.lock();
        let Some(gate) = gates.get_mut(tenant) else { return Vec::new() };
        let mut granted = Vec::new();
        for (name, limit) in more {
            granted.extend(gate.permits.set_limit(&name, limit));
            match name.split_once(':') {
                Some(("tag", tag)) if limit.is_none() => {
                    gate.tags.remove(tag);
                }
                Some(("workflow", workflow)) if limit.is_none() => {
                    if let Some(settings) = gate.workflows.get_mut(workflow) {
                        settings.is_limited = false;
                    }
                }
                _ => {}
            }
        }
        granted
    }

    /// Tells every step of a run that needs permits which those are now. Of a
    /// run that need not be in memory the store knows them, too.
    fn renew_all(&self, live: &Arc<Live>, due: &mut VecDeque<Due>) {
        let mut granted = Vec::new();
        {
            let mut state = live.lock();
            for step in 0..state.run.steps().len() as StepIndex {
                let kind = &state.run.body().steps[step as usize].kind;
                if matches!(kind, StepKind::Call(_)) && needs_permits(&state, step) {
                    granted.extend(self.renew(live, &mut state, step));
                }
            }
            if state.is_dormant
                && let Some(write) = dormant::asleep(live, &state)
            {
                state.ticket = self.0.store.commit(vec![write]);
            }
        }
        self.grant(&live.tenant, granted, due);
    }

    /// A step that runs or stands in line does so for what is limited now, and
    /// for nothing else. Returns who got permits by it.
    fn renew(&self, live: &Arc<Live>, state: &mut LiveState, step: StepIndex) -> Vec<Holder> {
        let names = match self.find_permit_names(live, state, step) {
            Ok(names) => names,
            Err(error) => {
                error!(run = %live.id, %error, "the limits of steps cannot be read");
                return Vec::new();
            }
        };
        let has_begun = state.attempts.contains_key(&step)
            || matches!(state.run.steps()[step as usize].state, StepState::Suspended { .. });
        let is_known = state.permits.contains_key(&step);
        let granted = match self.0.gates.lock().get_mut(&live.tenant) {
            Some(gate) if is_known => gate.permits.renew(&(live.id, step), &names),
            Some(gate) if has_begun && !names.is_empty() => {
                gate.permits.hold((live.id, step), &names);
                Vec::new()
            }
            // It asks when it begins.
            _ => return Vec::new(),
        };
        state.permits.insert(step, names);
        granted
    }

    /// The same for runs that are not in memory.
    fn renew_dormant(
        &self,
        tenant: &TenantId,
        due: &mut VecDeque<Due>,
    ) -> Result<(), store::Error> {
        let mut absent = Vec::new();
        self.0.store.open_runs(|its, run, _| {
            if its == tenant && self.live(tenant, run).is_none() {
                absent.push(run);
            }
        })?;
        for run in absent {
            match self.find(tenant, run, due) {
                Ok(Some(live)) => {
                    self.renew_all(&live, due);
                    self.sleep_soon(&live);
                }
                Ok(None) => {}
                Err(error) => self.cannot_wake(run, &error),
            }
        }
        Ok(())
    }
}
