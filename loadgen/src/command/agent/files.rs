//! The files that a command line names, on their way to agents, which have none of the
//! coordinator's.
//!
//! The schema goes as one descriptor set, wherever it was learned; a trace is dealt out among the
//! agents; other files go under the name of their flag. What data names in its turn keeps its place
//! below the folder that relative paths start at.

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

/// More than this would hold up the beginning; it also fits a message.
const BYTES_MAX: usize = 2 << 20;

/// The folder of the files that flags name.
const FLAGS: &str = "flags";

/// The folder that relative paths in data start at.
const BESIDE: &str = "beside";

/// One of the agents: which, and of how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) of: usize,
}

/// The flags whose files go as they are, and where they stand.
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

/// All that one agent needs to make the run.
///
/// # Errors
/// Names the file that cannot be read, or that lies where no agent could have it.
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
            cause: format!("agents take {BYTES_MAX} bytes of files, not {bytes}"),
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

/// The calls of a trace that fall to one agent: each agent has its turn.
fn deal(trace: &Trace, part: Part) -> Vec<u8> {
    let numbers = (part.index as u64..).step_by(part.of);
    let offsets = numbers.map_while(|number| trace.offset(number));
    let lines = offsets.map(|offset| format!("{:.9}\n", offset.as_secs_f64()));
    lines.collect::<String>().into_bytes()
}

/// The files that data names: as it names them, and where they are. `flag` is what `--data` says,
/// whose own file goes with the flags.
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
            let cause = "agents only take files below the folder that paths in data start at";
            Err(LoadError::flag("--data", name, cause))
        }
    }
}

/// The name leads to a place below a folder.
fn is_inside(name: &str) -> bool {
    let normal = |part| matches!(part, Component::Normal(_));
    !name.is_empty() && name != "-" && Path::new(name).components().all(normal)
}

/// Files from a coordinator, in a folder of their own that goes when this does.
#[derive(Debug)]
pub(super) struct Unpacked {
    folder: PathBuf,
}

impl Unpacked {
    /// Writes the files among the system's temporary ones.
    ///
    /// # Errors
    /// When a name leads out of the folder, or the system refuses.
    pub(super) fn write(files: &[File]) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("corespun-load-agent-{}-{number}", std::process::id());
        let unpacked = Self {
            folder: std::env::temp_dir().join(name),
        };
        for file in files {
            if !is_inside(&file.name) {
                return Err(format!("{:?} is no name of a file", file.name));
            }
            let path = unpacked.folder.join(&file.name);
            let parent = path.parent().unwrap_or(&unpacked.folder);
            let made = std::fs::create_dir_all(parent);
            made.and_then(|()| std::fs::write(&path, &file.content))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(unpacked)
    }

    /// Makes the flags mean the files that came, and no others.
    ///
    /// # Errors
    /// When data names a file of this machine.
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

    /// Where they are.
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
