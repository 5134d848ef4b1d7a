//! What was done to containers. Docker is asked for each by its id, and its label is looked at before anything is done to it.

use std::io;
use std::path::Path;

use super::action::quoted;
use crate::base::host::{Docker, Remedy};

/// Fine when it is as it was, or is gone.
pub(super) fn bring_back(socket: &Path, id: &str, remedy: &Remedy) -> io::Result<()> {
    Docker::at(socket).remedy(id, remedy)
}

/// Whoever cannot ask has to assume it.
pub(super) fn is_hurt(socket: &Path, id: &str, remedy: &Remedy) -> bool {
    Docker::at(socket).find(id).map_or(true, |found| found.is_some_and(|found| remedy.is_wanted(&found)))
}

pub(super) fn what(name: &str, id: &str, remedy: &Remedy) -> String {
    let short = id.get(..12).unwrap_or(id);
    match remedy {
        Remedy::Start { .. } => format!("container {name} ({short}), ended"),
        Remedy::Unpause => format!("container {name} ({short}), paused"),
        Remedy::Connect(_) => format!("container {name} ({short}), taken off its networks"),
    }
}

pub(super) fn by_hand(socket: &Path, id: &str, remedy: &Remedy) -> String {
    let docker = format!("docker -H unix://{}", quoted(socket));
    match remedy {
        Remedy::Start { .. } => format!("{docker} start {id}"),
        Remedy::Unpause => format!("{docker} unpause {id}"),
        Remedy::Connect(all) => {
            let connect = all.iter().map(|to| {
                let word = |option: &str, value: &String| format!(" --{option} {}", quoted(Path::new(value)));
                let address = to.address.iter().map(|address| word("ip", address));
                let address6 = to.address6.iter().map(|address| word("ip6", address));
                let aliases = to.aliases.iter().map(|alias| word("alias", alias));
                let links = to.links.iter().map(|link| word("link", link));
                let words: String = address.chain(address6).chain(aliases).chain(links).collect();
                format!("{docker} network connect{words} {} {id}", to.network)
            });
            connect.collect::<Vec<_>>().join("; ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::host::Attachment;

    #[test]
    fn what_is_done_by_hand_is_what_docker_reads() {
        let socket = Path::new("/run/docker.sock");
        let to = Attachment {
            network: "front".to_owned(),
            address: Some("198.18.9.2".to_owned()),
            address6: None,
            aliases: vec!["db".to_owned()],
            links: Vec::new(),
        };
        let by_hand = by_hand(socket, "a628", &Remedy::Connect(vec![to]));
        let wanted = "docker -H unix:///run/docker.sock network connect --ip 198.18.9.2 --alias db front a628";
        assert_eq!(by_hand, wanted);
    }

    #[test]
    fn where_docker_cannot_be_asked_it_may_be_hurt() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("none.sock");
        assert!(is_hurt(&socket, "a628", &Remedy::Unpause));
        assert!(bring_back(&socket, "a628", &Remedy::Unpause).is_err());
    }
}
