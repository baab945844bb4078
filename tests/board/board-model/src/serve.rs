use crate::cable;
use crate::cli::ServeOptions;
use crate::control::{self, Request};
use crate::model::Model;
use crate::port::Port;
use crate::power::{End, Machine};
use mn_cli::{Cannot, Error, Result, Signals, Status};
use mn_ipc::socket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use signal_hook::consts::SIGCHLD;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The board as the lab sees it: a power switch, a console socket, and the machine while it has power.
struct Bench {
    model: Model,
    machine: Option<Machine>,
    port: Port,
    control: Door,
    console: Door,
    children: UnixStream,
    signals: Signals,
}

/// Serves the board until a signal comes, and leaves nothing behind.
pub fn run(options: &ServeOptions) -> Result<Status> {
    let control = Door::open(options.directory.join("control"))?;
    let console = Door::open(options.directory.join("console"))?;
    set_child_subreaper(true).cannot("become the reaper of orphans")?;
    cable::make_lab()?;
    let mut bench = Bench {
        model: options.model.clone(),
        machine: None,
        port: Port::default(),
        control,
        console,
        children: children()?,
        signals: Signals::new()?,
    };
    let signal = say_ready(options.ready_fd).and_then(|()| bench.serve());
    drop(bench);
    cable::remove_lab()?;
    signal.map(Status::Signal)
}

impl Bench {
    /// Does what comes, until a signal does; gives the signal.
    fn serve(&mut self) -> Result<i32> {
        loop {
            self.wait()?;
            if let Some(signal) = self.signals.take() {
                return Ok(signal);
            }
            self.reap()?;
            match &self.machine {
                Some(machine) => self.port.serve_line(machine.line().lab()),
                None => self.port.drop_input(),
            }
            self.port.serve_client();
            self.port.accept(&self.console.listener);
            if let Ok((stream, _)) = self.control.listener.accept() {
                control::answer(stream, |request| self.act(request));
            }
        }
    }

    fn wait(&self) -> Result<()> {
        let read = PollFlags::POLLIN;
        let when = |wanted: bool, flag: PollFlags| if wanted { flag } else { PollFlags::empty() };
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), read),
            PollFd::new(self.children.as_fd(), read),
            PollFd::new(self.control.listener.as_fd(), read),
            PollFd::new(self.console.listener.as_fd(), read),
        ];
        if let Some(machine) = &self.machine {
            let events = when(self.port.wants_output(), read) | when(self.port.has_input(), PollFlags::POLLOUT);
            fds.push(PollFd::new(machine.line().as_fd(), events));
        }
        if let Some((client, room, waiting)) = self.port.client() {
            fds.push(PollFd::new(client, when(room, read) | when(waiting, PollFlags::POLLOUT)));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => Ok(()),
            other => other.map(drop).cannot("wait for the board"),
        }
    }

    /// Sees whether the board restarted or switched itself off.
    fn reap(&mut self) -> Result<()> {
        let mut bytes = [0; 64];
        while matches!(self.children.read(&mut bytes), Ok(n) if n > 0) {}
        let Some(machine) = &mut self.machine else { return Ok(()) };
        let end = machine.ended()?;
        if end.is_some() {
            self.port.take_last(machine.line().lab());
            self.machine = None;
        }
        if end == Some(End::Reboot) {
            self.machine = Some(Machine::on(&self.model)?);
        }
        Ok(())
    }

    fn act(&mut self, request: Request) -> Result<&'static str> {
        if matches!(request, Request::Off | Request::Reset) {
            self.machine = None;
        }
        if matches!(request, Request::On | Request::Reset) && self.machine.is_none() {
            self.machine = Some(Machine::on(&self.model)?);
        }
        Ok(match (request, &self.machine) {
            (Request::Status, Some(_)) => "on",
            (Request::Status, None) => "off",
            _ => "ok",
        })
    }
}

/// A listening socket, which is removed in the end.
struct Door {
    path: PathBuf,
    listener: UnixListener,
}

impl Door {
    /// Listens at `path`; a socket that a dead process has left behind is replaced.
    fn open(path: PathBuf) -> Result<Self> {
        let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        match socket::connect(&path) {
            Ok(_) => return Err(Error::lab(format_args!("'{}' is in use", path.display()))),
            Err(error) if refused(&error) => {
                std::fs::remove_file(&path).cannot(format_args!("remove '{}'", path.display()))?;
            }
            Err(_) => {}
        }
        let listener = socket::bind(&path).cannot(format_args!("listen at '{}'", path.display()))?;
        listener.set_nonblocking(true).cannot("set up a socket")?;
        Ok(Self { path, listener })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The end of a child as a descriptor to poll.
fn children() -> Result<UnixStream> {
    let (children, waker) = UnixStream::pair().cannot("make a socket")?;
    for end in [&children, &waker] {
        end.set_nonblocking(true).cannot("set up a socket")?;
    }
    signal_hook::low_level::pipe::register(SIGCHLD, waker).cannot("catch SIGCHLD")?;
    Ok(children)
}

fn say_ready(fd: Option<u32>) -> Result<()> {
    let Some(fd) = fd else { return Ok(()) };
    let mut ready = OpenOptions::new()
        .write(true)
        .open(format!("/proc/self/fd/{fd}"))
        .cannot(format_args!("open descriptor {fd}"))?;
    ready.write_all(b"\n").cannot(format_args!("write to descriptor {fd}"))
}
