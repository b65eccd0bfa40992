//! Webhooks: kept, changed and taken away. `deliver` takes requests, `log` keeps
//! what came lately.
//!
//! All webhooks that were asked for are in memory, with their expressions
//! compiled, so that a request from outside costs no parsing before its
//! signature holds. One lock guards them and their logs; under it commits are
//! ordered and nothing else is locked.

mod deliver;
mod log;

pub use deliver::{Admitted, Delivered, DeliveryError, Incoming};

use super::Driver;
use crate::store::{self, DeliveryRecord, Page, Paging, Store, Ticket, WebhookRecord, Write};
use log::Log;
use segno_engine::definition::Problem;
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::webhook::Webhook;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::error;

/// The longest definition of a webhook.
pub const WEBHOOK_BYTES_MAX: usize = 64 << 10;

/// Why a webhook was not created, changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is none of this name.
    #[error("there is no webhook {0:?}; `segno webhook list` shows what there is")]
    Unknown(String),
    /// There is one of this name.
    #[error("there is a webhook {0} already; change it with `segno webhook set`, or delete it")]
    Taken(String),
    /// It says too much.
    #[error(
        "the definition of a webhook has at most {} KiB, not {bytes} bytes; leave out what is not needed",
        WEBHOOK_BYTES_MAX >> 10
    )]
    TooLong {
        /// How much it says.
        bytes: usize,
    },
    /// Its definition is no good.
    #[error("the definition of a webhook has {} problems; the first: {}", .0.len(), first(.0))]
    Problems(Vec<Problem>),
    /// The store cannot keep or read it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn first(problems: &[Problem]) -> String {
    problems.first().map(ToString::to_string).unwrap_or_default()
}

/// A webhook as it is kept, and ready for requests.
#[derive(Debug)]
pub struct Hook {
    /// As it is kept.
    pub record: WebhookRecord,
    /// Ready for requests.
    pub webhook: Webhook,
}

/// What the driver knows of webhooks.
#[derive(Default)]
pub(super) struct Webhooks(Mutex<HashMap<(TenantId, String), Entry>>);

struct Entry {
    /// `None`: it was deleted, which the store may not show yet.
    hook: Option<Arc<Hook>>,
    log: Log,
}

impl Webhooks {
    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, String), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The webhook of the store.
    fn read(store: &Store, tenant: &TenantId, name: &str) -> Result<Option<Self>, store::Error> {
        let record = match store.webhook(tenant, name) {
            // What cannot be a name is the name of none.
            Err(store::Error::Invalid { .. }) | Ok(None) => return Ok(None),
            found => found?,
        };
        let Some(record) = record else { return Ok(None) };
        let text = Value::Object(record.definition.clone()).to_string();
        let webhook = Webhook::read(&text, &|_| true).map_err(|problems| {
            let why = first(&problems);
            store::Error::corrupt(format!("webhook {name} of {tenant} does not read: {why}"))
        })?;
        let last = store.deliveries(tenant, name, &Paging::first(1))?;
        let log = Log::after(last.items.first().map_or(0, |last| last.sequence));
        Ok(Some(Self { hook: Some(Arc::new(Hook { record, webhook })), log }))
    }
}

impl Driver {
    /// Creates a webhook from its definition in YAML or JSON, and returns when
    /// that is on stable storage.
    ///
    /// # Errors
    /// The definition is no good, there is one of this name, or the store fails.
    pub async fn create_webhook(
        &self,
        tenant: &TenantId,
        source: &str,
        by: &str,
    ) -> Result<Arc<Hook>, WebhookError> {
        check_length(source.len())?;
        let has_secret = |name: &str| self.secret(tenant, name).is_ok();
        let webhook = Webhook::read(source, &has_secret).map_err(WebhookError::Problems)?;
        let (hook, ticket) = self.order_new_webhook(tenant, webhook, by)?;
        ticket.durable().await?;
        Ok(hook)
    }

    fn order_new_webhook(
        &self,
        tenant: &TenantId,
        webhook: Webhook,
        by: &str,
    ) -> Result<(Arc<Hook>, Ticket), WebhookError> {
        let name = webhook.name.clone();
        let mut all = self.0.webhooks.lock();
        let known = entry(&mut all, &self.0.store, tenant, &name)?;
        if known.is_some_and(|entry| entry.hook.is_some()) {
            return Err(WebhookError::Taken(name));
        }
        let now = self.0.clock.now();
        let record = record(&webhook, (by, now), (by, now));
        let (hook, ticket) = self.order_webhook(tenant, webhook, record)?;
        let entry = Entry { hook: Some(Arc::clone(&hook)), log: Log::after(0) };
        all.insert((tenant.clone(), name), entry);
        Ok((hook, ticket))
    }

    /// Changes keys of a webhook's definition, `null` takes one away, and returns
    /// when that is on stable storage. Requests that come from then on see it.
    ///
    /// # Errors
    /// There is none of this name, what comes of it is no good, or the store
    /// fails.
    pub async fn change_webhook(
        &self,
        tenant: &TenantId,
        name: &str,
        change: &Map<String, Value>,
        by: &str,
    ) -> Result<Arc<Hook>, WebhookError> {
        let (hook, ticket) = self.order_webhook_change(tenant, name, change, by)?;
        ticket.durable().await?;
        Ok(hook)
    }

    fn order_webhook_change(
        &self,
        tenant: &TenantId,
        name: &str,
        change: &Map<String, Value>,
        by: &str,
    ) -> Result<(Arc<Hook>, Ticket), WebhookError> {
        if change.get("name").is_some_and(|other| other != name) {
            let problem = Problem {
                line: 0,
                column: 0,
                path: "name".to_owned(),
                message: "a webhook keeps its name".to_owned(),
                remedy: "create another, and delete this one".to_owned(),
            };
            return Err(WebhookError::Problems(vec![problem]));
        }
        let mut all = self.0.webhooks.lock();
        let entry = present(&mut all, &self.0.store, tenant, name)?;
        let Some(before) = entry.hook.clone() else {
            return Err(WebhookError::Unknown(name.to_owned()));
        };
        // A secret that was there may have gone since: only new ones are asked for.
        let has_secret = |secret: &str| {
            before.webhook.source.secrets.iter().any(|known| known == secret)
                || self.secret(tenant, secret).is_ok()
        };
        let changed = before.webhook.changed(change, &has_secret);
        let webhook = changed.map_err(WebhookError::Problems)?;
        let record = record(
            &webhook,
            (&before.record.created_by, before.record.created_at),
            (by, self.0.clock.now()),
        );
        check_length(Value::Object(record.definition.clone()).to_string().len())?;
        let (hook, ticket) = self.order_webhook(tenant, webhook, record)?;
        entry.hook = Some(Arc::clone(&hook));
        Ok((hook, ticket))
    }

    fn order_webhook(
        &self,
        tenant: &TenantId,
        webhook: Webhook,
        record: WebhookRecord,
    ) -> Result<(Arc<Hook>, Ticket), store::Error> {
        let write = Write::webhook(tenant, &record)?;
        let ticket = self.0.store.commit(vec![write]);
        Ok((Arc::new(Hook { record, webhook }), ticket))
    }

    /// Takes a webhook away with all that came to it, and returns what it was
    /// when that is on stable storage.
    ///
    /// # Errors
    /// There is none of this name, or the store fails.
    pub async fn delete_webhook(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Arc<Hook>, WebhookError> {
        let (hook, ticket) = self.order_webhook_away(tenant, name)?;
        ticket.durable().await?;
        // From now on the store shows it.
        let key = (tenant.clone(), name.to_owned());
        let mut all = self.0.webhooks.lock();
        if all.get(&key).is_some_and(|entry| entry.hook.is_none()) {
            all.remove(&key);
        }
        Ok(hook)
    }

    fn order_webhook_away(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<(Arc<Hook>, Ticket), WebhookError> {
        let mut all = self.0.webhooks.lock();
        let entry = present(&mut all, &self.0.store, tenant, name)?;
        let mut writes = vec![Write::webhook_deleted(tenant, name)?];
        for sequence in entry.log.kept() {
            writes.push(Write::delivery_deleted(tenant, name, sequence)?);
        }
        let ticket = self.0.store.commit(writes);
        let hook = entry.hook.take();
        entry.log = Log::after(0);
        let hook = hook.ok_or_else(|| WebhookError::Unknown(name.to_owned()))?;
        Ok((hook, ticket))
    }

    /// A webhook.
    ///
    /// # Errors
    /// There is none of this name, or the store fails.
    pub fn webhook(&self, tenant: &TenantId, name: &str) -> Result<Arc<Hook>, WebhookError> {
        let mut all = self.0.webhooks.lock();
        let entry = present(&mut all, &self.0.store, tenant, name)?;
        entry.hook.clone().ok_or_else(|| WebhookError::Unknown(name.to_owned()))
    }

    /// Where requests to a webhook go.
    pub fn webhook_url(&self, tenant: &TenantId, name: &str) -> String {
        format!("{}/hooks/{tenant}/{name}", self.0.outside.public_url)
    }

    /// The deliveries to a webhook that are kept, newest first; all of them are
    /// on stable storage.
    ///
    /// # Errors
    /// There is no such webhook, or the store fails.
    pub async fn deliveries(
        &self,
        tenant: &TenantId,
        name: &str,
        paging: &Paging,
    ) -> Result<Page<DeliveryRecord>, WebhookError> {
        let ticket = {
            let mut all = self.0.webhooks.lock();
            let entry = present(&mut all, &self.0.store, tenant, name)?;
            // What was counted in memory alone is written before it is shown.
            let behind = entry.log.behind(self.0.clock.now());
            self.0.store.commit(deliveries(tenant, name, &behind))
        };
        ticket.durable().await?;
        Ok(self.0.store.deliveries(tenant, name, paging)?)
    }

    /// Orders what was counted in memory alone, before the host ends.
    pub(super) fn write_delivery_counts(&self) {
        let now = self.0.clock.now();
        for ((tenant, name), entry) in self.0.webhooks.lock().iter_mut() {
            let behind = entry.log.behind(now);
            if !behind.is_empty() {
                self.0.store.commit(deliveries(tenant, name, &behind));
            }
        }
    }
}

fn check_length(bytes: usize) -> Result<(), WebhookError> {
    match bytes <= WEBHOOK_BYTES_MAX {
        true => Ok(()),
        false => Err(WebhookError::TooLong { bytes }),
    }
}

/// The entry of a webhook, read from the store where it is not in memory.
fn entry<'a>(
    all: &'a mut HashMap<(TenantId, String), Entry>,
    store: &Store,
    tenant: &TenantId,
    name: &str,
) -> Result<Option<&'a mut Entry>, store::Error> {
    let key = (tenant.clone(), name.to_owned());
    if !all.contains_key(&key) {
        // A name that is none is not kept: anybody can ask for one.
        let Some(read) = Entry::read(store, tenant, name)? else { return Ok(None) };
        all.insert(key.clone(), read);
    }
    Ok(all.get_mut(&key))
}

/// The same of one that has to be there.
fn present<'a>(
    all: &'a mut HashMap<(TenantId, String), Entry>,
    store: &Store,
    tenant: &TenantId,
    name: &str,
) -> Result<&'a mut Entry, WebhookError> {
    let found = entry(all, store, tenant, name)?.filter(|entry| entry.hook.is_some());
    found.ok_or_else(|| WebhookError::Unknown(name.to_owned()))
}

fn record(
    webhook: &Webhook,
    (created_by, created_at): (&str, Timestamp),
    (changed_by, changed_at): (&str, Timestamp),
) -> WebhookRecord {
    WebhookRecord {
        name: webhook.name.clone(),
        definition: webhook.definition(),
        created_by: created_by.to_owned(),
        created_at,
        changed_by: changed_by.to_owned(),
        changed_at,
    }
}

/// The rows of deliveries, and that those are forgotten which are too many.
fn deliveries(tenant: &TenantId, name: &str, records: &[DeliveryRecord]) -> Vec<Write> {
    let rows = records.iter().flat_map(|record| {
        let row = Write::delivery(tenant, name, record);
        let forgotten = log::forgotten_for(record.sequence);
        let gone = forgotten.map(|old| Write::delivery_deleted(tenant, name, old));
        [Some(row), gone]
    });
    let rows: Result<Vec<_>, _> = rows.flatten().collect();
    rows.unwrap_or_else(|error| {
        error!(%tenant, name, %error, "deliveries to a webhook cannot be kept");
        Vec::new()
    })
}
