//! The board, a run on it, what is done to that, and what is left.

use crate::case::{Case, Cause};
use crate::world::{self, World};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{Error, Read, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where runs are made; this process is inside the lab.
pub struct Lab {
    scratch: TempDir,
    top: PathBuf,
    runs: u32,
}

/// How a case went.
pub struct Verdict {
    pub summary: String,
    /// What was wrong, in lines; nothing when all was right.
    pub wrong: String,
}

/// After this a run is killed, and has failed.
const GIVE_UP: Duration = Duration::from_secs(90);

impl Lab {
    /// A lab without a board.
    pub fn new() -> Result<Self> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        Ok(Self { scratch: tempfile::tempdir()?, top, runs: 0 })
    }

    /// How long a run takes that nobody disturbs.
    pub fn usual_duration(&mut self) -> Result<Duration> {
        let case = Case {
            name: "undisturbed".to_owned(),
            cause: Cause::Itself,
            statuses: &[0],
            says: "",
            limit: GIVE_UP,
            edits: Vec::new(),
        };
        let began = Instant::now();
        let verdict = self.play(&case)?;
        if verdict.wrong.is_empty() { Ok(began.elapsed()) } else { Err(Error::other(verdict.wrong)) }
    }

    /// Plays a case.
    pub fn play(&mut self, case: &Case) -> Result<Verdict> {
        self.runs += 1;
        let place = self.scratch.path().join(self.runs.to_string());
        fs::create_dir(&place)?;
        let (job, device) = self.prepare(&place, case)?;
        let mut board = Board::start(&place, &self.tool("board-model"), &case.cause)?;
        let run = self.run_directory(&place, &case.cause)?;
        let before = World::now();
        let said = place.join("stderr");
        let began = Instant::now();
        let mut child = self.mn_run(&place, &job, &device, &run, &said)?;
        let hit = strike(&case.cause, &mut child, &run, began)?;
        let status = wait(&mut child, hit.unwrap_or_else(Instant::now) + GIVE_UP)?;
        let mut wrong = Vec::new();
        if matches!(case.cause, Cause::Kill("mn-run", ..)) {
            wrong.extend(self.clean_after(&run, &before)?);
        }
        let took = hit.unwrap_or(began).elapsed();
        let said = fs::read_to_string(&said)?;
        wrong.extend(judge(case, status, hit.is_some(), took, &said));
        wrong.extend(self.judge_rest(&run, &before, &place)?);
        board.end()?;
        let summary = format!(
            "status {}, {:.1} s",
            status.map_or("none".into(), |status| status.to_string()),
            took.as_secs_f64()
        );
        if matches!(case.cause, Cause::FullDisk) {
            Command::new("umount").args(["-l"]).arg(run.parent().unwrap_or(&run)).status()?;
        }
        if !wrong.is_empty() {
            wrong.extend(said.lines().rev().take(12).map(str::to_owned).collect::<Vec<_>>().into_iter().rev());
            self.keep(&run);
        }
        let _ = fs::remove_dir_all(&place);
        Ok(Verdict { summary, wrong: wrong.join("\n") })
    }

    fn keep(&self, run: &Path) {
        let kept = self.top.join(format!("target/endings/{}", self.runs));
        let _ =
            fs::remove_dir_all(&kept).and_then(|()| fs::create_dir_all(&kept)).or_else(|_| fs::create_dir_all(&kept));
        let _ = Command::new("cp").arg("-r").arg(run).arg(&kept).stderr(Stdio::null()).status();
    }

    fn tool(&self, name: &str) -> PathBuf {
        std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join(name))).unwrap_or_else(|| name.into())
    }

    /// The job and the dictionary, with the case's edits.
    fn prepare(&self, place: &Path, case: &Case) -> Result<(PathBuf, PathBuf)> {
        let mut texts = [("jobs/mustang-ssh-guest.yaml", String::new()), ("devices/board-model.yaml", String::new())];
        for (name, text) in &mut texts {
            *text = fs::read_to_string(self.top.join("tests/data").join(*name))?;
        }
        for (old, new) in &case.edits {
            if !texts.iter().any(|(_, text)| text.contains(old)) {
                return Err(Error::other(format!("nothing to edit: {old}")));
            }
            texts.iter_mut().for_each(|(_, text)| *text = text.replace(old, new));
        }
        let (job, device) = (place.join("job.yaml"), place.join("device.yaml"));
        fs::write(&job, &texts[0].1)?;
        fs::write(&device, &texts[1].1)?;
        Ok((job, device))
    }

    fn run_directory(&self, place: &Path, cause: &Cause) -> Result<PathBuf> {
        if !matches!(cause, Cause::FullDisk) {
            return Ok(place.join("run"));
        }
        let disk = place.join("disk");
        fs::create_dir(&disk)?;
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&disk).status()?;
        Ok(disk.join("run"))
    }

    fn command(&self, place: &Path) -> Command {
        let tools = self.tool("x").parent().map(Path::to_owned).unwrap_or_default();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", tools.display(), self.top.join("tools/mn-run").display());
        let mut command = Command::new(self.top.join("tools/mn-run/mn-run"));
        command.env("PATH", path).env("BOARD_MODEL_DIR", place).current_dir(place).stdin(Stdio::null());
        command
    }

    fn mn_run(&self, place: &Path, job: &Path, device: &Path, run: &Path, said: &Path) -> Result<Child> {
        let mut command = self.command(place);
        command.arg("--device").arg(format!("mustang={}", device.display()));
        command.args(["--rewrite", "http://127.0.0.1:8000/arm64/=http://127.0.0.1:8000/amd64/", "-o"]);
        command.arg(run).arg(job).stdout(Stdio::null()).stderr(File::create(said)?);
        command.spawn()
    }

    /// mn-run was killed: its members must end by themselves, and then it cleans up.
    fn clean_after(&self, run: &Path, before: &World) -> Result<Vec<String>> {
        let until = Instant::now() + Duration::from_secs(15);
        while before.news().iter().any(|thing| thing.starts_with("process")) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        if !run.join("members").exists() {
            return Ok(Vec::new());
        }
        let place = run.parent().unwrap_or(run);
        let output = self.command(place).arg("clean").arg(run).output()?;
        let failed = format!("mn-run clean: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(if output.status.success() { Vec::new() } else { vec![failed] })
    }

    /// What must be so after every end.
    fn judge_rest(&self, run: &Path, before: &World, place: &Path) -> Result<Vec<String>> {
        let mut wrong: Vec<String> = before.news().into_iter().map(|thing| format!("left: {thing}")).collect();
        wrong.extend(world::leftovers(run).into_iter().map(|thing| format!("left in the run directory: {thing}")));
        let power = Command::new(self.tool("board-model")).arg("--dir").arg(place).arg("status").output()?;
        if power.stdout != b"off\n" {
            wrong.push(format!("the board is {}", String::from_utf8_lossy(&power.stdout).trim()));
        }
        if run.join("members").exists() {
            let again = self.command(place).arg("clean").arg(run).output()?;
            if !again.status.success() || !again.stderr.is_empty() {
                wrong.push(format!("mn-run clean found: {}", String::from_utf8_lossy(&again.stderr)));
            }
        }
        Ok(wrong)
    }
}

/// Does what the case says; gives when, unless the run had ended before.
fn strike(cause: &Cause, child: &mut Child, run: &Path, began: Instant) -> Result<Option<Instant>> {
    let (Cause::Signal(_, at) | Cause::Kill(_, _, at)) = cause else { return Ok(None) };
    let wakes = began + *at;
    std::thread::sleep(wakes.saturating_duration_since(Instant::now()));
    while child.try_wait()?.is_none() {
        let target = match cause {
            Cause::Signal(signal, _) => Some((pid(child), *signal)),
            Cause::Kill("mn-run", ..) => Some((pid(child), Signal::SIGKILL)),
            Cause::Kill(tool, member, _) => victim(tool, *member, run).map(|id| (id, Signal::SIGKILL)),
            _ => None,
        };
        if let Some((id, signal)) = target
            && kill(id, signal).is_ok()
        {
            return Ok(Some(Instant::now()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(None)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

fn victim(tool: &str, member: Option<&str>, run: &Path) -> Option<Pid> {
    let session: Option<i32> = match member {
        Some(id) => Some(fs::read_to_string(run.join(id).join("session")).ok()?.trim().parse().ok()?),
        None => None,
    };
    let of_it = |process: &world::Process| {
        session.is_none_or(|id| process.session == id && (tool != "member" || process.id == id))
    };
    let processes = world::processes().into_iter();
    let mut found = processes.filter(|process| process.name == tool && of_it(process)).map(|process| process.id);
    found.next_back().map(Pid::from_raw)
}

/// The exit status; none when it had to be killed.
fn wait(child: &mut Child, until: Instant) -> Result<Option<i32>> {
    use std::os::unix::process::ExitStatusExt;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)));
        }
        if Instant::now() > until {
            kill(pid(child), Signal::SIGKILL)?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn judge(case: &Case, status: Option<i32>, hit: bool, took: Duration, said: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !status.is_some_and(|status| case.statuses.contains(&status)) {
        wrong.push(format!("status {status:?}, expected one of {:?}", case.statuses));
    }
    if (hit || case.limit < GIVE_UP) && took > case.limit {
        wrong.push(format!("took {took:.1?}, more than {:?}", case.limit));
    }
    let named = said.lines().any(|line| line.starts_with("first cause: 2") && line.contains(case.says));
    // A signal that comes before the members has nobody to be the cause for.
    let early = matches!(case.cause, Cause::Signal(..)) && said.is_empty();
    if status != Some(0) && !case.says.is_empty() && !named && !early {
        wrong.push(format!("no first cause with '{}'", case.says));
    }
    wrong
}

/// `board-model serve`.
struct Board(Child);

impl Board {
    fn start(place: &Path, tool: &Path, cause: &Cause) -> Result<Self> {
        let mut command = Command::new(tool);
        command.args(["serve", "--ready-fd", "1", "--dir"]).arg(place).stdin(Stdio::null()).stdout(Stdio::piped());
        if let Cause::Fault(name) = cause {
            command.args(["--fault", name]);
        }
        let mut child = command.spawn()?;
        child.stdout.as_mut().ok_or_else(|| Error::other("no pipe"))?.read_exact(&mut [0])?;
        Ok(Self(child))
    }

    fn end(&mut self) -> Result<()> {
        kill(pid(&self.0), Signal::SIGTERM)?;
        self.0.wait().map(drop)
    }
}
