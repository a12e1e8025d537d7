//! Running the real binaries.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test fails; generous, since test machines are slow.
const LIMIT: Duration = Duration::from_mins(1);

/// The directory of the binaries, built once by whichever test comes first.
fn binaries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--workspace", "--bins"]);
        assert!(
            build.status().expect("cargo runs").success(),
            "the binaries build"
        );
        // target/debug/deps/e2e-… → target/debug
        let test = std::env::current_exe().expect("a path");
        test.ancestors().nth(2).expect("a target directory").to_owned()
    })
}

/// One of the binaries. What the environment says to tests is not for it: it would refuse what it does not know.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(binaries().join(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("PEERD_FAULTS_") {
            command.env_remove(&variable);
        }
    }
    command
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// One organisation: a data directory, and its daemon while it runs.
#[derive(Debug)]
pub(crate) struct Enrollment {
    dir: TempDir,
    pub(crate) mpx: String,
    pub(crate) api: String,
    /// What the daemon's environment has besides ours.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    daemon: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Enrollment {
    /// Initialises an enrollment and starts its daemon.
    pub(crate) fn start(name: &str) -> Enrollment {
        let mut enrollment = Enrollment::init(name);
        enrollment.run();
        enrollment
    }

    /// Initialises an enrollment with a title.
    pub(crate) fn init(name: &str) -> Enrollment {
        Enrollment::init_with::<&str>(name, &[])
    }

    /// Initialises an enrollment with more flags; its own address is advertised after those they name.
    pub(crate) fn init_with<A: AsRef<OsStr>>(name: &str, flags: &[A]) -> Enrollment {
        let dir = tempfile::tempdir().expect("a directory");
        let enrollment = Enrollment {
            dir,
            mpx: format!("127.0.0.1:{}", free_port()),
            api: format!("127.0.0.1:{}", free_port()),
            environment: Vec::new(),
            daemon: None,
            log: Arc::default(),
        };
        let init = enrollment.init_again(name, flags);
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        enrollment
    }

    /// Runs `peerd init` for this directory.
    pub(crate) fn init_again<A: AsRef<OsStr>>(&self, name: &str, flags: &[A]) -> Output {
        program("peerd")
            .args(["init", "--name", name, "--title", &format!("Agency {name}")])
            .args(["--listen-mpx", &self.mpx, "--listen-api", &self.api])
            .args(flags)
            .args(["--advertise", &self.mpx, "--data-dir"])
            .arg(self.data_dir())
            .output()
            .expect("peerd runs")
    }

    /// Runs `peerd` with these arguments and `--data-dir`, to its end.
    pub(crate) fn peerd(&self, args: &[&str]) -> Output {
        program("peerd")
            .args(args)
            .arg("--data-dir")
            .arg(self.data_dir())
            .output()
            .expect("peerd runs")
    }

    /// Where its data is.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Advertises this address alone, from the next start.
    pub(crate) fn advertise(&self, address: &str) {
        let file = self.data_dir().join("peerd.toml");
        let text = std::fs::read_to_string(&file).expect("a configuration");
        let own = format!("\"{}\"", self.mpx);
        let lines = text.lines().map(|line| {
            if line.starts_with("advertise") {
                line.replace(&own, &format!("\"{address}\""))
            } else {
                line.to_owned()
            }
        });
        std::fs::write(file, lines.collect::<Vec<_>>().join("\n")).expect("written");
    }

    /// Starts the daemon and waits for its `ready` line.
    pub(crate) fn run(&mut self) {
        let mut child = program("peerd")
            .arg("run")
            .arg("--data-dir")
            .arg(self.data_dir())
            .envs(self.environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("peerd runs");
        let stderr = BufReader::new(child.stderr.take().expect("stderr"));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if line == "ready" {
                    let _ = ready.send(());
                }
                log.lock().expect("a whole log").push(line);
            }
        });
        self.daemon = Some(child);
        let in_time = is_ready.recv_timeout(LIMIT).is_ok();
        assert!(in_time, "the daemon is not ready; its log:\n{}", self.log());
    }

    /// What the daemon wrote on stderr so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("a whole log").join("\n")
    }

    /// `kill -9`, and nothing else.
    pub(crate) fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().expect("SIGKILL");
            daemon.wait().expect("an end");
        }
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        self.daemon.take()?.wait().expect("an end").code()
    }

    /// Asks the daemon to read its configuration again.
    pub(crate) fn hangup(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    /// `kill -9` while somebody else still talks to the daemon.
    pub(crate) fn kill_now(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.daemon.as_ref().expect("a daemon").id();
        let pid = i32::try_from(id)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a pid");
        rustix::process::kill_process(pid, signal).expect("a signal");
    }

    /// Kills the daemon and starts it anew.
    pub(crate) fn crash(&mut self) {
        self.kill();
        self.run();
    }

    /// Runs `peerctl -o json` as the admin and gives its exit code and output.
    pub(crate) fn try_ctl<A: AsRef<OsStr>>(&self, args: &[A]) -> Output {
        self.try_ctl_as(&self.data_dir().join("admin.token"), args)
    }

    /// Runs `peerctl -o json` with the token in this file.
    pub(crate) fn try_ctl_as<A: AsRef<OsStr>>(&self, token: &Path, args: &[A]) -> Output {
        peerctl(&format!("http://{}", self.api), token, args)
    }

    /// Runs `peerctl`, which does not end by itself; the lines it prints, until they are dropped.
    pub(crate) fn stream<A: AsRef<OsStr>>(&self, args: &[A]) -> Lines {
        let mut child = Command::new(binaries().join("peerctl"))
            .args(["--endpoint", &format!("http://{}", self.api), "--token-file"])
            .arg(self.data_dir().join("admin.token"))
            .args(["-o", "json"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("peerctl runs");
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (lines, printed) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Lines { child, printed }
    }

    /// Runs `peerctl`, which must succeed; its one JSON document.
    pub(crate) fn ctl<A: AsRef<OsStr> + std::fmt::Debug>(&self, args: &[A]) -> Value {
        let output = self.try_ctl(args);
        assert!(
            output.status.success(),
            "{args:?} exits with {:?}: {}\nthe daemon's log:\n{}",
            output.status.code(),
            String::from_utf8_lossy(&output.stderr),
            self.log(),
        );
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout).expect("one JSON document on stdout")
    }

    /// Runs `peerctl`, which must fail with this exit code and reason word; the error document.
    pub(crate) fn ctl_fails<A: AsRef<OsStr> + std::fmt::Debug>(
        &self,
        args: &[A],
        exit: i32,
        reason: &str,
    ) -> Value {
        refused(&format!("{args:?}"), &self.try_ctl(args), exit, reason)
    }

    /// [`Enrollment::ctl`] with the words of a line.
    pub(crate) fn say(&self, line: &str) -> Value {
        self.ctl(&words(line))
    }

    /// [`Enrollment::ctl_fails`] with the words of a line.
    pub(crate) fn say_fails(&self, line: &str, exit: i32, reason: &str) -> Value {
        self.ctl_fails(&words(line), exit, reason)
    }

    /// Makes a principal; the file with its token.
    pub(crate) fn principal(&self, name: &str, rest: &str) -> PathBuf {
        let made = self.say(&format!("principal create {name} {rest}"));
        let file = self.data_dir().join(format!("{name}.token"));
        std::fs::write(&file, made["token"].as_str().expect("a token")).expect("written");
        file
    }

    /// Its id.
    pub(crate) fn id(&self) -> String {
        let shown = self.say("enrollment show");
        shown["enrollment_id"].as_str().expect("an id").to_owned()
    }

    /// Asks until the answer is a value; the daemon's log is shown when it never is.
    pub(crate) fn eventually<T>(&self, what: &str, mut ask: impl FnMut(&Enrollment) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(value) = ask(self) {
                return value;
            }
            assert!(
                began.elapsed() < LIMIT,
                "not in time: {what}\nthe daemon's log:\n{}",
                self.log()
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

/// What a command prints while it runs, a JSON document on each line.
#[derive(Debug)]
pub(crate) struct Lines {
    child: Child,
    printed: std::sync::mpsc::Receiver<String>,
}

impl Iterator for Lines {
    type Item = Value;

    /// Waits for the next line, within the limit of everything.
    fn next(&mut self) -> Option<Value> {
        let line = self.printed.recv_timeout(LIMIT).ok()?;
        Some(serde_json::from_str(&line).expect("one JSON document on a line"))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells threads that a part of a test is over: when it is dropped, so that a test that fails does not wait for them.
#[derive(Debug)]
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `peerctl -o json` against this endpoint.
pub(crate) fn peerctl<A: AsRef<OsStr>>(endpoint: &str, token: &Path, args: &[A]) -> Output {
    program("peerctl")
        .args(["--endpoint", endpoint, "--token-file"])
        .arg(token)
        .args(["-o", "json"])
        .args(args)
        .output()
        .expect("peerctl runs")
}

/// The words of a command line that quotes nothing.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Checks that `peerctl` failed with this exit code and reason word; the error document.
pub(crate) fn refused(what: &str, output: &Output, exit: i32, reason: &str) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{what}: {stderr}");
    let line = stderr
        .lines()
        .rev()
        .find(|line| line.starts_with('{'))
        .expect("an error document");
    let error: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(error["error"]["code"], reason, "{what}: {error}");
    error
}

impl Drop for Enrollment {
    fn drop(&mut self) {
        self.kill();
    }
}
