//! Runs of one workflow that start together: all of them or none, in one
//! commit. A run strategy that keeps one keeps one of them.

use super::live::{Live, LiveState};
use super::start::{Checked, NewRun, Prepared, Starts};
use super::{Driver, Due, StartError, StartRun, Started};
use crate::crash;
use crate::store::{RequestRecord, Ticket, Write};
use segno_engine::event::Origin;
use segno_engine::id::{RunId, TenantId};
use segno_engine::strategy::lane::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard};

/// The most runs that start together.
pub const BATCH_MAX: usize = 100;

/// One start of a batch.
type Request = (StartRun, Checked);

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
        let (mut started, fresh) = self.sorted(&mut starts, tenant, batch)?;
        let Some(name) = fresh.first().map(|(start, _)| start.workflow.clone()) else {
            return Ok((started, self.store().barrier()));
        };
        let mut entries = Vec::new();
        for (_, found) in &fresh {
            let number = self.next_number(&mut starts, tenant, &name)?;
            entries.push(Entry { run: found.id, number, retry: 0 });
        }
        let admissions = self.arrive_together(&mut starts, tenant, (&name, &entries))?;
        let (mut writes, mut prepared, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        let admitted = entries.iter().zip(admissions);
        for ((start, found), (entry, admission)) in fresh.into_iter().zip(admitted) {
            let Checked { id, now, workflow, version, given, hash } = found;
            let origin = Origin::Start { number: entry.number, given, cause: start.cause };
            let new = NewRun {
                admission: Some(admission),
                ..NewRun::of((id, workflow, version), origin)
            };
            if let Some(key) = start.idempotency_key {
                let request = RequestRecord { run: id, body_hash: hash };
                writes.push(Write::request(tenant, &key, &request)?);
                requests.push((key, request));
            }
            prepared.push(self.prepare_run(&mut starts, tenant, (new, now), &mut due)?);
        }
        let (ticket, statuses) = self.order_together(prepared, writes, &mut due);
        for (key, request) in requests {
            starts.pending.insert((tenant.clone(), key), (request, ticket.clone()));
        }
        drop(starts);
        for (entry, status) in entries.iter().zip(statuses) {
            for it in started.iter_mut().filter(|it| it.run == entry.run) {
                (it.number, it.status) = (Some(entry.number), status);
            }
        }
        crash::point("batch ordered");
        self.perform(due);
        Ok((started, ticket))
    }

    /// Orders runs that were prepared in one commit, together with `writes`.
    /// Says how each stands, too.
    fn order_together(
        &self,
        prepared: Vec<Prepared>,
        mut writes: Vec<Write>,
        due: &mut VecDeque<Due>,
    ) -> (Ticket, Vec<&'static str>) {
        let mut lives = Vec::new();
        for Prepared { live, writes: more, follow } in prepared {
            writes.extend(more);
            due.extend(follow);
            lives.push(live);
        }
        // Nobody knows the runs yet. Whoever finds one from now on waits until
        // its ticket is that of this commit.
        let states: Vec<_> = lives.iter().map(|live| (live, live.lock())).collect();
        {
            let mut known = self.lock_live();
            known.extend(lives.iter().map(|live| (live.id, Arc::clone(live))));
        }
        let ticket = self.store().commit(writes);
        let order = |(live, mut state): (&Arc<Live>, MutexGuard<'_, LiveState>)| {
            self.committed(live, &mut state, ticket.clone());
            state.run.status().as_str()
        };
        let statuses = states.into_iter().map(order).collect();
        (ticket, statuses)
    }

    /// The answer for each start of a batch, as far as it is known, and those
    /// that were not made before.
    fn sorted(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        batch: Vec<(StartRun, Checked)>,
    ) -> Result<(Vec<Started>, Vec<Request>), StartError> {
        let mut started = Vec::new();
        let mut fresh = Vec::new();
        let mut keys: HashMap<String, (RunId, [u8; 32])> = HashMap::new();
        for (start, found) in batch {
            let known = match start.idempotency_key.as_ref().and_then(|key| keys.get(key)) {
                Some((_, hash)) if *hash != found.hash => {
                    return Err(StartError::KeyReused(start.idempotency_key.unwrap_or_default()));
                }
                Some((run, _)) => Some(*run),
                None => self.earlier(starts, tenant, &start, &found.hash)?.map(|it| it.0),
            };
            if let Some(run) = known {
                started.push(Started { run, number: None, repeated: true, status: "" });
                continue;
            }
            if let Some(key) = &start.idempotency_key {
                keys.insert(key.clone(), (found.id, found.hash));
            }
            let run = found.id;
            started.push(Started { run, number: None, repeated: false, status: "" });
            fresh.push((start, found));
        }
        Ok((started, fresh))
    }
}
