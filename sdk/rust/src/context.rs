//! Which attempt a step is. Only facts about the attempt belong here: what a
//! step can do lives in the modules named after it.

/// Which attempt this is: a step asks for it as its first parameter.
///
/// ```
/// use segno::prelude::*;
///
/// #[segno::step]
/// fn run(ctx: &Context, input: Value) -> Result<String> {
///     Ok(format!("{}, try {} in {}", input["name"], ctx.attempt(), ctx.run()))
/// }
///
/// let ctx = Context::new("run_1", "greet", 2);
/// let said = run(&ctx, json!({ "name": "Ada" })).unwrap();
/// assert_eq!(said, r#""Ada", try 2 in run_1"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    run: String,
    step: String,
    attempt: u32,
}

impl Context {
    /// A context for a test; the host makes the ones that count.
    pub fn new(run: impl Into<String>, step: impl Into<String>, attempt: u32) -> Self {
        Self { run: run.into(), step: step.into(), attempt }
    }

    /// The run's identifier, `run_…`.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The step's id within its workflow.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// 1 for the first try, then one more each time. A try that goes on behind
    /// a wait of an earlier one is told that one's number: what a step is told
    /// never changes under its feet.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}
