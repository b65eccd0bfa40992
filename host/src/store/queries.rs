//! The typed reads: records by name, lists by page, events in order.
//!
//! Each is as current as the last applied commit; see [`Store`] for what to
//! await before the answer leaves the process.

use super::Store;
use super::backend::{SCAN_ROWS_MAX, Scan};
use super::digest::Digest;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{AttemptLog, ComponentRecord, Record, RequestRecord, RunRecord};
use segno_engine::id::{RunId, TenantId};

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// One version of a component.
    pub fn component(
        &self,
        tenant: &TenantId,
        name: &str,
        version: &str,
    ) -> Result<Option<ComponentRecord>, Error> {
        self.record(&Key::component(tenant, name, version)?)
    }

    /// All components of a tenant, or the versions of one, by name and version.
    pub fn components(
        &self,
        tenant: &TenantId,
        name: Option<&str>,
        paging: &Paging,
    ) -> Result<Page<ComponentRecord>, Error> {
        let prefix = match name {
            Some(name) => Prefix::component(tenant, name)?,
            None => Prefix::components(tenant),
        };
        self.records(prefix, paging)
    }

    /// The bytes of a component, checked against their digest.
    pub fn component_bytes(
        &self,
        tenant: &TenantId,
        digest: &Digest,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        let prefix = Prefix::component_bytes(tenant, digest.as_bytes());
        self.each_below(prefix, |_, chunk| {
            bytes.extend_from_slice(&chunk);
            Ok(())
        })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if Digest::of(&bytes) != *digest {
            let what = format!("the bytes kept for component {digest} of {tenant} are not its own");
            return Err(Error::corrupt(what));
        }
        Ok(Some(bytes))
    }

    /// A run.
    pub fn run(&self, tenant: &TenantId, run: RunId) -> Result<Option<RunRecord>, Error> {
        self.record(&Key::run(tenant, run))
    }

    /// The runs of a tenant, or of one workflow, newest first.
    pub fn runs(
        &self,
        tenant: &TenantId,
        workflow: Option<&str>,
        paging: &Paging,
    ) -> Result<Page<RunRecord>, Error> {
        let Some(workflow) = workflow else {
            // Identifiers sort by age.
            return self.page_backwards(Prefix::runs(tenant), paging, |key, bytes| {
                Ok(Some((RunRecord::decode(key, &bytes)?, bytes.len())))
            });
        };
        self.page(Prefix::runs_by_workflow(tenant, workflow)?, paging, |key, value| {
            let key = Key::run(tenant, run_id(key, &value)?);
            // It may have been deleted since the list was read.
            let Some(bytes) = self.get(&key)? else {
                return Ok(None);
            };
            Ok(Some((RunRecord::decode(&key, &bytes)?, bytes.len())))
        })
    }

    /// The run of a workflow with this number.
    pub fn run_by_number(
        &self,
        tenant: &TenantId,
        workflow: &str,
        number: u64,
    ) -> Result<Option<RunRecord>, Error> {
        let key = Key::run_by_workflow(tenant, workflow, number)?;
        match self.get(&key)? {
            Some(value) => self.run(tenant, run_id(&key, &value)?),
            None => Ok(None),
        }
    }

    /// What an idempotency key led to.
    pub fn request(
        &self,
        tenant: &TenantId,
        idempotency_key: &str,
    ) -> Result<Option<RequestRecord>, Error> {
        self.record(&Key::request(tenant, idempotency_key)?)
    }

    /// At most `limit` events of a run from number `from` on. Fewer do not
    /// mean that there are no more; none does.
    pub fn events(
        &self,
        tenant: &TenantId,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let before = |sequence| Key::event(tenant, run, sequence);
        let after = from.checked_sub(1).map(before);
        self.numbered(Prefix::events(tenant, run), after, limit)
    }

    /// At most `limit` attempts' logs of a root run from place `from` on, as
    /// [`Store::events`].
    pub fn logs(
        &self,
        tenant: &TenantId,
        root: RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, AttemptLog)>, Error> {
        let before = |place| Key::log(tenant, root, place);
        let after = from.checked_sub(1).map(before);
        let rows = self.numbered(Prefix::logs(tenant, root), after, limit)?;
        let decoded = rows
            .into_iter()
            .map(|(place, bytes)| Ok((place, AttemptLog::decode(&before(place), &bytes)?)));
        decoded.collect()
    }

    /// All versions of a component.
    pub fn component_versions(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Vec<ComponentRecord>, Error> {
        let mut versions = Vec::new();
        self.each_below(Prefix::component(tenant, name)?, |key, bytes| {
            versions.push(ComponentRecord::decode(key, &bytes)?);
            Ok(())
        })?;
        Ok(versions)
    }

    /// Every tenant that has a row. Costs one look-up each.
    pub fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let mut tenants: Vec<TenantId> = Vec::new();
        loop {
            let after = tenants.last().map(Key::end_of);
            let scan = Scan::new(Prefix::everything(), 1).after(after);
            match self.scan(&scan)?.first() {
                Some((key, _)) => tenants.push(key.tenant()?),
                None => return Ok(tenants),
            }
        }
    }

    /// Every run of every tenant that is not over, for the restart. Costs two
    /// look-ups for a tenant without any.
    /// With each comes what `Write::open_run` said of it.
    pub fn open_runs(&self, mut visit: impl FnMut(&TenantId, RunId, Vec<u8>)) -> Result<(), Error> {
        for tenant in self.tenants()? {
            let prefix = Prefix::open_runs(&tenant);
            self.each_below(prefix.clone(), |key, bytes| {
                let run = run_id(key, key.below(&prefix).unwrap_or_default())?;
                visit(&tenant, run, bytes);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The runs of a workflow that are not over, oldest first, and at most
    /// `limit` of them. Costs a look-up for every open run of the tenant.
    pub fn open_runs_of(
        &self,
        tenant: &TenantId,
        workflow: &str,
        limit: usize,
    ) -> Result<Vec<RunRecord>, Error> {
        let prefix = Prefix::open_runs(tenant);
        let mut found = Vec::new();
        self.each_below(prefix.clone(), |key, _| {
            let run = self.run(tenant, run_id(key, key.below(&prefix).unwrap_or_default())?)?;
            found.extend(run.filter(|run| run.workflow == workflow && found.len() < limit));
            Ok(())
        })?;
        Ok(found)
    }

    /// Every row below `prefix`, fetched by the page.
    pub(super) fn each_below(
        &self,
        prefix: Prefix,
        mut visit: impl FnMut(&Key, Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let scan = Scan::new(prefix.clone(), SCAN_ROWS_MAX).after(after.take());
            for (key, value) in self.scan(&scan)? {
                visit(&key, value)?;
                after = Some(key);
            }
            if after.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) fn record<T: Record>(&self, key: &Key) -> Result<Option<T>, Error> {
        let bytes = self.get(key)?;
        bytes.map(|bytes| T::decode(key, &bytes)).transpose()
    }

    pub(super) fn records<T: Record>(
        &self,
        prefix: Prefix,
        paging: &Paging,
    ) -> Result<Page<T>, Error> {
        self.page(prefix, paging, |key, bytes| Ok(Some((T::decode(key, &bytes)?, bytes.len()))))
    }

    /// At most `limit` rows behind `after` whose keys end with a number.
    pub(super) fn numbered(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        let rows = self.scan(&Scan::new(prefix.clone(), limit).after(after))?;
        let numbered = rows.into_iter().map(|(key, value)| Ok((key.number_below(&prefix)?, value)));
        numbered.collect()
    }
}

/// The run that a row names.
pub(super) fn run_id(key: &Key, bytes: &[u8]) -> Result<RunId, Error> {
    let bytes = <[u8; 16]>::try_from(bytes);
    bytes
        .map(RunId::from_bytes)
        .map_err(|_| Error::corrupt(format!("the row {key:?} does not name a run")))
}
