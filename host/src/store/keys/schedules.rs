//! The addresses of schedules, of what became of their instants, and of
//! backfills.

use super::{Builder, Error, Key, Kind, Prefix, SCHEDULE_BYTES_MAX, check_name};
use segno_engine::id::TenantId;

impl Key {
    /// A schedule.
    pub fn schedule(tenant: &TenantId, schedule: &str) -> Result<Key, Error> {
        Ok(of(tenant, Kind::Schedule, schedule)?.key())
    }

    /// What became of instants of a schedule, by the order of the decisions.
    pub fn tick(tenant: &TenantId, schedule: &str, sequence: u64) -> Result<Key, Error> {
        Ok(of(tenant, Kind::Tick, schedule)?.number(sequence).key())
    }

    /// A backfill of a schedule.
    pub fn backfill(tenant: &TenantId, schedule: &str, number: u64) -> Result<Key, Error> {
        Ok(of(tenant, Kind::Backfill, schedule)?.number(number).key())
    }
}

impl Prefix {
    /// The schedules of a tenant, by name.
    pub fn schedules(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Schedule).prefix()
    }

    /// What became of a schedule's instants, oldest decision first.
    pub fn ticks(tenant: &TenantId, schedule: &str) -> Result<Prefix, Error> {
        Ok(of(tenant, Kind::Tick, schedule)?.prefix())
    }

    /// The backfills of a schedule, oldest first.
    pub fn backfills(tenant: &TenantId, schedule: &str) -> Result<Prefix, Error> {
        Ok(of(tenant, Kind::Backfill, schedule)?.prefix())
    }
}

fn of(tenant: &TenantId, kind: Kind, schedule: &str) -> Result<Builder, Error> {
    check_name("schedule name", schedule, SCHEDULE_BYTES_MAX)?;
    Ok(Builder::new(tenant, kind).bytes(schedule.as_bytes()).bytes(&[0]))
}
