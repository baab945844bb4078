use crate::cable::{BOARD, LAB};
use crate::screen::Screen;
use mn_cli::{Cannot, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, pivot_root, sethostname};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A root directory with its /proc, /sys, /run and /dev, in this process's mount namespace.
pub struct Root(PathBuf);

const NOTHING: Option<&str> = None;

impl Root {
    /// Mounts what a kernel would provide. `consoles` are the devices in /dev that are the serial line, which is this
    /// process's standard output.
    pub fn build(directory: &Path, consoles: &[&str]) -> Result<Self> {
        mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING).cannot("make '/' private")?;
        bind(directory, directory)?;
        let root = Self(directory.to_owned());
        root.file_system("proc", "proc", "")?;
        // A board's test may write there; the machine that runs the model must not feel it.
        let trigger = directory.join("proc/sysrq-trigger");
        if trigger.exists() {
            bind(Path::new("/dev/null"), &trigger)?;
        }
        root.file_system("sysfs", "sys", "")?;
        root.file_system("tmpfs", "run", "mode=0755")?;
        root.leave_lease()?;
        root.file_system("tmpfs", "dev", "mode=0755,size=1m")?;
        root.fill_dev(consoles)?;
        Ok(root)
    }

    fn file_system(&self, kind: &str, place: &str, options: &str) -> Result<()> {
        let place = self.0.join(place);
        mount(Some(kind), &place, Some(kind), MsFlags::empty(), Some(options))
            .cannot(format_args!("mount {kind} on '{}'", place.display()))
    }

    /// What an initramfs that has booted from the network leaves behind, in the words of klibc's ipconfig.
    fn leave_lease(&self) -> Result<()> {
        let lease = format!(
            "DEVICE='eth0'\nPROTO='dhcp'\nIPV4ADDR='{BOARD}'\nIPV4NETMASK='255.255.255.0'\nIPV4GATEWAY='{LAB}'\n\
             IPV4DNS0='{LAB}'\nHOSTNAME=''\nDNSDOMAIN=''\n"
        );
        fs::write(self.0.join("run/net-eth0.conf"), lease).cannot("write '/run/net-eth0.conf'")
    }

    /// Device nodes are bound from outside: in a user namespace nobody may make them.
    fn fill_dev(&self, consoles: &[&str]) -> Result<()> {
        let dev = self.0.join("dev");
        for name in ["null", "zero", "full", "random", "urandom", "tty"] {
            node(&Path::new("/dev").join(name), &dev.join(name))?;
        }
        // By its name: the descriptor belongs to the mount namespace in which it was opened.
        let line = fs::read_link("/proc/self/fd/1").cannot("name the serial line")?;
        for name in [&["console"], consoles].concat() {
            if !dev.join(name).exists() {
                node(&line, &dev.join(name))?;
            }
        }
        for name in ["pts", "shm"] {
            fs::create_dir(dev.join(name)).cannot(format_args!("make '/dev/{name}'"))?;
        }
        self.file_system("devpts", "dev/pts", "newinstance,ptmxmode=0666,mode=0620")?;
        self.file_system("tmpfs", "dev/shm", "mode=1777")?;
        for (name, target) in [("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd")] {
            symlink(target, dev.join(name)).cannot(format_args!("link '/dev/{name}'"))?;
        }
        Ok(())
    }
}

/// Makes `root` the root and becomes its /sbin/init; comes back only with the reason why that failed.
pub fn enter(root: Root, screen: Screen) -> Result<std::io::Error> {
    let terminal = screen.into_terminal()?;
    chdir(&root.0).cannot("enter the root")?;
    pivot_root(".", ".").cannot("make it the root")?;
    umount2(".", MntFlags::MNT_DETACH).cannot("leave the old root")?;
    chdir("/").cannot("enter '/'")?;
    sethostname("(none)").cannot("forget the name")?;
    // Under its name in the new root, so that ttyname(3) works there.
    let console = open_console().unwrap_or(terminal);
    dup2_stdin(&console).cannot("set up the console")?;
    dup2_stdout(&console).cannot("set up the console")?;
    dup2_stderr(&console).cannot("set up the console")?;
    Ok(Command::new("/sbin/init").env_clear().env("HOME", "/").env("TERM", "linux").exec())
}

fn open_console() -> std::io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOCTTY.bits();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/console")
}

fn node(from: &Path, to: &Path) -> Result<()> {
    File::create(to).cannot(format_args!("make '{}'", to.display()))?;
    bind(from, to)
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    mount(Some(from), to, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING).cannot(format_args!(
        "mount '{}' on '{}'",
        from.display(),
        to.display()
    ))
}
