//! Jobs as LAVA's own split has them, for its dispatcher.

use crate::blocks::Block;
use crate::job::Job;
use crate::roles::{Kind, Role};
use mn_msg::Object;
use mn_msg::role::Member;
use mn_yaml::{Kind as Shape, Mapping, Node};
use serde_json::{Value, json};

/// What every member gets of the job.
const SHARED: [&str; 8] =
    ["job_name", "timeouts", "priority", "visibility", "notify", "metadata", "reboot_to_fastboot", "secrets"];

/// What stands at the top of a member's job, and not among the values of the protocol.
const PROMOTED: [&str; 4] = ["device_type", "connection", "host_role", "context"];

/// A YAML document for each wanted member. A job for one board is one document, as it is.
pub fn documents(job: &Job, members: &[Member], group: &str, wanted: impl Fn(&Member) -> bool) -> String {
    if !job.is_multinode {
        return marked(&job.body.value());
    }
    let roles = devices(job, members);
    let mut out = String::new();
    // Those who only look on are not LAVA's.
    let members: Vec<&Member> = members.iter().filter(|member| member.counted).collect();
    for (sub_id, member) in members.iter().enumerate().filter(|(_, member)| wanted(member)) {
        let Some(role) = job.roles.iter().find(|role| role.name == member.role) else { continue };
        let values = json!({
            "target_group": group, "role": role.name, "group_size": members.len(), "sub_id": sub_id
        });
        out.push_str(&marked(&document(job, role, values, &roles)));
    }
    out
}

/// A document with its mark, so that several make a stream.
fn marked(document: &Value) -> String {
    format!("---\n{}", mn_yaml::document(document))
}

fn document(job: &Job, role: &Role, values: Value, roles: &Value) -> Value {
    let mut top = Object::new();
    top.insert("actions".to_owned(), job.blocks.iter().filter_map(|block| action(block, role)).collect());
    for key in SHARED {
        top.extend(job.body.get(key).map(|node| (key.to_owned(), node.value())));
    }
    let mut protocol = match values {
        Value::Object(values) => values,
        _ => Object::new(),
    };
    for entry in role.body.iter().flat_map(Mapping::entries).filter(|entry| entry.key != "count") {
        let place = if PROMOTED.contains(&&*entry.key) { &mut top } else { &mut protocol };
        place.insert(entry.key.clone(), entry.value.value());
    }
    // What is said for the group holds over what is said for the role.
    let multinode = multinode(&job.body).into_iter().flat_map(Mapping::entries);
    for entry in multinode.filter(|entry| !["role", "roles"].contains(&&*entry.key)) {
        protocol.insert(entry.key.clone(), entry.value.value());
    }
    protocol.insert("roles".to_owned(), roles.clone());
    top.insert("protocols".to_owned(), json!({"lava-multinode": protocol}));
    Value::Object(top)
}

fn multinode(job: &Mapping) -> Option<&Mapping> {
    job.get("protocols")?.as_map().ok()?.get("lava-multinode")?.as_map().ok()
}

/// The block for a role, if it is for this role; a text names, in LAVA, every role that is part of it.
fn action(block: &Block, role: &Role) -> Option<Value> {
    let named = block.body.get("role")?;
    if !names(named, &role.name) {
        return None;
    }
    let mut body = block.body.value();
    body.as_object_mut()?.insert("role".to_owned(), json!(role.name));
    Some(json!({ block.kind.clone(): body }))
}

fn names(node: &Node, role: &str) -> bool {
    match node.kind() {
        Shape::Sequence(items) => items.iter().any(|item| item.as_str() == Ok(role)),
        _ => node.as_str().is_ok_and(|text| text.contains(role)),
    }
}

/// The roles by job id: LAVA's scheduler names those on a device alone.
fn devices(job: &Job, members: &[Member]) -> Value {
    let on_device = |member: &&Member| {
        job.roles.iter().any(|role| role.name == member.role && matches!(role.kind, Kind::Device(_)))
    };
    members.iter().filter(on_device).map(|member| (member.job_id.clone(), json!(member.role))).collect()
}
