//! What a session remembers: tags seen, calls by tool, what the user said, what trusted tools gave, tokens and money spent.
//!
//! Everything lies in the shared state of the home, so that all its processes, and those after a restart, know the same. A
//! sub-agent's session is linked to the one it belongs to and has its facts, both ways. Of texts only keyed hashes are kept.
//!
//! What is not known is never taken for nothing: where a session's entry made room for others, or the state cannot be read,
//! every question is answered by [`Unknown`], and the condition that asked fails.

mod borders;
mod detect;
mod facts;
mod heard;
mod known;
mod numbers;
mod text;
mod view;

pub use detect::FactDetector;
pub(crate) use detect::found;
pub use facts::Item;
pub use view::View;

use crate::clock::UnixNanos;
use crate::condition::Unknown;
use crate::state::{Entry, Key, Kind, Presence, State, StateError};
use facts::{Counter, FactsEntry, SessionFacts};
use heard::{Base, Heard};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use siphasher::sip::SipHasher24;
use std::hash::Hasher as _;
use std::sync::Arc;

/// How many links from a sub-agent up are followed; a longer chain is not known.
const MAX_LINKS: usize = 16;

/// What the entry of a link holds once the session has had several parents; no text is as long.
const SEVERAL: u64 = u64::MAX;

/// The entries of one session.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
enum Part {
    Facts = 1,
    Heard = 2,
    Known = 3,
    Link = 4,
}

/// Under which keys texts are hashed: a home's own, so that nobody can guess a text from its hash.
#[derive(Debug, Clone, Copy)]
pub struct Secrets {
    names: [u64; 2],
    base: Base,
}

/// The sessions of a home.
#[derive(Debug)]
pub struct Sessions {
    state: Arc<State>,
    secrets: Secrets,
}

/// What a session comes to, for those who look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Calls decided to run.
    pub calls: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of completions.
    pub completion_tokens: u64,
    /// Money spent on models, in millionths of a US dollar.
    pub cost_micro_usd: u64,
}

/// Tokens and money that a model took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelUse {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the completion.
    pub completion_tokens: u64,
    /// What it cost, in millionths of a US dollar.
    pub cost_micro_usd: u64,
}

impl Secrets {
    /// What follows from the home's secret, which stays the same as long as its state does.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        // one secret for each use, by HKDF's expand step (RFC 5869) with one block
        let block = Hmac::<Sha256>::new_from_slice(secret)
            .map(|mac| mac.chain_update(b"counterseal session facts\x01").finalize().into_bytes().to_vec())
            .unwrap_or_default();
        let mut parts = block.chunks_exact(8).map(|eight| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(eight);
            u64::from_le_bytes(bytes)
        });
        let mut next = || parts.next().unwrap_or_default();
        Self { names: [next(), next()], base: Base::new(next()) }
    }

    fn hash(&self, kind: u8, text: &str) -> u64 {
        let [first, second] = self.names;
        let mut hasher = SipHasher24::new_with_keys(first, second);
        hasher.write_u8(kind);
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    /// The name under which a tag is kept; worth keeping where the same tag is set again.
    #[must_use]
    pub fn tag(&self, tag: &str) -> Item {
        Item::tag(self.hash(1, tag))
    }

    /// The name under which a tool is kept.
    #[must_use]
    pub fn tool(&self, tool: &str) -> Item {
        Item::tool(self.hash(2, tool))
    }
}

impl Sessions {
    /// The sessions in `state`.
    #[must_use]
    pub const fn new(state: Arc<State>, secrets: Secrets) -> Self {
        Self { state, secrets }
    }

    /// Looks at a session, each part of it when it is first asked for.
    #[must_use]
    pub const fn view<'s>(&'s self, session: &'s str, now: UnixNanos) -> View<'s> {
        View::new(self, session, now)
    }

    /// Remembers that a call was decided to run: the tool and its tags.
    ///
    /// # Errors
    /// It is not remembered: the caller must not let the call run as if it were.
    pub fn decided(&self, session: &str, tool: Item, tags: &[Item], now: UnixNanos) -> Result<(), StateError> {
        self.change(session, now, |facts| facts.call(tool, tags))
    }

    /// The entry of a session's own facts, for [`Sessions::decided_in`].
    pub(crate) fn facts_key(&self, session: &str) -> Key {
        self.key(session, Part::Facts)
    }

    /// As [`Sessions::decided`], in a transaction of the caller's. `false`: nothing is remembered, for the session is somebody's
    /// sub-agent, whose facts lie elsewhere.
    ///
    /// # Errors
    /// It is not remembered.
    pub(crate) fn decided_in(entry: &mut Entry<'_>, tool: Item, tags: &[Item]) -> Result<bool, StateError> {
        match FactsEntry::begin(entry)? {
            Some(mut facts) => facts.call(tool, tags).map(|()| true),
            None => Ok(false),
        }
    }

    /// Marks a session with a tag, as if a call with it had been decided to run.
    ///
    /// # Errors
    /// It is not marked.
    pub fn mark(&self, session: &str, tag: &str, now: UnixNanos) -> Result<(), StateError> {
        let tag = self.secrets.tag(tag);
        self.change(session, now, |facts| facts.add(tag, 1))
    }

    /// Adds what a model took.
    ///
    /// # Errors
    /// It is not added.
    pub fn used(&self, session: &str, used: ModelUse, now: UnixNanos) -> Result<(), StateError> {
        self.change(session, now, |facts| {
            facts.count(Counter::PromptTokens, used.prompt_tokens)?;
            facts.count(Counter::CompletionTokens, used.completion_tokens)?;
            facts.count(Counter::CostMicroUsd, used.cost_micro_usd)
        })
    }

    /// Remembers what the user's own text said.
    ///
    /// # Errors
    /// It is not remembered, so what it said counts as not said.
    pub fn heard(&self, session: &str, text: &str, now: UnixNanos) -> Result<(), StateError> {
        let root = self.root(session, now)?;
        self.state.transaction(&[self.key(&root, Part::Heard)], now, |entries| {
            let [entry] = entries else { return Err(StateError::Misuse("one key, another number of entries")) };
            let mut heard = Heard::from_words(&all(entry));
            if heard.add(self.secrets.base, text) { store(entry, heard.to_words()) } else { Ok(()) }
        })
    }

    /// Remembers what a result of a trusted tool gave.
    ///
    /// # Errors
    /// It is not remembered, so it counts as not known.
    pub fn learned<'t>(
        &self,
        session: &str,
        texts: impl IntoIterator<Item = &'t str>,
        now: UnixNanos,
    ) -> Result<(), StateError> {
        let hashes: Vec<u64> =
            texts.into_iter().filter_map(known::fact).map(|text| self.secrets.hash(3, &text)).collect();
        if hashes.is_empty() {
            return Ok(());
        }
        let root = self.root(session, now)?;
        self.state.transaction(&[self.key(&root, Part::Known)], now, |entries| {
            let [entry] = entries else { return Err(StateError::Misuse("one key, another number of entries")) };
            let mut words = all(entry);
            let mut changed = false;
            for hash in &hashes {
                changed |= known::add(&mut words, *hash);
            }
            if changed { store(entry, words.into_iter()) } else { Ok(()) }
        })
    }

    /// Makes `session` a part of `parent`, and says whose facts they have from now on. What `session` knew before is added to its
    /// parent's; what it heard stays behind, which can only make less be said. A session that was another's before has had several
    /// parents: its facts are those of the one that is named, and without a name nothing is known of it.
    ///
    /// # Errors
    /// They are not linked.
    pub fn link(&self, session: &str, parent: &str, now: UnixNanos) -> Result<String, StateError> {
        let root = self.root(parent, now)?;
        if root == session {
            return Ok(root);
        }
        let several = match self.root(session, now) {
            Ok(known) if known == root => return Ok(root),
            Err(StateError::Parents) => return Ok(root),
            Ok(known) => known != session,
            Err(error) => return Err(error),
        };
        let keys = [self.key(session, Part::Link), self.key(session, Part::Facts), self.key(&root, Part::Facts)];
        self.state.transaction(&keys, now, |entries| {
            let [link, own, parents] = entries else {
                return Err(StateError::Misuse("three keys, another number of entries"));
            };
            let facts = SessionFacts::from_words(all(own));
            if several || facts.is_linked() {
                let same = !several && words_to_text(&all(link)).is_some_and(|known| known == root);
                return if same { Ok(()) } else { store(link, std::iter::once(SEVERAL)) };
            }
            if own.presence() == Presence::Evicted {
                return Err(StateError::Full("a session that made room before cannot be linked"));
            }
            let mut all_facts = SessionFacts::from_words(all(parents));
            all_facts.merge(&facts);
            store(parents, all_facts.words().iter().copied())?;
            store(own, SessionFacts::default_linked().words().iter().copied())?;
            store(link, text_to_words(&root).into_iter())
        })?;
        Ok(root)
    }

    /// What the session comes to.
    ///
    /// # Errors
    /// [`Unknown`] where its history is not known.
    pub fn totals(&self, session: &str, now: UnixNanos) -> Result<Totals, Unknown> {
        let view = self.view(session, now);
        let facts = view.facts()?;
        Ok(Totals {
            calls: facts.counter(Counter::Calls),
            prompt_tokens: facts.counter(Counter::PromptTokens),
            completion_tokens: facts.counter(Counter::CompletionTokens),
            cost_micro_usd: facts.counter(Counter::CostMicroUsd),
        })
    }

    fn key(&self, session: &str, part: Part) -> Key {
        self.state.key_of_text(Kind::Session, session).used_for(Kind::Session, [0, part as u64])
    }

    /// Changes the facts that `session` has part in.
    fn change(
        &self,
        session: &str,
        now: UnixNanos,
        mut work: impl FnMut(&mut FactsEntry<'_, '_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut attempt = |session: &str| {
            self.state.transaction(&[self.key(session, Part::Facts)], now, |entries| {
                let [entry] = entries else { return Err(StateError::Misuse("one key, another number of entries")) };
                match FactsEntry::begin(entry)? {
                    Some(mut facts) => work(&mut facts).map(|()| true),
                    None => Ok(false),
                }
            })
        };
        if attempt(session)? {
            return Ok(());
        }
        let root = self.root(session, now)?;
        if attempt(&root)? { Ok(()) } else { Err(StateError::Busy(0)) }
    }

    /// The session whose facts `session` has part in; itself where it is nobody's sub-agent.
    ///
    /// # Errors
    /// [`StateError::Parents`] where it was several others', and those of the shared state.
    pub(crate) fn root(&self, session: &str, now: UnixNanos) -> Result<String, StateError> {
        let mut root = session.to_owned();
        for _ in 0..MAX_LINKS {
            let keys = [self.key(&root, Part::Facts), self.key(&root, Part::Link)];
            let up = self.state.transaction(&keys, now, |entries| {
                let [facts, link] = entries else {
                    return Err(StateError::Misuse("two keys, another number of entries"));
                };
                if link.presence() == Presence::Evicted {
                    return Err(StateError::Full("the session's link made room for others"));
                }
                if link.get(0) == SEVERAL {
                    return Err(StateError::Parents);
                }
                let linked = facts.get(0) != 0 && SessionFacts::from_words(all(facts)).is_linked();
                Ok(if linked || !link.is_empty() { words_to_text(&all(link)) } else { None })
            })?;
            match up {
                Some(parent) => root = parent,
                None => return Ok(root),
            }
        }
        Err(StateError::Full("a session belongs to another over too many links"))
    }
}

/// All words of an entry.
fn all(entry: &Entry<'_>) -> Vec<u64> {
    (0..entry.len()).map(|at| entry.get(at)).collect()
}

/// Makes `words` what the entry holds; words that are so already are not touched.
fn store(entry: &mut Entry<'_>, words: impl ExactSizeIterator<Item = u64>) -> Result<(), StateError> {
    if entry.len() != words.len() || entry.is_empty() {
        entry.resize(words.len())?;
    }
    for (at, word) in words.enumerate() {
        if entry.get(at) != word {
            entry.set(at, word)?;
        }
    }
    Ok(())
}

/// A text as words: its length in bytes, then its bytes.
fn text_to_words(text: &str) -> Vec<u64> {
    let packed = text
        .as_bytes()
        .chunks(8)
        .map(|chunk| chunk.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte)));
    std::iter::once(text.len() as u64).chain(packed).collect()
}

fn words_to_text(words: &[u64]) -> Option<String> {
    let (length, packed) = words.split_first()?;
    let mut bytes: Vec<u8> = packed.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(usize::try_from(*length).ok()?);
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}
