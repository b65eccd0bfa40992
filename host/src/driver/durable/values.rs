//! Values that outlive runs, as a step reads and writes them.

use super::{Player, broken, parsed, refusal, refusal_of};
use crate::sandbox::{Answer, Gone, NewEntry, Refusal};
use crate::store::{ValueRecord, Write};

/// The largest value that a step may set.
const VALUE_BYTES_MAX: usize = 256 << 10;

impl Player {
    pub(super) async fn value(
        &self,
        entry: &NewEntry,
        (namespace, key): (&str, &str),
    ) -> Result<Answer, Gone> {
        let namespace = match self.namespace(namespace) {
            Ok(namespace) => namespace,
            Err(refusal) => return self.done(entry, Answer::Value(Err(refusal))),
        };
        let store = &self.driver.0.store;
        // The step's own writes are seen once they are applied.
        store.barrier().durable().await.map_err(|error| broken(&error))?;
        let value = match store.value(self.tenant(), &namespace, key) {
            Ok(value) => Ok(value.map(|record| record.value.text().to_owned())),
            Err(error) => Err(refusal_of(error)?),
        };
        self.done(entry, Answer::Value(value))
    }

    pub(super) fn set_value(
        &self,
        entry: &NewEntry,
        (namespace, key): (&str, &str),
        value: String,
    ) -> Result<Answer, Gone> {
        let write = self.namespace(namespace).and_then(|namespace| {
            if value.len() > VALUE_BYTES_MAX {
                let message = format!("a value has at most {VALUE_BYTES_MAX} bytes");
                return Err(refusal("limit", message));
            }
            let value = parsed(value, "a value")?;
            let record = ValueRecord { value, set_at: self.driver.0.clock.now() };
            Write::value(self.tenant(), (&namespace, key), &record)
                .map_err(|error| refusal("invalid", error.to_string()))
        });
        self.written(entry, write)
    }

    pub(super) fn delete_value(
        &self,
        entry: &NewEntry,
        (namespace, key): (&str, &str),
    ) -> Result<Answer, Gone> {
        let write = self.namespace(namespace).and_then(|namespace| {
            Write::value_deleted(self.tenant(), &namespace, key)
                .map_err(|error| refusal("invalid", error.to_string()))
        });
        self.written(entry, write)
    }

    fn written(&self, entry: &NewEntry, write: Result<Write, Refusal>) -> Result<Answer, Gone> {
        let (answer, writes) = match write {
            Ok(write) => (Answer::Done(Ok(())), vec![write]),
            Err(refusal) => (Answer::Done(Err(refusal)), Vec::new()),
        };
        self.append(entry, Some(&answer), writes)?;
        Ok(answer)
    }

    /// The namespace as it is kept: the workflow's own is named after it.
    fn namespace(&self, namespace: &str) -> Result<String, Refusal> {
        if namespace.is_empty() {
            return Ok(format!("workflow:{}", self.live.lock().run.workflow().name));
        }
        if self.grants.has_namespace(namespace) {
            return Ok(namespace.to_owned());
        }
        let message = format!(
            "step `{}` may not use the namespace {namespace:?}; add `grants: {{ kv: [{namespace}] \
             }}` to the step",
            self.id
        );
        Err(refusal("denied", message))
    }
}
