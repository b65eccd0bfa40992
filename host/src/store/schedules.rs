//! The rows of schedules: what each one is and how far it has come, what became
//! of its instants, and backfills.
//!
//! A decision about an instant is one commit: the row of the schedule, whose
//! watermark has moved on, a tick, and the run if there is one. Ticks are
//! numbered in the order of the decisions, and kept for a while.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::schedule::Schedule;
use segno_engine::schedule::state::{Paused, ScheduleState};

/// The most ticks of a schedule that are kept.
pub const TICKS_MAX: u64 = 10_000;

/// How long ticks are kept at most: 90 days.
pub const TICK_RETENTION_MS: u64 = 90 * 24 * 60 * 60 * 1_000;

/// So many old ticks go with each new one.
const SWEPT_AT_ONCE: u64 = 4;

/// A schedule, and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// Its name. The key has it.
    #[serde(skip)]
    pub name: String,
    /// The workflow whose runs it starts.
    pub workflow: String,
    /// Which version of it, as users write that.
    pub version: String,
    /// When it fires, and what follows.
    pub spec: Schedule,
    /// How far it has come.
    pub state: ScheduleState,
    /// The last pause that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_pause: Option<PauseOver>,
    /// The trigger of the workflow's definition that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Runs that were to be cancelled for later ones and are not over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelling: Vec<RunId>,
    /// What it is for, as whoever made it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When somebody changed it last.
    pub changed_at: Timestamp,
    /// Who changed it last.
    pub changed_by: String,
    /// The sequence of the oldest tick that is kept, and that of the next.
    pub ticks: (u64, u64),
    /// The number of the next backfill.
    pub next_backfill: u64,
}

/// A pause of a schedule that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseOver {
    /// What was known of it.
    pub paused: Paused,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Who ended it.
    pub ended_by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_note: Option<String>,
}

/// What became of an instant, or of several in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickRecord {
    /// Its place among the decisions of the schedule, from 1. The key has it.
    #[serde(skip)]
    pub sequence: u64,
    /// The instant, or the first of them.
    pub at: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many they are.
    pub count: u64,
    /// What became of it.
    pub outcome: TickOutcome,
    /// When that was decided.
    pub decided_at: Timestamp,
    /// The backfill that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<u64>,
    /// Who asked for it beside the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What became of an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickOutcome {
    /// A run was started.
    Run(RunId),
    /// The schedule says that there is none.
    Skipped(String),
    /// It was too late for one.
    Missed(String),
    /// None could be started.
    Failed(String),
}

/// A range of instants of a schedule for which runs are started afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackfillRecord {
    /// Its number among those of the schedule, from 1. The key has it.
    #[serde(skip)]
    pub number: u64,
    /// The first moment of the range.
    pub from: Timestamp,
    /// Behind the last moment of the range.
    pub until: Timestamp,
    /// How many of its runs are open at once.
    pub concurrency: u32,
    /// How it stands.
    pub state: BackfillState,
    /// The schedule as it was when the backfill was made.
    pub spec: Schedule,
    /// How many instants there are.
    pub instants: u64,
    /// The last instant that was decided.
    pub done_until: Option<Timestamp>,
    /// How many instants were decided.
    pub decided: u64,
    /// How many runs were started.
    pub started: u64,
    /// How many of them have succeeded.
    pub succeeded: u64,
    /// How many of them ended otherwise, and how many could not be started.
    pub failed: u64,
    /// Those that are open.
    pub open: Vec<RunId>,
    /// Why it is paused or cancelled, as whoever did it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The idempotency key that it was asked for with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub changed_at: Timestamp,
    /// Who changed it last.
    pub changed_by: String,
}

/// How a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// It starts runs.
    Running,
    /// It starts none until it is resumed.
    Paused,
    /// It starts none any more.
    Cancelled,
    /// All its runs are over.
    Done,
}

impl BackfillState {
    /// Its name, as users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Done => "done",
        }
    }

    /// Whether it may still start runs.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl BackfillRecord {
    /// How many instants were not decided yet.
    pub fn left(&self) -> u64 {
        self.instants.saturating_sub(self.decided)
    }
}

impl Record for ScheduleRecord {
    const WHAT: &str = "schedule";
}

impl Record for TickRecord {
    const WHAT: &str = "tick";
}

impl Record for BackfillRecord {
    const WHAT: &str = "backfill";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// A new or changed schedule.
    pub fn schedule(tenant: &TenantId, record: &ScheduleRecord) -> Result<Write, Error> {
        Ok(put(Key::schedule(tenant, &record.name)?, record.encode()))
    }

    /// What became of an instant.
    pub fn tick(tenant: &TenantId, schedule: &str, record: &TickRecord) -> Result<Write, Error> {
        Ok(put(Key::tick(tenant, schedule, record.sequence)?, record.encode()))
    }

    /// A new or changed backfill.
    pub fn backfill(
        tenant: &TenantId,
        schedule: &str,
        record: &BackfillRecord,
    ) -> Result<Write, Error> {
        Ok(put(Key::backfill(tenant, schedule, record.number)?, record.encode()))
    }

    /// What takes away a schedule, and all that is kept of it.
    pub fn schedule_gone(tenant: &TenantId, record: &ScheduleRecord) -> Result<Vec<Write>, Error> {
        let ScheduleRecord { name, ticks: (oldest, next), next_backfill, .. } = record;
        let mut keys = vec![Key::schedule(tenant, name)?];
        for sequence in *oldest..*next {
            keys.push(Key::tick(tenant, name, sequence)?);
        }
        for number in 1..*next_backfill {
            keys.push(Key::backfill(tenant, name, number)?);
        }
        Ok(keys.into_iter().map(|key| Write::Delete { key }).collect())
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// A schedule.
    pub fn schedule(&self, tenant: &TenantId, name: &str) -> Result<Option<ScheduleRecord>, Error> {
        let found = self.record::<ScheduleRecord>(&Key::schedule(tenant, name)?)?;
        Ok(found.map(|record| ScheduleRecord { name: name.to_owned(), ..record }))
    }

    /// The schedules of a tenant, or those of one workflow, by name. Of one
    /// workflow a page may be short though more follow, where very many others
    /// are in between.
    pub fn schedules(
        &self,
        tenant: &TenantId,
        workflow: Option<&str>,
        paging: &Paging,
    ) -> Result<Page<ScheduleRecord>, Error> {
        let prefix = Prefix::schedules(tenant);
        let item = |key: &Key, bytes: Vec<u8>| {
            let record = schedule(&prefix, key, &bytes)?;
            let is_wanted = workflow.is_none_or(|workflow| workflow == record.workflow);
            Ok(is_wanted.then_some((record, bytes.len())))
        };
        match workflow {
            Some(_) => self.page_of_some(prefix.clone(), paging, item),
            None => self.page(prefix.clone(), paging, item),
        }
    }

    /// Every schedule of every tenant, for the restart.
    pub fn all_schedules(
        &self,
        mut visit: impl FnMut(&TenantId, ScheduleRecord),
    ) -> Result<(), Error> {
        for tenant in self.tenants()? {
            let prefix = Prefix::schedules(&tenant);
            self.each_below(prefix.clone(), |key, bytes| {
                visit(&tenant, schedule(&prefix, key, &bytes)?);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What became of a schedule's instants, newest decision first.
    pub fn ticks(
        &self,
        tenant: &TenantId,
        schedule: &str,
        paging: &Paging,
    ) -> Result<Page<TickRecord>, Error> {
        let prefix = Prefix::ticks(tenant, schedule)?;
        self.page_backwards(prefix.clone(), paging, |key, bytes| {
            let sequence = key.number_below(&prefix)?;
            let record = TickRecord::decode(key, &bytes)?;
            Ok(Some((TickRecord { sequence, ..record }, bytes.len())))
        })
    }

    /// One tick, if it is kept.
    pub fn tick(
        &self,
        tenant: &TenantId,
        schedule: &str,
        sequence: u64,
    ) -> Result<Option<TickRecord>, Error> {
        let found = self.record::<TickRecord>(&Key::tick(tenant, schedule, sequence)?)?;
        Ok(found.map(|record| TickRecord { sequence, ..record }))
    }

    /// What takes away ticks that need not be kept any more; moves the first one
    /// of the schedule. A few at a time.
    pub fn ticks_expired(
        &self,
        tenant: &TenantId,
        record: &mut ScheduleRecord,
        now: Timestamp,
    ) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        let (oldest, next) = &mut record.ticks;
        for _ in 0..SWEPT_AT_ONCE {
            if *oldest >= *next {
                break;
            }
            let key = Key::tick(tenant, &record.name, *oldest)?;
            let is_surplus = *next - *oldest > TICKS_MAX;
            // One that cannot be read yet was written a moment ago.
            let is_old = || match self.record::<TickRecord>(&key) {
                Ok(Some(tick)) => Ok(now.since(tick.decided_at) > TICK_RETENTION_MS),
                Ok(None) => Ok(false),
                Err(error) => Err(error),
            };
            if !is_surplus && !is_old()? {
                break;
            }
            writes.push(Write::Delete { key });
            *oldest += 1;
        }
        Ok(writes)
    }

    /// A backfill of a schedule.
    pub fn backfill(
        &self,
        tenant: &TenantId,
        schedule: &str,
        number: u64,
    ) -> Result<Option<BackfillRecord>, Error> {
        let found = self.record::<BackfillRecord>(&Key::backfill(tenant, schedule, number)?)?;
        Ok(found.map(|record| BackfillRecord { number, ..record }))
    }

    /// The backfills of a schedule, newest first.
    pub fn backfills(
        &self,
        tenant: &TenantId,
        schedule: &str,
        paging: &Paging,
    ) -> Result<Page<BackfillRecord>, Error> {
        let prefix = Prefix::backfills(tenant, schedule)?;
        self.page_backwards(prefix.clone(), paging, |key, bytes| {
            let number = key.number_below(&prefix)?;
            let record = BackfillRecord::decode(key, &bytes)?;
            Ok(Some((BackfillRecord { number, ..record }, bytes.len())))
        })
    }

    /// The backfills of a schedule of which something is still open.
    pub fn open_backfills(
        &self,
        tenant: &TenantId,
        schedule: &str,
    ) -> Result<Vec<BackfillRecord>, Error> {
        let prefix = Prefix::backfills(tenant, schedule)?;
        let mut open = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            let number = key.number_below(&prefix)?;
            let record = BackfillRecord::decode(key, &bytes)?;
            if record.state.is_open() || !record.open.is_empty() {
                open.push(BackfillRecord { number, ..record });
            }
            Ok(())
        })?;
        Ok(open)
    }
}

fn schedule(prefix: &Prefix, key: &Key, bytes: &[u8]) -> Result<ScheduleRecord, Error> {
    let name = key.name_below(prefix)?;
    Ok(ScheduleRecord { name, ..ScheduleRecord::decode(key, bytes)? })
}
