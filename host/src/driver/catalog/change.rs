//! Changing a workflow beside its versions: which one is active, its properties,
//! and whether its runs begin. Every change is written into its history.

use super::super::{Driver, VersionSelector};
use super::WorkflowError;
use super::note::check_note;
use crate::store::{
    self, NAME_BYTES_MAX, Properties, WorkflowAction, WorkflowChange, WorkflowRecord, Write,
};
use segno_engine::id::TenantId;
use segno_engine::strategy::RunStrategy;
use serde_json::{Map, Value, json};

/// The longest description.
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;

/// The longest name of an owner.
const OWNER_BYTES_MAX: usize = 256;

/// The most tags of a workflow.
const TAGS_MAX: usize = 32;

/// The most steps of a workflow that may run code at once.
const STEP_CONCURRENCY_MAX: u32 = 10_000;

/// Properties that somebody sets: what is absent stays, `Some(None)` takes the
/// property away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertiesChange {
    /// Who answers for it.
    pub owner: Option<Option<String>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// What it is found by, and whose permits all its steps need.
    pub tags: Option<Option<Vec<String>>>,
    /// Which of its runs go on at once.
    pub run_strategy: Option<Option<RunStrategy>>,
    /// How many steps run code at once in all its runs together.
    pub step_concurrency: Option<Option<u32>>,
}

impl Driver {
    /// Makes a version the active one.
    ///
    /// # Errors
    /// There is no such workflow or version, or the store fails.
    pub async fn activate_workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        selector: VersionSelector,
        by: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        self.change(tenant, (name, by), WorkflowAction::Activated, |record| {
            let selected = self.workflow_selected(tenant, name, selector)?;
            record.active_version = Some(selected.version);
            Ok(())
        })
        .await
    }

    /// Leaves a workflow without an active version.
    ///
    /// # Errors
    /// There is no such workflow, or the store fails.
    pub async fn deactivate_workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        self.change(tenant, (name, by), WorkflowAction::Deactivated, |record| {
            record.active_version = None;
            Ok(())
        })
        .await
    }

    /// Lets no run of a workflow begin until it is resumed.
    ///
    /// # Errors
    /// There is no such workflow, the note is too long, or the store fails.
    pub async fn pause_workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        note: Option<String>,
        by: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        self.change(tenant, (name, by), WorkflowAction::Paused, |record| {
            record.properties.paused = true;
            record.properties.paused_note = note;
            Ok(())
        })
        .await
    }

    /// Lets the runs of a workflow begin again.
    ///
    /// # Errors
    /// There is no such workflow, or the store fails.
    pub async fn resume_workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        self.change(tenant, (name, by), WorkflowAction::Resumed, |record| {
            record.properties.paused = false;
            record.properties.paused_note = None;
            Ok(())
        })
        .await
    }

    /// Sets properties of a workflow.
    ///
    /// # Errors
    /// There is no such workflow, a property cannot have this value, the open
    /// runs do not go with the new run strategy, or the store fails.
    pub async fn set_properties(
        &self,
        tenant: &TenantId,
        name: &str,
        wanted: PropertiesChange,
        by: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        self.change(tenant, (name, by), WorkflowAction::Changed, |record| {
            wanted.apply(&mut record.properties);
            Ok(())
        })
        .await
    }

    /// Changes a workflow, with a row in its history if anything is different.
    async fn change(
        &self,
        tenant: &TenantId,
        (name, by): (&str, &str),
        action: WorkflowAction,
        alter: impl FnOnce(&mut WorkflowRecord) -> Result<(), WorkflowError>,
    ) -> Result<WorkflowRecord, WorkflowError> {
        let _naming = self.0.catalog.naming.lock().await;
        let before = self.workflow_named(tenant, name)?;
        let mut after = before.clone();
        alter(&mut after)?;
        if after == before {
            return Ok(after);
        }
        check(&after.properties)?;
        self.check_change(tenant, &before, &after).await?;
        after.changed_at = self.0.clock.now();
        let writes = vec![
            Write::workflow(tenant, &after)?,
            self.change_row(tenant, (action, by), (Some(&before), Some(&after)))?,
        ];
        let ordered = self.commit_change(tenant, (name, Some(&after)), None, writes)?;
        ordered.durable().await?;
        self.workflow_changed(tenant, &before, &after);
        Ok(after)
    }

    /// The row that says what changed. Only who holds `naming` may ask for it.
    pub(super) fn change_row(
        &self,
        tenant: &TenantId,
        (action, by): (WorkflowAction, &str),
        (before, after): (Option<&WorkflowRecord>, Option<&WorkflowRecord>),
    ) -> Result<Write, store::Error> {
        let name = after.or(before).map(|record| record.name.as_str()).unwrap_or_default();
        let (mut before, mut after) = (facts(before), facts(after));
        let same = |key: &String| before.get(key) == after.get(key);
        let same: Vec<_> = before.keys().filter(|key| same(key)).cloned().collect();
        for key in same {
            before.remove(&key);
            after.remove(&key);
        }
        let record = WorkflowChange {
            sequence: self.0.store.last_workflow_change(tenant, name)? + 1,
            action,
            at: self.0.clock.now(),
            by: by.to_owned(),
            before,
            after,
        };
        Write::workflow_change(tenant, name, &record)
    }
}

impl PropertiesChange {
    fn apply(self, properties: &mut Properties) {
        let Self { owner, description, tags, run_strategy, step_concurrency } = self;
        fn set<T>(wanted: Option<T>, property: &mut T) {
            if let Some(wanted) = wanted {
                *property = wanted;
            }
        }
        set(owner, &mut properties.owner);
        set(description, &mut properties.description);
        set(tags.map(Option::unwrap_or_default), &mut properties.tags);
        set(run_strategy, &mut properties.run_strategy);
        set(step_concurrency, &mut properties.step_concurrency);
    }
}

/// What can change of a workflow, by name.
fn facts(record: Option<&WorkflowRecord>) -> Map<String, Value> {
    let absent = Properties::default();
    let properties = record.map_or(&absent, |record| &record.properties);
    let properties = serde_json::to_value(properties).expect("properties are plain data");
    let Value::Object(mut facts) = properties else { return Map::new() };
    let latest = record.map(|record| record.latest_version);
    facts.insert("latest_version".to_owned(), json!(latest));
    facts.insert("active_version".to_owned(), json!(record.and_then(|it| it.active_version)));
    facts
}

/// Whether properties can have these values.
fn check(properties: &Properties) -> Result<(), WorkflowError> {
    let Properties {
        owner,
        description,
        tags,
        run_strategy: _,
        step_concurrency,
        paused: _,
        paused_note,
    } = properties;
    let bad = |what: String| Err(WorkflowError::BadProperty(what));
    let texts = [
        ("an owner", owner, OWNER_BYTES_MAX),
        ("a description", description, DESCRIPTION_BYTES_MAX),
    ];
    for (what, text, bytes_max) in texts {
        let bytes = text.as_ref().map_or(1, String::len);
        if !(1..=bytes_max).contains(&bytes) {
            return bad(format!("{what} has 1 to {bytes_max} bytes, not {bytes}; null resets it"));
        }
    }
    check_note(paused_note.as_deref())
        .map_err(|bad| WorkflowError::BadProperty(bad.to_string()))?;
    if tags.len() > TAGS_MAX {
        return bad(format!("a workflow has at most {TAGS_MAX} tags, not {}", tags.len()));
    }
    let is_tag = |tag: &&String| {
        (1..=NAME_BYTES_MAX).contains(&tag.len()) && !tag.contains(char::is_control)
    };
    if let Some(tag) = tags.iter().find(|tag| !is_tag(tag)) {
        return bad(format!(
            "{tag:?} is no tag; write 1 to {NAME_BYTES_MAX} bytes without control characters"
        ));
    }
    let is_twice = |(place, tag): &(usize, &String)| tags[..*place].contains(tag);
    if let Some((_, tag)) = tags.iter().enumerate().find(is_twice) {
        return bad(format!("tag {tag:?} is there twice; write it once"));
    }
    match step_concurrency {
        Some(steps) if !(1..=STEP_CONCURRENCY_MAX).contains(steps) => bad(format!(
            "step_concurrency is 1 to {STEP_CONCURRENCY_MAX}, not {steps}; null resets it"
        )),
        _ => Ok(()),
    }
}
