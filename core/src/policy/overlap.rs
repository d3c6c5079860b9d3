//! Whether two wildcard patterns have a text in common.

/// Whether some text matches both `one` and `two` (`*` any characters, `?` one).
///
/// Walks the product of both patterns' states, a row at a time: cost is the product of their lengths.
pub(crate) fn globs(one: &str, two: &str) -> bool {
    let two: Vec<char> = two.chars().collect();
    // `row[j]`: what is left of `one` and `two[j..]` have a text in common; filled from the end
    let mut row = vec![false; two.len() + 1];
    if let Some(last) = row.last_mut() {
        *last = true;
    }
    fill(&mut row, None, &two, &[]);
    for c in one.chars().rev() {
        let below = row.clone();
        row.iter_mut().for_each(|cell| *cell = false);
        if c == '*'
            && let (Some(last), Some(under)) = (row.last_mut(), below.last())
        {
            *last = *under;
        }
        fill(&mut row, Some(c), &two, &below);
    }
    row.first().copied().unwrap_or(false)
}

/// Fills `row` from its last cell to its first for the character `c` of the other pattern (`None`: it is used up);
/// `below` is the row of what follows `c`.
fn fill(row: &mut [bool], c: Option<char>, two: &[char], below: &[bool]) {
    for (j, other) in two.iter().enumerate().rev() {
        let right = row.get(j + 1).copied().unwrap_or(false);
        let under = below.get(j).copied().unwrap_or(false);
        let beyond = below.get(j + 1).copied().unwrap_or(false);
        let meets = match (c, *other) {
            (None, '*') => right,
            (None, _) => false,
            (Some('*'), _) | (Some(_), '*') => right || under,
            (Some('?'), _) | (Some(_), '?') => beyond,
            (Some(c), other) => c == other && beyond,
        };
        if let Some(cell) = row.get_mut(j) {
            *cell = meets;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn common_texts_are_found() {
        for (one, two) in [("a*", "*b"), ("*", "?"), ("a?c", "*b?"), ("crm.*", "*.read"), ("", "*"), ("**", "a")] {
            assert!(globs(one, two), "{one} {two}");
        }
        for (one, two) in [("a*", "b*"), ("?", "??"), ("a*c", "a*d"), ("", "?"), ("crm.*", "crm")] {
            assert!(!globs(one, two), "{one} {two}");
        }
    }

    proptest! {
        #[test]
        fn a_text_that_both_match_is_an_overlap(one in "[ab*?]{0,6}", two in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            use crate::condition::glob::Glob;
            let matches = |glob: &str| Glob::new(glob).is_some_and(|glob| glob.matches(&text));
            if matches(&one) && matches(&two) {
                prop_assert!(globs(&one, &two));
            }
            prop_assert_eq!(globs(&one, &text), matches(&one));
            prop_assert_eq!(globs(&one, &two), globs(&two, &one));
        }
    }
}
