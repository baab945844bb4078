//! Prints what the members of a run do, as they do it.

use crate::cli::Follow;
use crate::lines::Growing;
use crate::{print, progress};
use mn_cli::{Cannot, Result, Signals, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Follows the run directory until SIGTERM, SIGINT or SIGHUP, then prints what is left and ends well.
///
/// # Errors
/// Status 3 when the directory cannot be watched or read.
pub fn until_told(run_dir: &Path, what: Follow) -> Result<Status> {
    let mut signals = Signals::new()?;
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).cannot("watch files")?;
    let mut run = Run::new(run_dir, what);
    loop {
        let last = signals.take().is_some();
        run.watch_members(&inotify)?;
        run.print_news()?;
        if last {
            return Ok(Status::Success);
        }
        let mut fds =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).cannot("watch files"),
        }
        // The events say only that something has changed: the files say what.
        while inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

/// What is followed in a run directory.
struct Run {
    path: PathBuf,
    streams: Vec<Growing>,
    logs: BTreeMap<String, Growing>,
    watched: bool,
}

impl Run {
    fn new(path: &Path, what: Follow) -> Self {
        let stream = |name: &str| Growing::new(path.join(name));
        let streams = match what {
            Follow::All => vec![stream("progress.jsonl"), stream("results.jsonl")],
            Follow::Diagnostics => Vec::new(),
        };
        Self { path: path.to_owned(), streams, logs: BTreeMap::new(), watched: false }
    }

    /// Watches the directory and those of members that have come since.
    fn watch_members(&mut self, inotify: &Inotify) -> Result<()> {
        let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE;
        let watch = |path: &Path| inotify.add_watch(path, flags).cannot(format_args!("watch '{}'", path.display()));
        if !self.watched {
            watch(&self.path)?;
            self.watched = true;
        }
        for entry in std::fs::read_dir(&self.path).cannot(format_args!("read '{}'", self.path.display()))? {
            let name = entry.cannot("read a directory")?.file_name().to_string_lossy().into_owned();
            if name.bytes().all(|byte| byte.is_ascii_digit()) && !self.logs.contains_key(&name) {
                let member = self.path.join(&name);
                watch(&member)?;
                self.logs.insert(name, Growing::new(member.join("log")));
            }
        }
        Ok(())
    }

    fn print_news(&mut self) -> Result<()> {
        let mut text = String::new();
        for stream in &mut self.streams {
            let lines = stream.lines()?;
            lines.iter().filter_map(|json| progress::line(json)).for_each(|line| text += &(line + "\n"));
        }
        for (job_id, log) in &mut self.logs {
            let lines = log.lines()?;
            lines.iter().for_each(|line| text += &(progress::diagnostic(job_id, line) + "\n"));
        }
        if text.is_empty() { Ok(()) } else { print(&text) }
    }
}
