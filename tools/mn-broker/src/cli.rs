//! The command line and the environment, turned into plain options.

use crate::door::{self, Network};
use clap::{Args, Parser, Subcommand};
use mn_cli::{Error, Result};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What is to be done.
#[derive(Debug)]
pub struct Options {
    /// How much is said: 0 nothing.
    pub verbosity: u8,
    /// The work.
    pub command: Command,
}

/// The two halves of the tool.
#[derive(Debug)]
pub enum Command {
    /// Be the broker.
    Serve(Serve),
    /// Ask it for something.
    Act(Act),
    /// Print what a journal tells.
    Replay(PathBuf),
    /// Bring a broker's socket here from another machine.
    Connect(Connect),
}

/// How to serve.
#[derive(Debug)]
pub struct Serve {
    /// Where the socket is made.
    pub socket: PathBuf,
    /// Messages with the list of members; `-` is standard input.
    pub members: Vec<PathBuf>,
    /// What outlasts a crash.
    pub journal: Option<PathBuf>,
    /// Where LAVA's wire is spoken.
    pub lava_listen: Option<SocketAddr>,
    /// Who may speak it, loopback apart.
    pub lava_allow: Vec<Network>,
    /// How long those who speak it may take for a request, or for the next poll of a wait.
    pub lava_patience: Duration,
    /// A descriptor that gets a newline when the socket can be used.
    pub ready_fd: Option<i32>,
    /// How long a lost connection may stay away.
    pub grace: Duration,
    /// How long all may wait without a request.
    pub deadlock_after: Duration,
}

/// One request by hand.
#[derive(Debug)]
pub struct Act {
    /// The broker's socket.
    pub socket: PathBuf,
    /// The group, where the broker has several.
    pub group: Option<String>,
    /// For whom it speaks.
    pub speaker: Speaker,
    /// What it asks.
    pub verb: Verb,
}

/// For whom a verb speaks.
#[derive(Debug)]
pub enum Speaker {
    /// Nobody was named.
    Nobody,
    /// A member of the list.
    Member(String),
    /// Somebody from outside, in a role.
    External {
        /// The role.
        role: String,
        /// Whether sync and wait-all wait for it.
        counted: bool,
    },
}

/// How to bring a socket here.
#[derive(Debug)]
pub struct Connect {
    /// The socket that is made here.
    pub socket: PathBuf,
    /// Where the broker is, as ssh takes it.
    pub target: String,
    /// Its socket there.
    pub remote: PathBuf,
    /// What ssh is told besides.
    pub options: Vec<String>,
    /// A descriptor that gets a newline when the socket can be used.
    pub ready_fd: Option<i32>,
}

/// The heading of the options that no verb of a server has.
const REQUESTS: &str = "Who asks, and in which group";

#[derive(Parser)]
#[command(
    name = "mn-broker",
    version,
    about = "Where the roles of a multinode job meet",
    after_help = "See mn-broker(1)."
)]
struct Line {
    /// Say what is done; twice: say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The broker's socket; serve has to be given one [default: $MN_SOCKET, $MN_RUNDIR/broker.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The member to speak for, by its job id [default: $MN_MEMBER]
    #[arg(long, global = true, value_name = "ID", help_heading = REQUESTS)]
    member: Option<String>,
    /// The group, where the broker has several
    #[arg(long, global = true, value_name = "NAME", help_heading = REQUESTS)]
    group: Option<String>,
    /// Be a member from outside, in this role
    #[arg(long, global = true, value_name = "ROLE", conflicts_with = "member", help_heading = REQUESTS)]
    external: Option<String>,
    /// Let sync and wait-all wait for the member from outside
    #[arg(long, global = true, help_heading = REQUESTS)]
    counted: bool,
    #[command(subcommand)]
    command: SubLine,
}

#[derive(Subcommand)]
enum SubLine {
    /// Be the broker until SIGTERM
    Serve(ServeLine),
    /// Print what a journal tells, with times
    Replay {
        /// The journal
        journal: PathBuf,
    },
    /// Bring a broker's socket here from another machine, until SIGTERM
    Connect(ConnectLine),
    #[command(flatten)]
    Verb(Verb),
}

#[derive(Args)]
struct ServeLine {
    /// Role messages that hold the list of members; - is standard input; repeat for more groups
    #[arg(long, value_name = "FILE", default_value = "-")]
    members: Vec<PathBuf>,
    /// Keep what is taken in this file, and go on where it ends
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Speak LAVA's wire too, at this address
    #[arg(long, value_name = "ADDRESS:PORT")]
    lava_listen: Option<SocketAddr>,
    /// Who may speak it besides loopback; repeatable
    #[arg(long, value_name = "ADDRESS[/BITS]", value_parser = Network::parse)]
    lava_allow: Vec<Network>,
    /// How long they may take for a request, or for the next poll of a wait
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = more_than_none)]
    lava_patience: f64,
    /// Write a newline to this descriptor when the socket can be used
    #[arg(long, value_name = "N")]
    ready_fd: Option<i32>,
    /// How long a lost connection may stay away before its member is dead
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    grace: f64,
    /// How long all members may wait without any request
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    deadlock_after: f64,
}

#[derive(Args)]
struct ConnectLine {
    /// Where the broker is
    #[arg(value_name = "USER@HOST")]
    target: String,
    /// The broker's socket there
    remote: PathBuf,
    /// An option for ssh, as after its -o; repeatable
    #[arg(short = 'o', value_name = "OPTION")]
    options: Vec<String>,
    /// Write a newline to this descriptor when the socket can be used
    #[arg(long, value_name = "N")]
    ready_fd: Option<i32>,
}

/// What can be asked for by hand.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Join, and leave on a signal
    Join,
    /// Give data to all members
    Send {
        /// The message's id
        id: String,
        /// The data
        #[arg(value_name = "KEY=VALUE", value_parser = pair)]
        data: Vec<(String, String)>,
    },
    /// Wait until a member has sent a message
    Wait {
        /// The message's id
        id: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Wait until all members, or all of a role, have sent a message
    WaitAll {
        /// The message's id
        id: String,
        /// Only the members of this role
        role: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Wait until all members are here
    Sync {
        /// The name of the meeting
        id: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Wait until all members of a role have sent lava_start
    Start {
        /// The role
        role: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Wait until the guests on this member's board are gone
    Drain {
        #[command(flatten)]
        limit: Limit,
    },
    /// Say that a member is gone
    Leave {
        /// Its job id [default: the member spoken for]
        #[arg(value_name = "MEMBER")]
        gone: Option<String>,
    },
    /// Say that a member's work has failed
    Fail {
        /// Its job id [default: the member spoken for]
        #[arg(value_name = "MEMBER")]
        failed: Option<String>,
    },
    /// Print who is here and waits for whom
    Status {
        #[command(flatten)]
        form: Form,
    },
    /// Make another group
    Found {
        /// Role messages that hold the list of members; - is standard input
        #[arg(long, value_name = "FILE", default_value = "-")]
        members: PathBuf,
    },
    /// Print what happens as JSON lines, until the broker ends
    Watch,
}

/// How a status is printed: as text, if nothing else is said.
#[derive(Clone, Copy, Debug, Args)]
pub struct Form {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// As a graph for dot(1): who waits for whom
    #[arg(long, conflicts_with = "json")]
    pub dot: bool,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limit {
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: f64,
}

impl Options {
    /// Reads the command line, and the environment where it says nothing.
    ///
    /// # Errors
    /// Status 2 for a wrong command line.
    pub fn read() -> Result<Self> {
        let line: Line = mn_cli::options()?;
        let command = match line.command {
            SubLine::Serve(serve) => {
                let socket = line.socket.ok_or_else(|| Error::usage("serve needs '--socket PATH'"))?;
                Command::Serve(serve.options(socket)?)
            }
            SubLine::Replay { journal } => Command::Replay(journal),
            SubLine::Connect(connect) => {
                let ConnectLine { target, remote, options, ready_fd } = connect;
                let socket = socket(line.socket)?;
                Command::Connect(Connect { socket, target, remote, options, ready_fd })
            }
            SubLine::Verb(verb) => {
                let socket = socket(line.socket)?;
                let speaker = speaker(line.member, line.external, line.counted)?;
                Command::Act(Act { socket, group: line.group, speaker, verb })
            }
        };
        Ok(Self { verbosity: line.verbose, command })
    }
}

impl ServeLine {
    fn options(self, socket: PathBuf) -> Result<Serve> {
        if let Some(address) = self.lava_listen {
            door::check(address, &self.lava_allow)?;
        }
        Ok(Serve {
            socket,
            members: self.members,
            journal: self.journal,
            lava_listen: self.lava_listen,
            lava_allow: self.lava_allow,
            lava_patience: Duration::from_secs_f64(self.lava_patience),
            ready_fd: self.ready_fd,
            grace: Duration::from_secs_f64(self.grace),
            deadlock_after: Duration::from_secs_f64(self.deadlock_after),
        })
    }
}

fn socket(given: Option<PathBuf>) -> Result<PathBuf> {
    let socket = given.or_else(socket_of_environment);
    socket.ok_or_else(|| Error::usage("no socket: give '--socket PATH' or set MN_SOCKET or MN_RUNDIR"))
}

fn speaker(member: Option<String>, external: Option<String>, counted: bool) -> Result<Speaker> {
    if let Some(role) = external {
        return Ok(Speaker::External { role, counted });
    }
    if counted {
        return Err(Error::usage("'--counted' is for '--external ROLE'"));
    }
    let member = member.or_else(|| std::env::var("MN_MEMBER").ok().filter(|id| !id.is_empty()));
    Ok(member.map_or(Speaker::Nobody, Speaker::Member))
}

fn socket_of_environment() -> Option<PathBuf> {
    let in_run_dir = || mn_cli::path_variable("MN_RUNDIR").map(|dir| dir.join("broker.sock"));
    mn_cli::path_variable("MN_SOCKET").or_else(in_run_dir)
}

/// A number of seconds up to a week, the protocol's limit.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    const WEEK: f64 = 604_800.0;
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=WEEK).contains(number));
    number.ok_or_else(|| format!("not a number of seconds from 0 to {WEEK}"))
}

/// The same without 0, where that would leave no time at all.
fn more_than_none(text: &str) -> std::result::Result<f64, String> {
    seconds(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("not more than 0 seconds".into()) })
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not of the form KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_time_is_a_number_up_to_a_week() {
        assert_eq!(seconds("1.5"), Ok(1.5));
        for wrong in ["-1", "NaN", "inf", "604801", "5m", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert!(more_than_none("0").is_err() && more_than_none("0.5") == Ok(0.5));
    }

    #[test]
    fn a_value_may_hold_equals_signs() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("a").is_err());
    }
}
