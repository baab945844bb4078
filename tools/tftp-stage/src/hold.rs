//! The life of the process: staging while listening for the end, the message, holding, the release.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mn_cli::{Cannot, Deadline, Error, Result, Signals, Status};
use mn_msg::{Holder, Message, Object, Role, RunDir, Wake, Writer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::address;
use crate::cli::{Options, Until};
use crate::plan::Plan;
use crate::stage::Stage;
use crate::stop::Stop;
use crate::world::World;

/// How long the end waits for work that was asked to stop; it may sit in a read from the network.
const STOPPING: Duration = Duration::from_secs(2);

/// Stages for one role, holds, and releases.
///
/// # Errors
/// Of the staging, after everything has been undone and the stream has its `end`.
pub fn run(
    options: &Options,
    run_dir: &RunDir,
    mut role: Role,
    others: &[Message],
    writer: &mut Writer,
) -> Result<Status> {
    let mut signals = Signals::new()?;
    let holder = Holder::stdout()?;
    if role.facts().started.is_none() {
        role.add("started", mn_msg::now())?;
    }
    let work = match Work::start(options, run_dir, &role) {
        Ok(work) => work,
        Err(error) => return writer.conclude(Err(error)),
    };
    let outcome =
        work.wait(&holder, &mut signals).and_then(|staged| announce(&mut role, staged, &work, others, writer));
    if let Err(error) = outcome {
        if let Err(left) = work.release() {
            mn_cli::warn(left);
        }
        return writer.conclude(Err(error));
    }
    let held = hold(options.until, &holder, &mut signals, writer);
    work.release().and(held)
}

/// Writes what was staged; from here on it is the reader's.
fn announce(role: &mut Role, staged: Object, work: &Work, others: &[Message], writer: &mut Writer) -> Result<()> {
    role.add("staged", staged)?;
    role.add("console", work.console.as_str())?;
    for message in others.iter().chain([role.message()]) {
        writer.write(message)?;
    }
    writer.finish(Status::Success)
}

/// Waits for the reader to go or for a signal.
fn hold(until: Until, holder: &Holder, signals: &mut Signals, writer: &mut Writer) -> Result<Status> {
    let wake = match until {
        Until::ReaderGone => holder.wait(signals, &[], None)?,
        Until::Signal => wait_for_signal(signals)?,
    };
    match wake {
        Wake::Signal(signal) => {
            let status = Status::Signal(signal);
            holder.dismiss(writer, signals, status, &format!("{} ended by signal {signal}", crate::TOOL))?;
            Ok(status)
        }
        _ => Ok(Status::Success),
    }
}

fn wait_for_signal(signals: &mut Signals) -> Result<Wake> {
    loop {
        if let Some(signal) = signals.take() {
            return Ok(Wake::Signal(signal));
        }
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).cannot("wait for a signal"),
        }
    }
}

/// The staging, in a thread, and what it holds.
struct Work {
    world: Arc<Mutex<World>>,
    stop: Stop,
    deadline: Deadline,
    /// The other end closes with the thread.
    done: UnixStream,
    thread: Mutex<Option<JoinHandle<Result<Object>>>>,
    console: String,
}

impl Work {
    fn start(options: &Options, run_dir: &RunDir, role: &Role) -> Result<Self> {
        let plan = Plan::new(role)?;
        let address = address::dispatcher(options.dispatcher_ip, plan.device.target_ip.as_deref())?;
        let member = run_dir.member(&plan.job_id, &role.facts().role)?;
        let deadline = Deadline::after(Duration::from_secs(plan.timeout)).min(role.job_deadline());
        let (done, other) = UnixStream::pair().cannot("make a socket")?;
        let (console, world, stop) = (plan.console.clone(), Arc::default(), Stop::default());
        let stage = Stage {
            plan,
            options: options.clone(),
            member,
            address,
            deadline,
            stop: stop.clone(),
            world: Arc::clone(&world),
        };
        let body = move || {
            let _closes_at_the_end = other;
            stage.run()
        };
        let thread = thread::Builder::new().name("stage".to_owned()).spawn(body).cannot("start a thread")?;
        Ok(Work { world, stop, deadline, done, thread: Mutex::new(Some(thread)), console })
    }

    /// Waits for the staging; a signal, the reader or the time may end it first.
    fn wait(&self, holder: &Holder, signals: &mut Signals) -> Result<Object> {
        let done = [PollFd::new(self.done.as_fd(), PollFlags::POLLIN)];
        match holder.wait(signals, &done, Some(self.deadline))? {
            Wake::Ready(_) => self.join(),
            Wake::Signal(signal) => Err(Error::silent(Status::Signal(signal))),
            // As if the message had been written and nobody had read it.
            Wake::ReaderGone => Err(Error::silent(Status::Signal(Signal::SIGPIPE as i32))),
            Wake::Deadline => Err(Error::timeout("cannot stage in the time that the deploy block gives")),
        }
    }

    fn join(&self) -> Result<Object> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Ok(result)) => result,
            // It has said so on standard error itself.
            _ => Err(Error::lab("cannot stage: the work ended by a defect")),
        }
    }

    /// Stops the work if it still goes on, and undoes what it did.
    fn release(&self) -> Result<()> {
        self.stop.set();
        let deadline = Instant::now() + STOPPING;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Its end of the socket closes when it ends: a read with a timeout is a wait.
            let _ = self.done.set_read_timeout(Some(deadline.saturating_duration_since(Instant::now())));
            let _ = std::io::Read::read(&mut &self.done, &mut [0]);
            drop(thread);
        }
        self.world.lock().unwrap_or_else(PoisonError::into_inner).release()
    }
}
