//! Bad input by operators: a clear error with a stable word, and nothing half-done.

use std::io::Write as _;

use crate::process::Enrollment;
use crate::world::{World, count, healthy, sample, text};

#[test]
fn b006_damaged_foreign_and_own_codes_have_each_their_own_error() {
    let world = World::strangers();
    world.allow();
    let code = text(&world.north.ctl(&["link", "invite"])["code"]);
    let accept = |code: &str, exit, reason| {
        world
            .south
            .ctl_fails(&["link", "accept", code, "--name", "north"], exit, reason);
    };
    accept(" ", 6, "CODE_EMPTY");
    accept("hello", 6, "CODE_MALFORMED");
    accept(&code[..code.len() - 4], 6, "CODE_TRUNCATED");
    let flipped: String = code
        .char_indices()
        .map(|(i, c)| {
            if i == 100 {
                if c == 'A' { 'B' } else { 'A' }
            } else {
                c
            }
        })
        .collect();
    accept(&flipped, 6, "CODE_ALTERED");
    accept(&code.replacen("plink1_", "plink2_", 1), 6, "CODE_VERSION_TOO_NEW");
    accept(&code.replacen("plink1_", "pconn1_", 1), 6, "CODE_WRONG_KIND");
    world
        .north
        .ctl_fails(&["link", "accept", &code, "--name", "self"], 5, "CODE_OWN");
    assert_eq!(
        world.south.ctl(&["link", "list"])["items"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );

    world.south.ctl(&["link", "accept", &code, "--name", "north"]);
    healthy(&world.south, "north");
    world
        .south
        .ctl_fails(&["link", "accept", &code, "--name", "again"], 5, "LINK_EXISTS");
}

#[test]
fn b049_a_token_that_nobody_has_is_refused_everywhere() {
    let north = Enrollment::start("north");
    let token = north.data_dir().join("admin.token");
    let real = std::fs::read_to_string(&token).expect("a token");
    std::fs::write(&token, format!("peerd_{}", "a".repeat(52))).expect("written");
    north.ctl_fails(&["status"], 4, "TOKEN_INVALID");
    north.ctl_fails(&["policy", "list"], 4, "TOKEN_INVALID");
    std::fs::write(&token, real).expect("written");
    north.ctl(&["status"]);
}

#[test]
fn bad_rows_are_rejected_with_their_line_and_the_rest_is_loaded() {
    let north = Enrollment::start("north");
    north.ctl(&["space", "create", "flights"]);
    let ontology = sample("flights.yaml");
    north.ctl(&["ontology", "apply", "flights", ontology.to_str().expect("a path")]);
    let mut file = tempfile::Builder::new()
        .suffix(".csv")
        .tempfile()
        .expect("a file");
    let rows: &[&[u8]] = &[
        b"\xef\xbb\xbffaa,name,lat,lon,alt,tz,dst,tzone\n",
        b"AAA,Good,1.5,2.5,3,-5,A,Zone\n",
        b",No key,1,2,3,-5,A,Zone\n",
        b"BBB,Bad number,one,2,3,-5,A,Zone\n",
        b"CCC,Too few,1\n",
        b"DDD,Too many,1,2,3,-5,A,Zone,more\n",
        b"EEE,Out of range,1,2,99999999999,-5,A,Zone\n",
        b"FFF,N\0UL,1,2,3,-5,A,Zone\n",
        b"AAA,Duplicate,1,2,3,-5,A,Zone\n",
        b"GGG,Good,1,2,NA,NA,NA,NA\n",
    ];
    for row in rows {
        file.write_all(row).expect("written");
    }
    let path = file.path().to_str().expect("a path").to_owned();
    let loaded = north.ctl(&["object", "load", "flights", "airport", &path, "--null", "NA"]);
    assert_eq!(loaded["read"].as_u64(), Some(9), "{loaded}");
    assert_eq!(loaded["written"].as_u64(), Some(2), "{loaded}");
    assert_eq!(loaded["rejected"].as_u64(), Some(7), "{loaded}");
    let rejections = loaded["rejections"].as_array().expect("a list");
    let lines: Vec<u64> = rejections
        .iter()
        .filter_map(|rejection| rejection["line"].as_u64())
        .collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9], "{loaded}");
    assert_eq!(count(&north), 2);
}

#[test]
fn a_peer_request_needs_a_title_and_a_manager() {
    let world = World::strangers();
    world.allow();
    world.link();
    world.spaces();
    let north = &world.north;
    north.ctl(&["space", "create", "other"]);
    let made = north.ctl(&[
        "principal",
        "create",
        "mia",
        "--role",
        "space-manager",
        "--space",
        "other",
    ]);
    let token = north.data_dir().join("mia.token");
    std::fs::write(&token, text(&made["token"])).expect("written");
    let link = world.link_id();
    let request = [
        "connection",
        "request",
        "--space",
        "flights",
        "--link",
        &link,
        "--export",
        "objects",
    ];
    let refused = north.try_ctl_as(&token, &request);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("NOT_SPACE_MANAGER"));
}
