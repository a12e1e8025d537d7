//! The real daemon as a process, and what the system says of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::cpu;

/// How long a start may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Names a directory of other binaries to measure, built before. What begins with `PEERD_` is the daemon's own.
const PROGRAMS: &str = "BENCH_PROGRAMS";

/// An enrollment with its own data directory, and its daemon while it runs.
#[derive(Debug)]
pub struct Daemon {
    program: PathBuf,
    dir: TempDir,
    child: Option<Child>,
}

/// The release binary of this name, `peerd` or `peerctl`, built if it is not up to date.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os(PROGRAMS) {
        return Ok(Path::new(&dir).join(name));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", name])
        .status()?;
    ensure!(built.success(), "{name} does not build");
    // target/release/deps/figures-… → target/release
    let bench = std::env::current_exe()?;
    let beside = bench.ancestors().nth(2).context("a target directory")?;
    Ok(beside.join(name))
}

impl Daemon {
    /// A new enrollment that listens on any port.
    pub fn init(program: PathBuf, name: &str) -> anyhow::Result<Daemon> {
        Daemon::init_with(program, name, "127.0.0.1:0", None)
    }

    /// A new enrollment that listens there for others, and tells them to come to another address.
    pub fn init_with(
        program: PathBuf,
        name: &str,
        mpx: &str,
        advertised: Option<&str>,
    ) -> anyhow::Result<Daemon> {
        let dir = tempfile::tempdir()?;
        let daemon = Daemon {
            program,
            dir,
            child: None,
        };
        let mut init = Command::new(&daemon.program);
        init.args(["init", "--name", name, "--title", name])
            .args(["--listen-mpx", mpx, "--listen-api", "127.0.0.1:0", "--data-dir"])
            .arg(daemon.data_dir());
        if let Some(address) = advertised {
            init.args(["--advertise", address]);
        }
        let init = init.output()?;
        ensure!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        Ok(daemon)
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn token_file(&self) -> PathBuf {
        self.data_dir().join("admin.token")
    }

    /// Starts it; how long that took until its `ready` line.
    pub fn start(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .arg("run")
            .arg("--data-dir")
            .arg(self.data_dir())
            // All links of a figure come from one address.
            .env("PEERD_LIMITS__CONNECTIONS_MAX", "4096")
            .env("PEERD_LIMITS__CONNECTIONS_PER_SOURCE_MAX", "4096")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = BufReader::new(child.stderr.take().context("stderr")?);
        self.child = Some(child);
        let (ready, is_ready) = mpsc::channel();
        std::thread::spawn(move || {
            // To the end, so that the daemon never waits for its log to be read.
            for line in stderr.lines().map_while(Result::ok) {
                let _ = ready.send((Instant::now(), line));
            }
        });
        let mut last = String::new();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match is_ready.recv_timeout(left) {
                Ok((at, line)) if line == "ready" => return Ok(at.duration_since(began)),
                Ok((_, line)) => last = line,
                Err(_) => bail!("the daemon is not ready; it said last: {last}"),
            }
        }
    }

    /// Stops it in order.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("a daemon")?;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("a pid")?, rustix::process::Signal::TERM)?;
        ensure!(child.wait()?.success(), "the daemon did not stop in order");
        Ok(())
    }

    /// Where it serves its operators.
    pub fn api(&self) -> anyhow::Result<String> {
        self.run_file("api")
    }

    /// Where it serves other enrollments.
    pub fn mpx(&self) -> anyhow::Result<String> {
        self.run_file("mpx")
    }

    fn run_file(&self, field: &str) -> anyhow::Result<String> {
        let run = std::fs::read(self.data_dir().join("run.json"))?;
        let run: serde_json::Value = serde_json::from_slice(&run)?;
        Ok(run[field].as_str().context("an address")?.to_owned())
    }

    /// The memory it holds, in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<f64> {
        self.status("VmRSS:")
    }

    /// The most memory it ever held, in KiB.
    pub fn resident_kib_max(&self) -> anyhow::Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        Ok(kib.context("a size")?.parse()?)
    }

    /// The CPU time it has used, in seconds.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu::of(self.pid()?)
    }

    pub fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.child.as_ref().context("a daemon")?.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
