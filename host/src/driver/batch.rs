//! Runs of one workflow that start together: all of them or none, in one
//! commit. A run strategy that keeps one keeps one of them.

use super::start::{Checked, NewRun};
use super::{Driver, StartError, StartRun, Started};
use crate::crash;
use crate::store::{RequestRecord, Ticket, Write};
use segno_engine::event::Origin;
use segno_engine::id::{RunId, TenantId};
use segno_engine::strategy::lane::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The most runs that start together.
pub const BATCH_MAX: usize = 100;

impl Driver {
    /// Starts runs of one workflow together, and returns when they are on stable
    /// storage. A request that was made before, also one of the same batch, gives
    /// the run that it started.
    ///
    /// # Errors
    /// As for `start`, each mistake with the place in the batch; then none has
    /// started.
    pub async fn start_batch(
        &self,
        tenant: &TenantId,
        batch: Vec<StartRun>,
    ) -> Result<Vec<Started>, StartError> {
        let mut mistakes = Vec::new();
        if batch.len() > BATCH_MAX {
            let count = batch.len();
            mistakes.push(format!("{count} runs, at most {BATCH_MAX} start together; split them"));
        }
        let mut checked = Vec::new();
        for (place, start) in batch.into_iter().enumerate() {
            match self.checked(tenant, &start) {
                Ok(found) => checked.push((start, found)),
                Err(StartError::BadParams(all)) => {
                    mistakes.extend(all.into_iter().map(|why| format!("runs[{place}]: {why}")));
                }
                Err(error) => return Err(error),
            }
        }
        if !mistakes.is_empty() {
            return Err(StartError::BadParams(mistakes));
        }
        let (started, ticket) = self.order_batch(tenant, checked)?;
        ticket.durable().await?;
        Ok(started)
    }

    fn order_batch(
        &self,
        tenant: &TenantId,
        batch: Vec<(StartRun, Checked)>,
    ) -> Result<(Vec<Started>, Ticket), StartError> {
        let mut due = VecDeque::new();
        let mut starts = self.lock_starts();
        let mut started: Vec<Started> = Vec::new();
        let mut fresh = Vec::new();
        let mut keys: HashMap<String, (RunId, [u8; 32])> = HashMap::new();
        for (start, found) in batch {
            let known = match start.idempotency_key.as_ref().and_then(|key| keys.get(key)) {
                Some((_, hash)) if *hash != found.hash => {
                    return Err(StartError::KeyReused(start.idempotency_key.unwrap_or_default()));
                }
                Some((run, _)) => Some(*run),
                None => self.earlier(&mut starts, tenant, &start, &found.hash)?.map(|it| it.0),
            };
            if let Some(run) = known {
                started.push(Started { run, number: None, repeated: true, status: "" });
                continue;
            }
            if let Some(key) = &start.idempotency_key {
                keys.insert(key.clone(), (found.id, found.hash));
            }
            let number = self.next_number(&mut starts, tenant, &start.workflow)?;
            let (run, repeated, status) = (found.id, false, "");
            started.push(Started { run, number: Some(number), repeated, status });
            fresh.push((start, found, number));
        }
        let Some(name) = fresh.first().map(|(start, ..)| start.workflow.clone()) else {
            return Ok((started, self.store().barrier()));
        };
        let entry = |found: &Checked, number: u64| Entry { run: found.id, number, retry: 0 };
        let entries: Vec<_> = fresh.iter().map(|(_, it, number)| entry(it, *number)).collect();
        let admissions = self.arrive_together(&mut starts, tenant, (&name, &entries))?;
        let (mut writes, mut prepared, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for ((start, found, number), admission) in fresh.into_iter().zip(admissions) {
            let Checked { id, now, workflow, version, given, hash } = found;
            let origin = Origin::Start { number, given, cause: start.cause };
            let new = NewRun { id, workflow, version, origin, admission: Some(admission) };
            if let Some(key) = start.idempotency_key {
                let request = RequestRecord { run: id, body_hash: hash };
                writes.push(Write::request(tenant, &key, &request)?);
                requests.push((key, request));
            }
            let run = self.prepare_run(&mut starts, tenant, (new, now), &mut due)?;
            writes.extend(run.writes);
            prepared.push((run.live, run.follow));
        }
        for (live, _) in &prepared {
            self.lock_live().insert(live.id, Arc::clone(live));
        }
        let ticket = self.store().commit(writes);
        for (key, request) in requests {
            starts.pending.insert((tenant.clone(), key), (request, ticket.clone()));
        }
        drop(starts);
        for (live, follow) in prepared {
            let mut state = live.lock();
            self.committed(&live, &mut state, ticket.clone());
            let status = state.run.status().as_str();
            started.iter_mut().filter(|it| it.run == live.id).for_each(|it| it.status = status);
            due.extend(follow);
        }
        crash::point("batch ordered");
        self.perform(due);
        Ok((started, ticket))
    }
}
