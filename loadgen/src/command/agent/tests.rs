//! Tests of coordinator and agents over real sockets, with the service of the null responder.

use clap::Parser;
use corespun::Server;

use super::*;
use crate::args::{Command, CommandLine, RunArgs};
use crate::plan::Plan;

fn agent() -> (corespun::server::Running, String) {
    let server = Server::builder().listen("127.0.0.1:0").shards(1);
    let server = server.service(|_| Ok(wire::AgentServer::new(service::Runs)));
    let running = server.start().unwrap();
    let address = running.addresses()[0].to_string();
    (running, address)
}

fn words(flags: &str) -> Vec<String> {
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/user.proto");
    let line = format!("run --proto {proto} --method user.UserService/GetUser {flags}");
    line.split_ascii_whitespace().map(str::to_owned).collect()
}

fn args(words: &[String]) -> RunArgs {
    let line = ["corespun-load".to_owned()].into_iter();
    let Command::Run(args) = CommandLine::parse_from(line.chain(words.to_vec())).command else {
        unreachable!("the line says run");
    };
    *args
}

fn load(flags: &str) -> Result<crate::report::Report, LoadError> {
    let words = words(flags);
    let args = args(&words);
    run(&args, &Plan::new(&args)?, &Interrupt::manual())
}

#[test]
fn two_agents_load_together() {
    let target = super::super::calibrate::null_for_tests();
    let target = target.addresses()[0].to_string();
    let ((_one, first), (_two, second)) = (agent(), agent());
    let report = load(&format!(
        "--target {target} --agents {first},{second} --rate 400 --duration 1s --warmup 200ms"
    ))
    .unwrap();
    assert_eq!(
        (report.counts.ok, report.counts.censored),
        (400, 0),
        "{:?}",
        report.counts
    );
    assert_eq!((report.setup.connections, report.agents.len()), (2, 2));
    assert!(
        report.agents.iter().all(|share| share.rps > 190.0),
        "{:?}",
        report.agents
    );
    assert!((report.counts.offered_rps.unwrap() - 400.0).abs() < 1.0);
    assert_eq!(report.seconds[0].at_s, 0.0);
    assert!(
        report.seconds[0].calls > 300,
        "{:?}",
        report.seconds[0].calls
    );
}

#[test]
fn agents_get_what_the_command_line_names() {
    let target = super::super::calibrate::null_for_tests();
    let target = target.addresses()[0].to_string();
    let folder = std::env::temp_dir().join(format!("corespun-agents-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let place = |name: &str| folder.join(name).display().to_string();
    let trace: String = (0..300)
        .map(|call| format!("{:.3}\n", 0.001 * f64::from(call)))
        .collect();
    std::fs::write(place("a.trace"), trace).unwrap();
    std::fs::write(place("ids.csv"), "id\n7\n8\n").unwrap();
    let scenario = "[[call]]\nmethod = \"user.UserService/GetUser\"\n\
                    data = '{\"id\": {{csv \"ids.csv\" \"id\"}}}'\n";
    std::fs::write(place("mix.toml"), scenario).unwrap();
    let ((_one, first), (_two, second)) = (agent(), agent());
    let proto = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/user.proto");
    let line = format!(
        "run --proto {proto} --scenario {} --replay {} --target {target} --warmup 100ms \
         --agents {first},{second}",
        place("mix.toml"),
        place("a.trace")
    );
    let words: Vec<_> = line.split_ascii_whitespace().map(str::to_owned).collect();
    let args = args(&words);
    let report = run(&args, &Plan::new(&args).unwrap(), &Interrupt::manual());
    let report = report.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        (report.counts.ok, report.counts.censored),
        (300, 0),
        "{:?}",
        report.counts
    );
    let shares: Vec<_> = report
        .agents
        .iter()
        .map(|share| share.rps.round())
        .collect();
    assert_eq!(shares[0], shares[1], "{shares:?}");
}

#[test]
fn an_agent_that_cannot_is_named() {
    let (_agent, address) = agent();
    let error = load(&format!("--target 127.0.0.1:1 --agents {address}")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&address) && text.contains("127.0.0.1:1"),
        "{text}"
    );
    let error = load("--target 127.0.0.1:1 --agents 127.0.0.1:1")
        .unwrap_err()
        .to_string();
    assert!(error.contains("agent 127.0.0.1:1"), "{error}");
    let error = load(&format!(
        "--target 127.0.0.1:1 --agents {address} --rate 1..9"
    ))
    .unwrap_err();
    assert!(error.to_string().contains("--rate"), "{error}");
}

#[test]
fn files_cannot_leave_their_folder() {
    let file = |name: &str| wire::File {
        name: name.to_owned(),
        content: b"0.5".to_vec(),
    };
    for name in ["../x.proto", "/etc/x.proto", "a/../../x", "", "-"] {
        assert!(files::Unpacked::write(&[file(name)]).is_err(), "{name}");
    }
    let unpacked = files::Unpacked::write(&[file("flags/replay")]).unwrap();
    let folder = unpacked.folder().to_owned();
    assert!(folder.join("flags/replay").is_file());
    let mut args = args(&words(
        "--target h:1 --token @/etc/hostname --replay /etc/hostname",
    ));
    unpacked.replace(&mut args).unwrap();
    assert_eq!(args.call.token, None);
    assert!(args.call.schema.proto.is_empty());
    assert_eq!(args.pace.replay, Some(folder.join("flags/replay")));
    args.call.data = r#"{"name": "{{file "/etc/hostname"}}"}"#.to_owned();
    let error = unpacked.replace(&mut args).unwrap_err().to_string();
    assert!(error.contains("/etc/hostname"), "{error}");
    drop(unpacked);
    assert!(!folder.exists());
}
