//! The addresses of triggers: how far each has come, the signals that wait for
//! others, and what became of those that it used.

use super::{Builder, Error, Key, Kind, Prefix};
use segno_engine::id::TenantId;

impl Key {
    /// How far a trigger has come.
    pub fn trigger(tenant: &TenantId, trigger: (&str, &str)) -> Result<Key, Error> {
        Ok(named(tenant, Kind::Trigger, trigger)?.key())
    }

    /// A signal that waits for others of a trigger.
    pub fn trigger_pending(
        tenant: &TenantId,
        trigger: (&str, &str),
        place: u64,
    ) -> Result<Key, Error> {
        Ok(named(tenant, Kind::TriggerPending, trigger)?.number(place).key())
    }

    /// What became of signals that a trigger used, newest first.
    pub fn firing(tenant: &TenantId, trigger: (&str, &str), number: u64) -> Result<Key, Error> {
        Ok(named(tenant, Kind::Firing, trigger)?.number(!number).key())
    }
}

impl Prefix {
    /// The triggers of a tenant, by workflow and id.
    pub fn triggers(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Trigger).prefix()
    }

    /// The triggers of a workflow, by id.
    pub fn triggers_of(tenant: &TenantId, workflow: &str) -> Result<Prefix, Error> {
        Ok(Builder::new(tenant, Kind::Trigger).name("workflow name", workflow)?.prefix())
    }

    /// The signals that wait for others of a trigger, oldest first.
    pub fn trigger_pending(tenant: &TenantId, trigger: (&str, &str)) -> Result<Prefix, Error> {
        Ok(named(tenant, Kind::TriggerPending, trigger)?.prefix())
    }

    /// What became of the signals that a trigger used, newest first.
    pub fn firings(tenant: &TenantId, trigger: (&str, &str)) -> Result<Prefix, Error> {
        Ok(named(tenant, Kind::Firing, trigger)?.prefix())
    }
}

fn named(tenant: &TenantId, kind: Kind, (workflow, id): (&str, &str)) -> Result<Builder, Error> {
    Builder::new(tenant, kind).name("workflow name", workflow)?.name("trigger id", id)
}
