//! What reading a definition carries along: the problems so far, the operator's
//! word on components and limits, and how many steps there are.

use super::field::Field;
use super::problem::Problems;
use super::{Catalog, name};
use crate::workflow::{Limits, Pin};
use std::collections::BTreeMap;

/// The state of reading a definition.
pub(super) struct Reader<'c> {
    pub(super) problems: Problems,
    /// No step may ask for more.
    pub(super) ceiling: Limits,
    /// How many steps have been read, in all bodies.
    pub(super) steps: usize,
    /// How many loops are around what is being read.
    pub(super) loops: usize,
    /// The loop variables of the bodies around what is being read.
    pub(super) loop_variables: Vec<String>,
    catalog: &'c dyn Catalog,
    /// What the catalog said.
    found: BTreeMap<String, Result<Pin, String>>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(catalog: &'c dyn Catalog) -> Self {
        Self {
            problems: Problems::default(),
            ceiling: catalog.ceiling(),
            steps: 0,
            loops: 0,
            loop_variables: Vec::new(),
            catalog,
            found: BTreeMap::new(),
        }
    }

    /// The component that the text in `field` names, asked for once.
    pub(super) fn component(&mut self, field: &Field<'_>) -> Option<Pin> {
        let text = field.text("write it as in \"weather/load@1\"", &mut self.problems)?;
        if !self.found.contains_key(text) {
            let pin = name::component(text)
                .and_then(|(name, requirement)| self.catalog.component(name, requirement));
            self.found.insert(text.to_owned(), pin);
        }
        match self.found.get(text)? {
            Ok(pin) => Some(pin.clone()),
            Err(message) => {
                let otherwise = "push the component first, or name one that is there";
                self.problems.add_text(field.node.mark, &field.path, message, otherwise);
                None
            }
        }
    }
}
