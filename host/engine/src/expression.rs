//! CEL expressions, as in `when: steps.load.output.rows > 0`.
//!
//! The `cel` crate parses them and brings the functions that convert single
//! values; the walk over the tree and most functions (`EXPRESSIONS.md` lists them
//! all) are our own, because the crate's goes through maps in a
//! random order, copies a document to look into it, and cannot be stopped. What
//! holds instead:
//!
//! - the same expression and scope give the same value in every replay: there
//!   is no clock and no randomness, and maps are gone through in order;
//! - an evaluation ends: it does at most [`OPERATIONS_MAX`] operations, whatever
//!   is nested in it, and gives at most [`RESULT_BYTES_MAX`] of JSON; memory is
//!   paid for in operations too, so it is bounded by the same number;
//! - a document is parsed once and then looked into, not copied;
//! - no source and no value makes it panic: sources are limited to
//!   [`SOURCE_BYTES_MAX`], and nesting, calls and words are too.

#[cfg(test)]
mod agreement;
mod compile;
mod evaluation;
mod fact;
mod function;
mod json;
mod library;
mod literal;
mod meter;
mod names;
mod node;
mod operation;
#[cfg(test)]
mod page;
mod pattern;
#[cfg(test)]
mod tests;
mod token;
mod value;

pub use self::compile::SOURCE_BYTES_MAX;
pub use self::fact::OfTrigger;
pub use self::json::RESULT_BYTES_MAX;
pub use self::meter::OPERATIONS_MAX;
pub use self::names::Names;
pub(crate) use self::token::closing_brace;
pub(crate) use self::value::Value;

use self::node::Node;
use crate::payload::Payload;
use crate::scope::Scope;
use std::collections::BTreeSet;
use std::fmt;

/// One expression, checked when it was made.
pub struct Expression {
    source: String,
    node: Node,
    references: References,
}

/// What an expression reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// The ids of steps, in `steps.x` and `steps['x']`.
    pub steps: BTreeSet<String>,
    /// The names in `params.x`.
    pub params: BTreeSet<String>,
    /// The names in `loop.x`.
    pub loop_variables: BTreeSet<String>,
    /// The names in `self.x`.
    pub own: BTreeSet<String>,
    /// The names in `run.x`.
    pub run: BTreeSet<String>,
    /// Whether `schedule` is read.
    pub reads_schedule: bool,
    /// Which of `signal`, `signals` and `trigger` are read.
    pub of_trigger: BTreeSet<OfTrigger>,
    /// Whether `params` is read as a whole.
    pub reads_params: bool,
    /// Whether `loop` is read as a whole.
    pub reads_loop: bool,
    /// Whether `self` is read as a whole.
    pub reads_own: bool,
}

impl References {
    /// Adds what `other` reads.
    pub fn extend(&mut self, other: &Self) {
        let Self { steps, params, loop_variables, own, run, .. } = other;
        let Self { reads_params, reads_loop, reads_own, reads_schedule, .. } = other;
        self.steps.extend(steps.iter().cloned());
        self.params.extend(params.iter().cloned());
        self.loop_variables.extend(loop_variables.iter().cloned());
        self.own.extend(own.iter().cloned());
        self.run.extend(run.iter().cloned());
        self.reads_params |= reads_params;
        self.reads_loop |= reads_loop;
        self.of_trigger.extend(&other.of_trigger);
        self.reads_own |= reads_own;
        self.reads_schedule |= reads_schedule;
    }
}

impl Expression {
    /// The expression that `source` means.
    ///
    /// # Errors
    /// Says what is wrong with the source and what to write instead.
    pub fn compile(source: &str) -> Result<Self, String> {
        Self::compile_with(source, Names::Run)
    }

    /// The expression that `source` means where there are these names.
    ///
    /// # Errors
    /// As for [`Expression::compile`].
    pub fn compile_with(source: &str, names: Names) -> Result<Self, String> {
        let source = source.trim();
        let (node, references) = compile::compile(source, names)?;
        Ok(Self { source: source.to_owned(), node, references })
    }

    /// The text that it was made from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it reads.
    pub fn references(&self) -> &References {
        &self.references
    }

    /// Its value.
    ///
    /// # Errors
    /// It has none in this scope, or none that JSON has.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<serde_json::Value, String> {
        self.value(scope)?.to_json()
    }

    /// Its value as JSON, and how many operations it took to find it.
    pub(crate) fn measured(&self, scope: &dyn Scope) -> (Result<serde_json::Value, String>, usize) {
        let (found, spent) = evaluation::measured(&self.node, scope);
        (found.and_then(|value| value.to_json()), spent)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// It has no value in this scope, or one that is not `true` or `false`.
    pub fn holds(&self, scope: &dyn Scope) -> Result<bool, String> {
        match self.value(scope)? {
            Value::Bool(holds) => Ok(holds),
            other => {
                let text = other.to_text().unwrap_or_default();
                let shown: String = text.chars().take(60).collect();
                Err(format!("gave {shown} ({}), expected true or false", other.type_name()))
            }
        }
    }

    /// Its value, borrowed from the scope where that is possible.
    pub(crate) fn value<'a>(&'a self, scope: &'a dyn Scope) -> Result<Value<'a>, String> {
        evaluation::evaluate(&self.node, scope)
    }

    /// The document that the expression hands on as it is, if it does no more
    /// than that: `steps.x.output`, `steps.x.params`, `params`, `loop` or `self`.
    pub(crate) fn document(&self, scope: &dyn Scope) -> Option<Result<Payload, String>> {
        let or_null = |found: Option<&Payload>| found.cloned().unwrap_or_else(Payload::null);
        match &self.node {
            Node::Params => Some(Ok(scope.params().clone())),
            Node::Loop => Some(Ok(scope.loop_variables().clone())),
            Node::Own => Some(Ok(scope.own_params().clone())),
            Node::Document(name) => scope.document(name).cloned().map(Ok),
            Node::Output(id) => Some(evaluation::output(scope, id).map(or_null)),
            Node::Given(id) => Some(evaluation::given(scope, id).map(or_null)),
            _ => None,
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}
