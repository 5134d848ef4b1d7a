//! Something wrong with what two sides of processes in networks send each other: rules in the drill's router, where all of it
//! passes. They bite when they have counted packets of the platform's own, and, where nothing is to pass, when a probe from each
//! process fails; they are gone when there are none, and probes reach the other side. Probes are marked and not counted.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::{Faults, Kind, blocking, said};
use crate::base::host::Namespace;
use crate::base::units::{At, Span};
use crate::plan::{Direction, FaultId, Harm, ProcessId};
use crate::platform::Residence;
use crate::record::Sight;
use crate::undo::{Action, UndoId};

/// The mark of a probe: a class of service that nobody else asks for.
const PROBE: u32 = 0x3e;
/// How long a probe may take that is to fail, and one that is to reach the other side.
const FAILS: Span = Span::millis(250);
const REACHES: Span = Span::millis(500);
/// How long the other side may take to be reached again.
const AGAIN: Span = Span::seconds(5);
/// How often the rules are asked what they have bitten.
const LOOK: Span = Span::millis(20);

/// Rules that are in force.
#[derive(Debug)]
pub(super) struct Cut {
    undo: UndoId,
    router: Namespace,
    table: String,
    probes: Vec<Probe>,
}

/// From one process to one of the other side.
#[derive(Debug, Clone)]
struct Probe {
    from: ProcessId,
    to: ProcessId,
    namespace: Namespace,
    at: SocketAddr,
    /// From the first side to the second.
    up: bool,
}

/// Two sides, and what is wrong between them.
pub(super) struct Wanted<'f> {
    pub(super) first: &'f [ProcessId],
    pub(super) second: &'f [ProcessId],
    pub(super) direction: Direction,
    pub(super) harm: &'f Harm,
}

/// `lasts`: how long it may take until it bites; what has not bitten by then had nothing to bite.
pub(super) async fn inject(
    faults: &Faults,
    number: FaultId,
    name: &str,
    wanted: &Wanted<'_>,
    lasts: Span,
) -> Result<(Kind, At, Vec<Sight>), Vec<Sight>> {
    let all = [wanted.first, wanted.second].concat();
    faults.living(&all)?;
    let (first, second) = (residences(faults, wanted.first)?, residences(faults, wanted.second)?);
    let router = first.first().map(|(_, residence)| residence.router.clone()).ok_or_else(|| vec![Sight::NoTarget])?;
    let table = format!("fault_{number}");
    let rules = rules(&table, &first, &second, wanted.direction, wanted.harm);
    let probes = [probes(&first, &second, true), probes(&second, &first, false)].concat();
    let action = Action::RemoveRules { name: format!("fault {name}"), namespace: router.clone(), table: table.clone() };
    let (journal, at) = (faults.journal.clone(), router.clone());
    let order = move || -> Result<(UndoId, io::Result<String>), Sight> {
        let undo = journal.plan(action).map_err(said)?;
        Ok((undo, at.tool("nft", &["-f", "-"], &rules)))
    };
    let (undo, ordered) = blocking(order).await.and_then(|done| done).map_err(|why| vec![why])?;
    let cut = Cut { undo, router, table, probes };
    let seen = match ordered {
        Ok(_) => observe(faults, &cut, wanted, lasts).await,
        Err(why) => Err(vec![said(why)]),
    };
    match seen {
        Ok((at, proofs)) => Ok((Kind::Between { cut }, at, proofs)),
        Err(mut why) => {
            why.extend(remove(faults, &cut).await.err());
            Err(why)
        }
    }
}

fn residences(faults: &Faults, processes: &[ProcessId]) -> Result<Vec<(ProcessId, Residence)>, Vec<Sight>> {
    let of = |id: &ProcessId| faults.platform.residence(*id).map(|residence| (*id, residence));
    processes.iter().map(of).collect::<Option<Vec<_>>>().ok_or_else(|| vec![Sight::NoTarget])
}

/// Each process of a side asks one of the other, and each of the other is asked, as far as there are enough.
fn probes(from: &[(ProcessId, Residence)], to: &[(ProcessId, Residence)], up: bool) -> Vec<Probe> {
    let pairs = from.iter().zip(to.iter().cycle());
    let one = |((from, own), (to, other)): (&(ProcessId, Residence), &(ProcessId, Residence))| Probe {
        from: *from,
        to: *to,
        namespace: own.namespace.clone(),
        at: SocketAddr::from((other.address, other.port)),
        up,
    };
    pairs.map(one).collect()
}

/// The table that does it, as `nft` reads it.
fn rules(
    table: &str,
    first: &[(ProcessId, Residence)],
    second: &[(ProcessId, Residence)],
    direction: Direction,
    harm: &Harm,
) -> String {
    let set = |side: &[(ProcessId, Residence)]| {
        let addresses: Vec<String> = side.iter().map(|(_, residence)| residence.address.to_string()).collect();
        addresses.join(", ")
    };
    let ways = [(Direction::Up, first, second), (Direction::Down, second, first)];
    let meets: String = ways
        .into_iter()
        .filter(|(way, ..)| way.is_in(direction))
        .map(|(_, from, to)| format!("ip saddr {{ {} }} ip daddr {{ {} }} jump bite\n", set(from), set(to)))
        .collect();
    let count = "counter name bitten";
    let bites = match harm {
        Harm::Partition => format!("ip dscp {PROBE} drop\n{count} drop"),
        Harm::Drop { share } => format!("numgen random mod 10000 < {} {count} drop", (share.0 * 10_000.0).round()),
        Harm::Refuse => format!(
            "meta l4proto tcp ip dscp {PROBE} reject with tcp reset\nmeta l4proto tcp {count} reject with tcp reset\n\
             {count} reject with icmpx type admin-prohibited"
        ),
        // What carries something is pushed on.
        Harm::Reset => format!("tcp flags & psh == psh {count} reject with tcp reset"),
    };
    format!(
        "table inet {table} {{\ncounter bitten {{ }}\nchain bite {{\n{bites}\n}}\nchain pass {{\n\
         type filter hook forward priority filter; policy accept;\n{meets}}}\n}}\n"
    )
}

/// Waits until the rules have bitten, and has probes fail where nothing is to pass.
async fn observe(faults: &Faults, cut: &Cut, wanted: &Wanted<'_>, lasts: Span) -> Result<(At, Vec<Sight>), Vec<Sight>> {
    let bitten = async {
        loop {
            let (router, table) = (cut.router.clone(), cut.table.clone());
            match blocking(move || bitten(&router, &table)).await? {
                Ok(0) => faults.clock.sleep(LOOK).await,
                Ok(packets) => return Ok(packets),
                Err(why) => return Err(said(why)),
            }
        }
    };
    let packets = match faults.unless_stopped(faults.clock.now() + lasts, bitten).await {
        Some(Ok(packets)) => packets,
        Some(Err(why)) => return Err(vec![why]),
        None => return Err(vec![Sight::NothingBetween]),
    };
    let at = faults.clock.now();
    let mut proofs = vec![Sight::Bit { verb: wanted.harm.verb().to_owned(), packets }];
    if matches!(wanted.harm, Harm::Partition | Harm::Refuse) {
        let way = |probe: &&Probe| if probe.up { Direction::Up } else { Direction::Down }.is_in(wanted.direction);
        let probes: Vec<Probe> = cut.probes.iter().filter(way).cloned().collect();
        let refused = *wanted.harm == Harm::Refuse;
        let found = ask_all(probes, FAILS).await.map_err(|why| vec![why])?;
        let (bad, good): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, answer)| match answer {
            Answer::Taken => true,
            Answer::Refused => !refused,
            Answer::None => false,
        });
        if !bad.is_empty() {
            return Err(bad.iter().map(|(probe, _)| Sight::Reaches { from: probe.from, to: probe.to }).collect());
        }
        proofs.extend(good.iter().map(|(probe, _)| Sight::CutOff { from: probe.from, to: probe.to }));
    }
    Ok((at, proofs))
}

/// The packets that the rules have bitten, but for probes.
fn bitten(router: &Namespace, table: &str) -> io::Result<u64> {
    let told = router.tool("nft", &["-j", "list", "counter", "inet", table, "bitten"], "")?;
    let told: Value = serde_json::from_str(&told)?;
    let listed = told["nftables"].as_array().into_iter().flatten();
    let packets = listed.filter_map(|one| one["counter"]["packets"].as_u64()).next();
    packets.ok_or_else(|| io::Error::other("`nft` does not tell what was counted"))
}

pub(super) async fn heal(faults: &Faults, cut: Cut) -> Result<Vec<Sight>, Vec<Sight>> {
    let (router, table) = (cut.router.clone(), cut.table.clone());
    let packets = blocking(move || bitten(&router, &table)).await.ok().and_then(Result::ok).unwrap_or_default();
    remove(faults, &cut).await.map_err(|why| vec![why])?;
    let deadline = faults.clock.now() + AGAIN;
    let mut left = cut.probes;
    let mut reached = vec![Sight::Lifted { packets }];
    loop {
        let found = ask_all(left, REACHES).await.map_err(|why| vec![why])?;
        let (no, yes): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, answer)| *answer == Answer::None);
        reached.extend(yes.iter().map(|(probe, _)| Sight::Reaches { from: probe.from, to: probe.to }));
        left = no.into_iter().map(|(probe, _)| probe).collect();
        if left.is_empty() {
            return Ok(reached);
        }
        if faults.clock.now() >= deadline {
            return Err(left.iter().map(|probe| Sight::CutOff { from: probe.from, to: probe.to }).collect());
        }
    }
}

/// The rules are out, and looked for.
async fn remove(faults: &Faults, cut: &Cut) -> Result<(), Sight> {
    let (journal, undo) = (faults.journal.clone(), cut.undo);
    let (router, table) = (cut.router.clone(), cut.table.clone());
    let removed = move || {
        journal.undo(undo).map_err(said)?;
        let listed = router.tool("nft", &["list", "tables", "inet"], "").map_err(said)?;
        let stays = listed.lines().any(|line| line.trim() == format!("table inet {table}"));
        if stays { Err(said("its rules are still there")) } else { Ok(()) }
    };
    blocking(removed).await?
}

/// What came of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    /// By whoever is asked, where nobody listens, or by a rule.
    Refused,
    None,
}

/// All at once, each from its own namespace.
async fn ask_all(probes: Vec<Probe>, within: Span) -> Result<Vec<(Probe, Answer)>, Sight> {
    let asked: Vec<_> = probes
        .into_iter()
        .map(|probe| {
            blocking(move || {
                let answer = probe.namespace.enter(|| ask(probe.at, within));
                answer.and_then(|answer| answer).map(|answer| (probe, answer))
            })
        })
        .map(tokio::spawn)
        .collect();
    let mut found = Vec::new();
    for one in asked {
        found.push(one.await.map_err(said)??.map_err(said)?);
    }
    Ok(found)
}

/// A connection that is to come about, and carries nothing.
fn ask(at: SocketAddr, within: Span) -> io::Result<Answer> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tos_v4(PROBE << 2)?;
    match socket.connect_timeout(&at.into(), within.to_std()) {
        Ok(()) => Ok(Answer::Taken),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Answer::Refused),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Answer::Refused),
        Err(_) => Ok(Answer::None),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::base::host::{Identity, Marker};
    use crate::base::units::Share;

    fn side(from: u8, many: u8) -> Vec<(ProcessId, Residence)> {
        let namespace = |process: String| {
            Namespace::of(&Marker { run: "r".into(), harness: Identity { pid: 1, started: 2 }, process })
        };
        let one = |k: u8| Residence {
            address: Ipv4Addr::new(198, 18, 7, k),
            port: 8080,
            namespace: namespace(format!("n{k}")),
            device: "eth0",
            router: namespace("Router".to_owned()),
            towards: format!("p{k}"),
        };
        (from..from + many).map(|k| (ProcessId(u32::from(k)), one(k))).collect()
    }

    #[test]
    fn rules_name_both_sides_each_way_and_count_no_probes() {
        insta::assert_snapshot!(rules("fault_3", &side(3, 1), &side(4, 2), Direction::Both, &Harm::Partition), @r"
        table inet fault_3 {
        counter bitten { }
        chain bite {
        ip dscp 62 drop
        counter name bitten drop
        }
        chain pass {
        type filter hook forward priority filter; policy accept;
        ip saddr { 198.18.7.3 } ip daddr { 198.18.7.4, 198.18.7.5 } jump bite
        ip saddr { 198.18.7.4, 198.18.7.5 } ip daddr { 198.18.7.3 } jump bite
        }
        }
        ");
        let one_way = rules("fault_3", &side(3, 1), &side(4, 1), Direction::Down, &Harm::Drop { share: Share(0.3) });
        assert!(one_way.contains("ip saddr { 198.18.7.4 } ip daddr { 198.18.7.3 }"), "{one_way}");
        assert!(!one_way.contains("ip saddr { 198.18.7.3 }") && one_way.contains("mod 10000 < 3000 "), "{one_way}");
    }

    #[test]
    fn each_asks_somebody_of_the_other_side() {
        let asked = probes(&side(3, 3), &side(10, 2), true);
        let pairs: Vec<(u32, u32)> = asked.iter().map(|probe| (probe.from.0, probe.to.0)).collect();
        assert_eq!(pairs, [(3, 10), (4, 11), (5, 10)]);
    }
}
