//! Running the daemon: what its commands, its files and its logs say.

use crate::process::{Enrollment, peerctl, words};
use crate::world::{World, count, text};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_second_init_is_refused_and_changes_nothing() {
    let north = Enrollment::init("north");
    let files = ["peerd.toml", "admin.token", "identity.key", "identity.crt"];
    let contents = || files.map(|file| std::fs::read(north.data_dir().join(file)).expect("a file"));
    let before = contents();
    let again = north.init_again::<&str>("other", &[]);
    assert_eq!(again.status.code(), Some(5), "{}", stderr(&again));
    assert!(stderr(&again).contains("already"), "{}", stderr(&again));
    assert_eq!(contents(), before);
}

#[test]
fn a_typo_in_the_configuration_is_named() {
    let north = Enrollment::init("north");
    assert_eq!(north.peerd(&["config", "check"]).status.code(), Some(0));
    let file = north.data_dir().join("peerd.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::write(&file, format!("{text}\n[limits]\nsilense_max = \"30s\"\n")).expect("written");
    for command in [&["config", "check"][..], &["run"][..]] {
        let output = north.peerd(command);
        assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
        assert!(stderr(&output).contains("silense_max"), "{}", stderr(&output));
    }
}

#[test]
fn b047_a_second_daemon_on_the_same_directory_is_refused() {
    let north = Enrollment::start("north");
    let run_file = north.data_dir().join("run.json");
    let before = std::fs::read(&run_file).expect("run.json");
    let second = north.peerd(&[
        "run",
        "--listen-mpx",
        "127.0.0.1:0",
        "--listen-api",
        "127.0.0.1:0",
    ]);
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    assert!(
        stderr(&second).contains("in use by another process"),
        "{}",
        stderr(&second)
    );
    assert_eq!(std::fs::read(&run_file).expect("run.json"), before);
    north.say("status");
}

#[test]
fn health_and_run_json_tell_whether_the_daemon_runs() {
    let mut north = Enrollment::init("north");
    let run_file = north.data_dir().join("run.json");
    assert_eq!(north.peerd(&["health"]).status.code(), Some(1));
    assert!(!run_file.exists());

    north.run();
    let healthy = north.peerd(&["health"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", stderr(&healthy));
    let running: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&run_file).expect("run.json")).expect("JSON");
    assert_eq!(running["mpx"], north.mpx, "{running}");
    assert_eq!(running["api"], north.api, "{running}");
    assert!(running["pid"].as_u64().is_some_and(|pid| pid > 0), "{running}");

    assert_eq!(north.stop(), Some(0), "SIGTERM drains and exits 0");
    assert!(!run_file.exists());
    assert_eq!(north.peerd(&["health"]).status.code(), Some(1));
    north.say_fails("status", 1, "DAEMON_UNREACHABLE");

    // A daemon that was killed leaves its file behind, and is not healthy for that.
    north.run();
    north.kill();
    assert!(run_file.exists());
    assert_eq!(north.peerd(&["health"]).status.code(), Some(1));
    north.run();
    assert_eq!(north.peerd(&["health"]).status.code(), Some(0));
}

#[test]
fn the_operator_api_over_tls_is_reached_by_whoever_trusts_its_certificate() {
    let dir = tempfile::tempdir().expect("a directory");
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let (crt, key) = (
            dir.path().join(format!("{name}.crt")),
            dir.path().join(format!("{name}.key")),
        );
        std::fs::write(&crt, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        (
            crt.to_str().expect("a path").to_owned(),
            key.to_str().expect("a path").to_owned(),
        )
    };
    let (crt, key) = certificate("ours");
    let (foreign, _) = certificate("foreign");
    let mut north = Enrollment::init_with("north", &["--tls-certificate-file", &crt, "--tls-key-file", &key]);
    north.run();
    let token = north.data_dir().join("admin.token");
    let secure = format!("https://{}", north.api);
    let status = |endpoint: &str, more: &str| {
        let line = format!("{more} --timeout 5s status");
        peerctl(endpoint, &token, &words(&line))
    };
    let reached = status(&secure, &format!("--ca {crt}"));
    assert!(reached.status.success(), "{}", stderr(&reached));
    assert_eq!(north.peerd(&["health"]).status.code(), Some(0));

    let distrusted = status(&secure, &format!("--ca {foreign}"));
    assert_eq!(distrusted.status.code(), Some(1), "{}", stderr(&distrusted));
    assert_eq!(
        status(&secure, "").status.code(),
        Some(2),
        "without --ca nothing is trusted"
    );
    let plain = status(&format!("http://{}", north.api), "");
    assert_eq!(plain.status.code(), Some(1), "{}", stderr(&plain));
}

/// Ours at their most talkative. What libraries say below that is theirs.
const TALKATIVE: &str = "info,peerd=trace,peerd_api=trace,peerd_core=trace,peerd_identity=trace,peerd_mpx=trace,\
                         peerd_node=trace,peerd_store=trace,peerd_wire=trace";

#[test]
fn b007_no_token_and_no_part_of_a_code_is_ever_logged_or_audited() {
    let start = |name| {
        let mut side = Enrollment::init(name);
        side.environment.push(("PEERD_LOG__FILTER", TALKATIVE));
        side.run();
        side
    };
    let world = World {
        north: start("north"),
        south: start("south"),
    };
    let (north, south) = (&world.north, &world.south);
    world.allow();
    world.spaces();
    let olga = north.principal("olga", "--role security-officer");
    let link_code = text(&north.say("link invite")["code"]);
    south.say(&format!("link inspect {link_code}"));
    south.say(&format!("link accept {link_code} --name north"));
    crate::world::healthy(south, "north");
    let (id, invite_code) = world.request();
    south.say(&format!("connection inspect {invite_code}"));
    south.say_fails(
        &format!("link accept {invite_code} --name again"),
        6,
        "CODE_WRONG_KIND",
    );
    south.say(&format!("connection approve {invite_code} --space flights"));
    north.say(&format!("connection wait {id} --stage approved --timeout 60s"));
    north.say(&format!("connection activate {id}"));
    world.stage(&id, "active");
    world.share(&id);
    north.say("object create flights airport faa=JFK name=Idlewild lat=1 lon=2");
    south.eventually("the object arrived", |south| (count(south) == 1).then_some(()));
    assert!(north.try_ctl_as(&olga, &["status"]).status.success());

    let token = |file: std::path::PathBuf| {
        let text = std::fs::read_to_string(file).expect("a token");
        text.trim().to_owned()
    };
    let admin = |side: &Enrollment| token(side.data_dir().join("admin.token"));
    let secrets = [token(olga), admin(north), admin(south), link_code, invite_code];
    for side in [north, south] {
        let (log, audit) = (side.log(), side.say("audit list").to_string());
        assert!(log.contains("ready"), "{log}");
        assert!(audit.contains(&id), "{audit}");
        let said = log + &audit;
        for secret in &secrets {
            let (_, tail) = secret.split_once('_').expect("a prefix");
            for at in 0..=tail.len() - 20 {
                let part = &tail[at..at + 20];
                assert!(!said.contains(part), "{part} of a secret was written");
            }
        }
    }
}
