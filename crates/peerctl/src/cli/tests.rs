use clap::CommandFactory as _;

use super::*;

/// Every command line of the contract, as far as it is built.
const CONTRACT: &str = r"
status
enrollment show
enrollment set-title TITLE
principal create mia --role enrollment-admin
principal create mia --role security-officer
principal create mia --role space-manager --space flights
principal create mia --role editor --space flights
principal create mia --role viewer --space flights
principal list
principal revoke mia
space create flights --title Flights
space list
space add-manager flights mia
space remove-manager flights mia
policy egress propose --destination hub.example --port 7440-7450 --enrollment any --justification why --expires 30d --approve
policy egress propose --destination 10.0.0.0/8 --port 7443 --enrollment aaa --enrollment bbb --justification why
policy ingress propose --source 10.0.0.0/8 --source 192.0.2.1 --enrollment any --justification why --expires 30d --approve
policy ingress propose --source 10.0.0.0/8 192.0.2.1 --justification why
policy list
policy list --direction egress
policy list --direction ingress
policy show pol_1
policy approve pol_1
policy pause pol_1
policy resume pol_1
policy revoke pol_1
policy check --direction egress --enrollment aaa --address hub.example:7443 --data objects
policy check --direction ingress --enrollment aaa --data artifacts
link invite
link invite --direction bidirectional --expires 72h --qr
link invite --direction egress-only
link invite --direction ingress-only
link inspect CODE
link accept CODE --name hub
link accept - --name hub
link accept @code.txt --name hub
link list
link show hub
link dial hub
link remove hub
link knocks
connection request --space flights --link hub --export objects,artifacts --import objects,artifacts --classification secret --marking a --marking b --expires 1h30m
connection inspect CODE
connection approve CODE --space flights --classification secret --marking a
connection reject CODE --reason TEXT
connection revoke con_1
connection activate con_1
connection verify con_1
connection list
connection show con_1
connection wait con_1 --stage requested
connection wait con_1 --stage approved
connection wait con_1 --stage active --timeout 15m
connection wait con_1 --stage disabled
connection wait con_1 --stage closed
connection wait con_1 --stage rejected
connection wait con_1 --stage expired
connection wait con_1 --stage revoked
connection wait con_1 --in-sync --timeout 90s
connection watch
connection watch con_1
connection disable con_1
connection enable con_1
connection set con_1 --export objects
connection set con_1 --import none --export artifacts
connection set con_1 --re-export on
object link flights codeshare UA LH
object unlink flights codeshare UA LH
object links flights airline UA
object links flights airline UA --link-type codeshare --limit 5 --page-token abc
connection set con_1 --re-export off --export objects
connection close con_1
connection close con_1 --imported keep
connection close con_1 --imported purge --force
connection propose-security con_1 --classification secret --marking a
connection change-requests
connection approve-security chg_1
connection reject-security chg_1 --reason TEXT
ontology apply flights ontology.yaml
ontology show flights
ontology export-xsd con_1 schemas
object load flights airport airports.csv.gz --marking a --classification secret --ignore-extra --null NA --null - --key-from a,b,c
object edit flights airport JFK alt=13 name=
object edit flights airport JFK --clear alt
object create flights airport faa=JFK alt=13
object delete flights airport JFK
object get flights airport JFK
object list flights airport --limit 5000 --page-token abc
object count flights airport
object conflicts flights
object resolve cfl_1 --keep winner
object resolve cfl_1 --keep loser
object set-security flights airport JFK --classification secret --marking a
artifact put flights report.pdf --name Report --tag a --tag b --marking m --classification secret --media-type text/plain
artifact put flights report.pdf
artifact put flights report.pdf --replace art_1
artifact get flights art_1 out.pdf
artifact get flights art_1 -
artifact show flights art_1
artifact list flights
artifact list flights --tag a --limit 5 --page-token T
artifact tag flights art_1 a b
artifact tag flights art_1 a --remove
artifact tag flights art_1 --set
artifact rename flights art_1 other
artifact restore flights art_1
artifact restore flights art_1 --blake3 abc
artifact set-security flights art_1 --classification secret --marking m
artifact delete flights art_1
artifact share con_1
artifact share con_1 --all
artifact share con_1 --tag a --tag b
artifact share con_1 --tag a b
artifact share con_1 --updated-within 7d
artifact unshare con_1
artifact transfers
artifact transfers con_1
mapping share con_1 airport flight --no-import
mapping share con_1 airport --no-export
mapping unshare con_1 airport
mapping create con_1 airport aerodrome --property faa=iata --property alt=height --source export --actions export,import
mapping create con_1 airport aerodrome --source off --actions off
mapping list con_1
mapping delete con_1 airport
marking create medical
marking grant medical mia
marking list
classification set-levels open restricted secret
job list
job list --connection con_1 --type airport --direction export --status running
job list --direction import --status interrupted
job show job_1
object watch flights
object watch flights airport airline --skip-imported --from t
object watch flights --snapshot
parked list
parked list con_1
parked retry prk_1
parked drop prk_1
audit list --since 7d
audit verify
completions bash
--endpoint http://127.0.0.1:1 --token-file t --ca c --output json --context hub --timeout 5s status
status -o json
status -o table
";

fn cli(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("peerctl").chain(line.split_whitespace()))
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_line_of_the_contract_is_read() {
    for line in CONTRACT.lines().filter(|line| !line.is_empty()) {
        if let Err(error) = cli(line) {
            panic!("{line}\n{error}");
        }
    }
}

#[test]
fn wrong_usage_leaves_with_2() {
    for line in [
        "",
        "frobnicate",
        "principal create mia",
        "principal create mia --role king",
        "policy egress propose --port 1 --justification why",
        "link invite --expires 72",
        "link accept CODE",
        "connection wait con_1",
        "connection wait con_1 --stage active --in-sync",
        "connection wait con_1 --stage gone",
        "connection set con_1",
        "connection request --space s --link l --export everything",
        "object edit flights airport JFK",
        "object edit flights airport JFK alt",
        "object list flights airport --limit 0",
        "artifact share con_1 --all --tag a",
        "artifact share con_1 --updated-within 7",
        "artifact tag flights art_1",
        "artifact tag flights art_1 a --remove --set",
        "artifact put flights x --replace art_1 --tag a",
        "mapping create con_1 a b --property faa",
        "classification set-levels",
        "status -o yaml",
    ] {
        let args = std::iter::once("peerctl").chain(line.split_whitespace());
        let told = parse(args.map(OsString::from));
        assert_eq!(told.err(), Some(2), "{line}");
    }
    assert_eq!(parse(["peerctl", "--help"].map(OsString::from)).err(), Some(0));
}

#[test]
fn asking_for_json_is_seen_in_a_command_line_that_cannot_be_read() {
    let asks = |line: &str| asks_for_json(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
    for line in ["x -o json", "x --output json", "x --output=json", "-ojson x"] {
        assert!(asks(line), "{line}");
    }
    assert!(!asks("x -o table json"));
}

#[test]
fn b007_a_command_line_never_prints_its_code() {
    let read = cli("link accept peerd-link-secret --name hub").expect("a command");
    assert!(!format!("{read:?}").contains("peerd-link-secret"));
}
