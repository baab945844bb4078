//! The members of a group: ids in the order of the roles.

use crate::roles::{Kind, Role};
use mn_msg::role::Member;
use std::collections::HashMap;

/// The members of all roles and, for each, its role's place in `roles`; ids count up from `first`.
pub fn members(roles: &[Role], first: u64) -> Vec<(usize, Member)> {
    let mut next = first;
    let mut ids: HashMap<&str, u64> = HashMap::new();
    for role in roles.iter().filter(|role| role.count > 0) {
        ids.insert(&role.name, next);
        next += u64::from(role.count);
    }
    let mut members = Vec::new();
    for (place, role) in roles.iter().enumerate() {
        let host = match &role.kind {
            Kind::Connection(host) => ids.get(&**host).map(u64::to_string),
            Kind::Device(_) | Kind::Console(_) => None,
        };
        let first = ids.get(&*role.name).copied().unwrap_or_default();
        members.extend((first..first + u64::from(role.count)).map(|id| {
            let (counted, essential) = (role.kind.is_counted(), role.essential);
            (place, Member { job_id: id.to_string(), role: role.name.clone(), host: host.clone(), counted, essential })
        }));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_order_of_roles_and_connections_know_their_host() {
        let roles = [
            Role::bare("guest", 2, Kind::Connection("host".to_owned())),
            Role::bare("idle", 0, Kind::Device("x".to_owned())),
            Role::bare("host", 1, Kind::Device("x".to_owned())),
            Role::bare("watcher", 1, Kind::Console("host".to_owned())),
        ];
        let members = members(&roles, 9).into_iter();
        let (counted, watching): (Vec<_>, Vec<_>) = members.partition(|(_, member)| member.counted);
        assert_eq!(
            watching.iter().map(|(_, member)| (&*member.job_id, &member.host)).collect::<Vec<_>>(),
            [("12", &None)]
        );
        let found: Vec<_> =
            counted.into_iter().map(|(place, member)| (place, member.job_id, member.role, member.host)).collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                (0, text("9"), text("guest"), Some(text("11"))),
                (0, text("10"), text("guest"), Some(text("11"))),
                (2, text("11"), text("host"), None),
            ]
        );
    }
}
