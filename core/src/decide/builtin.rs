//! The policy that is part of the product: no rules, the keys whose values nobody wants recorded.

use crate::error::Error;
use crate::policy::{self, Policy};
use std::sync::Arc;

/// The layer's name.
pub(super) const NAME: &str = "built-in";

const TEXT: &str = include_str!("../policy/builtin.yaml");

/// Loads it.
///
/// # Errors
/// Never, which a test holds.
pub(super) fn policy() -> Result<Arc<Policy>, Error> {
    Ok(Arc::new(policy::load(NAME, TEXT)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_loads_and_decides_nothing() {
        let policy = policy().expect("loads");
        assert!(!policy.decides());
        assert_eq!(policy.rule_count(), 0);
    }
}
