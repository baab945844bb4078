use mn_cli::{Cannot, Error, Result};
use nix::unistd::Pid;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The lab's address, on the interface `lab0`.
pub const LAB: &str = "10.77.0.1";
/// The board's address, on its interface `eth0`.
pub const BOARD: &str = "10.77.0.2";

/// Makes the lab's side, `lab0`: a bridge, so that the lab keeps its address while the board has no power.
pub fn make_lab() -> Result<()> {
    ip(&format!(
        "link add lab0 address 52:54:00:77:00:01 type bridge\naddress add {LAB}/24 dev lab0\nlink set lab0 up\n"
    ))
}

/// Takes the lab's side away.
pub fn remove_lab() -> Result<()> {
    ip("link delete lab0\n")
}

/// In the board's network: makes its `eth0`, whose other end `board0` is in the network of the process `lab`.
pub fn make_board(lab: Pid) -> Result<()> {
    ip(&format!(
        "link set lo up\n\
         link add eth0 address 52:54:00:77:00:02 type veth peer name board0 netns {lab}\n\
         address add {BOARD}/24 dev eth0\n\
         link set eth0 up\n"
    ))
}

/// In the lab's network: plugs the board in.
pub fn plug() -> Result<()> {
    ip("link set board0 master lab0 up\n")
}

/// In the lab's network: pulls the plug, so that a board that loses its power can say no goodbye.
/// There may be none.
pub fn unplug() {
    let _ = Command::new("ip")
        .args(["link", "delete", "board0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Runs commands of ip(8), a line each.
fn ip(commands: &str) -> Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .cannot("run 'ip'")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(commands.as_bytes()).cannot("write to 'ip'")?;
    }
    match child.wait().cannot("wait for 'ip'")? {
        status if status.success() => Ok(()),
        status => Err(Error::lab(format_args!("cannot set up the network: ip: {status}"))),
    }
}
