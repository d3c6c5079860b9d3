//! From the locks of the shards to the commit.

use super::edit::{Edit, Table};
use super::entry::{Entry, Presence, Stored};
use super::error::StateError;
use super::key::Key;
use super::layout::{CLASSES, PAGE_HEADER, PAGE_WORDS, class_for, entry};
use super::owner::Owners;
use super::room::Need;
use counterseal_spool::generation;
use counterseal_spool::owned::{Holder, Owner};
use std::time::{Duration, Instant};

/// Changed words of a held entry beyond which it is copied to a new block instead of being written through the journal.
const IN_PLACE: usize = 256;
/// The most that all entries of a transaction change so: half of what a journal holds, of which the others take a part too.
const ALL_IN_PLACE: usize = 1024;

/// The shard of a key.
#[inline]
pub(super) const fn shard_of(key: Key) -> u8 {
    (key.high >> 58) as u8
}

/// The locks of a transaction. Dropped early, by a panic or an error, it takes back what was not committed.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) edit: Edit<'a>,
    process: u64,
    leader: u8,
    /// A bit for each lock held.
    locks: u64,
}

impl<'a> Held<'a> {
    /// Takes the locks of `shards`, a bit for each, from the lowest up: who waits holds only lower ones than who is waited for, so
    /// that no circle of waiting exists.
    #[inline]
    pub(super) fn take(
        table: &'a Table,
        owners: &Owners,
        owner: Owner,
        shards: u64,
        patience: Duration,
    ) -> Result<Self, StateError> {
        let leader = shards.trailing_zeros() as u8;
        let mut held = Self { edit: Edit::new(table, leader), process: generation(), leader, locks: 0 };
        let mut left = shards;
        while left != 0 {
            let lock = left.trailing_zeros() as u8;
            let holder = owner.holding(leader);
            let taken = table.locks().try_take(lock, holder).map_err(|_| table.damaged("it points behind its end"))?;
            if !taken {
                wait(table, owners, lock, holder, patience)?;
            }
            held.locks |= 1 << lock;
            left &= left - 1;
        }
        Ok(held)
    }

    /// Whether this is still the process that took them, and not a child forked since.
    pub(super) fn is_ours(&self) -> bool {
        generation() == self.process
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // a child forked in the middle has neither taken these locks nor written the journal
        if !self.is_ours() || self.edit.roll_back().is_err() {
            return;
        }
        let locks = self.edit.table.locks();
        // the leader last, see `Locks::take_back`
        let mut left = self.locks & !(1 << self.leader);
        while left != 0 {
            locks.give_back(left.trailing_zeros() as u8);
            left &= left - 1;
        }
        if self.locks & 1 << self.leader != 0 {
            locks.give_back(self.leader);
        }
    }
}

/// Waits for a lock that somebody holds, and takes it over from a dead process.
#[cold]
fn wait(table: &Table, owners: &Owners, lock: u8, mine: Holder, patience: Duration) -> Result<(), StateError> {
    /// Rounds before the processor is given to others: a transaction is shorter than this.
    const ROUNDS: u32 = 200;
    const SUSPICIOUS: Duration = Duration::from_millis(1);
    let locks = table.locks();
    let damaged = |_| table.damaged("it points behind its end");
    for _ in 0..ROUNDS {
        std::hint::spin_loop();
        if locks.holder(lock).map_err(damaged)?.is_none() && locks.try_take(lock, mine).map_err(damaged)? {
            return Ok(());
        }
    }
    let begun = Instant::now();
    let mut suspect = (locks.holder(lock).map_err(damaged)?, begun);
    loop {
        if locks.try_take(lock, mine).map_err(damaged)? {
            return Ok(());
        }
        let now = Instant::now();
        let holder = locks.holder(lock).map_err(damaged)?;
        if holder != suspect.0 {
            suspect = (holder, now);
        } else if let Some(holder) = holder
            && now.duration_since(suspect.1) >= SUSPICIOUS
        {
            owners.rescue(table, holder, patience)?;
            suspect.1 = now;
        }
        if now.duration_since(begun) > patience {
            return Err(StateError::Busy(patience.as_millis()));
        }
        std::thread::yield_now();
    }
}

/// How an entry is to lie in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Plan {
    /// As it is.
    #[default]
    Keep,
    /// Through the journal, where it is.
    InPlace,
    /// In a new block of a class, with so many pages.
    Anew { class: usize, pages: usize },
    /// Not at all.
    Drop,
}

impl Entry<'_> {
    /// The words copied out of the table that are others now. Words behind the stored end are out of reach until the length says otherwise,
    /// and cost the journal nothing.
    fn rewritten<'e>(&'e self, stored: &Stored<'_>) -> impl Iterator<Item = (usize, u64)> + 'e {
        let copied = (self.base..stored.len()).zip(self.tail.iter().copied());
        copied.filter(|(index, value)| self.stored_word(*index) != *value)
    }

    /// `room` is how many words may still be changed in place.
    fn plan(&self, room: &mut usize) -> Result<Plan, StateError> {
        if self.broken.get() {
            return Err(self.table.damaged("a large entry lost a page"));
        }
        if !self.held {
            return Ok(if self.stored.is_some() && self.reshaped { Plan::Drop } else { Plan::Keep });
        }
        let direct = class_for(entry::WORDS + self.length).map(|class| (class, 0));
        let paged = || {
            let pages = self.length.div_ceil(PAGE_WORDS);
            class_for(entry::WORDS + pages).map(|class| (class, pages))
        };
        let (class, pages) = direct.or_else(paged).ok_or(StateError::Full("an entry larger than the largest"))?;
        let Some(stored) = self.stored else { return Ok(Plan::Anew { class, pages }) };
        let rewritten = self.changes.len() + self.rewritten(&stored).count();
        if rewritten == 0 && !self.reshaped {
            return Ok(Plan::Keep);
        }
        let stored_pages = if stored.is_paged() { stored.len().div_ceil(PAGE_WORDS) } else { 0 };
        let same = CLASSES.get(class) == Some(&stored.found.size) && pages == stored_pages;
        if !same || rewritten > IN_PLACE.min(*room) {
            return Ok(Plan::Anew { class, pages });
        }
        *room -= rewritten;
        Ok(Plan::InPlace)
    }

    fn shape(&self, paged: bool) -> u64 {
        let lost = if self.presence == Presence::Evicted { entry::LOST } else { 0 };
        let paged = if paged { entry::PAGED } else { 0 };
        self.key.kind as u64 | lost | paged | (self.length as u64) << 32
    }
}

/// Makes real what was done to `entries`; all of it or, on an error, nothing but room.
#[inline]
pub(super) fn commit(held: &Held<'_>, entries: &mut [Entry<'_>]) -> Result<(), StateError> {
    let edit = &held.edit;
    let mut grows = false;
    let mut room = ALL_IN_PLACE;
    for entry in entries.iter_mut() {
        entry.plan = entry.plan(&mut room)?;
        grows |= matches!(entry.plan, Plan::Anew { .. });
    }
    if grows {
        prepare(edit, entries)?;
    }
    let mut given = Vec::new();
    for entry in entries.iter() {
        write(edit, entry, &mut given)?;
    }
    // only now, so that nothing of this transaction lies in what the journal would bring back
    for (shard, found) in given {
        edit.shard(shard).give_entry(found.block, found.at)?;
    }
    edit.commit();
    Ok(())
}

/// Makes sure that the entries that need new blocks, pages and slots will find them. What is done here is committed step by
/// step: it changes what is held only by letting others go.
#[cold]
fn prepare(edit: &Edit<'_>, entries: &mut [Entry<'_>]) -> Result<(), StateError> {
    let keys: Vec<Key> = entries.iter().map(Entry::key).collect();
    let now = entries.iter().map(|entry| entry.now).max().unwrap_or_default();
    let mut shards = 0_u64;
    for entry in entries.iter() {
        if matches!(entry.plan, Plan::Anew { .. }) {
            shards |= 1 << entry.page.shard;
        }
    }
    while shards != 0 {
        let number = shards.trailing_zeros() as u8;
        shards &= shards - 1;
        let shard = edit.shard(number);
        let mut need = Need::default();
        let mut new = 0;
        for entry in entries.iter().filter(|entry| entry.page.shard == number) {
            if let Plan::Anew { class, pages } = entry.plan {
                need.pages += pages;
                if let Some(blocks) = need.blocks.get_mut(class) {
                    *blocks += 1;
                }
                new += u64::from(entry.stored.is_none());
            }
        }
        for key in entries.iter().filter(|entry| entry.page.shard == number && entry.stored.is_none()).map(Entry::key) {
            // halves of a page that was split may still be crowded, but never twice over
            for _ in 0..=super::layout::MOST_DEPTH {
                if shard.slots_ready(key, new)? {
                    break;
                }
                shard.make_room(&Need { pages: 2, ..Need::default() }, &keys, now)?;
                shard.renew_slots(key)?;
                edit.commit();
            }
        }
        shard.make_room(&need, &keys, now)?;
        // entries of this transaction stay, but may have moved
        for entry in entries.iter_mut().filter(|entry| entry.page.shard == number && entry.stored.is_some()) {
            let found = shard.find(entry.key)?.ok_or_else(|| edit.table.damaged("an entry in use went"))?;
            entry.stored = Some(Stored::read(entry.table, found)?);
        }
    }
    Ok(())
}

fn write(edit: &Edit<'_>, entry: &Entry<'_>, given: &mut Vec<(u8, super::index::Found)>) -> Result<(), StateError> {
    let shard = edit.shard(entry.page.shard);
    if let (Plan::Keep | Plan::InPlace, Some(stored)) = (entry.plan, &entry.stored)
        && entry.now > stored.seen
    {
        // outside the journal: when it was used holds whether or not this is committed
        edit.put(stored.found.at + entry::SEEN, entry.now.cast_unsigned())?;
    }
    match (entry.plan, &entry.stored) {
        (Plan::Keep, _) | (Plan::InPlace | Plan::Drop, None) => Ok(()),
        (Plan::Drop, Some(stored)) => {
            shard.remove(stored.found.slot, stored.found.index)?;
            given.push((entry.page.shard, stored.found));
            Ok(())
        }
        (Plan::InPlace, Some(stored)) => {
            let paged = stored.is_paged();
            let at = |index: usize| word_at(edit, entry.page.shard, stored.found.at, paged, index);
            for (index, value) in entry.changes.iter() {
                // every call comes here, hardly ever with an entry in pages
                let place = if paged { at(index)? } else { stored.found.at + entry::WORDS + index };
                edit.set(place, value)?;
            }
            for (index, value) in entry.rewritten(stored) {
                edit.set(at(index)?, value)?;
            }
            for (index, value) in (entry.base..).zip(&entry.tail).skip(stored.len().saturating_sub(entry.base)) {
                edit.put(at(index)?, *value)?;
            }
            if entry.reshaped {
                edit.set(stored.found.at + entry::SHAPE, entry.shape(stored.is_paged()))?;
                edit.set(stored.found.at + entry::EXPIRES, entry.expires.cast_unsigned())?;
            }
            Ok(())
        }
        (Plan::Anew { class, pages }, stored) => {
            let block = shard.take_block(class)?;
            let (at, _) = shard.block_at(block)?;
            for page in 0..pages {
                let taken = shard.take_page(super::layout::page::WORDS)?;
                edit.put(at + entry::WORDS + page, taken as u64 + 1)?;
            }
            let header = [
                entry.key.high,
                entry.key.low,
                entry.shape(pages > 0),
                entry.now.cast_unsigned(),
                entry.expires.cast_unsigned(),
            ];
            for (word, value) in header.into_iter().enumerate() {
                edit.put(at + word, value)?;
            }
            for index in 0..entry.length {
                edit.put(word_at(edit, entry.page.shard, at, pages > 0, index)?, entry.get(index))?;
            }
            if entry.broken.get() {
                return Err(edit.table.damaged("a large entry lost a page"));
            }
            match stored {
                Some(stored) => {
                    given.push((entry.page.shard, stored.found));
                    shard.name_block(stored.found.slot, entry.key, block)
                }
                None => shard.insert(entry.key, block),
            }
        }
    }
}

/// The place of an entry's word.
#[inline]
fn word_at(edit: &Edit<'_>, shard: u8, block: usize, paged: bool, index: usize) -> Result<usize, StateError> {
    if !paged {
        return Ok(block + entry::WORDS + index);
    }
    let link = edit.read(block + entry::WORDS + index / PAGE_WORDS)? as usize;
    let page = link.checked_sub(1).ok_or_else(|| edit.table.damaged("a large entry lost a page"))?;
    Ok(edit.shard(shard).checked_page(page)? + PAGE_HEADER + index % PAGE_WORDS)
}
