//! The command line and the environment, turned into plain options.

use clap::{Args, Parser, Subcommand};
use mn_cli::{Error, Result};
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
}

/// How to serve.
#[derive(Debug)]
pub struct Serve {
    /// Where the socket is made.
    pub socket: PathBuf,
    /// Messages with the list of members; `-` is standard input.
    pub members: PathBuf,
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
    /// For whom it speaks.
    pub member: Option<String>,
    /// What it asks.
    pub verb: Verb,
}

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
    /// The broker's socket [default: $MN_SOCKET, $MN_RUNDIR/broker.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The member to speak for, by its job id [default: $MN_MEMBER]
    #[arg(long, global = true, value_name = "ID")]
    member: Option<String>,
    #[command(subcommand)]
    command: SubLine,
}

#[derive(Subcommand)]
enum SubLine {
    /// Be the broker until SIGTERM
    Serve(ServeLine),
    #[command(flatten)]
    Verb(Verb),
}

#[derive(Args)]
struct ServeLine {
    /// Role messages that hold the list of members; - is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    members: PathBuf,
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
    /// Print who is here and waits for whom
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what happens as JSON lines, until the broker ends
    Watch,
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
                Command::Serve(serve.options(socket))
            }
            SubLine::Verb(verb) => {
                let socket = line.socket.or_else(socket_of_environment);
                let socket = socket
                    .ok_or_else(|| Error::usage("no socket: give '--socket PATH' or set MN_SOCKET or MN_RUNDIR"))?;
                let member = line.member.or_else(|| std::env::var("MN_MEMBER").ok().filter(|id| !id.is_empty()));
                Command::Act(Act { socket, member, verb })
            }
        };
        Ok(Self { verbosity: line.verbose, command })
    }
}

impl ServeLine {
    fn options(self, socket: PathBuf) -> Serve {
        let Self { members, ready_fd, grace, deadlock_after } = self;
        let (grace, deadlock_after) = (Duration::from_secs_f64(grace), Duration::from_secs_f64(deadlock_after));
        Serve { socket, members, ready_fd, grace, deadlock_after }
    }
}

fn socket_of_environment() -> Option<PathBuf> {
    let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path("MN_SOCKET").or_else(|| path("MN_RUNDIR").map(|dir| dir.join("broker.sock")))
}

/// A number of seconds up to a week, the protocol's limit.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    const WEEK: f64 = 604_800.0;
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=WEEK).contains(number));
    number.ok_or_else(|| format!("not a number of seconds from 0 to {WEEK}"))
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
    }

    #[test]
    fn a_value_may_hold_equals_signs() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("a").is_err());
    }
}
