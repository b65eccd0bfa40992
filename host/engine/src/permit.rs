//! Who may run code: permits, counted by name (`tag:x`, `workflow:x`,
//! `root:<run>`). A holder gets all that it asks for or waits for all of them.
//! It knows nothing of steps, and who feeds it wakes those whom it names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Permits by name, who holds them and who waits for them. `K` is the holder,
/// for example a step of a run.
///
/// What is promised:
///
/// - Nobody gets a permit of a name of which as many are held as its limit.
///   More may be held than that only through [`Permits::hold`], or because the
///   limit was lowered: that takes nothing away.
/// - All or nothing: who waits holds nothing.
/// - Nobody waits who could be granted. Of those who could, the one that came
///   first is granted first, whatever it asks for. Who cannot get everything is
///   passed over and keeps its place; that is the only way to be overtaken.
/// - So whoever lacks permits of one name only gets one after those that came
///   before it. Who lacks several names needs a moment in which all of them are
///   free; nothing is reserved for it, and under a steady stream of others it
///   may wait for long.
/// - The same calls in the same order give the same answers.
///
/// The waiting are kept by kind: those that ask for the same list of names are
/// one queue, and it stands at one name of which nothing is free. What becomes
/// free is offered to the kinds that stand at it, the oldest wait first, until
/// none is free any more; a kind that lacks something else then moves there. An
/// operation so costs the logarithm of what is kept, for each that it grants
/// and each kind that it moves, however many wait.
#[derive(Clone, Debug)]
pub struct Permits<K> {
    pools: BTreeMap<Arc<str>, Pool>,
    kinds: BTreeMap<Names, Kind<K>>,
    claims: BTreeMap<K, Claim>,
    /// The place of the next that waits.
    next: u64,
    looks: u64,
}

/// What one holder asks for: each name once, in its order.
type Names = Arc<[Arc<str>]>;

/// What is known of one name. It is kept as long as it says something.
#[derive(Clone, Debug, Default)]
struct Pool {
    limit: Option<u32>,
    /// Counted without a limit too, for one may come.
    held: u32,
    /// How many wait that ask for it, among others.
    waiting: u32,
    /// The kinds that stand here, by the place of their oldest.
    kinds: BTreeMap<u64, Names>,
}

/// Those that wait for the same names; never empty.
#[derive(Clone, Debug)]
struct Kind<K> {
    queue: BTreeMap<u64, K>,
    /// The name it stands at.
    at: Arc<str>,
}

#[derive(Clone, Debug)]
enum Claim {
    Holds(Names),
    Waits { names: Names, place: u64 },
}

/// What became of a wish for permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The holder has them all.
    Granted,
    /// It has none, and waits: of this name, the first in its order, none is
    /// free.
    Waits(String),
}

/// The name that one who waits is short of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The first in its order of which none is free.
    pub name: String,
    /// How many there are.
    pub limit: u32,
    /// How many are held.
    pub in_use: u32,
}

/// How one name is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// The name.
    pub name: &'a str,
    /// How many there are; nothing if there is no limit.
    pub limit: Option<u32>,
    /// How many are held.
    pub held: u32,
    /// How many wait that ask for it, among others.
    pub waiting: u32,
}

impl Pool {
    fn is_free(&self) -> bool {
        self.limit.is_none_or(|limit| self.held < limit)
    }

    fn says_nothing(&self) -> bool {
        self.limit.is_none() && self.held == 0 && self.waiting == 0
    }
}

impl<K> Default for Permits<K> {
    fn default() -> Self {
        Self {
            pools: BTreeMap::new(),
            kinds: BTreeMap::new(),
            claims: BTreeMap::new(),
            next: 0,
            looks: 0,
        }
    }
}

impl<K: Ord + Clone> Permits<K> {
    /// The limit of a name from now on: 0 lets nobody through, none lets
    /// everybody. Returns those that now got all they wait for, in the order in
    /// which they came.
    pub fn set_limit(&mut self, name: &str, limit: Option<u32>) -> Vec<K> {
        let name = self.name(name);
        self.pools.entry(Arc::clone(&name)).or_default().limit = limit;
        let granted = self.offer(BTreeSet::from([Arc::clone(&name)]));
        self.forget(&name);
        granted
    }

    /// The holder asks for a permit of each name; a name without a limit has
    /// enough, and a name that is given twice counts once. One that holds or
    /// waits already stays as it is, whatever it asks for now.
    pub fn acquire(&mut self, holder: K, names: &[String]) -> Acquired {
        match self.claims.get(&holder) {
            Some(Claim::Holds(_)) => return Acquired::Granted,
            Some(Claim::Waits { .. }) => return self.wait_of(&holder),
            None => {}
        }
        let names = self.names(names);
        let place = self.next;
        self.next += 1;
        self.wait(holder, names, place)
    }

    /// The holder waits at this place, unless it can have all at once.
    fn wait(&mut self, holder: K, names: Names, place: u64) -> Acquired {
        let Some(short) = self.short(&names).cloned() else {
            self.take(holder, names);
            return Acquired::Granted;
        };
        for name in &*names {
            self.pools.entry(Arc::clone(name)).or_default().waiting += 1;
        }
        let known = self.step_aside(&names);
        let none = || Kind { queue: BTreeMap::new(), at: Arc::clone(&short) };
        let mut kind = known.unwrap_or_else(none);
        kind.queue.insert(place, holder.clone());
        self.stand(Arc::clone(&names), kind);
        self.claims.insert(holder, Claim::Waits { names, place });
        Acquired::Waits(short.to_string())
    }

    /// The holder has these permits whatever the limits are: it runs already,
    /// as after a restart. One that waits no longer does; one that holds
    /// already stays as it is.
    pub fn hold(&mut self, holder: K, names: &[String]) {
        if let Some(Claim::Holds(_)) = self.claims.get(&holder) {
            return;
        }
        self.release(&holder);
        let names = self.names(names);
        self.take(holder, names);
    }

    /// One that holds or waits needs these from now on, whatever the limits are:
    /// what it holds counts at once, and one that waits keeps its place. One that
    /// does neither stays so. Returns those that now got all they wait for.
    pub fn renew(&mut self, holder: &K, names: &[String]) -> Vec<K> {
        let Some(claim) = self.claims.get(holder).cloned() else {
            return Vec::new();
        };
        let names = self.names(names);
        match claim {
            Claim::Holds(known) => {
                self.take(holder.clone(), names);
                self.return_all(&known)
            }
            Claim::Waits { names: known, place } => {
                self.leave(&known, place);
                self.claims.remove(holder);
                let acquired = self.wait(holder.clone(), names, place);
                known.iter().for_each(|name| self.forget(name));
                (acquired == Acquired::Granted).then(|| holder.clone()).into_iter().collect()
            }
        }
    }

    /// The holder gives back what it holds, or no longer waits. Returns those
    /// that now got all they wait for, in the order in which they came.
    pub fn release(&mut self, holder: &K) -> Vec<K> {
        match self.claims.remove(holder) {
            None => Vec::new(),
            Some(Claim::Holds(names)) => self.return_all(&names),
            Some(Claim::Waits { names, place }) => {
                self.leave(&names, place);
                for name in &*names {
                    self.forget(name);
                }
                Vec::new()
            }
        }
    }

    /// These permits are held once less, and given to others.
    fn return_all(&mut self, names: &Names) -> Vec<K> {
        for name in &**names {
            if let Some(pool) = self.pools.get_mut(name) {
                pool.held -= 1;
            }
        }
        let granted = self.offer(names.iter().cloned().collect());
        names.iter().for_each(|name| self.forget(name));
        granted
    }

    /// What a holder that waits is short of; nothing if it does not wait.
    pub fn waits_for(&self, holder: &K) -> Option<Shortage> {
        let Some(Claim::Waits { names, .. }) = self.claims.get(holder) else {
            return None;
        };
        let name = self.short(names)?;
        let pool = self.pools.get(name)?;
        Some(Shortage { name: name.to_string(), limit: pool.limit?, in_use: pool.held })
    }

    /// Whether it has what it asked for.
    pub fn holds(&self, holder: &K) -> bool {
        matches!(self.claims.get(holder), Some(Claim::Holds(_)))
    }

    /// The limit of a name, if it has one.
    pub fn limit(&self, name: &str) -> Option<u32> {
        self.pools.get(name)?.limit
    }

    /// How each name is used that has a limit, or somebody who holds it or waits
    /// for it; in the order of the names.
    pub fn usage(&self) -> impl Iterator<Item = Usage<'_>> {
        self.pools.iter().map(|(name, pool)| Usage {
            name,
            limit: pool.limit,
            held: pool.held,
            waiting: pool.waiting,
        })
    }

    /// How often a kind of wait was looked at since the beginning: the work of
    /// giving out what became free.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Gives out what is free of these names until nobody who waits at one of
    /// them can be granted. Meanwhile nothing becomes free, so whoever is passed
    /// over cannot be granted later in this call.
    fn offer(&mut self, mut freed: BTreeSet<Arc<str>>) -> Vec<K> {
        let mut granted = Vec::new();
        loop {
            freed.retain(|name| self.pools.get(name).is_some_and(Pool::is_free));
            let oldest = freed
                .iter()
                .filter_map(|name| self.pools.get(name)?.kinds.first_key_value())
                .min_by_key(|(place, _)| **place);
            let Some((place, names)) = oldest.map(|(place, names)| (*place, Arc::clone(names)))
            else {
                return granted;
            };
            self.looks += 1;
            match self.short(&names).cloned() {
                Some(short) => self.stand_at(&names, short),
                None => granted.extend(self.grant(names, place)),
            }
        }
    }

    /// Grants the one at this place what it waits for.
    fn grant(&mut self, names: Names, place: u64) -> Option<K> {
        let holder = self.leave(&names, place)?;
        self.take(holder.clone(), names);
        Some(holder)
    }

    /// Counts these permits as the holder's.
    fn take(&mut self, holder: K, names: Names) {
        for name in &*names {
            self.pools.entry(Arc::clone(name)).or_default().held += 1;
        }
        self.claims.insert(holder, Claim::Holds(names));
    }

    /// Takes the one at this place out of its kind's queue.
    fn leave(&mut self, names: &Names, place: u64) -> Option<K> {
        let mut kind = self.step_aside(names)?;
        let holder = kind.queue.remove(&place);
        if !kind.queue.is_empty() {
            self.stand(Arc::clone(names), kind);
        }
        for name in &**names {
            if let Some(pool) = self.pools.get_mut(name) {
                pool.waiting -= 1;
            }
        }
        holder
    }

    /// Moves a kind to another name.
    fn stand_at(&mut self, names: &Names, at: Arc<str>) {
        if let Some(kind) = self.step_aside(names) {
            self.stand(Arc::clone(names), Kind { at, ..kind });
        }
    }

    /// Takes a kind away from where it stands.
    fn step_aside(&mut self, names: &Names) -> Option<Kind<K>> {
        let kind = self.kinds.remove(names)?;
        if let (Some((oldest, _)), Some(pool)) =
            (kind.queue.first_key_value(), self.pools.get_mut(&kind.at))
        {
            pool.kinds.remove(oldest);
        }
        Some(kind)
    }

    /// Puts a kind where it is to stand.
    fn stand(&mut self, names: Names, kind: Kind<K>) {
        if let Some((oldest, _)) = kind.queue.first_key_value() {
            let pool = self.pools.entry(Arc::clone(&kind.at)).or_default();
            pool.kinds.insert(*oldest, Arc::clone(&names));
        }
        self.kinds.insert(names, kind);
    }

    /// The first of these names of which none is free.
    fn short<'a>(&self, names: &'a [Arc<str>]) -> Option<&'a Arc<str>> {
        names.iter().find(|name| self.pools.get(*name).is_some_and(|pool| !pool.is_free()))
    }

    /// What one that waits is told.
    fn wait_of(&self, holder: &K) -> Acquired {
        match self.waits_for(holder) {
            Some(shortage) => Acquired::Waits(shortage.name),
            None => Acquired::Granted,
        }
    }

    /// The list as it is kept: shared with those who wait for the same.
    fn names(&self, names: &[String]) -> Names {
        let mut seen = BTreeSet::new();
        let once = names.iter().filter(|name| seen.insert(name.as_str()));
        let names: Names = once.map(|name| self.name(name)).collect();
        self.kinds.get_key_value(&names).map_or(names, |(known, _)| Arc::clone(known))
    }

    /// The name as it is kept.
    fn name(&self, name: &str) -> Arc<str> {
        self.pools.get_key_value(name).map_or_else(|| name.into(), |(known, _)| Arc::clone(known))
    }

    /// Drops a name of which there is nothing to say.
    fn forget(&mut self, name: &str) {
        if self.pools.get(name).is_some_and(Pool::says_nothing) {
            self.pools.remove(name);
        }
    }
}
