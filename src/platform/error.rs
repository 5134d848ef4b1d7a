use std::io;

use thiserror::Error;

use crate::base::template::RenderError;
use crate::base::units::Span;
use crate::undo::UndoError;
use crate::wire::WireError;

/// Why something could not be done to the platform, and what to do about it.
#[derive(Debug, Error)]
pub enum PlatformError {
    #[error("no address could be chosen for process `{process}`: {why}")]
    Address { process: String, why: io::Error },
    #[error("no address could be chosen for link `{link}`: {why}")]
    LinkAddress { link: String, why: io::Error },
    #[error("link `{link}` leads to `{to}`, which is no host with a port")]
    LinkTo { link: String, to: String },
    #[error(
        "networks of the drill's own need the rights of root (CAP_NET_ADMIN and CAP_SYS_ADMIN), which this process does not \
         have: run it as root, or leave `network` out and put links between the processes"
    )]
    NoRight,
    #[error("networks of the drill's own cannot be made: {why}")]
    NoTool { why: io::Error },
    #[error("the network of {of} could not be made: {why}")]
    Network { of: String, why: io::Error },
    #[error(
        "{subnet} of network `{network}` is in use on this machine, by {by}: wait until the drill that has it is over, or \
         write another `subnet`"
    )]
    SubnetTaken { network: String, subnet: String, by: String },
    #[error(
        "this machine's kernel cannot delay what a process sends, for it has no netem ({why}): put a link before the process \
         and delay that, `delay: {{ link: … }}`"
    )]
    NoNetem { why: io::Error },
    #[error("container `{container}` cannot be hurt: {why}")]
    Container { container: String, why: io::Error },
    #[error("the fault proxy could not be started: {why}")]
    Proxy { why: io::Error },
    #[error("watch `{watch}` cannot listen at {listen} ({why}): end whoever does, or write another `listen`")]
    Alert { watch: String, listen: std::net::SocketAddr, why: io::Error },
    #[error("{what} could not be worked out from its template: {why}")]
    Template { what: String, why: RenderError },
    #[error("{what} could not be worked out from its template: {why}")]
    Unparsed { what: String, why: String },
    #[error("process `{process}` has nothing to run: its `run` is empty")]
    Empty { process: String },
    #[error("`{program}` of process `{process}` is no program: neither a path to one nor in PATH")]
    NoProgram { process: String, program: String },
    #[error(
        "process `{process}` has `clock: skewable`, and libfaketime is not to be found; install it (Debian and Ubuntu: \
         apt install libfaketime; Fedora: dnf install libfaketime), or leave `clock` out"
    )]
    NoFaketime { process: String },
    #[error("process `{process}` could not be started: {why}")]
    Start { process: String, why: io::Error },
    #[error("process `{process}` ended before it was ready ({status}); its output: {output}")]
    EndedEarly { process: String, status: String, output: String },
    #[error(
        "process `{process}` was not ready within {within} ({last}); raise `ready: {{ within }}` or look at {output}"
    )]
    NotReady { process: String, within: Span, last: String, output: String },
    #[error("nothing to attach to for process `{process}`: {why}")]
    Attach { process: String, why: String },
    #[error("process `{process}` was not gone {within} after it was killed")]
    NotGone { process: String, within: Span },
    #[error("process `{process}` was not gone {within} after TERM")]
    NotTerminated { process: String, within: Span },
    #[error("process `{process}` could not be signalled: {why}")]
    Signal { process: String, why: io::Error },
    #[error("process `{process}` runs outside the drill, which cannot start it again")]
    NotOurs { process: String },
    #[error("process `{process}` is not running")]
    NotRunning { process: String },
    #[error("`{command}` ended with {status}, not 0; the end of its output: {output}")]
    Chore { command: String, status: String, output: String },
    #[error("`{command}` was not done within {within}, and was stopped; raise its `within`")]
    ChoreLate { command: String, within: Span },
    #[error("`{command}` could not be run: {why}")]
    ChoreStart { command: String, why: io::Error },
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Undo(#[from] UndoError),
}
