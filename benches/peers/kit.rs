//! The other generators: where they are, which version, and how those that no package brings are built. They lie in a
//! folder under the build's own, never in the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Failed;

/// Another generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Wrk,
    Hey,
    Oha,
    Goose,
    Vegeta,
    K6,
}

impl Tool {
    pub(crate) const ALL: [Tool; 6] = [Tool::Wrk, Tool::Hey, Tool::Oha, Tool::Goose, Tool::Vegeta, Tool::K6];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Wrk => "wrk",
            Tool::Hey => "hey",
            Tool::Oha => "oha",
            Tool::Goose => "goose",
            Tool::Vegeta => "vegeta",
            Tool::K6 => "k6",
        }
    }

    /// The program; goose is a library, whose program is ours.
    fn program(self) -> &'static str {
        if self == Tool::Goose { "goose-peer" } else { self.name() }
    }

    fn how_to_get(self) -> &'static str {
        match self {
            Tool::Wrk | Tool::Hey => "a package of Debian: apt-get install wrk hey",
            Tool::Oha | Tool::Goose => "built by `cargo bench --bench peers -- install`",
            Tool::Vegeta | Tool::K6 => "built by `cargo bench --bench peers -- install`, which needs Go",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Kit {
    folder: PathBuf,
    found: Vec<(Tool, PathBuf, String)>,
    toxiproxy: Option<PathBuf>,
}

/// Its module; what Go builds of it is called `server`.
const TOXIPROXY: &str = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0";

impl Kit {
    pub(crate) fn find(folder: &Path) -> Kit {
        let found = Tool::ALL.into_iter().filter_map(|tool| {
            let own = folder.join("bin").join(tool.program());
            let path = if own.is_file() { own } else { in_path(tool.program())? };
            let version = version(tool, &path, folder);
            Some((tool, path, version))
        });
        let own = Some(folder.join("bin/server")).filter(|file| file.is_file());
        let toxiproxy = own.or_else(|| in_path("toxiproxy-server"));
        Kit { found: found.collect(), toxiproxy, folder: folder.to_owned() }
    }

    /// The fault proxy to compare ours with.
    pub(crate) fn toxiproxy(&self) -> Option<&Path> {
        self.toxiproxy.as_deref()
    }

    pub(crate) fn path(&self, tool: Tool) -> Result<&Path, Failed> {
        let found = self.found.iter().find(|(known, ..)| *known == tool);
        found.map(|(_, path, _)| path.as_path()).ok_or_else(|| Failed::from("not found"))
    }

    /// The tools that there are.
    pub(crate) fn tools(&self) -> impl Iterator<Item = Tool> {
        self.found.iter().map(|(tool, ..)| *tool)
    }

    /// A line for each tool.
    pub(crate) fn describe(&self) -> String {
        let nginx = first_line(Command::new("nginx").arg("-v"), |line| line.contains("nginx"));
        let mut text = format!("- {}\n", nginx.unwrap_or_else(|| "nginx: not found".to_owned()));
        for tool in Tool::ALL {
            match self.found.iter().find(|(known, ..)| *known == tool) {
                Some((_, _, version)) => text.push_str(&format!("- {}: {version}\n", tool.name())),
                None => text.push_str(&format!("- {}: not found ({})\n", tool.name(), tool.how_to_get())),
            }
        }
        match &self.toxiproxy {
            Some(path) => text.push_str(&format!("- Toxiproxy: {}\n", module(path))),
            None => text
                .push_str("- Toxiproxy: not found (built by `cargo bench --bench peers -- install`, which needs Go)\n"),
        }
        text
    }

    /// Builds what is missing and can be built. What fails is said, and the others go on.
    #[allow(clippy::print_stderr)]
    pub(crate) fn install(&self) -> Result<(), Failed> {
        fs::create_dir_all(self.folder.join("bin"))?;
        for tool in Tool::ALL.into_iter().filter(|tool| self.path(*tool).is_err()) {
            let built = match tool {
                Tool::Wrk | Tool::Hey => Err(tool.how_to_get().into()),
                Tool::Vegeta => self.go("github.com/tsenart/vegeta/v12@latest"),
                Tool::K6 => self.go("go.k6.io/k6@latest"),
                Tool::Goose => self.goose(),
                Tool::Oha => self.oha(),
            };
            match built {
                Ok(()) => eprintln!("{}: built", tool.name()),
                Err(error) => eprintln!("{}: {error}", tool.name()),
            }
        }
        if self.toxiproxy.is_none() {
            match self.go(TOXIPROXY) {
                Ok(()) => eprintln!("Toxiproxy: built"),
                Err(error) => eprintln!("Toxiproxy: {error}"),
            }
        }
        Ok(())
    }

    fn go(&self, module: &str) -> Result<(), Failed> {
        let mut go = Command::new("go");
        go.args(["install", "-modcacherw", module]).current_dir(&self.folder);
        go.env("GOBIN", self.folder.join("bin")).env("GOPATH", self.folder.join("go"));
        good(&mut go)
    }

    fn goose(&self) -> Result<(), Failed> {
        let folder = self.folder.join("goose");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), include_str!("goose/Cargo.toml.in"))?;
        fs::write(folder.join("src/main.rs"), include_str!("goose/main.rs.in"))?;
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--target-dir"]).arg(folder.join("target")).current_dir(&folder);
        good(&mut cargo)?;
        let (from, to) = (folder.join("target/release/goose-peer"), self.folder.join("bin/goose-peer"));
        fs::copy(from, to).map(|_| ()).map_err(Failed::from)
    }

    fn oha(&self) -> Result<(), Failed> {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "oha", "--locked", "--root"]).arg(&self.folder);
        cargo.arg("--target-dir").arg(self.folder.join("oha")).current_dir(&self.folder);
        good(&mut cargo)
    }
}

fn good(command: &mut Command) -> Result<(), Failed> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// As the program says it; hey says none, so its package does.
fn version(tool: Tool, path: &Path, folder: &Path) -> String {
    let found = match tool {
        Tool::Wrk => first_line(Command::new(path).arg("-v"), |line| line.starts_with("wrk ")),
        Tool::Hey => first_line(Command::new("dpkg-query").args(["-W", "hey"]), |line| line.starts_with("hey")),
        Tool::Oha => first_line(Command::new(path).arg("--version"), |line| line.starts_with("oha")),
        Tool::K6 => first_line(Command::new(path).arg("version"), |line| line.starts_with("k6")),
        Tool::Vegeta => Some(module(path)),
        Tool::Goose => {
            let lock = fs::read_to_string(folder.join("goose/Cargo.lock")).unwrap_or_default();
            let version = lock.split("name = \"goose\"\n").nth(1).and_then(|rest| rest.lines().next());
            version.map(str::to_owned)
        }
    };
    found.unwrap_or_else(unknown)
}

fn unknown() -> String {
    "of an unknown version".to_owned()
}

/// Of a program that Go built.
fn module(path: &Path) -> String {
    let mut go = Command::new("go");
    let found = first_line(go.args(["version", "-m"]).arg(path), |line| line.trim_start().starts_with("mod"));
    let found = found.unwrap_or_else(unknown);
    found.split_whitespace().filter(|word| !word.starts_with("h1:")).collect::<Vec<_>>().join(" ")
}

fn first_line(command: &mut Command, fits: impl Fn(&str) -> bool) -> Option<String> {
    let output = command.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().find(|line| fits(line)).map(|line| line.trim().to_owned())
}
