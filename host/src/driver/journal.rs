//! Journals as they are kept: one row for a durable call, and one for its
//! answer where that came later. A new attempt goes on behind the last wait
//! that an earlier one finished.

use super::live::{Live, LiveState};
use crate::sandbox::{Answer, Entry, Happening, NewEntry};
use crate::store::{self, JournalRow, Store, Write};
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// A durable call as it is kept.
#[derive(Serialize, Deserialize)]
struct Call {
    attempt: Attempt,
    summary: String,
    hash: [u8; 16],
    readings: Vec<(u64, u32)>,
    answer: Option<Answer>,
}

const FORMAT: u8 = 1;
/// The row of a call.
const CALL: u8 = 0;
/// The row of an answer that came later.
const ANSWER: u8 = 1;

/// What an attempt finds when it starts.
#[derive(Default)]
pub(super) struct Journal {
    /// Calls that have their answers.
    pub(super) entries: Vec<Entry>,
    /// A call that was made, and whose answer nobody knows.
    pub(super) pending: Option<Pending>,
    /// The attempt that made the first of them.
    pub(super) began: Option<Attempt>,
    /// What has to be taken away before anything is added.
    pub(super) stale: Vec<Write>,
}

/// A call that was made, and whose answer nobody knows.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) sequence: u64,
    pub(super) summary: String,
    pub(super) hash: [u8; 16],
}

/// The signals for everyone that a step was given, by name.
pub(super) type Taken = HashMap<String, HashSet<u64>>;

impl Journal {
    /// Reads the journal of a step for an attempt.
    pub(super) fn load(
        store: &Store,
        tenant: &TenantId,
        of: (RunId, StepIndex),
        (attempt, first): (Attempt, u64),
    ) -> Result<Self, store::Error> {
        let rows = store.journal(tenant, of, first)?;
        let mut calls: Vec<(u64, Call)> = Vec::new();
        for JournalRow { sequence, part, bytes } in rows {
            match part {
                CALL => calls.push((sequence, decode(&bytes)?)),
                _ => match calls.last_mut() {
                    Some((last, call)) if *last == sequence => call.answer = Some(decode(&bytes)?),
                    _ => return Err(corrupt("an answer without its call")),
                },
            }
        }
        // Whoever already added to it has also taken away what was too much.
        let is_new = calls.iter().all(|(_, call)| call.attempt < attempt);
        let kept = match is_new {
            true => {
                calls.iter().rposition(|(_, call)| is_finished_wait(call)).map_or(0, |at| at + 1)
            }
            false => calls.len(),
        };
        let stale = calls.drain(kept..).flat_map(|(sequence, _)| {
            [CALL, ANSWER].map(|part| Write::journal_gone(tenant, of, sequence, part))
        });
        let stale = stale.collect();
        Ok(Self { stale, began: calls.first().map(|(_, call)| call.attempt), ..Self::of(calls)? })
    }

    fn of(calls: Vec<(u64, Call)>) -> Result<Self, store::Error> {
        let mut journal = Self::default();
        for (sequence, call) in calls {
            if journal.pending.is_some() {
                return Err(corrupt("a call without its answer, and more behind it"));
            }
            let Call { summary, hash, readings, answer, .. } = call;
            match answer {
                Some(answer) => {
                    journal.entries.push(Entry { sequence, summary, hash, readings, answer });
                }
                None => journal.pending = Some(Pending { sequence, summary, hash }),
            }
        }
        Ok(journal)
    }

    /// The signals for everyone that the step was given.
    pub(super) fn taken(&self) -> Taken {
        let mut taken = Taken::new();
        for entry in &self.entries {
            take(&mut taken, &entry.answer);
        }
        taken
    }
}

/// Notes the signal that an answer gives.
pub(super) fn take(taken: &mut Taken, answer: &Answer) {
    if let Answer::Woken { happening: Happening::Signal(signal), .. } = answer
        && !signal.this_run
    {
        taken.entry(signal.name.clone()).or_default().insert(signal.sequence);
    }
}

/// The row of a call, with its answer if that is known.
pub(super) fn call_row(
    tenant: &TenantId,
    of: (RunId, StepIndex),
    attempt: Attempt,
    (entry, answer): (&NewEntry, Option<&Answer>),
) -> Write {
    let call = Call {
        attempt,
        summary: entry.summary.clone(),
        hash: entry.hash,
        readings: entry.readings.clone(),
        answer: answer.cloned(),
    };
    Write::journal(tenant, of, entry.sequence, (CALL, encode(&call)))
}

/// The row of an answer that comes later than its call.
pub(super) fn later_row(
    tenant: &TenantId,
    of: (RunId, StepIndex),
    sequence: u64,
    answer: &Answer,
) -> Write {
    Write::journal(tenant, of, sequence, (ANSWER, encode(answer)))
}

/// The row of what ended the last wait of a step.
pub(super) fn answer_row(
    live: &Live,
    (step, state): (StepIndex, &LiveState),
    answer: &Answer,
) -> Write {
    let sequence = state.run.steps()[step as usize].waited;
    later_row(&live.tenant, (live.id, step), sequence, answer)
}

/// Takes away a whole journal that ends before `end`.
pub(super) fn gone(
    tenant: &TenantId,
    of: (RunId, StepIndex),
    (first, end): (u64, u64),
) -> impl Iterator<Item = Write> {
    let parts = |sequence| [CALL, ANSWER].map(|part| (sequence, part));
    let rows = (first..end).flat_map(parts);
    rows.map(move |(sequence, part)| Write::journal_gone(tenant, of, sequence, part))
}

fn is_finished_wait(call: &Call) -> bool {
    matches!(call.answer, Some(Answer::Woken { .. }))
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("a growing vector takes every row")
}

fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, store::Error> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => {
            postcard::from_bytes(rest).map_err(|error| corrupt(&error.to_string()))
        }
        _ => Err(corrupt("its format is unknown; use a newer segno")),
    }
}

fn corrupt(why: &str) -> store::Error {
    store::Error::corrupt(format!("a journal cannot be read: {why}"))
}

/// A durable call as people see it.
pub struct Called {
    /// Its place in the journal.
    pub sequence: u64,
    /// The attempt that made it.
    pub attempt: Attempt,
    /// The call.
    pub call: String,
    /// What it gave, in one line; nothing if that is not known yet.
    pub answer: Option<String>,
}

/// The journal of a step, for people: what was called, and what came of it.
pub(super) fn shown(
    store: &Store,
    tenant: &TenantId,
    of: (RunId, StepIndex),
) -> Result<Vec<Called>, store::Error> {
    let mut all: Vec<Called> = Vec::new();
    for JournalRow { sequence, part, bytes } in store.journal(tenant, of, 0)? {
        match part {
            CALL => {
                let Call { attempt, summary, answer, .. } = decode(&bytes)?;
                let answer = answer.as_ref().map(Answer::summary);
                all.push(Called { sequence, attempt, call: summary, answer });
            }
            _ => {
                let answer: Answer = decode(&bytes)?;
                if let Some(last) = all.last_mut().filter(|last| last.sequence == sequence) {
                    last.answer = Some(answer.summary());
                }
            }
        }
    }
    Ok(all)
}
