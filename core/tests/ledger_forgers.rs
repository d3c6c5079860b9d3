//! Whoever holds all of a home, its current key too, and writes history anew: what the notes of earlier checkpoints prove.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::clock::UnixNanos;
use counterseal::ledger::index::{IndexLine, IndexTree};
use counterseal::ledger::note::{Checkpoint, Note, VerifierKey, split_notes};
use counterseal::ledger::verify::{Options, ProblemCode, verify};
use counterseal::ledger::{Entropy, Home};
use ed25519_dalek::SigningKey;
use ledger_homes::{Maker, folder};
use std::fs;
use std::path::Path;

fn codes(home: &Path, options: &Options) -> Vec<ProblemCode> {
    verify(home, options).unwrap().problems.iter().map(|problem| problem.code).collect()
}

fn secret(home: &Path) -> SigningKey {
    let text = fs::read_to_string(home.join("keys/current")).unwrap();
    let digits: Vec<u8> = text.trim_end().bytes().collect();
    let seed: Vec<u8> =
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    SigningKey::from_bytes(&seed.try_into().unwrap())
}

/// A note over the whole index, signed with `key`, that names `key` as the next one too.
fn note(home: &Home, key: &SigningKey) -> String {
    let mut tree = IndexTree::new();
    tree.extend(&fs::read(home.index_path()).unwrap());
    let next = key.verifying_key().to_bytes();
    let time = UnixNanos(ledger_homes::START);
    Checkpoint { origin: home.origin().to_owned(), size: tree.lines(), root: tree.root(), next, time }.sign(key)
}

#[test]
fn what_an_earlier_checkpoint_sealed_cannot_be_rewritten_with_the_key_of_a_later_one() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 11);
    let mut stream = maker.open();
    maker.call(&mut stream);
    maker.seal(&mut stream);
    maker.call(&mut stream);
    maker.close(stream);
    let home = maker.home;
    let inside = Options { deep: true, ..Options::default() };
    assert_eq!(codes(home.path(), &inside), []);
    let stolen = secret(home.path());
    let (index, checkpoints) = (home.index_path(), home.checkpoints_path());
    let (lines, notes) = (fs::read_to_string(&index).unwrap(), fs::read_to_string(&checkpoints).unwrap());
    let whole: Vec<&str> = split_notes(&notes).map(|(_, note)| note).collect();

    // the line of the index under the first checkpoint says something else
    let sealed = lines.lines().find(|line| line.contains("\"sealed\"")).unwrap();
    let Some(IndexLine::Sealed(mut seal)) = IndexLine::parse(sealed.as_bytes()) else { panic!("no seal") };
    seal.last = [7; 32];
    let rewritten = String::from_utf8(IndexLine::Sealed(seal).render()).unwrap();
    fs::write(&index, lines.replace(sealed, &rewritten)).unwrap();

    // with the notes as they were, the first one does not fit
    assert!(codes(home.path(), &inside).contains(&ProblemCode::CheckpointRoot));
    let signed = note(&home, &stolen);
    // the key that may sign the first note was overwritten; the stolen one is not it
    for forged in [format!("{signed}\n"), format!("{signed}\n{}\n", whole[1])] {
        fs::write(&checkpoints, forged).unwrap();
        assert_eq!(codes(home.path(), &inside).first(), Some(&ProblemCode::CheckpointSignature));
    }
    // nor is it the one that the first note names
    fs::write(&checkpoints, format!("{}\n{signed}\n", whole[0])).unwrap();
    let found = codes(home.path(), &inside);
    assert!(
        found.contains(&ProblemCode::CheckpointSignature) && found.contains(&ProblemCode::CheckpointRoot),
        "{found:?}"
    );
    // behind both it is signed as it should be, over an index that both do not fit
    fs::write(&checkpoints, format!("{notes}{signed}\n")).unwrap();
    assert!(codes(home.path(), &inside).contains(&ProblemCode::CheckpointRoot));
}

#[test]
fn a_home_of_the_same_name_made_elsewhere_is_found_from_outside_alone() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 12);
    let mut stream = maker.open();
    maker.call(&mut stream);
    maker.close(stream);
    let (own, outside) = (maker.home, maker.outside);

    // the forger has a home of its own, takes the other's name, and records what it likes
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let path = elsewhere.join("home");
    let made = Home::open_or_create(&path, &mut Entropy::fixed([13; 32])).unwrap();
    let key = VerifierKey { name: own.origin().to_owned(), key: made.first_key().key };
    let json = own.json().replace(&own.first_key().to_string(), &key.to_string());
    fs::write(path.join("home.json"), json).unwrap();
    let mut forger = Maker::new(&elsewhere, 13);
    assert_eq!((forger.home.id(), forger.home.origin()), (own.id(), own.origin()));
    let mut stream = forger.open();
    forger.call(&mut stream);
    forger.call(&mut stream);
    forger.close(stream);

    let forged = forger.home.path();
    assert_eq!(codes(forged, &Options { deep: true, ..Options::default() }), [], "it is a whole ledger");
    let held = Options { outside: Some(outside.clone()), ..Options::default() };
    assert!(codes(forged, &held).contains(&ProblemCode::CheckpointMissing));
    let keyed = Options { first_key: Some(own.first_key().clone()), ..Options::default() };
    assert!(codes(forged, &keyed).contains(&ProblemCode::FirstKeyMismatch));
    let first = fs::read_to_string(&outside).unwrap();
    let (_, first) = split_notes(&first).next().unwrap();
    assert!(Note::parse(first).unwrap().is_signed_by(own.first_key()));
}
