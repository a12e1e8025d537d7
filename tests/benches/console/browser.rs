//! As little of a browser as the figures need: sign-in, and pages by HTTP/1.1.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use peerd_tests::bench::daemon::Daemon;

/// Somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Browser {
    address: String,
    cookie: String,
}

impl Browser {
    pub(crate) fn sign_in(daemon: &Daemon) -> anyhow::Result<Browser> {
        let address = daemon.api()?;
        let mut browser = Browser {
            address,
            cookie: String::new(),
        };
        let sheet = browser.exchange("GET", "/console/sign-in", "")?;
        browser.cookie = cookie(&sheet)?;
        let (_, field) = sheet
            .split_once("name=\"form_token\" value=\"")
            .context("a form token")?;
        let form_token = field.split('"').next().context("a form token")?;
        let token = std::fs::read_to_string(daemon.token_file())?;
        let form = format!("form_token={form_token}&token={}&to=", token.trim());
        browser.cookie = cookie(&browser.exchange("POST", "/console/sign-in", &form)?)?;
        Ok(browser)
    }

    /// How long a page takes, from the request to its last byte.
    pub(crate) fn page(&self, path: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let answer = self.exchange("GET", path, "")?;
        let took = began.elapsed();
        ensure!(
            answer.starts_with("HTTP/1.1 200"),
            "{path}: {}",
            answer.lines().next().unwrap_or("")
        );
        ensure!(
            answer.trim_end().ends_with("</html>") || answer.contains("</html>"),
            "{path} was cut off"
        );
        Ok(took)
    }

    fn exchange(&self, method: &str, path: &str, form: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.address,
            self.cookie,
            form.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// The first cookie that an answer sets.
fn cookie(answer: &str) -> anyhow::Result<String> {
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let set = set.and_then(|cookie| cookie.split(';').next());
    Ok(set.context("a cookie")?.to_owned())
}
