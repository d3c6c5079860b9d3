//! Who answers: the user that runs the command, by the operating system's word.

use counterseal::approval::Person;
use std::sync::Arc;

/// What is recorded as who vouched for name and groups.
const BY: &str = "os";

/// The person behind this process. A user or group without a name is `uid-1000`, `gid-1000`.
pub(super) fn person() -> Person {
    let uid = uzers::get_current_uid();
    let user = uzers::get_user_by_uid(uid);
    let id = user.as_ref().and_then(|user| user.name().to_str()).map_or_else(|| format!("uid-{uid}"), str::to_owned);
    let groups = user.and_then(|user| uzers::get_user_groups(user.name(), user.primary_group_id())).unwrap_or_default();
    let name = |group: uzers::Group| {
        group.name().to_str().map_or_else(|| Arc::from(format!("gid-{}", group.gid())), Arc::from)
    };
    Person { id: Arc::from(id), groups: groups.into_iter().map(name).collect(), verified_by: Some(Arc::from(BY)) }
}
