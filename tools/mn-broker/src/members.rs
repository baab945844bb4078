//! The list of members, out of a stream of mn-message(5).

use mn_cli::{Cannot, Error, Result, Status};
use mn_group::{Counted, Member};
use mn_ipc::Listed;
use mn_msg::{Kind, Message, Reader, role};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of the list in JSON: the answer to a join holds it, and must fit a line.
const MAX_LIST: usize = 60_000;

/// A group's name and its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// A UUID.
    pub name: String,
    /// All members, in order of their ids.
    pub members: Vec<Listed>,
}

impl Group {
    /// The members as the state machine takes them; an error when the answer to a join could not hold them.
    pub fn to_members(&self) -> std::result::Result<Vec<Member>, String> {
        let bytes = serde_json::to_string(&self.members).map_err(|error| error.to_string())?.len();
        if bytes > MAX_LIST {
            return Err(format!("its members take {bytes} bytes, at most {MAX_LIST} are allowed"));
        }
        let counted = |each: &Listed| if each.counted { Counted::Yes } else { Counted::Never };
        let member = |each: &Listed| Member {
            host: each.host.clone(),
            counted: counted(each),
            ..Member::new(&each.job_id, &each.role)
        };
        Ok(self.members.iter().map(member).collect())
    }
}

/// Reads the list from a file, or from standard input for `-`.
///
/// # Errors
/// Status 2 when there is no list, 3 when the stream cannot be read, and the status of the stream's `end`
/// when an earlier tool has failed.
pub fn read(path: &Path) -> Result<Group> {
    if path == Path::new("-") {
        return from_stream(std::io::stdin().lock());
    }
    from_stream(File::open(path).cannot(format_args!("open '{}'", path.display()))?)
}

fn from_stream(input: impl Read) -> Result<Group> {
    let mut reader = Reader::new(input);
    let mut group = None;
    loop {
        let message = reader.next_message()?;
        match message.kind() {
            // Every role message carries the same list.
            Kind::Role if group.is_none() => group = Some(from_role(&message)?),
            Kind::End if message.status() != Status::Success => return Err(Error::silent(message.status())),
            Kind::End => {
                return group.ok_or_else(|| Error::wrong("cannot serve without members: no role message came"));
            }
            _ => {}
        }
    }
}

fn from_role(message: &Message) -> Result<Group> {
    let wrong =
        |what: &dyn std::fmt::Display| Error::wrong(format_args!("cannot read the role message's 'group': {what}"));
    let value = message.data().get("group").cloned().unwrap_or_default();
    let group: role::Group = serde_json::from_value(value).map_err(|error| wrong(&error))?;
    if usize::try_from(group.size) != Ok(group.members.len()) {
        return Err(wrong(&format_args!("its size is {} and it lists {} members", group.size, group.members.len())));
    }
    let listed = |m: role::Member| Listed { job_id: m.job_id, role: m.role, host: m.host, counted: m.counted };
    let group = Group { name: group.name, members: group.members.into_iter().map(listed).collect() };
    group.to_members().map_err(|text| wrong(&text))?;
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = r#"{"v":1,"type":"role","data":{"job_id":"7","group":{"name":"g","size":2,"members":[{"job_id":"7","role":"guest","host":"8"},{"job_id":"8","role":"host"}]}}}"#;
    const END: &str = r#"{"v":1,"type":"end","data":{"status":0}}"#;

    fn from_lines(lines: &[&str]) -> Result<Group> {
        from_stream((lines.join("\n") + "\n").as_bytes())
    }

    #[test]
    fn the_first_role_message_holds_the_list() {
        let warning = r#"{"v":1,"type":"warning","data":{"text":"x"}}"#;
        let group = from_lines(&[warning, ROLE, ROLE, END]).unwrap();
        let listed = |id: &str, role: &str, host: Option<&str>| Listed {
            job_id: id.into(),
            role: role.into(),
            host: host.map(str::to_owned),
            counted: true,
        };
        let members = vec![listed("7", "guest", Some("8")), listed("8", "host", None)];
        assert_eq!(group, Group { name: "g".into(), members });
    }

    #[test]
    fn a_stream_without_role_or_end_is_no_list() {
        assert_eq!(from_lines(&[END]).unwrap_err().status(), Status::Wrong);
        assert_eq!(from_lines(&[ROLE]).unwrap_err().status(), Status::Lab);
    }

    #[test]
    fn an_earlier_failure_goes_through() {
        let end = r#"{"v":1,"type":"end","data":{"status":2}}"#;
        assert_eq!(from_lines(&[ROLE, end]).unwrap_err().status(), Status::Wrong);
    }

    #[test]
    fn a_list_that_would_not_fit_the_answer_to_a_join_is_refused() {
        let long = ROLE.replace("\"host\"}]", &format!("\"{}\"}}]", "x".repeat(60_000)));
        let error = from_lines(&[&long, END]).unwrap_err().to_string();
        assert!(error.ends_with("bytes, at most 60000 are allowed"), "{error}");
    }

    #[test]
    fn a_size_that_lies_is_refused() {
        let error = from_lines(&[&ROLE.replace("\"size\":2", "\"size\":3"), END]).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the role message's 'group': its size is 3 and it lists 2 members");
    }
}
