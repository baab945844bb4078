//! board-model as jobs and tests use it: power from the command line, everything else over its console socket.
//!
//! Each test runs in a lab of its own (tests/board/lab): network, mount and process namespaces.

#![allow(clippy::unwrap_used)]

use pumice_tests::{as_root, may_unshare, tool_path};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs the test `name` again inside a lab, unless it is there already.
fn in_lab(name: &str, test: impl FnOnce()) {
    if std::env::var_os("BOARD_MODEL_TEST_IN_LAB").is_some() {
        return test();
    }
    if !may_unshare(&[as_root(), &["--net", "--mount", "--pid", "--fork"]].concat()) {
        return;
    }
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/lab");
    let output = Command::new(lab)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("BOARD_MODEL_TEST_IN_LAB", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

/// A served board with a TFTP server, and a root directory that it can boot.
struct Board {
    dir: tempfile::TempDir,
    server: Child,
    console: Option<UnixStream>,
    seen: Vec<u8>,
}

impl Board {
    fn serve(faults: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        make_root(&dir.path().join("root"));
        let files = dir.path().join("tftp");
        fs::create_dir(&files).unwrap();
        // More than one block, and a last block of no bytes.
        fs::write(files.join("kernel"), vec![7; 64 * 1024]).unwrap();
        fs::write(files.join("initrd"), b"small").unwrap();
        let mut server = Command::new(tool_path("board-model"))
            .args(["serve", "--ready-fd", "1", "--dir"])
            .arg(dir.path())
            .args(faults.iter().flat_map(|fault| ["--fault", fault]))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0];
        server.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        assert_eq!(ready, *b"\n");
        serve_tftp(&files);
        Self { dir, server, console: None, seen: Vec::new() }
    }

    fn terminate(&mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(self.server.id().try_into().unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        self.server.wait().unwrap().code()
    }

    fn ask(&self, verb: &str) -> String {
        let output =
            Command::new(tool_path("board-model")).arg(verb).env("BOARD_MODEL_DIR", self.dir.path()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{verb}");
        text(&output.stdout)
    }

    fn connect(&mut self) {
        let console = UnixStream::connect(self.dir.path().join("console")).unwrap();
        console.set_read_timeout(Some(LIMIT)).unwrap();
        self.console = Some(console);
    }

    /// Reads up to and including `wanted`; gives what came before it.
    fn expect(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.seen.windows(wanted.len()).position(|window| window == wanted.as_bytes()) {
                let before = self.seen.drain(..at + wanted.len()).take(at).collect::<Vec<u8>>();
                return text(&before);
            }
            let mut bytes = [0; 4096];
            match self.console.as_mut().unwrap().read(&mut bytes) {
                Ok(n) if n > 0 && Instant::now() < deadline => self.seen.extend_from_slice(&bytes[..n]),
                other => panic!("no '{wanted}' but {other:?} after {:?}", text(&self.seen)),
            }
        }
    }

    /// Says that nothing comes for half a second.
    fn expect_silence(&mut self) {
        let console = self.console.as_mut().unwrap();
        console.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let read = console.read(&mut [0; 64]);
        console.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(text(&self.seen), "");
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    fn send(&mut self, keys: &str) {
        self.console.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Powers the board on and walks to GRUB's prompt.
    fn walk_to_grub(&mut self) {
        self.connect();
        self.ask("reset");
        self.choose_network_boot();
        self.expect("for a command-line");
        self.send("c\n");
        // The newline after the key is an empty command.
        self.expect("\n\rgrub> ");
        self.expect("\n\rgrub> ");
    }

    fn choose_network_boot(&mut self) {
        self.expect("The default boot selection will start in");
        self.send(" ");
        let menu = self.expect("Start:");
        assert!(menu.contains("[2] LAVA PXE Grub\x1b[0m"), "{menu:?}");
        self.send("2\n");
    }

    /// Types a command at GRUB's prompt; gives what it printed, without the echo.
    fn grub(&mut self, command: &str) -> String {
        self.send(&format!("{command}\n"));
        self.expect("\n\r");
        let printed = self.expect("\n\rgrub> ");
        printed.trim().to_owned()
    }

    /// Types what LAVA's dictionary has, up to `boot`.
    fn boot(&mut self) {
        let root = self.dir.path().join("root");
        let kernel = format!(
            "linux (tftp,10.77.0.1)/kernel console=ttyS0,115200n8 root=/dev/nfs rw nfsroot=10.77.0.1:{},tcp,hard",
            root.display()
        );
        for command in ["insmod gzio", &kernel, "initrd (tftp,10.77.0.1)/initrd"] {
            assert_eq!(self.grub(command), "", "{command}");
        }
        self.send("boot\n");
        self.expect("Linux version 6.1");
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // Not SIGKILL: the next board of the same test needs the interface lab0.
        self.terminate();
    }
}

/// A root whose init says who it is and then runs what is typed.
fn make_root(root: &Path) {
    for name in ["bin", "sbin", "proc", "sys", "run", "dev"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    symlink("busybox", root.join("bin/sh")).unwrap();
    let init = "#!/bin/sh\nPATH=/bin\nbusybox echo up as $$ on $(busybox readlink /proc/self/fd/0)\n\
                while read -r line; do eval \"$line\"; done\n";
    fs::write(root.join("sbin/init"), init).unwrap();
    fs::set_permissions(root.join("sbin/init"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// A TFTP server (RFC 1350, RFC 2347) on the lab's address, for as long as the test runs.
fn serve_tftp(files: &Path) {
    let (files, listener) = (files.to_owned(), UdpSocket::bind(("10.77.0.1", 69)).unwrap());
    std::thread::spawn(move || {
        let mut request = [0; 2048];
        loop {
            let (n, client) = listener.recv_from(&mut request).unwrap();
            let words: Vec<&[u8]> = request[2..n].split(|&byte| byte == 0).collect();
            assert_eq!(words[1..4], [&b"octet"[..], b"blksize", b"1024"]);
            let transfer = UdpSocket::bind(("10.77.0.1", 0)).unwrap();
            transfer.connect(client).unwrap();
            match fs::read(files.join(text(words[0]).trim_start_matches('/'))) {
                Ok(bytes) => send_file(&transfer, &bytes),
                Err(_) => drop(transfer.send(b"\0\x05\0\x01no such file\0").unwrap()),
            }
        }
    });
}

fn send_file(transfer: &UdpSocket, bytes: &[u8]) {
    let exchange = |packet: &[u8]| {
        transfer.send(packet).unwrap();
        let mut answer = [0; 4];
        assert_eq!((transfer.recv(&mut answer).unwrap(), &answer[..2]), (4, &b"\0\x04"[..]));
    };
    exchange(b"\0\x06blksize\x001024\0");
    // The last block is shorter than the others, and may be empty.
    for (number, at) in (1u16..).zip((0..=bytes.len()).step_by(1024)) {
        let block = &bytes[at..bytes.len().min(at + 1024)];
        exchange(&[&[0, 3], &number.to_be_bytes()[..], block].concat());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(tool_path("board-model"))
        .args(arguments)
        .env_remove("BOARD_MODEL_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The names of all processes that can be seen.
fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok()).collect()
}

#[test]
fn a_board_boots_from_the_menu_to_its_init() {
    in_lab("a_board_boots_from_the_menu_to_its_init", || {
        let mut board = Board::serve(&[]);
        board.walk_to_grub();
        board.boot();
        board.expect("Run /sbin/init as init process");
        board.expect("up as 1 on /dev/console\r\n");
        board.send("busybox ifconfig eth0; busybox stat -c %t:%T /dev/console /dev/ttyS0 /dev/null\n");
        board.expect("inet addr:10.77.0.2 ");
        let nodes = board.expect("1:3\r\n");
        let lines: Vec<&str> = nodes.lines().rev().take(2).collect();
        assert_eq!(lines[0], lines[1], "the console is the serial line");
        board.send(". /run/net-eth0.conf; echo $DEVICE at $IPV4ADDR\n");
        board.expect("\neth0 at 10.77.0.2\r\n");
        board.send("echo written > /by-the-board; echo do''ne\n");
        board.expect("done");
        assert_eq!(fs::read_to_string(board.dir.path().join("root/by-the-board")).unwrap(), "written\n");
    });
}

#[test]
fn a_boards_own_reboot_and_poweroff_are_power_events() {
    in_lab("a_boards_own_reboot_and_poweroff_are_power_events", || {
        let mut board = Board::serve(&[]);
        board.walk_to_grub();
        board.boot();
        board.expect("up as 1");
        board.send("busybox reboot -f\n");
        board.expect("The default boot selection will start in");
        assert_eq!(board.ask("status"), "on\n");
        board.send(" ");
        board.expect("Start:");
        board.send("2\n");
        board.expect("for a command-line");
        board.send("c");
        board.expect("grub> ");
        board.boot();
        board.expect("up as 1");
        board.send("echo la''st words; busybox poweroff -f\n");
        board.expect("last words\r\n");
        let deadline = Instant::now() + LIMIT;
        while board.ask("status") != "off\n" {
            assert!(Instant::now() < deadline, "the board is still on");
        }
    });
}

#[test]
fn switching_off_leaves_no_process_and_no_cable() {
    in_lab("switching_off_leaves_no_process_and_no_cable", || {
        let mut board = Board::serve(&[]);
        board.walk_to_grub();
        board.boot();
        board.expect("up as 1");
        board.send("busybox sleep 1000 & busybox setsid busybox sleep 1000 & echo star''ted\n");
        board.expect("started");
        assert!(processes().iter().any(|name| name == "init\n"), "{:?}", processes());
        assert!(ip_knows("board0"));
        board.ask("off");
        assert_eq!(board.ask("status"), "off\n");
        assert!(!processes().iter().any(|name| name == "init\n"), "{:?}", processes());
        assert!(!ip_knows("board0"));
        assert!(ip_knows("lab0"));
        board.ask("on");
        board.expect("The default boot selection will start in");
    });
}

fn ip_knows(link: &str) -> bool {
    Command::new("ip").args(["link", "show", link]).output().unwrap().status.success()
}

#[test]
fn a_missing_file_is_refused_in_grubs_words() {
    in_lab("a_missing_file_is_refused_in_grubs_words", || {
        let mut board = Board::serve(&[]);
        board.walk_to_grub();
        assert_eq!(board.grub("linux (tftp,10.77.0.1)/nothing quiet"), "error: file '/nothing' not found.");
        assert_eq!(board.grub("initrd (tftp,10.77.0.1)/initrd"), "error: you need to load the kernel first.");
        assert_eq!(board.grub("boot"), "error: you need to load the kernel first.");
        assert_eq!(board.grub("dance"), "error: can't find command 'dance'.");
    });
}

#[test]
fn a_silent_board_says_nothing() {
    in_lab("a_silent_board_says_nothing", || {
        let mut board = Board::serve(&["silent"]);
        board.connect();
        board.ask("reset");
        board.expect_silence();
    });
}

#[test]
fn a_board_without_grub_returns_to_its_firmware() {
    in_lab("a_board_without_grub_returns_to_its_firmware", || {
        let mut board = Board::serve(&["no-grub"]);
        board.connect();
        board.ask("reset");
        board.choose_network_boot();
        board.expect("Boot Failed. LAVA PXE Grub\r\n");
        board.expect("The default boot selection will start in");
    });
}

#[test]
fn a_board_without_tftp_says_so_at_grubs_prompt() {
    in_lab("a_board_without_tftp_says_so_at_grubs_prompt", || {
        let mut board = Board::serve(&["tftp-error"]);
        board.walk_to_grub();
        assert_eq!(board.grub("linux (tftp,10.77.0.1)/kernel"), "error: timeout reading '/kernel'.");
    });
}

/// Boots with `fault`: the board's last words are `last`, and it stays on.
fn hang_after(fault: &str, last: &str) {
    let mut board = Board::serve(&[fault]);
    board.walk_to_grub();
    board.boot();
    board.expect(&format!("{last}\r\n"));
    board.expect_silence();
    assert_eq!(board.ask("status"), "on\n");
}

#[test]
fn a_panic_has_its_beginning_and_its_end() {
    in_lab("a_panic_has_its_beginning_and_its_end", || {
        let reason = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,255)";
        hang_after("panic-at-boot", &format!("{reason}\r\n[    0.500300] ---[ end {reason} ]---"));
    });
}

#[test]
fn a_kernel_can_hang() {
    in_lab("a_kernel_can_hang", || hang_after("hang-at-boot", "smp: Brought up 1 node, 8 CPUs"));
}

#[test]
fn a_root_can_offer_no_login() {
    in_lab("a_root_can_offer_no_login", || hang_after("no-login", "Run /sbin/init as init process"));
}

#[test]
fn a_root_without_init_panics() {
    in_lab("a_root_without_init_panics", || {
        let mut board = Board::serve(&[]);
        fs::remove_file(board.dir.path().join("root/sbin/init")).unwrap();
        board.walk_to_grub();
        board.boot();
        board.expect("Kernel panic - not syncing: Requested init /sbin/init failed (No such file or directory");
    });
}

#[test]
fn the_console_has_one_client_and_is_a_command_too() {
    in_lab("the_console_has_one_client_and_is_a_command_too", || {
        let mut board = Board::serve(&[]);
        let mut command = Command::new(tool_path("board-model"))
            .arg("console")
            .env("BOARD_MODEL_DIR", board.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        board.ask("reset");
        let mut first = [0; 4];
        command.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(&first, b"\x1b[2J");
        let mut second = Command::new(tool_path("board-model"))
            .arg("console")
            .env("BOARD_MODEL_DIR", board.dir.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It must not end because its standard input does.
        let _open = second.stdin.take();
        let second = second.wait_with_output().unwrap();
        assert_eq!(text(&second.stderr), "board-model: the console has gone, or is in use\n");
        assert_eq!(second.status.code(), Some(3));
        drop(command.stdin.take());
        assert_eq!(command.wait().unwrap().code(), Some(0));
        board.connect();
        board.send(" ");
        board.expect("Start:");
    });
}

#[test]
fn a_signal_ends_the_board_and_leaves_nothing() {
    in_lab("a_signal_ends_the_board_and_leaves_nothing", || {
        let mut board = Board::serve(&[]);
        board.ask("on");
        assert_eq!(board.terminate(), Some(143));
        assert!(!board.dir.path().join("control").exists());
        assert!(!board.dir.path().join("console").exists());
        assert!(!ip_knows("lab0") && !ip_knows("board0"));
        assert!(!processes().iter().any(|name| name == "board-model\n"), "{:?}", processes());
        let off = run(&["--dir", board.dir.path().to_str().unwrap(), "off"]);
        assert_eq!(off.status.code(), Some(3));
        let reason =
            format!("cannot reach the board at '{}/control': No such file or directory", board.dir.path().display());
        assert_eq!(text(&off.stderr), format!("board-model: {reason}\n"));
    });
}

#[test]
fn a_board_without_a_directory_is_a_usage_error() {
    let output = run(&["reset"]);
    assert_eq!(output.status.code(), Some(2));
    let hint = "Try 'board-model --help' for more information.";
    let reason = "no directory given: use --dir or set BOARD_MODEL_DIR";
    assert_eq!(text(&output.stderr), format!("board-model: {reason}\n{hint}\n"));
}
