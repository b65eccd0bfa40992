//! The floor that `segno bench` measures: the same component, instantiated and
//! called with nothing of ours around it but the store that its imports need.

use super::guest::{self, Guest, Task};
use super::{Component, Error, Sandbox, Watch};

impl Sandbox {
    /// Makes an instance of the task's component, calls it once and drops it:
    /// no slot, no turns, no report, no check of the result. Only for
    /// measuring, and only for components that are trusted to end.
    ///
    /// # Errors
    /// The component traps or fails.
    pub async fn call_bare(&self, component: &Component, task: &Task) -> Result<usize, Error> {
        let guest = Guest::new(&mut task.clone(), &task.limits, Watch::new(), u64::MAX);
        let mut store = guest::store(&self.0.engine, guest, &task.limits);
        let context = task.context.clone().into();
        let called = guest::call(&mut store, component, &context, task.input.text()).await;
        match called {
            Ok(Ok(output)) => Ok(output.len()),
            Ok(Err(_)) => Err(Error::Runtime("the component returned an error".to_owned())),
            Err(error) => Err(Error::Runtime(error.root_cause().to_string())),
        }
    }
}
