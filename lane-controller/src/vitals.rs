//! What a station adds to a lane's heartbeat: links, clock, list, directives and disk.

use std::path::PathBuf;
use std::sync::Arc;

use domain::wire::v1::{Heartbeat, LaneMode, Vitals};
use domain::{Clock, LaneId};
use tokio::sync::watch;

use crate::clock_quality::ClockWatch;
use crate::directives::DirectiveBoard;
use crate::list::ListStore;
use crate::uplink::UplinkState;

/// Where a lane's vitals are read.
#[derive(Debug, Clone)]
pub struct VitalSigns {
    /// The lane.
    pub lane: LaneId,
    /// Its uplink.
    pub uplink: watch::Receiver<UplinkState>,
    /// How many of its events wait for the broker.
    pub events_waiting: watch::Receiver<u64>,
    /// The list.
    pub list: ListStore,
    /// The directives.
    pub directives: DirectiveBoard,
    /// What is known of the clock.
    pub clock_watch: ClockWatch,
    /// The run's clock.
    pub clock: Clock,
    /// Where the journal is.
    pub folder: Arc<PathBuf>,
}

impl VitalSigns {
    /// Adds them to a heartbeat.
    pub fn complete(&self, heartbeat: &mut Heartbeat) {
        let clock = self.clock_watch.state();
        let kernel_error = clock.kernel.map(|kernel| kernel.error_max.as_micros());
        let kernel_error = kernel_error.map(|us| u64::try_from(us).unwrap_or(u64::MAX));
        let directives = self.directives.view();
        let directive = directives.in_force(&self.lane, self.clock.now());
        let backlog = heartbeat.last_seq.saturating_sub(heartbeat.posted_upto);
        // How the lane works it says itself, where it knows better than the directive.
        let own = heartbeat.vitals.take().unwrap_or_default();
        let directed = directive.map_or(LaneMode::Automatic, |directive| directive.mode);
        heartbeat.vitals = Some(Vitals {
            clock: Some(clock.quality.into()),
            clock_offset_us: clock.offset.map(|offset| offset.offset_us),
            clock_error_us: clock.offset.map(|offset| offset.error_us).or(kernel_error),
            backlog: Some(backlog),
            oldest_unposted_at: self.uplink.borrow().oldest_unposted_at.filter(|_| backlog > 0),
            list_confirmed_at: (heartbeat.list_version > 0)
                .then(|| self.list.view().confirmed_at()),
            tariff_version: Some(directives.tariff_version()).filter(|version| *version > 0),
            directive_version: directive.map(|directive| directive.version),
            mode: Some(own.mode.unwrap_or(directed)),
            convoy: own.convoy,
            events_waiting: Some(*self.events_waiting.borrow()),
            disk_free_bytes: disk_free_bytes(&self.folder),
            software: Some(env!("CARGO_PKG_VERSION").to_owned()),
        });
    }
}

fn disk_free_bytes(folder: &std::path::Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
}
