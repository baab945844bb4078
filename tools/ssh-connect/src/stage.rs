use crate::broker::Member;
use crate::cli::{Options, TOOL};
use crate::connect::{Target, connect};
use crate::console::Console;
use crate::hold::Session;
use crate::lookout::Lookout;
use crate::overlay;
use crate::plan::Plan;
use crate::relay::Relay;
use crate::ssh::Ssh;
use crate::watch::Watch;
use mn_cli::{Deadline, Error, Result, Status};
use mn_msg::{MemberDir, Message, Role, RunDir, Writer, now};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The work on one role: reach its board, serve the shell, hold it.
pub fn run(options: &Options, run_dir: &RunDir, role: Role, others: &[Message], writer: &mut Writer) -> Result<Status> {
    let mut watch = match Watch::new() {
        Ok(watch) => watch,
        Err(error) => return writer.conclude(Err(error)),
    };
    let member = Plan::of(&role).and_then(|plan| Member::join(&options.socket, plan.job_id, &mut watch));
    let mut member = match member {
        Ok(member) => member,
        Err(error) => return writer.conclude(Err(error)),
    };
    let outcome = match serve(options, run_dir, role, others, &mut member, &mut watch, writer) {
        Ok(session) => session.hold(&mut member, &mut watch, writer),
        Err(error) => writer.conclude(Err(error)),
    };
    member.leave();
    outcome
}

/// Reaches the board and says where its shell is; all up to the `end` of the messages.
fn serve(
    options: &Options,
    run_dir: &RunDir,
    mut role: Role,
    others: &[Message],
    member: &mut Member,
    watch: &mut Watch,
    writer: &mut Writer,
) -> Result<Session> {
    let dir = run_dir.member(&role.facts().job_id, &role.facts().role)?;
    let shell = Reach { options, dir: &dir, member, watch }.reach(&role)?;
    let console = Console::open(&dir)?;
    role.add("started", &shell.started)?;
    role.add("address", shell.address.to_string())?;
    role.add("console", console.specification())?;
    let session = Session { ssh: shell.ssh, relay: shell.relay, console };
    let written = others.iter().chain([role.message()]).try_for_each(|message| writer.write(message));
    match written.and_then(|()| writer.finish(Status::Success)) {
        Ok(()) => Ok(session),
        Err(error) => session.close().and(Err(error)),
    }
}

/// A shell on the board, and what was learnt on the way to it.
struct Shell {
    ssh: Ssh,
    relay: Relay,
    address: IpAddr,
    started: String,
}

/// What the way to the board needs.
struct Reach<'a> {
    options: &'a Options,
    dir: &'a MemberDir,
    member: &'a mut Member,
    watch: &'a mut Watch,
}

impl Reach<'_> {
    fn reach(mut self, role: &Role) -> Result<Shell> {
        let plan = Plan::of(role)?;
        if let Some(start) = plan.start {
            self.progress("start", &format!("waiting for 'lava_start' of role '{}'", start.role))?;
            self.member.start(start, self.watch)?;
        }
        let (started, job_deadline) = match &role.facts().started {
            Some(moment) => (moment.clone(), role.job_deadline()),
            None => (now(), Deadline::after(Duration::from_secs(role.facts().timeouts.job))),
        };
        let address = self.address(&plan, job_deadline.min(Deadline::after(plan.deploy_timeout)))?;
        self.watch.lookout = Some(Lookout::open(&self.options.socket, plan.source.host)?);
        let deadline = job_deadline.min(Deadline::after(plan.boot_timeout));
        self.progress("connect", &format!("logging in to {address}"))?;
        let mut ssh = connect(&target(self.options, &plan, address), self.watch, deadline)?;
        if let Some(overlay) = plan.overlay {
            self.progress("copy", &format!("copying the overlay, {} bytes", overlay.size))?;
            overlay::install(&mut ssh, overlay, &plan.overlay_path, self.watch, deadline)?;
        }
        self.progress("shell", "opening a shell")?;
        let relay = Relay::start(&mut ssh, self.watch, deadline)
            .map_err(|trouble| trouble.while_doing(&format!("open a shell at {address}")))?;
        Ok(Shell { ssh, relay, address, started })
    }

    /// Waits for the address within the call's own limit and the deployment's.
    fn address(&mut self, plan: &Plan<'_>, deadline: Deadline) -> Result<IpAddr> {
        let what = format!("message '{}' of host {}", plan.source.message, plan.source.host);
        self.progress("address", &format!("waiting for {what}"))?;
        let limit = plan.call_timeout.min(deadline.remaining());
        if limit.is_zero() {
            return Err(Error::timeout(format_args!("cannot wait for {what}: the time is up")));
        }
        self.member.address(&plan.source, limit, self.watch)
    }

    fn progress(&self, step: &str, text: &str) -> Result<()> {
        mn_cli::note(1, text);
        self.dir.progress(TOOL, step, text)
    }
}

fn target<'a>(options: &'a Options, plan: &'a Plan<'_>, address: IpAddr) -> Target<'a> {
    Target {
        address: SocketAddr::new(address, plan.login.port),
        host: plan.source.host,
        user: &plan.login.user,
        key: &options.key,
        known_hosts: &options.known_hosts,
    }
}
