//! Everything that can happen, and who deals with it.

use std::rc::Rc;

use clearing_house::intake::Delivery;

use super::broker::Said;
use super::plan::Fault;
use super::whole::Whole;

/// Something the centre said to lanes.
#[derive(Debug, Clone)]
pub(crate) enum Heard {
    Receipt(Said),
    Delta(Said),
    Snapshot(Said, Said),
    Entry(Said),
}

/// An entry of the agenda. A *life* is of a process: what was meant for one before it is dropped.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    // The road.
    Comes { lane: usize, vehicle: usize, reads: bool },
    TagRead { lane: usize, crossing: u64 },
    DrivesOff { lane: usize, crossing: u64 },
    LeavesPresence { lane: usize, crossing: u64 },
    LeavesSafety { lane: usize, crossing: u64 },
    BacksOut { lane: usize, crossing: u64 },
    FieldIsBack { lane: usize },
    // A lane.
    LaneStarts { lane: usize },
    LaneDue { lane: usize, life: u32 },
    AsksEpoch { lane: usize, life: u32 },
    Answered { lane: usize, life: u32, call: u64 },
    Sends { lane: usize, life: u32 },
    Sent { lane: usize, life: u32, seq: u64, taken: bool },
    IsTold { lane: usize, life: u32 },
    Fetches { lane: usize, life: u32 },
    Hears { lane: usize, heard: Rc<Heard> },
    FlushWorks { lane: usize },
    LineIsBack { lane: usize },
    PersonComes { lane: usize },
    PersonExports { lane: usize, times: u32 },
    // Between.
    Reaches { delivery: Box<Delivery> },
    BrokerStarts,
    // The clearing house.
    CentreStarts,
    DatabaseIsBack,
    Works { worker: usize, life: u32 },
    Awaits,
    SaysAgain,
    Publishes,
    TopsUp { vehicle: usize, number: u64 },
    // All of it.
    Strikes { fault: Fault },
    FaultsAreOver,
    Look,
}

impl Whole {
    /// Hands what happens to whom it happens to.
    pub(crate) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Comes { lane, vehicle, reads } => self.comes(lane, vehicle, reads),
            Happening::TagRead { lane, crossing } => self.tag_read(lane, crossing),
            Happening::DrivesOff { lane, crossing } => self.drives_off(lane, crossing),
            Happening::LeavesPresence { lane, crossing } => self.leaves_presence(lane, crossing),
            Happening::LeavesSafety { lane, crossing } => self.leaves_safety(lane, crossing),
            Happening::BacksOut { lane, crossing } => self.backs_out(lane, crossing),
            Happening::FieldIsBack { lane } => self.field_is_back(lane),
            Happening::LaneStarts { lane } => self.lane_starts(lane),
            Happening::LaneDue { lane, life } => self.lane_due(lane, life),
            Happening::AsksEpoch { lane, life } => self.asks_epoch(lane, life),
            Happening::Answered { lane, life, call } => self.attendant_answers(lane, life, call),
            Happening::Sends { lane, life } => self.sends(lane, life),
            Happening::Sent { lane, life, seq, taken } => self.sent(lane, life, seq, taken),
            Happening::IsTold { lane, life } => self.is_told(lane, life),
            Happening::Fetches { lane, life } => self.fetches(lane, life),
            Happening::Hears { lane, heard } => self.hears(lane, &heard),
            Happening::FlushWorks { lane } => self.lanes[lane].disk.fails = false,
            Happening::LineIsBack { lane } => self.line_is_back(lane),
            Happening::PersonComes { lane } => self.person_comes(lane),
            Happening::PersonExports { lane, times } => self.person_exports(lane, times),
            Happening::Reaches { delivery } => self.reaches(*delivery),
            Happening::BrokerStarts => self.broker_starts(),
            Happening::CentreStarts => self.centre_starts(),
            Happening::DatabaseIsBack => self.centre.database_is_up = true,
            Happening::Works { worker, life } => self.works(worker, life),
            Happening::Awaits => self.awaits(),
            Happening::SaysAgain => self.says_again(),
            Happening::Publishes => self.publishes(),
            Happening::TopsUp { vehicle, number } => self.tops_up(vehicle, number),
            Happening::Strikes { fault } => self.strikes(fault),
            Happening::FaultsAreOver => self.faults_over(),
            Happening::Look => unreachable!("the run looks itself"),
        }
    }
}
