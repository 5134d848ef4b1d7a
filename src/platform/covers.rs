//! What those who live in networks see in place of files of the machine, so that they ask the drill's name server and nobody else.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::base::host::Cover;

/// What is laid over the machine's files, in the run's private folder. No process can be called so.
const FOLDER: &str = "Names";
const FILES: [(&str, &str); 3] = [
    ("resolv.conf", "/etc/resolv.conf"),
    ("nsswitch.conf", "/etc/nsswitch.conf"),
    // A cache of the machine's would be asked first; who finds no socket there goes on.
    ("nscd", "/var/run/nscd/socket"),
];

/// What those in networks see in place of files of the machine: of those that it has.
pub(super) fn of(private: &Path) -> io::Result<Vec<Cover>> {
    let there = FILES.into_iter().filter(|(_, over)| Path::new(over).exists());
    there.map(|(file, over)| Cover::new(&private.join(FOLDER).join(file), Path::new(over))).collect()
}

/// Why those in networks cannot be led to a name server of the drill's.
pub fn lacks_names() -> Option<String> {
    let (_, over) = FILES[0];
    (!Path::new(over).exists())
        .then(|| format!("there is no {over} on this machine, by which programs find a name server"))
}

/// Writes what leads a program to the server at this address.
pub(super) fn write(private: &Path, address: Ipv4Addr) -> io::Result<()> {
    let folder = private.join(FOLDER);
    fs::create_dir_all(&folder)?;
    let machine = fs::read_to_string(FILES[0].1).unwrap_or_default();
    let files = [
        ("resolv.conf", resolv(address, &machine)),
        ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n".to_owned()),
        ("nscd", String::new()),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        fs::write(&path, text)?;
        // Whoever a program becomes reads them, as those of the machine.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// How long a program waits and how often it asks is as it is on the machine; that it asks by TCP is not.
fn resolv(address: Ipv4Addr, machine: &str) -> String {
    let options = machine.lines().filter_map(|line| line.trim().strip_prefix("options"));
    let options =
        options.flat_map(str::split_whitespace).filter(|option| !matches!(*option, "use-vc" | "usevc" | "tcp"));
    let options: Vec<&str> = options.collect();
    let server = format!("nameserver {address}\n");
    if options.is_empty() { server } else { format!("{server}options {}\n", options.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 7, 3);

    #[test]
    fn the_machines_own_options_are_kept_but_for_tcp() {
        assert_eq!(resolv(SERVER, "nameserver 1.1.1.1\nsearch x\n"), "nameserver 198.18.7.3\n");
        let machine = "options use-vc timeout:1\n#options debug\n options attempts:2 tcp\n";
        assert_eq!(resolv(SERVER, machine), "nameserver 198.18.7.3\noptions timeout:1 attempts:2\n");
    }
}
