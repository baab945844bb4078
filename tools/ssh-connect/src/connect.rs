use crate::fault::{Fault, Trouble};
use crate::known_hosts::{KnownHost, Verdict};
use crate::ssh::Ssh;
use crate::watch::Watch;
use mn_cli::{Cannot, Deadline, Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, getsockopt, setsockopt, socket, sockopt};
use ssh2::{MethodType, Session};
use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// A board to log in to.
pub struct Target<'a> {
    /// Its ssh server.
    pub address: SocketAddr,
    /// The job id under which its host key is known.
    pub host: &'a str,
    /// The account.
    pub user: &'a str,
    /// The private key's file.
    pub key: &'a Path,
    /// The file of the host keys.
    pub known_hosts: &'a Path,
}

/// Why a try failed.
enum Attempt {
    /// The ssh server may still be coming up: the reason.
    NotYet(String),
    /// No other try would end otherwise.
    Failed(Error),
}

/// Connects, checks the host key and logs in. A board whose ssh server does not answer yet is tried again.
///
/// # Errors
/// Status 124 when it does not answer by `deadline`, 3 when it is the wrong board or refuses the key.
pub fn connect(target: &Target<'_>, watch: &mut Watch, deadline: Deadline) -> Result<Ssh> {
    const PATIENCE: Duration = Duration::from_secs(30);
    const PAUSE: Duration = Duration::from_millis(500);
    let known = known_host(target)?;
    let key = read_text(target.key, "read the key")?;
    loop {
        let limit = deadline.min(Deadline::after(PATIENCE));
        let reason = match attempt(target, &known, watch, limit) {
            Ok(mut ssh) => return log_in(&mut ssh, target, &key, watch, deadline).map(|()| ssh),
            Err(Attempt::Failed(error)) => return Err(error),
            Err(Attempt::NotYet(reason)) => reason,
        };
        mn_cli::note(1, format_args!("{} does not answer yet: {reason}", target.address));
        watch.wait(&[], deadline.min(Deadline::after(PAUSE)))?;
        if deadline.passed() {
            return Err(Error::timeout(format_args!("cannot connect to {}: {reason}", target.address)));
        }
    }
}

fn attempt(
    target: &Target<'_>,
    known: &KnownHost,
    watch: &mut Watch,
    deadline: Deadline,
) -> std::result::Result<Ssh, Attempt> {
    let what = format!("speak ssh with {}", target.address);
    let failed = |fault: Fault| Attempt::Failed(Trouble::Fault(fault).while_doing(&what));
    let tcp = connect_tcp(target.address, watch, deadline)?;
    let mut ssh = Ssh::new(tcp).map_err(failed)?;
    ssh.session().method_pref(MethodType::HostKey, &known.algorithms()).map_err(|error| failed(error.into()))?;
    ssh.drive(watch, deadline, |session| Ok(session.handshake()?)).map_err(|trouble| match trouble {
        Trouble::Fault(fault) if fault.is_temporary() => Attempt::NotYet(fault.text().to_owned()),
        Trouble::Deadline => Attempt::NotYet("no answer".to_owned()),
        other => Attempt::Failed(other.while_doing(&what)),
    })?;
    check_host(target, known, &mut ssh).map_err(Attempt::Failed)?;
    Ok(ssh)
}

/// Opens the TCP connection without blocking. A board that loses its power is noticed after 30 seconds.
fn connect_tcp(address: SocketAddr, watch: &mut Watch, deadline: Deadline) -> std::result::Result<TcpStream, Attempt> {
    let not_yet = |errno: Errno| Attempt::NotYet(errno.desc().to_owned());
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(family, SockType::Stream, flags, None).cannot("make a socket").map_err(Attempt::Failed)?;
    set_limits(&fd).cannot("set up a socket").map_err(Attempt::Failed)?;
    match nix::sys::socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => return Ok(fd.into()),
        Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(not_yet(errno)),
    }
    let fds = [PollFd::new(std::os::fd::AsFd::as_fd(&fd), PollFlags::POLLOUT)];
    if watch.wait(&fds, deadline).map_err(Attempt::Failed)?.is_none() {
        return Err(not_yet(Errno::ETIMEDOUT));
    }
    match getsockopt(&fd, sockopt::SocketError).map(Errno::from_raw) {
        Ok(errno) if errno as i32 == 0 => Ok(fd.into()),
        Ok(errno) | Err(errno) => Err(not_yet(errno)),
    }
}

fn set_limits(fd: &std::os::fd::OwnedFd) -> nix::Result<()> {
    const LIMIT_MS: u32 = 30_000;
    setsockopt(fd, sockopt::TcpNoDelay, &true)?;
    setsockopt(fd, sockopt::KeepAlive, &true)?;
    setsockopt(fd, sockopt::TcpKeepIdle, &10)?;
    setsockopt(fd, sockopt::TcpKeepInterval, &5)?;
    setsockopt(fd, sockopt::TcpUserTimeout, &LIMIT_MS)
}

/// What is known of the host, which must be something.
fn known_host(target: &Target<'_>) -> Result<KnownHost> {
    let path = target.known_hosts.display();
    let file = match target.known_hosts.exists() {
        true => read_text(target.known_hosts, "read the host keys")?,
        false => String::new(),
    };
    let known = KnownHost::read(&file, target.host);
    match known.is_unknown() {
        false => Ok(known),
        true => Err(Error::lab(format_args!(
            "cannot trust the board of job {0}: no ssh key of it in '{path}', where the 'tftp-stage' of job {0} writes it",
            target.host
        ))),
    }
}

fn check_host(target: &Target<'_>, known: &KnownHost, ssh: &mut Ssh) -> Result<()> {
    let (address, host, path) = (target.address, target.host, target.known_hosts.display());
    let key = ssh.session().host_key().map(|(key, _)| key.to_owned()).unwrap_or_default();
    match known.judge(&key) {
        Verdict::Known => Ok(()),
        Verdict::Different => Err(Error::lab(format_args!(
            "cannot trust {address}: its ssh key is not that of job {host} in '{path}'; is this another machine?"
        ))),
        Verdict::Revoked => Err(Error::lab(format_args!("cannot trust {address}: its ssh key is revoked in '{path}'"))),
    }
}

fn log_in(ssh: &mut Ssh, target: &Target<'_>, key: &str, watch: &mut Watch, deadline: Deadline) -> Result<()> {
    let (user, path) = (target.user, target.key.display());
    // libssh2 measures the passphrase of an encrypted PEM key whether there is one or not: never none.
    let log_in = |session: &mut Session| Ok(session.userauth_pubkey_memory(user, None, key, Some(""))?);
    ssh.drive(watch, deadline, log_in).map_err(|trouble| {
        let what = format!("log in as '{user}' at {} with '{path}'", target.address);
        match trouble {
            Trouble::Fault(fault) if fault.is_refused() => Error::lab(format_args!(
                "cannot {what}: the key was refused; 'authorize: ssh' in the host's deploy lets it in"
            )),
            Trouble::Fault(fault) if fault.is_unusable_key() => {
                Error::lab(format_args!("cannot {what}: no private key without a passphrase is in this file"))
            }
            other => other.while_doing(&what),
        }
    })
}

/// Reads a small file; more than 1 MiB of it is not looked at.
fn read_text(path: &Path, what: &str) -> Result<String> {
    const LIMIT: u64 = 1 << 20;
    let what = format!("{what} '{}'", path.display());
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes)).cannot(what)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
