use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Lowered, container, limits, network, output, private, program};
use crate::base::host::{self, ClockShare, Group, Identity, Marker, Namespace, Remedy, Resource, Tree};
use crate::base::template::Masker;
use crate::base::units::Span;

/// How long one kind of undo may take. A kill is over in milliseconds unless the kernel itself hangs.
const STOP: Span = Span::seconds(10);
/// How often an emptied folder is found inhabited again before that is given up.
const TRIES: u32 = 3;
const THAW: Span = Span::seconds(5);

/// Everything that can be undone, and all that is needed for it. Doing one twice is the same as doing it once.
///
/// There is none to start a process again: one that was attached to and died cannot be brought back by somebody who does not
/// know how it was started, so faults do not kill what the drill did not start. How a container is started Docker knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Action {
    /// A process was started: kill its whole tree and remove its cgroup folder.
    StopTree { name: String, tree: Tree },
    /// A tree was paused: let it go on.
    Thaw { name: String, tree: Tree },
    /// Soft limits of a tree's processes were lowered: each gets its own back.
    Limits { name: String, tree: Tree, resource: Resource, before: Vec<Lowered> },
    /// A tree was put into a cgroup folder that limits it: nobody is limited any more, and the folder is gone.
    Group { name: String, group: Group },
    /// A process was told another time by this file: the right one.
    Clock { name: String, file: PathBuf },
    /// What libfaketime shares among the processes that have loaded it was made, by this name.
    ClockShare { share: String },
    /// A private folder was made: remove it with all that is in it. It holds a file with the token, or nothing.
    RemoveFolder { folder: PathBuf, token: String },
    /// A program of the user's did something: another undoes it, and a third says by exiting with 0 that it is in force, with 1
    /// that it is not.
    Run { name: String, command: Vec<String>, check: Vec<String>, folder: PathBuf, within: Span },
    /// A network namespace was made: remove it with all that is in it, and the other ends of its links.
    RemoveNamespace { name: String, namespace: Namespace },
    /// Rules were put in force in a namespace: remove their table.
    RemoveRules { name: String, namespace: Namespace, table: String },
    /// What a device of a namespace sends was slowed: let it send as it likes.
    RemoveShape { name: String, namespace: Namespace, device: String },
    /// A container was ended, paused, or taken off its networks: bring it back, by its id and nothing else.
    Container { name: String, socket: PathBuf, id: String, remedy: Remedy },
    /// Processes that may print secrets write into this folder: take the secrets out of its files. What is secret stands
    /// in no file, so only who was told can do that; others remove the files.
    MaskOutput { folder: PathBuf },
}

/// Something that is left over, why, and the shell command that removes it by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub what: String,
    pub why: String,
    pub command: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}); to remove it by hand: {}", self.what, self.why, self.command)
    }
}

impl Action {
    /// Does it, within its own deadline. `rebooted`: the machine was started again since it was written down, so the
    /// processes are gone and their numbers belong to others.
    /// `secrets`: all of the run's, where they are known.
    pub(super) fn perform(&self, rebooted: bool, secrets: Option<&Masker>) -> Result<(), Left> {
        match self {
            Action::StopTree { .. } | Action::Thaw { .. } | Action::Limits { .. } if rebooted => Ok(()),
            _ if rebooted && self.is_in_network() => Ok(()),
            Action::StopTree { tree, .. } => {
                // Repeated: one who was being born when the harness died enters the emptied folder, sees that its
                // parent is gone and ends.
                let mut stays = None;
                for _ in 0..TRIES {
                    let killed = tree.kill(STOP).map_err(|error| self.left(error.to_string()))?;
                    if !killed {
                        return Err(self.left(format!("still alive {STOP} after KILL: {}", pids(&tree.members()))));
                    }
                    match tree.cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.remove()) {
                        Ok(()) => return Ok(()),
                        Err(error) => stays = Some(error),
                    }
                }
                let why = stays.map_or_else(String::new, |error| format!(": {error}"));
                Err(self.left(format!("its cgroup folder stays{why}")))
            }
            Action::Thaw { tree, .. } => match tree.thaw(THAW) {
                Ok(true) => Ok(()),
                Ok(false) => Err(self.left(format!("still paused {THAW} after being told to go on"))),
                Err(error) => Err(self.left(error.to_string())),
            },
            Action::Limits { tree, resource, before, .. } => match limits::restore(tree, *resource, before) {
                Ok(true) => Ok(()),
                Ok(false) => Err(self.left("some of them have less than they had".to_owned())),
                Err(error) => Err(self.left(error.to_string())),
            },
            Action::Group { group, .. } => group.lift().map_err(|error| self.left(error.to_string())),
            // With the file, its readers are gone.
            Action::Clock { file, .. } if file.parent().is_none_or(|folder| !folder.is_dir()) => Ok(()),
            Action::Clock { file, .. } => host::set_skew(file, 0).map_err(|error| self.left(error.to_string())),
            Action::ClockShare { share } => {
                let removed = ClockShare::named(share).map_or(Ok(()), |share| share.remove());
                removed.map_err(|error| self.left(error.to_string()))
            }
            Action::RemoveFolder { folder, token } => {
                private::remove(folder, token).map_err(|error| self.left(error.to_string()))
            }
            Action::Run { command, check, folder, within, .. } => program::carry_out(command, folder, *within)
                .and_then(|()| program::until_gone(check, folder, *within))
                .map_err(|why| self.left(why)),
            Action::RemoveNamespace { namespace, .. } => {
                namespace.remove().map_err(|error| self.left(error.to_string()))
            }
            Action::RemoveRules { namespace, table, .. } => {
                network::remove_rules(namespace, table).map_err(|error| self.left(error.to_string()))
            }
            Action::RemoveShape { namespace, device, .. } => {
                network::remove_shape(namespace, device).map_err(|error| self.left(error.to_string()))
            }
            Action::Container { socket, id, remedy, .. } => {
                container::bring_back(socket, id, remedy).map_err(|error| self.left(error.to_string()))
            }
            Action::MaskOutput { folder } => {
                let done = secrets.map_or_else(|| output::remove(folder), |secrets| output::mask(folder, secrets));
                done.map_err(|error| self.left(error.to_string()))
            }
        }
    }

    /// Whether there is anything to do at this moment.
    pub(super) fn remains(&self, rebooted: bool) -> bool {
        match self {
            Action::StopTree { .. } | Action::Thaw { .. } | Action::Limits { .. } if rebooted => false,
            _ if rebooted && self.is_in_network() => false,
            Action::StopTree { tree, .. } => {
                !tree.is_empty() || tree.cgroup.as_ref().is_some_and(|cgroup| cgroup.exists())
            }
            Action::Thaw { tree, .. } => tree.is_frozen(),
            Action::Limits { tree, resource, before, .. } => !limits::lowered(tree, *resource, before).is_empty(),
            Action::Group { group, .. } => !group.is_lifted(),
            Action::Clock { file, .. } => !host::tells_right(file),
            Action::ClockShare { share } => ClockShare::named(share).is_some_and(|share| share.exists()),
            Action::RemoveFolder { folder, .. } => folder.symlink_metadata().is_ok(),
            // Whoever cannot ask has to assume it.
            Action::Run { check, folder, within, .. } => program::ask(check, folder, *within).unwrap_or(true),
            Action::RemoveNamespace { namespace, .. } => namespace.exists().unwrap_or(true),
            Action::RemoveRules { namespace, table, .. } => network::has_rules(namespace, table).unwrap_or(true),
            Action::RemoveShape { namespace, device, .. } => network::has_shape(namespace, device).unwrap_or(true),
            Action::Container { socket, id, remedy, .. } => container::is_hurt(socket, id, remedy),
            Action::MaskOutput { folder } => output::files(folder).is_ok_and(|files| !files.is_empty()),
        }
    }

    /// What it would be to leave this undone.
    pub(super) fn left(&self, why: String) -> Left {
        Left { what: self.what(), why, command: self.by_hand() }
    }

    /// In words, for the list of what was undone.
    pub(super) fn told(&self) -> String {
        match self {
            Action::StopTree { name, .. } => format!("stopped process {name}"),
            Action::Thaw { name, .. } => format!("let process {name} go on"),
            Action::Limits { name, .. } => format!("gave process {name} its limits back"),
            Action::Group { name, .. } => format!("lifted the limits of process {name}"),
            Action::Clock { name, .. } => format!("set the clock of process {name} right"),
            Action::ClockShare { share } => format!("removed shared memory {share}"),
            Action::RemoveFolder { folder, .. } => format!("removed folder {}", folder.display()),
            Action::Run { name, .. } => format!("undid {name}"),
            Action::RemoveNamespace { name, .. } => format!("removed the network of {name}"),
            Action::RemoveRules { name, .. } | Action::RemoveShape { name, .. } => format!("undid {name}"),
            Action::Container { name, .. } => format!("brought back container {name}"),
            Action::MaskOutput { folder } => format!("left no secret in {}", folder.display()),
        }
    }

    fn what(&self) -> String {
        match self {
            Action::StopTree { name, tree } => match &tree.cgroup {
                Some(cgroup) if tree.is_empty() => format!("the empty cgroup folder {}", cgroup.path().display()),
                _ => format!("process {name}: {}", pids(&tree.members())),
            },
            Action::Thaw { name, tree } => format!("process {name}, paused: {}", pids(&tree.members())),
            Action::Limits { name, tree, .. } => {
                format!("process {name}, with lowered limits: {}", pids(&tree.members()))
            }
            Action::Group { name, group } => format!("limits of process {name} in {}", group.folder().display()),
            Action::Clock { name, .. } => format!("the clock of process {name}, which is off"),
            Action::ClockShare { share } => format!("shared memory {share}"),
            Action::RemoveFolder { folder, .. } => format!("folder {}", folder.display()),
            Action::Run { name, .. } => format!("what {name} did"),
            Action::RemoveNamespace { namespace, .. } => format!("network namespace {}", namespace.name()),
            Action::RemoveRules { name, .. } | Action::RemoveShape { name, .. } => format!("what {name} did"),
            Action::Container { name, id, remedy, .. } => container::what(name, id, remedy),
            Action::MaskOutput { folder } => format!("output that may hold secrets in {}", folder.display()),
        }
    }

    fn by_hand(&self) -> String {
        match self {
            Action::StopTree { tree, .. } => match &tree.cgroup {
                Some(cgroup) => {
                    let path = quoted(cgroup.path());
                    format!("echo 1 > {path}/cgroup.kill; sleep 1; find {path} -depth -type d -exec rmdir {{}} \\;")
                }
                None => format!("kill -KILL {}", pids_only(&tree.members())),
            },
            Action::Thaw { tree, .. } => match &tree.cgroup {
                Some(cgroup) => format!("echo 0 > {}/cgroup.freeze", quoted(cgroup.path())),
                None => format!("kill -CONT {}", pids_only(&tree.members())),
            },
            Action::Limits { tree, resource, before, .. } => limits::by_hand(tree, *resource, before),
            Action::Group { group, .. } => group.lift_by_hand(quoted),
            Action::Clock { file, .. } => format!("echo +0 > {}", quoted(file)),
            Action::ClockShare { share } => {
                let paths = ClockShare::named(share).map(|share| share.paths().map(|path| quoted(&path)).join(" "));
                format!("rm -f {}", paths.unwrap_or_default())
            }
            Action::RemoveFolder { folder, .. } => private::remove_by_hand(folder),
            Action::Run { command, folder, .. } => {
                let words: Vec<String> = command.iter().map(|word| quoted(Path::new(word))).collect();
                format!("cd {} && {}", quoted(folder), words.join(" "))
            }
            Action::RemoveNamespace { namespace, .. } => {
                let name = namespace.name();
                format!("ip netns pids {name} | xargs -r kill -KILL; ip netns delete {name}")
            }
            Action::RemoveRules { namespace, table, .. } => {
                format!("ip netns exec {} nft delete table inet {table}", namespace.name())
            }
            Action::RemoveShape { namespace, device, .. } => {
                format!("tc -n {} qdisc delete dev {device} root", namespace.name())
            }
            Action::Container { socket, id, remedy, .. } => container::by_hand(socket, id, remedy),
            Action::MaskOutput { folder } => format!("find {} -type f -delete", quoted(folder)),
        }
    }

    /// Undone after everything else: until the processes are gone, they print.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Action::MaskOutput { .. })
    }

    /// What a network does not keep over a boot.
    fn is_in_network(&self) -> bool {
        matches!(self, Action::RemoveNamespace { .. } | Action::RemoveRules { .. } | Action::RemoveShape { .. })
    }

    /// Of two that name the same thing one is enough; `Thaw` is another than `StopTree`.
    pub(super) fn is_about_the_same(&self, other: &Action) -> bool {
        match (self, other) {
            (Action::StopTree { tree: one, .. }, Action::StopTree { tree: two, .. }) => {
                (one.cgroup.is_some() && one.cgroup == two.cgroup) || (one.marker.is_some() && one.marker == two.marker)
            }
            (Action::Clock { file: one, .. }, Action::Clock { file: two, .. }) => one == two,
            (Action::Group { group: one, .. }, Action::Group { group: two, .. }) => one == two,
            (Action::RemoveNamespace { namespace: one, .. }, Action::RemoveNamespace { namespace: two, .. }) => {
                one == two
            }
            (Action::RemoveFolder { folder: one, .. }, Action::RemoveFolder { folder: two, .. }) => one == two,
            _ => self == other,
        }
    }
}

/// The undo of a process that only its mark or folder tells of.
pub(super) fn stop_stray(marker: &Marker, tree: Tree) -> Action {
    Action::StopTree { name: format!("{} of run {}", marker.process, marker.run), tree }
}

fn pids(members: &[Identity]) -> String {
    match members {
        [] => "no process".to_owned(),
        [one] => format!("pid {}", one.pid),
        _ => format!("pids {}", pids_only(members)),
    }
}

fn pids_only(members: &[Identity]) -> String {
    members.iter().map(|member| member.pid.to_string()).collect::<Vec<_>>().join(" ")
}

/// For a shell, as one word.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl From<Left> for io::Error {
    fn from(left: Left) -> io::Error {
        io::Error::other(left.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_to_a_shell() {
        assert_eq!(quoted(Path::new("/tmp/a-b_c.d")), "/tmp/a-b_c.d");
        assert_eq!(quoted(Path::new("/tmp/it's here")), r"'/tmp/it'\''s here'");
    }

    #[test]
    fn actions_are_stored_by_name() {
        let tree = Tree { cgroup: None, marker: Some("r/1.2/n".into()), root: None };
        let stop = Action::StopTree { name: "n".into(), tree };
        insta::assert_snapshot!(serde_json::to_string(&stop).unwrap(),
            @r#"{"undo":"stop-tree","name":"n","tree":{"marker":"r/1.2/n"}}"#);
        assert_eq!(serde_json::from_str::<Action>(&serde_json::to_string(&stop).unwrap()).unwrap(), stop);
    }
}
