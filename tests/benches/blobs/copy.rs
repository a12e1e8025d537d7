//! The same files by `rsync` over `ssh`, between two directories of this machine.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::files::Files;

const SSHD: &str = "/usr/sbin/sshd";
const CIPHER: &str = "aes128-gcm@openssh.com";
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether both are installed.
pub(crate) fn is_there() -> bool {
    let runs = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    runs("rsync") && Path::new(SSHD).exists()
}

/// A server of our own, that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many seconds it takes to copy these files, synced.
pub(crate) fn copied(files: &Files) -> anyhow::Result<f64> {
    let place = tempfile::tempdir()?;
    let at = |name: &str| place.path().join(name);
    for key in ["host", "user"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at(key))
            .status()?;
        ensure!(made.success(), "no key");
    }
    std::fs::copy(at("user.pub"), at("authorized"))?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nPidFile none\nCiphers {CIPHER}\n",
        at("host").display(),
        at("authorized").display(),
    );
    std::fs::write(at("config"), config)?;
    // A directory that it wants when root starts it.
    let _ = std::fs::create_dir_all("/run/sshd");
    let server = Command::new(SSHD)
        .arg("-D")
        .arg("-f")
        .arg(at("config"))
        .stderr(Stdio::null())
        .spawn()?;
    let _server = Server(server);
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(began.elapsed() < PATIENCE, "sshd does not listen");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let target = at("target");
    std::fs::create_dir(&target)?;
    crate::settle(place.path())?;
    let shell = format!(
        "ssh -p {port} -i {} -c {CIPHER} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        at("user").display()
    );
    let began = Instant::now();
    let copied = Command::new("rsync")
        .args(["--archive", "--whole-file", "--fsync", "--rsh", &shell])
        .arg(format!("{}/", files.directory.display()))
        .arg(format!("127.0.0.1:{}/", target.display()))
        .status()
        .context("rsync")?;
    ensure!(copied.success(), "rsync failed");
    Ok(began.elapsed().as_secs_f64())
}
