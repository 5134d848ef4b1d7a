//! The users of closed loads: how many were there, beside how many were planned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::units::At;
use crate::plan::{Life, LoadId, Plan, present};
use crate::record::Window;

/// What became of the users of one closed load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrowdFigures {
    pub load: LoadId,
    /// How many were to come in all, and how many at once.
    pub planned: u64,
    pub planned_at_once: u64,
    /// Each had a session of its own.
    pub launched: u64,
    pub ended: u64,
    pub points: Vec<CrowdPoint>,
}

/// As a second closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrowdPoint {
    pub second: u64,
    pub planned: u64,
    pub present: u64,
}

/// The users of one closed load in the making.
#[derive(Debug)]
pub(super) struct Crowd {
    load: LoadId,
    lives: Vec<Life>,
    planned_at_once: u64,
    launched: u64,
    ended: u64,
    present: BTreeMap<u64, u64>,
}

impl Crowd {
    /// Those of each closed load of a plan.
    pub(super) fn all(plan: &Plan) -> Vec<Crowd> {
        let of = |(index, load): (usize, &crate::plan::Load)| {
            let users = load.users.as_ref()?;
            Some(Crowd {
                load: LoadId::at(index),
                lives: users.lives(load.start),
                planned_at_once: u64::from(users.peak()),
                launched: 0,
                ended: 0,
                present: BTreeMap::new(),
            })
        };
        plan.loads.iter().enumerate().filter_map(of).collect()
    }

    pub(super) fn add(&mut self, window: &Window) {
        for cell in window.users.iter().filter(|cell| cell.load == self.load) {
            self.launched += cell.launched;
            self.ended += cell.ended;
            *self.present.entry(window.second).or_default() += cell.present;
        }
    }

    pub(super) fn finish(self) -> CrowdFigures {
        let point = |(&second, &there): (&u64, &u64)| {
            // Whoever goes as the second closes is still there.
            let close = super::seconds::begin_of(second + 1).as_nanos().saturating_sub(1);
            CrowdPoint { second, planned: present(&self.lives, At(close)), present: there }
        };
        CrowdFigures {
            load: self.load,
            planned: self.lives.len() as u64,
            planned_at_once: self.planned_at_once,
            launched: self.launched,
            ended: self.ended,
            points: self.present.iter().map(point).collect(),
        }
    }
}
