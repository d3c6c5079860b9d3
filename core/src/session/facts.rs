//! The facts of one session as words of the table: counters, then what was seen and called, each with how often.

use crate::state::{Entry, StateError};

/// Words before the items.
const HEADER: usize = 5;
/// Set in an item that stands for a tag; otherwise it stands for a tool.
const TAG: u64 = 1 << 63;
/// In the first word: the session is somebody's sub-agent, and its facts are those of the session it belongs to.
const LINKED: u64 = 1;

/// The name of a tag or a tool in the table: a keyed hash of 63 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item(u64);

impl Item {
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    pub(super) const fn tag(hash: u64) -> Self {
        Self(hash | TAG)
    }

    pub(super) const fn tool(hash: u64) -> Self {
        Self(hash & !TAG)
    }
}

/// Facts, read from their words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SessionFacts {
    words: Vec<u64>,
}

/// The words of the header after the first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counter {
    Calls = 1,
    PromptTokens = 2,
    CompletionTokens = 3,
    CostMicroUsd = 4,
}

impl SessionFacts {
    pub(super) fn from_words(words: Vec<u64>) -> Self {
        let mut facts = Self { words };
        if facts.words.len() < HEADER {
            facts.words.resize(HEADER, 0);
        }
        facts
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn is_linked(&self) -> bool {
        self.words.first().is_some_and(|flags| flags & LINKED != 0)
    }

    /// What a sub-agent's own entry holds once it is linked.
    pub(super) fn default_linked() -> Self {
        let mut facts = Self::from_words(Vec::new());
        if let Some(flags) = facts.words.first_mut() {
            *flags |= LINKED;
        }
        facts
    }

    pub(super) fn counter(&self, counter: Counter) -> u64 {
        self.words.get(counter as usize).copied().unwrap_or_default()
    }

    pub(super) fn count(&mut self, counter: Counter, more: u64) {
        if let Some(word) = self.words.get_mut(counter as usize) {
            *word = word.saturating_add(more);
        }
    }

    fn items(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let items = self.words.get(HEADER..).unwrap_or_default();
        items.chunks_exact(2).filter_map(|pair| match pair {
            [item, count] => Some((*item, *count)),
            _ => None,
        })
    }

    pub(super) fn count_of(&self, item: Item) -> u64 {
        self.items().find(|(held, _)| *held == item.0).map_or(0, |(_, count)| count)
    }

    /// Adds to an item's count; a new item comes last.
    pub(super) fn add(&mut self, item: Item, more: u64) {
        let place = self.items().position(|(held, _)| held == item.0).map(|at| HEADER + 2 * at + 1);
        match place.and_then(|place| self.words.get_mut(place)) {
            Some(count) => *count = count.saturating_add(more),
            None => self.words.extend([item.0, more]),
        }
    }

    /// Adds everything that `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        for counter in [Counter::Calls, Counter::PromptTokens, Counter::CompletionTokens, Counter::CostMicroUsd] {
            self.count(counter, other.counter(counter));
        }
        for (item, count) in other.items().collect::<Vec<_>>() {
            self.add(Item(item), count);
        }
    }
}

/// Facts changed where they lie: a call looks at the words it needs and copies none.
#[derive(Debug)]
pub(super) struct FactsEntry<'e, 't> {
    entry: &'e mut Entry<'t>,
}

impl<'e, 't> FactsEntry<'e, 't> {
    /// Those of `entry`, begun if there are none; `None` where they are those of the session that this one belongs to.
    pub(super) fn begin(entry: &'e mut Entry<'t>) -> Result<Option<Self>, StateError> {
        if entry.get(0) & LINKED != 0 {
            return Ok(None);
        }
        if entry.len() < HEADER {
            entry.resize(HEADER)?;
        }
        Ok(Some(Self { entry }))
    }

    /// Counts a call of a tool with tags.
    pub(super) fn call(&mut self, tool: Item, tags: &[Item]) -> Result<(), StateError> {
        self.count(Counter::Calls, 1)?;
        self.add(tool, 1)?;
        tags.iter().try_for_each(|tag| self.add(*tag, 1))
    }

    pub(super) fn count(&mut self, counter: Counter, more: u64) -> Result<(), StateError> {
        self.raise(counter as usize, more)
    }

    /// Adds to an item's count; a new item comes last.
    pub(super) fn add(&mut self, item: Item, more: u64) -> Result<(), StateError> {
        let length = self.entry.len();
        match (HEADER..length).step_by(2).find(|at| self.entry.get(*at) == item.0) {
            Some(at) => self.raise(at + 1, more),
            None => {
                self.entry.resize(length + 2)?;
                self.entry.set(length, item.0)?;
                self.entry.set(length + 1, more)
            }
        }
    }

    fn raise(&mut self, at: usize, more: u64) -> Result<(), StateError> {
        if more == 0 {
            return Ok(());
        }
        self.entry.set(at, self.entry.get(at).saturating_add(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_counted_and_kept() {
        let (tag, tool) = (Item::tag(7), Item::tool(7));
        let mut facts = SessionFacts::from_words(Vec::new());
        assert_eq!((facts.count_of(tag), facts.count_of(tool)), (0, 0));
        facts.add(tag, 1);
        facts.add(tool, 1);
        facts.add(tool, 2);
        facts.count(Counter::Calls, 3);
        let read = SessionFacts::from_words(facts.words().to_vec());
        assert_eq!((read.count_of(tag), read.count_of(tool), read.counter(Counter::Calls)), (1, 3, 3));
        let mut both = SessionFacts::from_words(Vec::new());
        both.add(tool, 1);
        both.merge(&read);
        assert_eq!((both.count_of(tag), both.count_of(tool), both.counter(Counter::Calls)), (1, 4, 3));
        assert!(!both.is_linked());
        assert!(SessionFacts::default_linked().is_linked());
    }
}
