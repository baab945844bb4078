//! The board, a run on it, and what is done to that.

use crate::account::Account;
use crate::board::Board;
use crate::case::{Case, Cause};
use crate::process::{strike, wait, wait_for_all};
use crate::shim::{self, Order};
use crate::world::World;
use pumice_tests::random::Random;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, Result, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Where runs are made; this process is inside the lab.
pub struct Lab {
    scratch: TempDir,
    top: PathBuf,
    random: Random,
    runs: u32,
    /// How long each stage of each member lives, and mn-run, in a run that nobody disturbs.
    lifetimes: BTreeMap<(String, String), Duration>,
}

impl Lab {
    /// A lab without a board.
    pub fn new(seed: u64) -> Result<Self> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let (random, lifetimes) = (Random::new(seed), BTreeMap::new());
        Ok(Self { scratch: tempfile::tempdir()?, top, random, runs: 0, lifetimes })
    }

    /// Plays a run that nobody disturbs, and learns from it how long everything lives.
    pub fn measure(&mut self) -> Result<Account> {
        let case = Case::new("nothing", Cause::Itself, 0, "");
        let record = self.scratch.path().join("lifetimes");
        let account = self.play(&case, Some(Order::Measure(record.clone())))?;
        let lines = fs::read_to_string(&record)?;
        for line in lines.lines() {
            if let [tool, member, time] = line.split(' ').collect::<Vec<_>>()[..] {
                let time = Duration::from_nanos(time.parse().map_err(Error::other)?);
                self.lifetimes.insert((tool.to_owned(), member.to_owned()), time);
            }
        }
        self.lifetimes.insert(("mn-run".to_owned(), "-".to_owned()), account.took());
        Ok(account)
    }

    /// Plays a case. One that is a strike hits: a run that was too short for its moment is played again.
    pub fn play_until_hit(&mut self, case: &Case) -> Result<Account> {
        const TRIES: usize = 20;
        for _ in 0..TRIES {
            let account = self.play(case, None)?;
            if !case.is_strike() || account.struck.is_some() || account.status != Some(0) {
                return Ok(account);
            }
        }
        Err(Error::other(format!("{}: not hit in {TRIES} runs", case.name())))
    }

    /// Plays a case once. `order` is for the tools, and not needed for a strike.
    pub fn play(&mut self, case: &Case, order: Option<Order>) -> Result<Account> {
        self.runs += 1;
        let place = self.scratch.path().join(self.runs.to_string());
        fs::create_dir(&place)?;
        let record = place.join("struck");
        let (order, at) = match order {
            Some(order) => (Some(order), None),
            None => self.draw(case, &record)?,
        };
        let (job, device) = self.prepare(&place, case)?;
        let mut board = Board::start(&place, &self.tool("board-model"), case.cause)?;
        let run = run_directory(&place, case.cause)?;
        let before = World::now();
        let said = place.join("stderr");
        let began = SystemTime::now();
        let mut child = self.mn_run(&place, &job, &device, &run, &said, order.as_ref())?;
        let direct = at.map(|at| strike(case.cause, &mut child, at)).transpose()?.flatten();
        let status = wait(&mut child)?;
        if case.cause == Cause::Kill("mn-run") {
            wait_for_all(&before);
        }
        let ended = SystemTime::now();
        let cleaned = if case.cause == Cause::Kill("mn-run") { self.clean_up(&run, &said)? } else { Vec::new() };
        let struck = direct.or_else(|| mn_msg::parse_moment(&fs::read_to_string(&record).ok()?));
        let mut account = Account::read(&run, &said, (began, ended), struck, status)?;
        account.left = cleaned.into_iter().chain(self.left(&run, &before)?).collect();
        account.board_is = self.board(&place, "status")?;
        board.end()?;
        self.put_away(&place, &run, &said, case.cause)?;
        Ok(account)
    }

    /// At which moment a case strikes, and how.
    fn draw(&mut self, case: &Case, record: &Path) -> Result<(Option<Order>, Option<Duration>)> {
        let member = case.member.map_or("-".to_owned(), |member| member.to_string());
        let mut before = |tool: &str, member: &str| {
            let lifetime = self.lifetimes.get(&(tool.to_owned(), member.to_owned()));
            let lifetime = lifetime.ok_or_else(|| Error::other(format!("{tool} of member {member} never lived")))?;
            Ok::<_, Error>(self.random.before(*lifetime))
        };
        Ok(match case.cause {
            Cause::Signal(_) | Cause::Kill("mn-run") => {
                // In every second run the members take their time to begin.
                let late = Order::Delay { seed: self.runs.into(), most: Duration::from_millis(300) };
                (self.runs.is_multiple_of(2).then_some(late), Some(before("mn-run", "-")?))
            }
            Cause::Kill(tool) => {
                let after = before(tool, &member)?;
                (Some(Order::Kill { tool: tool.to_owned(), member, after, record: record.to_owned() }), None)
            }
            _ => (None, None),
        })
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

    fn command(&self, place: &Path) -> Command {
        let tools = self.tool("x").parent().map(Path::to_owned).unwrap_or_default();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", tools.display(), self.top.join("tools/mn-run").display());
        // What is ignored when a shell begins, its traps do not catch.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP").arg(self.top.join("tools/mn-run/mn-run"));
        command.env("PATH", path).env("BOARD_MODEL_DIR", place).current_dir(place).stdin(Stdio::null());
        command
    }

    fn mn_run(
        &self,
        place: &Path,
        job: &Path,
        device: &Path,
        run: &Path,
        said: &Path,
        order: Option<&Order>,
    ) -> Result<Child> {
        let mut command = self.command(place);
        if let Some(order) = order {
            let shims = make_shims(place, &self.top.join("tools/mn-run"))?;
            let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
            let path = format!("{}:{}", shims.display(), path.unwrap_or_default().to_string_lossy());
            command.env("PATH", path).env("MN_LIBEXECDIR", &shims);
            order.hand_over(&mut command);
        }
        command.arg("--device").arg(format!("mustang={}", device.display()));
        command.args(["--rewrite", "http://127.0.0.1:8000/arm64/=http://127.0.0.1:8000/amd64/", "-o"]);
        // A process group of its own, as a terminal's foreground has one.
        command.arg(run).arg(job).process_group(0).stdout(Stdio::null()).stderr(File::create(said)?);
        command.spawn()
    }

    fn clean(&self, run: &Path) -> Result<Output> {
        self.command(run.parent().unwrap_or(run)).arg("clean").arg(run).output()
    }

    /// Cleans up after an mn-run that was killed, and appends what that says; gives what was wrong with it.
    fn clean_up(&self, run: &Path, said: &Path) -> Result<Vec<String>> {
        if !run.join("members").exists() {
            return Ok(Vec::new());
        }
        let output = self.clean(run)?;
        File::options().append(true).open(said)?.write_all(&output.stderr)?;
        Ok((!output.status.success()).then(|| format!("mn-run clean: {}", output.status)).into_iter().collect())
    }

    /// What is there that should not be; a later 'mn-run clean' finds nothing to do.
    fn left(&self, run: &Path, before: &World) -> Result<Vec<String>> {
        let mut left = Vec::new();
        left.extend(before.news().into_iter().map(|thing| format!("left: {thing}")));
        let inside = crate::world::leftovers(run);
        left.extend(inside.into_iter().map(|thing| format!("left in the run directory: {thing}")));
        if run.join("members").exists() {
            let output = self.clean(run)?;
            if !output.status.success() || !output.stderr.is_empty() {
                left.push(format!("mn-run clean found: {}", String::from_utf8_lossy(&output.stderr)));
            }
        }
        Ok(left)
    }

    fn board(&self, place: &Path, word: &str) -> Result<String> {
        let output = Command::new(self.tool("board-model")).arg("--dir").arg(place).arg(word).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Keeps what the last run left behind for those who look for what went wrong, and makes room.
    fn put_away(&self, place: &Path, run: &Path, said: &Path, cause: Cause) -> Result<()> {
        let last = self.last();
        let _ = fs::remove_dir_all(&last);
        fs::create_dir_all(&last)?;
        Command::new("cp").arg("-r").args([run, said]).arg(&last).stderr(Stdio::null()).status()?;
        if cause == Cause::FullDisk {
            Command::new("umount").args(["-l"]).arg(run.parent().unwrap_or(run)).status()?;
        }
        let _ = fs::remove_dir_all(place);
        Ok(())
    }

    fn last(&self) -> PathBuf {
        self.scratch.path().join("last")
    }

    /// Moves what the last run left behind to target/endings.
    pub fn keep(&self, name: &str) {
        let kept = self.top.join("target/endings").join(format!("{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&kept);
        let _ = fs::create_dir_all(&kept);
        let _ = Command::new("cp").arg("-r").arg(self.last().join(".")).arg(&kept).stderr(Stdio::null()).status();
    }
}

/// A directory with a shim for each tool, and what else mn-run runs from `scripts`.
fn make_shims(place: &Path, scripts: &Path) -> Result<PathBuf> {
    let shims = place.join("shims");
    fs::create_dir_all(&shims)?;
    let myself = std::env::current_exe()?;
    for tool in shim::TOOLS {
        symlink(&myself, shims.join(tool))?;
    }
    for script in ["clean", "roles"] {
        symlink(scripts.join(script), shims.join(script))?;
    }
    Ok(shims)
}

fn run_directory(place: &Path, cause: Cause) -> Result<PathBuf> {
    if cause != Cause::FullDisk {
        return Ok(place.join("run"));
    }
    let disk = place.join("disk");
    fs::create_dir(&disk)?;
    Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&disk).status()?;
    Ok(disk.join("run"))
}
