//! Permits as one would write them first: one list of those who wait, gone
//! through from its start whenever anything may have become free.

use std::collections::BTreeMap;

/// Who holds and who waits, in the order of arrival.
#[derive(Default)]
pub struct Model {
    pub limits: BTreeMap<String, u32>,
    pub holding: BTreeMap<u8, Vec<String>>,
    pub waiting: Vec<(u8, Vec<String>)>,
}

impl Model {
    pub fn held(&self, name: &str) -> u32 {
        let holding = |names: &&Vec<String>| names.iter().any(|held| held == name);
        self.holding.values().filter(holding).count() as u32
    }

    /// The first of the names of which none is free.
    pub fn short<'a>(&self, names: &'a [String]) -> Option<&'a String> {
        names
            .iter()
            .find(|name| self.limits.get(*name).is_some_and(|limit| self.held(name) >= *limit))
    }

    /// The name that the holder waits for, if it waits.
    pub fn waits_for(&self, holder: u8) -> Option<&String> {
        let (_, names) = self.waiting.iter().find(|(waiting, _)| *waiting == holder)?;
        self.short(names)
    }

    pub fn set_limit(&mut self, name: &str, limit: Option<u32>) -> Vec<u8> {
        match limit {
            Some(limit) => self.limits.insert(name.to_owned(), limit),
            None => self.limits.remove(name),
        };
        self.grant()
    }

    /// The name that it waits for; nothing if it has all.
    pub fn acquire(&mut self, holder: u8, names: &[String]) -> Option<String> {
        let waits = self.waiting.iter().any(|(waiting, _)| *waiting == holder);
        if !waits && !self.holding.contains_key(&holder) {
            self.waiting.push((holder, names.to_vec()));
            // Whoever came before could not be granted, so only this one can.
            assert!(self.grant().iter().all(|granted| *granted == holder));
        }
        self.waits_for(holder).cloned()
    }

    pub fn hold(&mut self, holder: u8, names: &[String]) {
        self.waiting.retain(|(waiting, _)| *waiting != holder);
        self.holding.entry(holder).or_insert_with(|| names.to_vec());
    }

    pub fn release(&mut self, holder: u8) -> Vec<u8> {
        self.holding.remove(&holder);
        self.waiting.retain(|(waiting, _)| *waiting != holder);
        self.grant()
    }

    fn grant(&mut self) -> Vec<u8> {
        let mut granted = Vec::new();
        for (holder, names) in std::mem::take(&mut self.waiting) {
            if self.short(&names).is_some() {
                self.waiting.push((holder, names));
            } else {
                self.holding.insert(holder, names);
                granted.push(holder);
            }
        }
        granted
    }
}
