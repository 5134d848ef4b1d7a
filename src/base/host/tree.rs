use std::io;

use serde::{Deserialize, Serialize};

use super::cgroup::{self, Cgroup};
use super::identity::{Identity, Signal};
use super::time::monotonic_nanos;
use super::vitals::{self, Vitals};
use super::walk::{self, Known};
use crate::base::units::Span;

/// A process with all that came of it: children, those who forked away, those who took a session of their own.
///
/// This is data: what is written down finds the same tree from another process, after the one who started it died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The folder that nothing leaves; where there is one, it alone says who belongs to the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// The mark in the environment of everything that a drill starts; none for what it did not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// The first process; not known before it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Identity>,
}

impl Tree {
    /// Everyone who lives, paused or not. A zombie is gone.
    pub fn members(&self) -> Vec<Identity> {
        match &self.cgroup {
            Some(cgroup) => cgroup.members(),
            None => self.walked().filter(|stat| stat.is_alive()).map(|stat| stat.identity()).collect(),
        }
    }

    /// Nobody lives any more.
    pub fn is_empty(&self) -> bool {
        match &self.cgroup {
            Some(cgroup) => cgroup.is_empty(),
            None => self.members().is_empty(),
        }
    }

    /// Somebody lives and nobody runs.
    pub fn is_frozen(&self) -> bool {
        match &self.cgroup {
            Some(cgroup) => cgroup.is_frozen() && !cgroup.is_empty(),
            None => {
                let mut living = self.walked().filter(|stat| stat.is_alive()).peekable();
                living.peek().is_some() && living.all(|stat| stat.is_stopped())
            }
        }
    }

    /// Asks everyone to end (TERM) and does not wait.
    pub fn ask_to_end(&self) -> io::Result<()> {
        for member in self.members() {
            member.signal(Signal::Term)?;
        }
        Ok(())
    }

    /// Kills everyone and waits until nobody lives; `false` when that took longer than `within`.
    pub fn kill(&self, within: Span) -> io::Result<bool> {
        match &self.cgroup {
            Some(cgroup) => cgroup.kill(within),
            None => {
                // Repeated: whoever was being born during the walk is met by the next.
                let gone = until(within, || Ok(walk::signal(self.known(), Signal::Kill)? == 0))?;
                walk::reap(self.known());
                Ok(gone)
            }
        }
    }

    /// Stops everyone and waits until nobody runs; `false` when that took longer than `within`.
    pub fn freeze(&self, within: Span) -> io::Result<bool> {
        match &self.cgroup {
            Some(cgroup) => cgroup.freeze(true, within),
            None => until(within, || {
                if self.is_frozen() || self.is_empty() {
                    return Ok(true);
                }
                walk::signal(self.known(), Signal::Stop)?;
                Ok(false)
            }),
        }
    }

    /// Lets everyone go on and waits until that is so; `false` when that took longer than `within`.
    pub fn thaw(&self, within: Span) -> io::Result<bool> {
        match &self.cgroup {
            Some(cgroup) => cgroup.freeze(false, within),
            None => until(within, || {
                walk::signal(self.known(), Signal::Continue)?;
                Ok(!self.walked().any(|stat| stat.is_stopped()))
            }),
        }
    }

    /// Waits until nobody lives; `false` when that took longer than `within`.
    pub fn wait_empty(&self, within: Span) -> bool {
        until(within, || Ok(self.is_empty())).unwrap_or(false)
    }

    /// What all of them use together; `None` when nobody lives.
    pub fn vitals(&self) -> Option<Vitals> {
        let mut vitals = vitals::vitals_of(&self.members())?;
        // The folder has counted those who are gone by now, too.
        if let Some(cpu) = self.cgroup.as_ref().and_then(Cgroup::cpu) {
            vitals.cpu = cpu;
        }
        Some(vitals)
    }

    fn known(&self) -> Known<'_> {
        Known { root: self.root, marker: self.marker.as_deref() }
    }

    fn walked(&self) -> impl Iterator<Item = super::proc::Stat> {
        walk::members(self.known()).into_iter()
    }
}

/// Looks every millisecond, once at least; `false` when `within` passed first.
fn until(within: Span, mut done: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let deadline = monotonic_nanos().saturating_add(within.as_nanos());
    loop {
        if done()? {
            return Ok(true);
        }
        if monotonic_nanos() >= deadline {
            return Ok(false);
        }
        cgroup::pause();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::base::host::{CgroupHome, Launch, Launched, Marker};

    const LONG: Span = Span::seconds(30);

    fn launch(name: &str, folder: &Path, in_cgroup: bool, script: &str) -> (Tree, Launched) {
        let marker = Marker { run: "test".into(), harness: Identity::own(), process: name.into() };
        let cgroup = in_cgroup.then(|| CgroupHome::find().map(|home| home.folder(&marker))).flatten();
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("FOLDER".into(), folder.to_string_lossy().into_owned())],
            folder: Some(folder.into()),
            output: File::create(folder.join("output")).unwrap(),
            marker: marker.to_string(),
            cgroup: cgroup.clone(),
            network: None,
            covers: Vec::new(),
        };
        let launched = launch.start().unwrap();
        (Tree { cgroup, marker: Some(marker.to_string()), root: Some(launched.identity) }, launched)
    }

    fn remove(tree: &Tree) {
        if let Some(cgroup) = &tree.cgroup {
            cgroup.remove().unwrap();
            assert!(!cgroup.exists());
        }
    }

    /// Both ways of finding a tree, where this machine has both.
    fn both_ways(test: impl Fn(bool)) {
        test(false);
        if CgroupHome::find().is_some() {
            test(true);
        }
    }

    #[test]
    fn those_who_fork_away_or_ignore_term_are_caught_and_look_alikes_are_not() {
        both_ways(|in_cgroup| {
            let folder = tempfile::tempdir().unwrap();
            let script = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 4242 & sleep 4242; wait' &); \
                          (sleep 4242 &); sleep 4242 & wait";
            let mut foreign = Command::new("sleep").arg("4242").stdin(Stdio::null()).spawn().unwrap();
            let (tree, mut launched) = launch("forks", folder.path(), in_cgroup, script);
            assert!(until(LONG, || Ok(tree.members().len() >= 6)).unwrap(), "{:?}", tree.members());
            assert!(tree.members().contains(&launched.identity));
            tree.ask_to_end().unwrap();
            // The sleeps that inherited no trap have gone; the shells in their own sessions have not.
            assert!(!tree.is_empty());
            assert!(tree.kill(LONG).unwrap());
            assert!(tree.is_empty() && tree.members().is_empty());
            launched.wait().unwrap();
            remove(&tree);
            assert_eq!(foreign.try_wait().unwrap(), None, "a foreign process of the same name lives on");
            foreign.kill().unwrap();
            foreign.wait().unwrap();
        });
    }

    #[test]
    fn one_who_hides_his_environment_cannot_leave_the_folder() {
        if CgroupHome::find().is_none() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let script = "(env -i /usr/bin/setsid /bin/sh -c 'sleep 600; :' &); exit 0";
        let (tree, mut launched) = launch("hides", folder.path(), true, script);
        launched.wait().unwrap();
        assert!(until(LONG, || Ok(tree.members().len() == 2)).unwrap());
        assert!(tree.kill(LONG).unwrap());
        remove(&tree);
    }

    #[test]
    fn a_frozen_tree_stands_still_and_goes_on() {
        both_ways(|in_cgroup| {
            let folder = tempfile::tempdir().unwrap();
            let script = "sh -c 'while :; do echo >> $FOLDER/beats; sleep 0.005; done' & wait";
            let (tree, mut launched) = launch("beats", folder.path(), in_cgroup, script);
            let beats = || fs::metadata(folder.path().join("beats")).map_or(0, |meta| meta.len());
            assert!(until(LONG, || Ok(beats() > 3)).unwrap());
            assert!(!tree.is_frozen());
            assert!(tree.freeze(LONG).unwrap());
            assert!(tree.is_frozen() && !tree.is_empty());
            let before = beats();
            until(Span::millis(60), || Ok(false)).unwrap();
            assert_eq!(beats(), before);
            assert!(tree.thaw(LONG).unwrap());
            assert!(!tree.is_frozen());
            assert!(until(LONG, || Ok(beats() > before + 3)).unwrap());
            // A frozen one is killed as well as any other.
            assert!(tree.freeze(LONG).unwrap());
            assert!(tree.kill(LONG).unwrap());
            assert!(!tree.is_frozen(), "an empty tree is not frozen");
            launched.wait().unwrap();
            remove(&tree);
        });
    }

    #[test]
    fn vitals_are_those_of_the_whole_tree() {
        both_ways(|in_cgroup| {
            let folder = tempfile::tempdir().unwrap();
            let script = "exec 7>$FOLDER/open; sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; \
                          sleep 600 & echo > $FOLDER/spent; wait";
            let (tree, mut launched) = launch("vitals", folder.path(), in_cgroup, script);
            assert!(until(LONG, || Ok(folder.path().join("spent").exists() && tree.members().len() == 2)).unwrap());
            let vitals = tree.vitals().unwrap();
            // 200,000 turns of a shell that is gone by now: counted all the same.
            assert!(vitals.cpu > Span::millis(20), "{vitals:?}");
            assert!(vitals.processes == 2 && vitals.threads == 2, "{vitals:?}");
            assert!(vitals.files >= 8 && vitals.memory > 100_000, "{vitals:?}");
            assert!(tree.kill(LONG).unwrap());
            assert_eq!(tree.vitals(), None);
            launched.wait().unwrap();
            remove(&tree);
        });
    }

    #[test]
    fn a_tree_written_down_reads_back() {
        let tree = Tree { cgroup: None, marker: Some("r/1.2/n".into()), root: Some(Identity { pid: 3, started: 4 }) };
        let text = serde_json::to_string(&tree).unwrap();
        assert_eq!(text, r#"{"marker":"r/1.2/n","root":"3.4"}"#);
        assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), tree);
    }
}
