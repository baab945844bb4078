use crate::{Class, Object};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Ids that begin with this cannot be sent by a test.
pub const RESERVED: &str = "mn.";

/// A call with its arguments; times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", content = "args", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Call {
    /// Bind this connection to a member.
    Join {
        /// Its job id.
        member: String,
    },
    /// Speak for a member without being part of its life.
    Speak {
        /// Its job id.
        member: String,
    },
    /// What is to be known before a `join`; what is not given stays as it was.
    Hello {
        /// The group's name, where the broker has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// How long a lost connection may stay away before its member is dead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace: Option<f64>,
        /// The session that the join is to begin, or has begun if its answer was lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// Take the place of a connection that was lost.
    Resume {
        /// What its `join` or `speak` returned.
        session: String,
    },
    /// Join from outside, as a member that is not in the list.
    Enter {
        /// The role to play.
        role: String,
        /// Whether sync and wait-all wait for this member too.
        #[serde(default)]
        counted: bool,
    },
    /// Make another group.
    Found {
        /// The group's name.
        name: String,
        /// Its members.
        members: Vec<Listed>,
    },
    /// Keep data under an id, for all.
    Send {
        /// The message's id.
        message: String,
        /// Strings by name.
        #[serde(default)]
        data: Object,
    },
    /// Wait until any member has sent the id.
    Wait {
        /// The message's id.
        message: String,
        /// The limit.
        #[serde(default = "default_timeout")]
        timeout: f64,
    },
    /// Wait until all members, or all of a role, have sent the id.
    WaitAll {
        /// The message's id.
        message: String,
        /// Only the members of this role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The limit.
        #[serde(default = "default_timeout")]
        timeout: f64,
    },
    /// Wait until all members call this.
    Sync {
        /// The id of the point at which they meet.
        message: String,
        /// The limit.
        #[serde(default = "default_timeout")]
        timeout: f64,
    },
    /// Wait until every member of a role has sent `lava_start`.
    Start {
        /// The role.
        role: String,
        /// The limit.
        #[serde(default = "default_timeout")]
        timeout: f64,
    },
    /// Wait until the secondary members on the caller's board have left.
    Drain {
        /// The limit.
        #[serde(default = "default_timeout")]
        timeout: f64,
    },
    /// This connection, or the member named, is done.
    Leave {
        /// A member that has left whatever its connections do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<String>,
    },
    /// The work of the caller's member, or of the member named, has failed.
    Fail {
        /// A member, joined or not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<String>,
    },
    /// Who is here and waits for whom.
    Status {
        /// Members to leave out, from the first: those of earlier answers, where one line did not hold all.
        #[serde(default, skip_serializing_if = "is_zero")]
        from: usize,
    },
    /// Events from now on.
    Watch {},
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A member as the list of a group has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Its job id.
    pub job_id: String,
    /// Its role.
    pub role: String,
    /// The member on whose board it is a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether the others wait for it: not for one that only looks on.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub counted: bool,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_yes(answer: &bool) -> bool {
    *answer
}

fn default_timeout() -> f64 {
    30.0
}

/// A call with the id that its answer will carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Of the client's choice.
    pub id: i64,
    /// What is asked.
    pub call: Call,
}

impl Request {
    /// Reads one line.
    ///
    /// # Errors
    /// The request's id as far as it is known, the class and the text of the answer.
    pub fn parse(line: &[u8]) -> Result<Self, (Option<i64>, Class, String)> {
        let bad = |id, text: String| (id, Class::BadRequest, text);
        let value: Value =
            serde_json::from_slice(line).map_err(|error| bad(None, format!("no JSON object: {error}")))?;
        let Value::Object(mut object) = value else { return Err(bad(None, "no JSON object".into())) };
        let id = object.remove("id").and_then(|id| id.as_i64());
        let Some(number) = id else { return Err(bad(None, "'id' is not an integer".into())) };
        if object.keys().any(|key| key != "call" && key != "args") {
            return Err(bad(id, "a request has 'id', 'call' and 'args' only".into()));
        }
        object.entry("args").or_insert_with(|| json!({}));
        let call = Call::deserialize(Value::Object(object)).map_err(|error| bad(id, error.to_string()))?;
        call.check().map_err(|text| bad(id, text))?;
        Ok(Self { id: number, call })
    }

    /// The line with its newline.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Object::new();
        line.insert("id".into(), self.id.into());
        if let Ok(Value::Object(call)) = serde_json::to_value(&self.call) {
            line.extend(call);
        }
        let mut bytes = Value::Object(line).to_string().into_bytes();
        bytes.push(b'\n');
        bytes
    }
}

impl Call {
    /// The longest time of a call: a week, in seconds.
    const MAX_TIMEOUT: f64 = 604_800.0;
    /// The longest time a lost connection may stay away, in seconds.
    const MAX_GRACE: f64 = 300.0;

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The text of a `bad-request`.
    pub fn check(&self) -> Result<(), String> {
        if let Some(timeout) = self.timeout()
            && !(timeout > 0.0 && timeout <= Self::MAX_TIMEOUT)
        {
            return Err(format!("'timeout' is {timeout}, not more than 0 and at most {} seconds", Self::MAX_TIMEOUT));
        }
        if let Self::Hello { grace: Some(grace), .. } = self
            && !(0.0..=Self::MAX_GRACE).contains(grace)
        {
            return Err(format!("'grace' is {grace}, not 0 to {} seconds", Self::MAX_GRACE));
        }
        if let Self::Hello { session: Some(session), .. } = self
            && !(session.len() == 32 && session.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err("'session' is not 32 hexadecimal digits".into());
        }
        if let Self::Send { message, .. }
        | Self::Wait { message, .. }
        | Self::WaitAll { message, .. }
        | Self::Sync { message, .. } = self
        {
            valid_message_id(message)?;
        }
        if let Self::Send { data, .. } = self {
            check_data(data)?;
        }
        Ok(())
    }

    /// Whether it begins a session.
    pub fn joins(&self) -> bool {
        matches!(self, Self::Join { .. } | Self::Speak { .. } | Self::Enter { .. })
    }

    /// The limit of a call that waits, in seconds.
    pub fn timeout(&self) -> Option<f64> {
        match self {
            Self::Wait { timeout, .. }
            | Self::WaitAll { timeout, .. }
            | Self::Sync { timeout, .. }
            | Self::Start { timeout, .. }
            | Self::Drain { timeout } => Some(*timeout),
            _ => None,
        }
    }
}

/// Checks a message's id.
///
/// # Errors
/// What is wrong with it.
pub fn valid_message_id(id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > 128 || !id.chars().all(|c| c.is_ascii_graphic() && c != '>') {
        return Err("'message' is not 1 to 128 printable characters other than blanks and '>'".into());
    }
    if id.starts_with(RESERVED) {
        return Err(format!("ids that begin with '{RESERVED}' are reserved"));
    }
    Ok(())
}

/// Whether a key of a message's data is made of letters, digits and underscores.
pub fn valid_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_data(data: &Object) -> Result<(), String> {
    if data.len() > 64 {
        return Err(format!("'data' has {} keys, at most 64 are allowed", data.len()));
    }
    let mut size = 0;
    for (key, value) in data {
        let Some(value) = value.as_str() else { return Err(format!("the value of '{key}' is not a string")) };
        if !valid_key(key) {
            return Err(format!("key '{key}' is not made of letters, digits and underscores"));
        }
        size += key.len() + value.len();
    }
    if size > 32 * 1024 {
        return Err(format!("'data' has {size} bytes, at most 32768 are allowed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_request_that_reads_back_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(reads_back_or_fails(&bytes));
        }

        #[test]
        fn so_is_a_request_with_any_bytes_changed(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let line = br#"{"id":1,"call":"send","args":{"message":"m","data":{"k":"\u00e4\n","l":""}}}"#;
            let mut line = line[..=cut.index(line.len())].to_vec();
            for (at, byte) in changes {
                let at = at.index(line.len());
                line[at] = byte;
            }
            prop_assert!(reads_back_or_fails(&line));
        }
    }

    fn reads_back_or_fails(line: &[u8]) -> bool {
        Request::parse(line).map_or(true, |request| Request::parse(&request.to_line()) == Ok(request))
    }

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let call = Call::WaitAll { message: "x".into(), role: Some("host".into()), timeout: 1.5 };
        let request = Request { id: 7, call };
        let line = request.to_line();
        assert_eq!(
            String::from_utf8_lossy(&line),
            "{\"id\":7,\"call\":\"wait-all\",\"args\":{\"message\":\"x\",\"role\":\"host\",\"timeout\":1.5}}\n"
        );
        assert_eq!(Request::parse(&line), Ok(request));
    }

    #[test]
    fn calls_without_arguments_need_none() {
        let request = Request::parse(br#"{"id":6,"call":"leave"}"#).unwrap();
        assert_eq!(request.call, Call::Leave { member: None });
        assert_eq!(Request::parse(br#"{"id":6,"call":"status"}"#).unwrap().call, Call::Status { from: 0 });
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_requests_id() {
        for line in [
            r#"{"id":1,"call":"dance"}"#,
            r#"{"id":1,"call":"wait","args":{"message":"x","forever":true}}"#,
            r#"{"id":1,"call":"wait","args":{"message":"x","timeout":-1}}"#,
            r#"{"id":1,"call":"wait","args":{"message":"a b"}}"#,
            r#"{"id":1,"call":"send","args":{"message":"mn.done"}}"#,
            r#"{"id":1,"call":"send","args":{"message":"x","data":{"a-b":"c"}}}"#,
            r#"{"id":1,"call":"send","args":{"message":"x","data":{"a":1}}}"#,
            r#"{"id":1,"call":"status","extra":1}"#,
            r#"{"id":1,"call":"hello","args":{"session":"guess"}}"#,
        ] {
            let (id, class, _) = Request::parse(line.as_bytes()).unwrap_err();
            assert_eq!((id, class), (Some(1), Class::BadRequest), "{line}");
        }
        assert_eq!(Request::parse(b"5").unwrap_err().0, None);
        assert_eq!(Request::parse(b"\xff").unwrap_err().0, None);
    }
}
