//! The real daemon as a process, and what the system says of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// How long a start may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// The unit of CPU times in `/proc`, per second; the same on every Linux that runs this.
const TICKS: f64 = 100.0;

/// An enrollment with its own data directory, and its daemon while it runs.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: PathBuf,
    dir: TempDir,
    child: Option<Child>,
}

/// The release binary of `peerd`, built if it is not up to date.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "peerd"])
        .status()?;
    ensure!(built.success(), "peerd does not build");
    // target/release/deps/figures-… → target/release
    let bench = std::env::current_exe()?;
    let beside = bench.ancestors().nth(2).context("a target directory")?;
    Ok(beside.join("peerd"))
}

impl Daemon {
    /// A new enrollment.
    pub(crate) fn init(program: PathBuf) -> anyhow::Result<Daemon> {
        let dir = tempfile::tempdir()?;
        let daemon = Daemon {
            program,
            dir,
            child: None,
        };
        let any_port = "127.0.0.1:0";
        let init = Command::new(&daemon.program)
            .args(["init", "--name", "hub", "--title", "Hub"])
            .args(["--listen-mpx", any_port, "--listen-api", any_port, "--data-dir"])
            .arg(daemon.data_dir())
            .output()?;
        ensure!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        Ok(daemon)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts it; how long that took until its `ready` line.
    pub(crate) fn start(&mut self) -> anyhow::Result<Duration> {
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
                if line == "ready" {
                    let _ = ready.send(Instant::now());
                }
            }
        });
        let at = is_ready
            .recv_timeout(PATIENCE)
            .context("the daemon is not ready")?;
        Ok(at.duration_since(began))
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("a daemon")?;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("a pid")?, rustix::process::Signal::TERM)?;
        ensure!(child.wait()?.success(), "the daemon did not stop in order");
        Ok(())
    }

    /// Where it serves its operators.
    pub(crate) fn api(&self) -> anyhow::Result<String> {
        let run = std::fs::read(self.data_dir().join("run.json"))?;
        let run: serde_json::Value = serde_json::from_slice(&run)?;
        Ok(run["api"].as_str().context("an address")?.to_owned())
    }

    /// The memory it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(self.proc()?.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        Ok(kib.context("VmRSS")?.parse()?)
    }

    /// The CPU time it has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(self.proc()?.join("stat"))?;
        // The name may hold spaces; it ends with the last bracket. User and system time are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')').context("a stat line")?;
        let mut ticks = 0.0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<f64>()?;
        }
        Ok(ticks / TICKS)
    }

    fn proc(&self) -> anyhow::Result<PathBuf> {
        let id = self.child.as_ref().context("a daemon")?.id();
        Ok(Path::new("/proc").join(id.to_string()))
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
