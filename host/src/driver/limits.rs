//! Limits of steps that change while steps run, wait and stand in line.

use super::live::Live;
use super::permits::{Holder, Settings, needs_permits};
use super::{Driver, Due, dormant};
use crate::store;
use segno_engine::id::{StepIndex, TenantId};
use segno_engine::run::StepState;
use segno_engine::workflow::StepKind;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};
use tracing::error;

/// Limits that have changed, as far as they are not taken in yet.
#[derive(Default)]
struct Changed {
    /// Those that let more through: by permit, how many there are now.
    more: Vec<(String, Option<u32>)>,
    /// Whether something is limited now that was not before.
    is_new: bool,
}

impl Driver {
    /// Limits have changed: steps that are held may begin, and steps that run
    /// count from now on. What became less counts first, then everybody is told
    /// what it needs now, and only then it is given out what became more.
    pub(super) fn limits_changed(&self, tenant: &TenantId) {
        let mut due = VecDeque::new();
        if let Err(error) = self.take_in_limits(tenant, &mut due) {
            error!(%tenant, %error, "the limits of steps cannot be read");
        }
        self.perform(due);
    }

    fn take_in_limits(
        &self,
        tenant: &TenantId,
        due: &mut VecDeque<Due>,
    ) -> Result<(), store::Error> {
        let _one_at_a_time = self.0.gates.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Changed { more, is_new } = self.lower_limits(tenant)?;
        for live in self.live_runs(tenant) {
            self.renew_all(&live, due);
        }
        if is_new {
            self.renew_dormant(tenant, due)?;
        }
        let mut granted = Vec::new();
        if let Some(gate) = self.0.gates.lock().get_mut(tenant) {
            for (name, limit) in more {
                granted.extend(gate.permits.set_limit(&name, limit));
            }
        }
        self.grant(tenant, granted, due);
        Ok(())
    }

    /// Goes by the limits that are less than before; says what else has changed.
    fn lower_limits(&self, tenant: &TenantId) -> Result<Changed, store::Error> {
        let mut gates = self.0.gates.lock();
        let Some(gate) = gates.get_mut(tenant) else { return Ok(Changed::default()) };
        let tags = self.0.store.tag_limits(tenant)?;
        let known: BTreeSet<String> = tags.iter().map(|(tag, _)| tag.clone()).collect();
        let gone = gate.tags.difference(&known).map(|tag| (format!("tag:{tag}"), None));
        let mut wanted: Vec<_> = gone.collect();
        wanted.extend(tags.into_iter().map(|(tag, limit)| (format!("tag:{tag}"), Some(limit))));
        gate.tags = known;
        let mut changed = Changed::default();
        for (name, settings) in &mut gate.workflows {
            let record = self.0.store.workflow(tenant, name)?;
            let properties = record.map(|record| record.properties).unwrap_or_default();
            let limit = properties.step_concurrency;
            changed.is_new |= settings.tags != properties.tags;
            *settings = Settings { tags: properties.tags, is_limited: limit.is_some() };
            wanted.push((format!("workflow:{name}"), limit));
        }
        for (name, limit) in wanted {
            match (gate.permits.limit(&name), limit) {
                (None, Some(_)) => changed.is_new = true,
                (Some(before), Some(now)) if now < before => {}
                _ => {
                    changed.more.push((name, limit));
                    continue;
                }
            }
            gate.permits.set_limit(&name, limit);
        }
        Ok(changed)
    }

    /// After a change of limits: a step that runs or stands in line does so for
    /// what is limited now, and for nothing else. Returns who got permits by it,
    /// and whether anything is another.
    fn renew(&self, live: &Arc<Live>, step: StepIndex) -> (Vec<Holder>, bool) {
        let mut state = live.lock();
        if !needs_permits(&state, step) {
            return (Vec::new(), false);
        }
        let names = match self.find_permit_names(live, &state, step) {
            Ok(names) => names,
            Err(error) => {
                error!(run = %live.id, %error, "the limits of steps cannot be read");
                return (Vec::new(), false);
            }
        };
        let has_begun = state.attempts.contains_key(&step)
            || matches!(state.run.steps()[step as usize].state, StepState::Suspended { .. });
        let known = state.permits.get(&step);
        let is_other = known.is_none_or(|known| *known != names);
        let granted = match self.0.gates.lock().get_mut(&live.tenant) {
            Some(gate) if known.is_some() => gate.permits.renew(&(live.id, step), &names),
            Some(gate) if has_begun && !names.is_empty() => {
                gate.permits.hold((live.id, step), &names);
                Vec::new()
            }
            // It asks when it begins.
            _ => return (Vec::new(), false),
        };
        state.permits.insert(step, names);
        (granted, is_other)
    }

    /// Tells every step of a run that needs permits which those are now; whether
    /// they are others than before.
    fn renew_all(&self, live: &Arc<Live>, due: &mut VecDeque<Due>) -> bool {
        let calls: Vec<StepIndex> = {
            let state = live.lock();
            let is_call = |step: &StepIndex| {
                matches!(state.run.body().steps[*step as usize].kind, StepKind::Call(_))
            };
            (0..state.run.steps().len() as StepIndex).filter(is_call).collect()
        };
        let mut is_other = false;
        for step in calls {
            let (granted, differs) = self.renew(live, step);
            is_other |= differs;
            self.grant(&live.tenant, granted, due);
        }
        is_other
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
                    let is_other = self.renew_all(&live, due);
                    let mut state = live.lock();
                    if is_other
                        && state.is_dormant
                        && let Some(write) = dormant::asleep(&live, &state)
                    {
                        state.ticket = self.0.store.commit(vec![write]);
                    }
                    drop(state);
                    self.sleep_soon(&live);
                }
                Ok(None) => {}
                Err(error) => self.cannot_wake(run, &error),
            }
        }
        Ok(())
    }
}
