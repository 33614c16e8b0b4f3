//! Transfer of the files that a command line names to agents.
//!
//! The schema is sent as one descriptor set, from whatever source it was read. A trace is divided
//! among the agents. Other files are sent under the name of their flag. Files that data refers to
//! keep their path relative to the folder of relative paths.

use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::wire::File;
use crate::args::RunArgs;
use crate::call::Order;
use crate::data::{self, Template};
use crate::error::LoadError;
use crate::metadata::{Pair, concealed, read_token};
use crate::plan::{Plan, orders};
use crate::schedule::Trace;

/// Largest total size of files in bytes; more would delay the start and exceed the message limit.
const BYTES_MAX: usize = 2 << 20;

/// Folder of the files that flags name.
const FLAGS: &str = "flags";

/// Folder that relative paths in data start at.
const BESIDE: &str = "beside";

/// Index of an agent, and the number of agents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) of: usize,
}

/// Returns the flags whose files are sent unchanged, with their values.
fn flags(args: &mut RunArgs) -> [(&'static str, &mut Option<PathBuf>); 6] {
    [
        ("descriptor-set", &mut args.call.schema.descriptor_set),
        ("scenario", &mut args.call.scenario),
        ("replay", &mut args.pace.replay),
        ("cacert", &mut args.tls.cacert),
        ("cert", &mut args.tls.cert),
        ("key", &mut args.tls.key),
    ]
}

/// Collects everything that one agent needs for the run.
///
/// # Errors
/// Names the file that cannot be read, or whose path cannot exist on an agent.
pub(super) fn gather(args: &RunArgs, plan: &Plan, part: Part) -> Result<Vec<File>, LoadError> {
    let flag = |name: &str, content| File {
        name: format!("{FLAGS}/{name}"),
        content,
    };
    let schema = plan.mix.calls()[0].method.descriptor_set();
    let mut files = vec![flag("descriptor-set", schema)];
    let mut paths = args.clone();
    for (name, path) in flags(&mut paths) {
        match (name, path) {
            ("descriptor-set", _) | (_, None) => {}
            ("replay", Some(path)) => files.push(flag(name, deal(&Trace::read(path)?, part))),
            (_, Some(path)) => files.push(flag(name, read(path)?)),
        }
    }
    if let Some(given) = &args.call.token {
        let token = read_token(given);
        let token = token.map_err(|cause| LoadError::flag("--token", concealed(given), cause))?;
        files.push(flag("token", token.into_bytes()));
    }
    let orders = orders(&args.call)?;
    if args.call.data.starts_with('@') {
        let folder = orders.first().map_or(Path::new(""), |order| &order.folder);
        let text = data::text(&args.call.data, folder)?;
        files.push(flag("data", text.into_bytes()));
    }
    for (name, path) in beside(&orders, &args.call.data)? {
        let name = format!("{BESIDE}/{name}");
        if files.iter().all(|file| file.name != name) {
            let content = read(&path)?;
            files.push(File { name, content });
        }
    }
    within_bounds(files)
}

fn within_bounds(files: Vec<File>) -> Result<Vec<File>, LoadError> {
    let largest = files.iter().max_by_key(|file| file.content.len());
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    match largest {
        Some(largest) if bytes > BYTES_MAX => Err(LoadError::Input {
            path: PathBuf::from(&largest.name),
            cause: format!("agents accept at most {BYTES_MAX} bytes of files, not {bytes}"),
        }),
        _ => Ok(files),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|error| LoadError::Input {
        path: path.to_owned(),
        cause: error.to_string(),
    })
}

/// Returns the calls of a trace for one agent; agents take calls in turn.
fn deal(trace: &Trace, part: Part) -> Vec<u8> {
    let numbers = (part.index as u64..).step_by(part.of);
    let offsets = numbers.map_while(|number| trace.offset(number));
    let lines = offsets.map(|offset| format!("{:.9}\n", offset.as_secs_f64()));
    lines.collect::<String>().into_bytes()
}

/// Returns the files that data refers to, each with its name in the data and its path. `flag` is
/// the value of `--data`, whose own file is sent with the flags.
fn beside(orders: &[Order], flag: &str) -> Result<Vec<(String, PathBuf)>, LoadError> {
    let mut files = Vec::new();
    for order in orders {
        let own = order.data.strip_prefix('@');
        let own = own.filter(|_| order.data != flag).map(str::to_owned);
        // What leads out of the folder is refused before anything is read.
        let mut names: Vec<String> = own.into_iter().collect();
        stay_inside(&names)?;
        names.extend(Template::files(&data::text(&order.data, &order.folder)?));
        let values = order.metadata.iter().map(Pair::text);
        names.extend(values.flat_map(Template::files));
        stay_inside(&names)?;
        let found = names.into_iter().map(|name| {
            let path = order.folder.join(&name);
            (name, path)
        });
        files.extend(found);
    }
    Ok(files)
}

fn stay_inside(names: &[String]) -> Result<(), LoadError> {
    match names.iter().find(|name| !is_inside(name)) {
        None => Ok(()),
        Some(name) => {
            let cause = "agents only accept files below the folder that paths in data start at";
            Err(LoadError::flag("--data", name, cause))
        }
    }
}

/// Returns true if the name is a path below a folder.
fn is_inside(name: &str) -> bool {
    let normal = |part| matches!(part, Component::Normal(_));
    !name.is_empty() && name != "-" && Path::new(name).components().all(normal)
}

/// Files from a coordinator in a temporary folder, which is removed on drop.
#[derive(Debug)]
pub(super) struct Unpacked {
    folder: PathBuf,
}

impl Unpacked {
    /// Writes the files to a temporary folder.
    ///
    /// # Errors
    /// A name leads out of the folder, or the system refuses.
    pub(super) fn write(files: &[File]) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-load-agent-{}-{number}", std::process::id());
        let unpacked = Self {
            folder: std::env::temp_dir().join(name),
        };
        for file in files {
            if !is_inside(&file.name) {
                return Err(format!("{:?} is not a file name", file.name));
            }
            let path = unpacked.folder.join(&file.name);
            let parent = path.parent().unwrap_or(&unpacked.folder);
            let made = std::fs::create_dir_all(parent);
            made.and_then(|()| std::fs::write(&path, &file.content))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(unpacked)
    }

    /// Replaces the paths in the flags by those of the received files.
    ///
    /// # Errors
    /// Data refers to a file of this machine.
    pub(super) fn replace(&self, args: &mut RunArgs) -> Result<(), LoadError> {
        let place = |name: &str| {
            let path = self.folder.join(FLAGS).join(name);
            path.is_file().then_some(path)
        };
        args.call.schema.proto.clear();
        args.call.schema.includes.clear();
        for (name, path) in flags(args) {
            *path = place(name);
        }
        let at = |path: PathBuf| format!("@{}", path.display());
        args.call.token = place("token").map(at);
        if args.call.data.starts_with('@') {
            args.call.data = place("data").map_or("{}".to_owned(), at);
        }
        args.call.folder = Some(self.folder.join(BESIDE));
        beside(&orders(&args.call)?, &args.call.data).map(drop)
    }

    /// Returns the folder of the files.
    #[cfg(test)]
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What is left over is a small folder among temporary ones.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
