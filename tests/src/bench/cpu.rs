//! The CPU time of processes, as the system counts it.

use anyhow::Context as _;

/// The unit of CPU times in `/proc`, per second; the same on every Linux that runs this.
const TICKS: f64 = 100.0;

/// Fields of `/proc/PID/stat` after the name.
const PARENT: usize = 1;
const OWN: usize = 11;
const REAPED: usize = 13;

/// The CPU time a process has used, in seconds.
pub fn of(pid: u32) -> anyhow::Result<f64> {
    times(&stat(&pid.to_string())?, OWN)
}

/// The CPU time of the processes that this one started and that have ended, in seconds.
pub fn of_ended_children() -> anyhow::Result<f64> {
    times(&stat("self")?, REAPED)
}

/// The CPU time of this process alone, in seconds.
pub fn of_this_process() -> anyhow::Result<f64> {
    times(&stat("self")?, OWN)
}

/// The CPU time of a server that is one process for each of its tasks: its own, that of its children, and that of those
/// that have ended, in seconds.
pub fn of_family(pid: u32) -> anyhow::Result<f64> {
    let own = stat(&pid.to_string())?;
    // In this order a child that ends meanwhile is counted in neither place rather than in both.
    let mut total = times(&own, OWN)? + times(&own, REAPED)?;
    for child in children(pid)? {
        // One that has ended since is not an error.
        if let Ok(stat) = stat(&child.to_string()) {
            total += times(&stat, OWN)?;
        }
    }
    Ok(total)
}

/// The processes whose parent is this one.
pub fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(fields) = stat(&id.to_string()) else {
            continue;
        };
        if fields
            .get(PARENT)
            .is_some_and(|parent| *parent == pid.to_string())
        {
            children.push(id);
        }
    }
    Ok(children)
}

fn times(fields: &[String], first: usize) -> anyhow::Result<f64> {
    let mut ticks = 0.0;
    for field in fields.get(first..first + 2).context("a stat line")? {
        ticks += field.parse::<f64>()?;
    }
    Ok(ticks / TICKS)
}

/// The fields after the name, which may hold spaces and ends with the last bracket.
fn stat(process: &str) -> anyhow::Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a stat line")?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}
