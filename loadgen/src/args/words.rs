//! Parsed command line, for reports and for agents.
//!
//! Secrets are recognised by the flag that a value was parsed for, never by the text, so that no
//! spelling of a flag reveals one.

use clap::ArgMatches;
use clap::parser::ValueSource;

/// Flags whose values are secrets.
const SECRETS: [&str; 2] = ["token", "agents_token"];

/// Flags whose values name a server, possibly with a user and a password.
const SERVERS: [&str; 6] = ["target", "authority", "agents", "against", "a", "b"];

/// Replacement for secrets in reports.
const HIDDEN: &str = "…";

/// Command line, one entry for each use of a flag.
#[derive(Clone, Debug, Default)]
pub struct Words {
    command: String,
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Word {
    /// Name of the argument in the parser.
    id: String,
    /// Flag with its dashes; `None` for an argument without one.
    flag: Option<String>,
    values: Vec<String>,
    /// Position in the command line.
    index: usize,
}

impl Words {
    /// Collects the arguments of a subcommand of `line`. Defaults are left out.
    pub(super) fn of(line: &clap::Command, matches: &ArgMatches) -> Self {
        let Some((name, given)) = matches.subcommand() else {
            return Self::default();
        };
        let command = line.find_subcommand(name);
        let all = command.into_iter().flat_map(clap::Command::get_arguments);
        let mut words: Vec<_> = all.flat_map(|arg| uses(arg, given)).collect();
        words.sort_by_key(|word| word.index);
        Self {
            command: name.to_owned(),
            words,
        }
    }

    /// Returns the command line for a report: without tokens, metadata values, and users of
    /// addresses.
    pub(crate) fn shown(&self) -> Vec<String> {
        let mut shown: Vec<String> = Vec::new();
        shown.extend(Some(&self.command).filter(|name| !name.is_empty()).cloned());
        for word in &self.words {
            shown.extend(word.flag.clone());
            shown.extend(word.values.iter().map(|value| concealed(&word.id, value)));
        }
        shown
    }

    /// Returns the command line for another process, without the arguments for which `left_out` is
    /// true.
    pub(crate) fn without(&self, left_out: impl Fn(&str) -> bool) -> Vec<String> {
        let mut line = vec![self.command.clone()];
        for word in self.words.iter().filter(|word| !left_out(&word.id)) {
            match (&word.flag, word.values.as_slice()) {
                (Some(flag), []) => line.push(flag.clone()),
                (Some(flag), values) => {
                    line.extend(values.iter().map(|value| format!("{flag}={value}")));
                }
                (None, values) => line.extend_from_slice(values),
            }
        }
        line
    }
}

/// Returns every use of an argument in order.
fn uses(arg: &clap::Arg, given: &ArgMatches) -> Vec<Word> {
    let id = arg.get_id().as_str();
    if given.value_source(id) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    let flag = arg.get_long().map(|long| format!("--{long}"));
    let mut indices = given.indices_of(id).into_iter().flatten();
    let occurrences = given.get_raw_occurrences(id).into_iter().flatten();
    let uses = occurrences.map(|values| {
        let values: Vec<_> = values
            .map(|value| value.to_string_lossy().into_owned())
            .collect();
        let index = indices.by_ref().take(values.len()).min();
        Word {
            id: id.to_owned(),
            flag: flag.clone(),
            values: match arg.get_action().takes_values() {
                true => values,
                false => Vec::new(),
            },
            index: index.unwrap_or_default(),
        }
    });
    uses.collect()
}

/// Returns the value in the form that a report may show.
fn concealed(id: &str, value: &str) -> String {
    match id {
        _ if SECRETS.contains(&id) => HIDDEN.to_owned(),
        "metadata" => match value.split_once([':', '=']) {
            Some((key, _)) => format!("{key}:{HIDDEN}"),
            None => HIDDEN.to_owned(),
        },
        _ if SERVERS.contains(&id) => without_user(value),
        _ => without_users(value),
    }
}

/// Returns an address without user and password, which come before the last `@` of its authority.
pub(crate) fn without_user(address: &str) -> String {
    if address.contains("://") {
        return without_users(address);
    }
    match address.rsplit_once('@') {
        Some((before, host)) if !before.is_empty() && !before.starts_with("unix:") => {
            format!("{HIDDEN}@{host}")
        }
        _ => address.to_owned(),
    }
}

/// Returns a text without the users in its URLs.
fn without_users(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|letter: char| "/?#\"'".contains(letter) || letter.is_whitespace())
            .unwrap_or(piece.len());
        let (authority, rest) = piece.split_at(end);
        shown.push_str("://");
        match authority.rsplit_once('@') {
            Some((_, host)) => shown.push_str(&format!("{HIDDEN}@{host}")),
            None => shown.push_str(authority),
        }
        shown.push_str(rest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Command, CommandLine};

    fn words(line: &str) -> Words {
        let line = line.replace('\'', "\u{0}");
        let words = line.split(' ').map(|word| word.replace('\u{0}', " "));
        let line = ["corespun-load".to_owned()].into_iter().chain(words);
        match CommandLine::try_parse_from(line).unwrap().command {
            Command::Run(args) => args.words,
            Command::Replay(args) => args.run.words,
            Command::Compare(args) => args.run.words,
            Command::Sweep(args) => args.run.words,
            other => unreachable!("not a command of runs: {other:?}"),
        }
    }

    #[test]
    fn no_spelling_shows_a_secret() {
        let target = "run --target h:1";
        let cases = [
            ("--metadata k:s3cret", "--metadata k:…"),
            ("--metadata=k:s3cret", "--metadata k:…"),
            ("--metadata k=s3cret", "--metadata k:…"),
            ("--metadata k:'s3cret", "--metadata k:…"),
            ("--metadata s3cret", "--metadata …"),
            ("-H k:s3cret", "--metadata k:…"),
            ("-Hk:s3cret", "--metadata k:…"),
            ("-H=k:s3cret", "--metadata k:…"),
            ("-qHk:s3cret", "--metadata k:… --quiet"),
            (
                "--metadata k:s3cret l:s3cret --rate 5",
                "--metadata k:… l:… --rate 5",
            ),
            (
                "--metadata k:s3cret --rate 5 --metadata l=s3cret",
                "--metadata k:… --rate 5 --metadata l:…",
            ),
            ("--token s3cret", "--token …"),
            ("--token=s3cret", "--token …"),
            ("--token --s3cret", "--token …"),
            ("--token @s3cret", "--token …"),
            ("--token env:s3cret", "--token …"),
            (
                "--agents h:2,h:3 --agents-token s3cret",
                "--agents h:2 h:3 --agents-token …",
            ),
            (
                "--agents me:s3cret@h:2 --agents-token=s3cret",
                "--agents …@h:2 --agents-token …",
            ),
            (
                "--data {\"u\":\"https://me:s3cret@h/p@q\"}",
                "--data {\"u\":\"https://…@h/p@q\"}",
            ),
        ];
        for (flags, wanted) in cases {
            let shown = words(&format!("{target} {flags}")).shown().join(" ");
            let order = |text: &str| {
                let mut words: Vec<_> = text.split(' ').map(str::to_owned).collect();
                words.sort();
                words
            };
            assert!(!shown.contains("s3cret"), "{flags}: {shown}");
            assert_eq!(
                order(&shown),
                order(&format!("{target} {wanted}")),
                "{flags}"
            );
        }
    }

    #[test]
    fn addresses_show_no_user() {
        let cases = [
            ("run --target http://me:s3cret@h:1", "http://…@h:1"),
            ("run --target=me:s3cret@h:1", "…@h:1"),
            ("run --target unix:@name", "unix:@name"),
            (
                "compare me:s3cret@h:1 https://s3cret@h:2",
                "…@h:1 https://…@h:2",
            ),
            ("sweep --target h:1 --authority s3cret@x", "…@x"),
            ("replay a.trace --target h:1", "replay a.trace --target h:1"),
        ];
        for (line, wanted) in cases {
            let shown = words(line).shown().join(" ");
            assert!(shown.contains(wanted), "{line}: {shown}");
            assert!(!shown.contains("s3cret"), "{line}: {shown}");
        }
    }

    #[test]
    fn another_process_reads_the_command_line_again() {
        let line = "run --target h:1 -H a:b c:d -q --rate 5 --data -";
        let again = words(line).without(|id| id == "rate").join(" ");
        assert_eq!(
            again,
            "run --target=h:1 --metadata=a:b --metadata=c:d --quiet --data=-"
        );
        assert_eq!(words(&again).without(|_| false).join(" "), again);
    }
}
