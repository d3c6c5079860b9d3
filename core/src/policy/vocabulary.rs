//! Tags against the vocabulary: a misspelt tag would leave a rule without tools.

use super::compiled::Policy;
use super::problem::Problems;
use super::read::Placed;
use super::text::Tag;

/// Notes every tag of a tool or a rule that the vocabulary does not have. Without a vocabulary any tag may be used.
pub(crate) fn check(policy: &Policy, out: &mut Problems) {
    let Some(vocabulary) = &policy.tags else {
        return;
    };
    let mut look = |tag: &Placed<Tag>| {
        if !vocabulary.contains(&tag.value.0) {
            let message = format!("the tag `{}` is not in the vocabulary `tags`", tag.value.0);
            out.unknown(
                &tag.at,
                message,
                &tag.value.0,
                vocabulary.iter().map(|known| &**known),
                "add it to `tags`, or take it out",
            );
        }
    };
    for entry in policy.tools.entries() {
        entry.tool.tags.iter().flatten().for_each(&mut look);
    }
    for rule in &policy.rules {
        rule.rule.tags.iter().flat_map(|tags| &tags.value).for_each(&mut look);
    }
}
