use mn_cli::Error;
use std::io::ErrorKind;

/// What libssh2 said, or the system through it.
#[derive(Debug)]
pub struct Fault {
    code: i32,
    text: String,
}

/// libssh2's numbers, from its header.
const EAGAIN: i32 = -37;
const FILE: i32 = -16;
const KEYFILE_AUTH_FAILED: i32 = -48;
const AUTHENTICATION_FAILED: i32 = -18;
const PUBLICKEY_UNVERIFIED: i32 = -19;
/// Banner not received or sent, key exchange cut off, time out, disconnected, nothing received or sent: what a board
/// answers with while its sshd is still coming up.
const NOT_YET: [i32; 6] = [-2, -3, -9, -13, -43, -7];

impl Fault {
    /// A reason of our own.
    pub fn new(text: String) -> Self {
        Self { code: 0, text }
    }

    /// That nothing could be done without waiting.
    pub fn would_block() -> Self {
        Self { code: EAGAIN, text: String::new() }
    }

    /// Whether the call is to be made again once the socket is ready.
    pub fn is_would_block(&self) -> bool {
        self.code == EAGAIN
    }

    /// Whether the board refused to let the key in.
    pub fn is_refused(&self) -> bool {
        [AUTHENTICATION_FAILED, PUBLICKEY_UNVERIFIED].contains(&self.code)
    }

    /// Whether the private key could not be read.
    pub fn is_unusable_key(&self) -> bool {
        [FILE, KEYFILE_AUTH_FAILED].contains(&self.code)
    }

    /// Whether another try may have another end.
    pub fn is_temporary(&self) -> bool {
        NOT_YET.contains(&self.code)
    }

    /// The reason, for people.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<ssh2::Error> for Fault {
    fn from(error: ssh2::Error) -> Self {
        let code = match error.code() {
            ssh2::ErrorCode::Session(code) | ssh2::ErrorCode::SFTP(code) => code,
        };
        Self { code, text: error.message().to_owned() }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::would_block(),
            _ => Self { code: 0, text: error.to_string() },
        }
    }
}

/// Why a piece of work on the board was not finished.
#[derive(Debug)]
pub enum Trouble {
    /// It went wrong.
    Fault(Fault),
    /// Its time was up.
    Deadline,
    /// Nobody wants it any more: a signal came, or the reader has gone.
    Ended(Error),
}

impl Trouble {
    /// The error for the work called `what`: "cannot WHAT: reason".
    pub fn while_doing(self, what: &str) -> Error {
        match self {
            Self::Fault(fault) => Error::lab(format_args!("cannot {what}: {}", fault.text)),
            Self::Deadline => Error::timeout(format_args!("cannot {what}: the time is up")),
            Self::Ended(error) => error,
        }
    }
}
