//! Permits as one would write them first: one list of those who wait, gone
//! through from its start whenever anything may have become free. The simulation
//! goes by it, too.

use std::collections::BTreeMap;

/// Who holds and who waits, in the order of arrival.
pub struct Model<K> {
    pub limits: BTreeMap<String, u32>,
    pub holding: BTreeMap<K, Vec<String>>,
    pub waiting: Vec<(K, Vec<String>)>,
}

impl<K> Default for Model<K> {
    fn default() -> Self {
        Self { limits: BTreeMap::new(), holding: BTreeMap::new(), waiting: Vec::new() }
    }
}

impl<K: Ord + Copy> Model<K> {
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
    pub fn waits_for(&self, holder: K) -> Option<&String> {
        let (_, names) = self.waiting.iter().find(|(waiting, _)| *waiting == holder)?;
        self.short(names)
    }

    pub fn set_limit(&mut self, name: &str, limit: Option<u32>) -> Vec<K> {
        match limit {
            Some(limit) => self.limits.insert(name.to_owned(), limit),
            None => self.limits.remove(name),
        };
        self.grant()
    }

    /// The name that it waits for; nothing if it has all.
    pub fn acquire(&mut self, holder: K, names: &[String]) -> Option<String> {
        let waits = self.waiting.iter().any(|(waiting, _)| *waiting == holder);
        if !waits && !self.holding.contains_key(&holder) {
            self.waiting.push((holder, names.to_vec()));
            // Whoever came before could not be granted, so only this one can.
            assert!(self.grant().iter().all(|granted| *granted == holder));
        }
        self.waits_for(holder).cloned()
    }

    pub fn hold(&mut self, holder: K, names: &[String]) {
        self.waiting.retain(|(waiting, _)| *waiting != holder);
        self.holding.entry(holder).or_insert_with(|| names.to_vec());
    }

    pub fn renew(&mut self, holder: K, names: &[String]) -> Vec<K> {
        let waiting = self.waiting.iter_mut().filter(|(waiting, _)| *waiting == holder);
        let known = waiting.map(|(_, known)| known).chain(self.holding.get_mut(&holder));
        known.for_each(|known| *known = names.to_vec());
        self.grant()
    }

    pub fn release(&mut self, holder: K) -> Vec<K> {
        self.holding.remove(&holder);
        self.waiting.retain(|(waiting, _)| *waiting != holder);
        self.grant()
    }

    fn grant(&mut self) -> Vec<K> {
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
