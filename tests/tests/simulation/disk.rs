//! The model of a lane's disk: what the process has written, and what a crash leaves of it.
//!
//! A journal is written by transactions that a store keeps whole (that the real one does is shown
//! by its own kill tests); here they may be lost, come back although they had failed, rot, or be
//! those of an older copy.

use std::collections::BTreeMap;
use std::rc::Rc;

use domain::LaneId;
use domain::account_list::AccountList;
use domain::signature::Digest256;
use domain::wire::v1::{PassageRecord, parse};
use lane_controller::lane::SavedLane;

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub seq: u64,
    pub payload: Vec<u8>,
    pub signature: String,
    pub digest: Digest256,
}

/// A journal as a file.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Its own identity.
    pub journal: Digest256,
    pub epoch: Option<u32>,
    pub rows: BTreeMap<u64, Rc<Row>>,
    pub last: u64,
    pub posted_upto: u64,
    pub saved: Option<SavedLane>,
}

impl Image {
    /// A journal with nothing in it.
    pub(crate) fn blank(journal: Digest256) -> Self {
        Self { journal, epoch: None, rows: BTreeMap::new(), last: 0, posted_upto: 0, saved: None }
    }

    /// Reads every record again, as `lane_controller::journal` does when it opens a file: the last
    /// sequence and digest, or the first sequence that is not what was written.
    pub(crate) fn check(&self, lane: &LaneId) -> Result<(u64, Digest256), u64> {
        let (mut last, mut head) = (None::<u64>, Digest256::default());
        for row in self.rows.values() {
            let next = last.map_or(self.posted_upto + 1, |last| last + 1);
            let is_next = last.map_or(row.seq <= next, |_| row.seq == next);
            if !is_next || Digest256::of(&row.payload) != row.digest {
                return Err(row.seq);
            }
            let record: PassageRecord =
                parse("passage", &row.payload).map_err(|_unreadable| row.seq)?;
            let follows = last.is_some() || row.seq == 1;
            let of_lane = record.id.lane == *lane && record.id.seq.get() == row.seq;
            if !of_lane || (follows && record.previous != head) {
                return Err(row.seq);
            }
            (last, head) = (Some(row.seq), row.digest);
        }
        let last = last.unwrap_or(0);
        if last == self.last { Ok((last, head)) } else { Err(last + 1) }
    }
}

/// The disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    /// As the process sees it.
    pub image: Image,
    /// As it is after a crash.
    pub durable: Image,
    /// How far the journal is known to have got, in a small file beside it.
    pub mark: (Digest256, u64),
    /// The list as the process has written it.
    pub list: AccountList,
    /// Whether flushing fails.
    pub fails: bool,
}

impl Disk {
    /// A disk with a blank journal of an epoch.
    pub(crate) fn new(journal: Digest256, epoch: Option<u32>) -> Self {
        let image = Image { epoch, ..Image::blank(journal) };
        Self {
            durable: image.clone(),
            image,
            mark: (journal, 0),
            list: AccountList::default(),
            fails: false,
        }
    }

    /// Makes what was written durable.
    pub(crate) fn flush(&mut self) {
        self.durable = self.image.clone();
        self.mark = (self.image.journal, self.image.last);
    }

    /// Forgets what was not flushed.
    pub(crate) fn crash(&mut self) {
        self.image = self.durable.clone();
    }

    /// Begins a blank journal in the place of the one there is, which is handed out.
    pub(crate) fn begin_anew(&mut self, journal: Digest256) -> Image {
        let before = std::mem::replace(&mut self.image, Image::blank(journal));
        self.mark = (journal, 0);
        self.flush();
        before
    }
}
