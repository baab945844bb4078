//! What a test asks of the other members.

/// What a test on the board asks of the other members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `lava-send ID KEY=VALUE…`
    Send {
        /// The message's id.
        id: String,
        /// Its data.
        data: Vec<(String, String)>,
    },
    /// `lava-sync ID`
    Sync {
        /// The message's id.
        id: String,
    },
    /// `lava-wait ID`
    Wait {
        /// The message's id.
        id: String,
    },
    /// `lava-wait-all ID [ROLE]`
    WaitAll {
        /// The message's id.
        id: String,
        /// Only the members of this role are waited for.
        role: Option<String>,
    },
}

impl Request {
    /// The word of the request as it stands on the console: `WAIT_ALL`.
    pub fn word(&self) -> &'static str {
        match self {
            Request::Send { .. } => "SEND",
            Request::Sync { .. } => "SYNC",
            Request::Wait { .. } => "WAIT",
            Request::WaitAll { .. } => "WAIT_ALL",
        }
    }

    /// The message's id.
    pub fn id(&self) -> &str {
        match self {
            Request::Send { id, .. } | Request::Sync { id } | Request::Wait { id } | Request::WaitAll { id, .. } => id,
        }
    }

    /// The call as a test writes it, without its data: `lava-wait-all booted`.
    pub fn helper(&self) -> String {
        format!("lava-{} {}", self.word().to_lowercase().replace('_', "-"), self.id())
    }

    /// The test case under which LAVA records the call: `multinode-wait_all-ID`, in lower case.
    pub fn case(&self) -> String {
        format!("multinode-{}-{}", self.word(), self.id()).to_lowercase()
    }

    /// Reads the body of a request of this word, `SEND`.
    ///
    /// # Errors
    /// When it has too few words, or too many.
    pub fn parse(word: &str, body: &str) -> Result<Request, String> {
        let words: Vec<&str> = body.split_whitespace().collect();
        let bad =
            || Err(format!("'<LAVA_{word} {}>' is no multinode request", crate::lines::readable(body.as_bytes())));
        Ok(match (word, words.as_slice()) {
            ("SEND", [_, ..]) => send(body),
            ("SYNC", &[id]) => Request::Sync { id: id.to_owned() },
            ("WAIT", &[id]) => Request::Wait { id: id.to_owned() },
            ("WAIT_ALL", &[id]) => Request::WaitAll { id: id.to_owned(), role: None },
            ("WAIT_ALL", &[id, role]) => Request::WaitAll { id: id.to_owned(), role: Some(role.to_owned()) },
            _ => return bad(),
        })
    }
}

/// Splits `ID KEY=VALUE…` before each word that is followed by `=`, so that a value may contain blanks.
fn send(body: &str) -> Request {
    let mut parts: Vec<&str> = Vec::new();
    let mut from = 0;
    let mut blank = false;
    for (at, char) in body.char_indices() {
        let first = char.is_whitespace() && !blank;
        blank = char.is_whitespace();
        if !first {
            continue;
        }
        let rest = body[at..].trim_start();
        let word = rest.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or("");
        if !word.is_empty() && rest[word.len()..].starts_with('=') && from <= at {
            parts.push(&body[from..at]);
            from = body.len() - rest.len();
        }
    }
    parts.push(&body[from..]);
    let id = parts[0].trim().to_owned();
    let pairs = parts[1..].iter().filter_map(|part| part.trim().split_once('='));
    let data = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Request::Send { id, data }
}
