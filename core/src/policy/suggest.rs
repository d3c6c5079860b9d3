//! "Did you mean": the nearest known name to one that is not known.

/// How many known names are looked at: a hundred slips in a huge vocabulary must not take seconds.
const MOST: usize = 2_000;

/// The suggestion for `name`, if one of `known` is near enough to be what was meant.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let plain = normal(name);
    // one slip in three characters still reads as the same word; more is a different one
    let limit = (plain.chars().count() / 3).max(1);
    known
        .take(MOST)
        .map(|candidate| (strsim::osa_distance(&plain, &normal(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| format!("did you mean `{candidate}`"))
}

/// The name without what people mix up: case, and `-` for `_`.
fn normal(name: &str) -> String {
    name.chars().take(80).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_other_words_alone() {
        let known = ["enforcement", "rules", "require_approval", "deny"];
        let ask = |name| did_you_mean(name, known.iter().copied());
        assert_eq!(ask("enforcment").as_deref(), Some("did you mean `enforcement`"));
        assert_eq!(ask("Require-Approval").as_deref(), Some("did you mean `require_approval`"));
        assert_eq!(ask("rule").as_deref(), Some("did you mean `rules`"));
        assert_eq!(ask("budgets"), None);
        assert_eq!(ask(""), None);
    }
}
