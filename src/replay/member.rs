//! A signed-in member of a run with its devices, which all show the same. Owns how many there are and which of them is
//! used; does not own what a device does (`client`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::RngExt;
use tokio::sync::mpsc;

use super::client::device::Plan;
use super::client::{Device, Failure, Rest};
use super::history::Id;
use super::play::Run;

/// A member with its devices; there is always one.
#[derive(Debug)]
pub struct Member {
    first: Device,
    others: Vec<Device>,
}

impl Member {
    /// Connects all devices. Only the first one hears of waiting conversations.
    pub fn start(run: &Run, member: Id, rest: Rest, name: &str, waiting: Option<mpsc::Sender<Id>>) -> Self {
        let rest = Arc::new(rest);
        let device = |number: u8, waiting| {
            let name = format!("{name}-{number}");
            let plan = Plan { member, rest: rest.clone(), name, patience: run.patience, waiting };
            Device::start(plan, run.history.clone())
        };
        Self {
            first: device(1, waiting),
            others: (2..=run.devices).map(|number| device(number, None)).collect(),
        }
    }

    /// The device that decides what the member has seen.
    pub fn first(&self) -> &Device {
        &self.first
    }

    /// Any of the devices.
    pub fn any(&self) -> &Device {
        match rand::rng().random_range(0..=self.others.len()).checked_sub(1) {
            Some(number) => &self.others[number],
            None => &self.first,
        }
    }

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The member.
    pub fn id(&self) -> Id {
        self.first.member()
    }

    /// Requests over HTTP in its name.
    pub fn rest(&self) -> &Rest {
        &self.first.shared.rest
    }

    /// Whether its devices may end without that being a failure.
    pub fn may_end(&self, may: bool) {
        self.devices().for_each(|device| device.shared.may_end.store(may, Ordering::Relaxed));
    }

    /// Waits until all devices are live.
    pub async fn live(&self, limit: std::time::Duration) -> Result<(), Failure> {
        for device in self.devices() {
            device.live(limit).await?;
        }
        Ok(())
    }
}
