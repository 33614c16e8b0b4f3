//! `cargo x overload`: measures a server that is loaded with three times its capacity, with
//! admission control and without.
//!
//! For each handler, each turn measures the capacity in a closed loop. It then measures half of the
//! capacity and three times the capacity, in an open loop of calls at random moments, each with a
//! deadline.

mod load;
mod page;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::table::write_between_markers;
use crate::cpus::Placement;
use crate::failure::Failure;
use crate::process::Server;
use crate::workspace;
use load::{Generator, Pace};
use page::{Measured, Page};

/// Marker of the table in its file.
const MARKER: &str = "overload";
/// Offered load, as a multiple of the capacity.
const HALF: f64 = 0.5;
const THRICE: f64 = 3.0;

/// Arguments of `cargo x overload`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Replace the table between the `overload` markers of this file.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Number of repetitions of each measurement, interleaved.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,

    /// Seconds of each measurement, after one second of warming up.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Method whose handler uses CPU time.
struct Subject {
    title: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    method: &'static str,
    data: &'static str,
}

/// Measured methods: one is polled in place, the other is a task that writes a stream.
const SUBJECTS: [Subject; 2] = [
    Subject {
        title: "200 µs of CPU time, unary",
        program: "bench-corespun",
        arguments: &["--work-us", "200"],
        method: "user.UserService/GetUser",
        data: r#"{"id":1}"#,
    },
    Subject {
        title: "a page of 300 users from SQLite, streamed",
        program: "users",
        arguments: &[],
        method: "user.UserService/ListUsers",
        data: r#"{"page":2,"page_size":300}"#,
    },
];

/// Measures, prints the table and writes it; returns true if overload stays within the required
/// bounds.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let names = ["users", "bench-corespun", "corespun-load"];
    let programs = workspace::build_release(root, &names)?;
    let folder = workspace::scratch(root, "overload")?;
    let place = Placement::choose();
    println!("{}", place.describe());
    let generator = Generator {
        program: programs.join("corespun-load"),
        schema: root.join("proto/user.proto"),
        folder: folder.clone(),
        cpu: place.generator,
        seconds: arguments.seconds,
    };
    let mut page = Page::default();
    for subject in &SUBJECTS {
        for turn in 1..=arguments.turns {
            println!("{}, turn {turn}", subject.title);
            measure(subject, &programs, &folder, place, &generator, &mut page)?;
        }
    }
    let table = page.markdown();
    print!("{table}");
    if let Some(file) = &arguments.write {
        write_between_markers(&root.join(file), MARKER, &table)?;
    }
    Ok(page.holds())
}

/// Runs one turn of one method. Each measurement has a new server, so that none has to process the
/// backlog of an earlier one.
fn measure(
    subject: &Subject,
    programs: &Path,
    folder: &Path,
    place: Placement,
    generator: &Generator,
    page: &mut Page,
) -> Result<(), Failure> {
    let run = |admission: &'static str, pace: Pace| -> Result<Measured, Failure> {
        let server = start(subject, admission, programs, folder, place)?;
        let measured = generator.run(&server, subject.method, subject.data, pace)?;
        println!("  {pace}, admission {admission}: {measured}");
        server.end();
        Ok(measured)
    };
    let capacity = run("off", Pace::Closed)?.good_per_s;
    page.add(subject.title, "capacity", "off", capacity, None);
    for (name, factor) in [("half", HALF), ("three times", THRICE)] {
        for admission in ["off", "on"] {
            let measured = run(admission, Pace::Open(capacity * factor))?;
            page.add(subject.title, name, admission, capacity, Some(measured));
        }
    }
    Ok(())
}

fn start(
    subject: &Subject,
    admission: &str,
    programs: &Path,
    folder: &Path,
    place: Placement,
) -> Result<Server, Failure> {
    let mut command = Command::new(programs.join(subject.program));
    command.args(["--admission", admission, "--log", "error"]);
    // Clients cancel calls after their timeout, and that many cancellations look like an attack.
    command.args(["--limit", "reset_budget=4000000000"]);
    command.args(subject.arguments);
    if subject.program == "users" {
        command.arg("--db").arg(folder.join("users.db"));
    }
    let log = folder.join(format!("{}.log", subject.program));
    Server::start_alone(&mut command, place.server, &log)
}
