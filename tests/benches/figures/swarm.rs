//! Many enrollments in one process of their own, all linked to one daemon.
//!
//! The bench runs itself again with [`WORD`]. Each line on standard input says how many enrollments there shall be;
//! once every one of them has entered its code, a line comes back. The end of the input ends the process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;

use crate::site::Site;
use peerd_tests::bench::operator::Operator;
use peerd_wire::peering::v1 as peering;

/// The first argument of the process.
pub(crate) const WORD: &str = "swarm";
/// What it answers.
const ENTERED: &str = "entered";

/// The process, from outside.
#[derive(Debug)]
pub(crate) struct Swarm {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Swarm {
    /// Starts it without any enrollment.
    pub(crate) fn start(api: &str, token_file: &Path) -> anyhow::Result<Swarm> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([WORD, api])
            .arg(token_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().context("stdin")?;
        let answers = BufReader::new(child.stdout.take().context("stdout")?);
        Ok(Swarm {
            child,
            orders,
            answers,
        })
    }

    /// Makes as many enrollments as are missing, and returns when each has entered its code.
    pub(crate) fn grow(&mut self, count: usize) -> anyhow::Result<()> {
        writeln!(self.orders, "{count}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(line.trim_end() == ENTERED, "the swarm stopped");
        Ok(())
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process, from inside.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [api, token_file, ..] = arguments else {
        anyhow::bail!("the swarm needs an address and a token file");
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let operator = runtime.block_on(Operator::connect(api, Path::new(token_file)))?;
    let mut sites = Vec::new();
    for line in std::io::stdin().lines() {
        let count: usize = line?.trim().parse()?;
        while sites.len() < count {
            sites.push(runtime.block_on(enrolled(&operator))?);
        }
        println!("{ENTERED}");
    }
    Ok(())
}

/// An enrollment that has entered a code of the daemon; it dials by itself.
async fn enrolled(operator: &Operator) -> anyhow::Result<Site> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let site = Site::open(listener, vec![address]).await?;
    let (_, code) = operator.invite(peering::Direction::Bidirectional).await?;
    site.node.accept_link(&site.admin, &code, &"hub".parse()?).await?;
    Ok(site)
}
