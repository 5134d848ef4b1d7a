//! Something wrong with links, put in force by the fault proxy on all of them at one instant. It bites when the proxy has seen it
//! do so on each; it is healed when the proxy has ended it and what it held back has passed.
//!
//! Should the harness die, the proxy ends it by itself; that the proxy is ended is in the journal since before it was started.

use std::sync::Arc;

use super::{Faults, Kind, said};
use crate::base::units::{At, Span};
use crate::plan::{FaultId, Flaw, LinkId};
use crate::proxy::{FlawId, Proxy};
use crate::record::Sight;

/// `lasts`: how long it may take until it bites; what has not bitten by then had nothing to bite.
pub(super) async fn inject(
    faults: &Faults,
    number: FaultId,
    links: &[LinkId],
    flaw: &Flaw,
    lasts: Span,
) -> Result<(Kind, At, Vec<Sight>), Vec<Sight>> {
    let proxy = faults.platform.proxy().filter(|_| !links.is_empty()).ok_or_else(|| vec![Sight::NoTarget])?;
    let wanted = links.iter().map(|link| (link.index(), flaw.clone(), number.0)).collect();
    let set = proxy.set(wanted).map_err(|why| vec![said(why)])?;
    let set: Vec<(LinkId, FlawId)> = links.iter().copied().zip(set).collect();
    let (mut from, mut proofs, mut unseen) = (At::START, Vec::new(), Vec::new());
    let deadline = faults.clock.now() + lasts;
    for &(link, id) in &set {
        let seen = faults.unless_stopped(deadline, proxy.bitten(id)).await;
        match seen {
            Some(Ok(nanos)) => {
                from = from.max(faults.clock.at_monotonic(nanos));
                proofs.push(Sight::Bites { link, verb: flaw.kind.verb().to_owned() });
            }
            Some(Err(why)) => unseen.push(said(why)),
            None => unseen.push(Sight::NeverBit { link }),
        }
    }
    if !unseen.is_empty() {
        unseen.extend(clear(&proxy, &set).await.err().unwrap_or_default());
        return Err(unseen);
    }
    Ok((Kind::Link { set, proxy }, from, proofs))
}

pub(super) async fn heal(
    faults: &Faults,
    set: &[(LinkId, FlawId)],
    proxy: &Arc<Proxy>,
) -> Result<(At, Vec<Sight>), Vec<Sight>> {
    let gone = clear(proxy, set).await?;
    let last = gone.iter().map(|(_, nanos, _)| *nanos).max().unwrap_or_default();
    let proofs = gone.into_iter().map(|(link, _, bites)| Sight::Passes { link, bites }).collect();
    Ok((faults.clock.at_monotonic(last), proofs))
}

async fn clear(proxy: &Proxy, set: &[(LinkId, FlawId)]) -> Result<Vec<(LinkId, u64, u64)>, Vec<Sight>> {
    let ids: Vec<FlawId> = set.iter().map(|(_, id)| *id).collect();
    let gone = proxy.clear(&ids).await.map_err(|why| vec![said(why)])?;
    Ok(set.iter().zip(gone).map(|((link, _), gone)| (*link, gone.nanos, gone.bites)).collect())
}
