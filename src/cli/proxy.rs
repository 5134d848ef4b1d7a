use std::fs;

use super::args::ProxyArgs;
use super::exit::Exit;
use super::speech::Speech;
use crate::proxy::{Alone, serve};

/// Serves Toxiproxy's API until it is told to end.
pub(super) fn proxy(args: &ProxyArgs, speech: Speech) -> Exit {
    let config = match args.config.as_ref().map(|path| (path, fs::read(path))) {
        None => None,
        Some((_, Ok(config))) => Some(config),
        Some((path, Err(error))) => {
            speech.complain(&format!("{}: {error}", path.display()));
            return Exit::Wrong;
        }
    };
    let alone = Alone { listen: args.listen, config, seed: args.seed };
    match serve(alone, |at| speech.print(&format!("{}\n", speech.words.proxy_listens(at)))) {
        Ok(()) => Exit::Passed,
        Err(error) => {
            speech.complain(&speech.words.proxy_failed(args.listen, error));
            Exit::Wrong
        }
    }
}
