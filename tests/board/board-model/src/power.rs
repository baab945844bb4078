use crate::cable;
use crate::line::Line;
use crate::model::Model;
use mn_cli::{Cannot, Result};
use nix::sys::wait::{WaitPidFlag, waitpid};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

/// A board that has power.
pub struct Machine {
    supervisor: Child,
    line: Line,
}

/// What the board did by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It restarted.
    Reboot,
    /// It switched itself off, or its supervisor failed.
    Off,
}

impl Machine {
    /// Switches a board on.
    pub fn on(model: &Model) -> Result<Self> {
        let line = Line::new()?;
        let console = line.board().as_fd().try_clone_to_owned().cannot("copy a descriptor")?;
        let supervisor = Command::new("/proc/self/exe")
            .arg("machine")
            .args(model.arguments())
            .stdin(Stdio::piped())
            .stdout(console)
            .spawn()
            .cannot("start a board")?;
        Ok(Self { supervisor, line })
    }

    /// The serial line.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// How the board's life ended, if it did.
    pub fn ended(&mut self) -> Result<Option<End>> {
        let status = self.supervisor.try_wait().cannot("wait for the board")?;
        Ok(status.map(|status| if status.code() == Some(129) { End::Reboot } else { End::Off }))
    }
}

impl Drop for Machine {
    /// Switches the board off; when this returns, no process of it is left.
    ///
    /// The supervisor's death kills process 1 of the container, and that one's death all others. The caller is the
    /// reaper of orphans, so the last child to wait for is process 1.
    fn drop(&mut self) {
        cable::unplug();
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        while waitpid(None, None::<WaitPidFlag>).is_ok() {}
        // Its supervisor may have been about to plug it in.
        cable::unplug();
    }
}
