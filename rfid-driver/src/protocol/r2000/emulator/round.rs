//! Inventories: which antenna listens when, what it hears, and how it ends.

use std::time::Duration;

use super::{R2000Reader, ROUND_TIME};
use crate::codec::Opaque;
use crate::emulator::{FieldTag, Heard, TransmitKind, tag_words};
use crate::protocol::r2000::codec::{
    BufferedTag, ErrorCode, FastSwitch, FreqAnt, Phase, PhasePlace, Reply, TagReport, opcode,
    with_fast_tid,
};

/// "As short as can be."
const OPTIMISED: u8 = 0xFF;
const OPTIMISED_TIME: Duration = Duration::from_millis(40);
/// How long a reader looks at an antenna that is missing.
const DETECTION_TIME: Duration = Duration::from_millis(5);
/// The count of a tag in the buffer goes no further.
const READS_MAX: u8 = 0x7F;

/// One antenna's turn.
#[derive(Debug, Clone, Copy)]
struct Turn {
    antenna: u8,
    len: Duration,
}

/// An inventory that goes on.
#[derive(Debug)]
pub(super) struct Round {
    opcode: u8,
    with_phase: bool,
    turns: Vec<Turn>,
    // Which turn it is, and until when.
    at: usize,
    ends_at: Duration,
    started_at: Duration,
    total: u32,
    // Due while another antenna had its turn.
    unheard: Vec<Heard>,
}

impl Round {
    /// When something changes, whoever is in the field.
    pub(super) fn turn_ends_at(&self) -> Duration {
        self.ends_at
    }

    fn antenna(&self) -> u8 {
        self.turns[self.at].antenna
    }

    fn has_turn_for(&self, antenna: u8) -> bool {
        self.turns.iter().any(|turn| turn.antenna == antenna)
    }
}

/// A tag in the buffer.
#[derive(Debug)]
pub(super) struct Buffered {
    tag: FieldTag,
    rssi_raw: u8,
    freq_ant: FreqAnt,
    reads: u8,
}

impl R2000Reader {
    /// Real-time inventory, with or without a session, on the work antenna.
    pub(super) fn begin_real_time(
        &mut self,
        opcode: u8,
        repeat: u8,
        with_phase: bool,
        now: Duration,
    ) {
        let antenna = self.unsaved.antenna + 1;
        if let Err(code) = self.check_antenna(antenna) {
            return self.refuse(opcode, code);
        }
        let len = self.time_of(repeat);
        self.begin(opcode, with_phase, vec![Turn { antenna, len }], repeat != OPTIMISED, now);
    }

    /// Into the buffer.
    pub(super) fn begin_buffered(&mut self, repeat: u8, now: Duration) {
        let antenna = self.unsaved.antenna + 1;
        if let Err(code) = self.check_antenna(antenna) {
            return self.refuse(opcode::INVENTORY, code);
        }
        let len = self.time_of(repeat);
        self.begin(opcode::INVENTORY, false, vec![Turn { antenna, len }], true, now);
    }

    pub(super) fn begin_fast_switch(&mut self, switch: &FastSwitch<'_>, now: Duration) {
        let interval = Duration::from_millis(switch.interval_ms.into());
        let sequence: Vec<Turn> = switch
            .slots(self.model.ports)
            .map(|slot| {
                let missing = self.check_antenna(slot.antenna).is_err();
                let listening =
                    if missing { DETECTION_TIME } else { ROUND_TIME * u32::from(slot.rounds) };
                Turn { antenna: slot.antenna, len: listening + interval }
            })
            .collect();
        if sequence.is_empty() {
            return self.refuse(opcode::FAST_SWITCH, ErrorCode::PARAMETER);
        }
        let repeat = usize::from(switch.repeat.max(1));
        let turns = sequence.repeat(repeat);
        self.begin(opcode::FAST_SWITCH, switch.wants_phase(), turns, true, now);
    }

    fn time_of(&self, repeat: u8) -> Duration {
        match repeat {
            OPTIMISED => OPTIMISED_TIME,
            repeat => ROUND_TIME.max(self.read_interval) * u32::from(repeat.max(1)),
        }
    }

    fn begin(
        &mut self,
        opcode: u8,
        with_phase: bool,
        turns: Vec<Turn>,
        hears_everyone: bool,
        now: Duration,
    ) {
        // The carrier has been off: whoever is in the field answers anew. An optimised round may
        // be too short to reach everyone.
        if hears_everyone {
            self.radio.begin(now);
        }
        let ends_at = now + turns[0].len;
        self.round = Some(Round {
            opcode,
            with_phase,
            turns,
            at: 0,
            ends_at,
            started_at: now,
            total: 0,
            unheard: Vec::new(),
        });
        self.begin_turn();
        self.go_on(now);
    }

    /// Listens, changes the antenna, and ends, as far as time has come.
    pub(super) fn go_on(&mut self, now: Duration) {
        loop {
            let Some(round) = &self.round else { return };
            let ends_at = round.ends_at;
            // Who is due when the round is over is not heard any more.
            let until = now.min(ends_at.saturating_sub(Duration::from_nanos(1)));
            for heard in self.radio.read(until) {
                self.hear(heard);
            }
            let Some(round) = self.round.as_mut().filter(|_| ends_at <= now) else { return };
            round.at += 1;
            match round.turns.get(round.at) {
                Some(turn) => {
                    round.ends_at = ends_at + turn.len;
                    self.begin_turn();
                }
                None => self.end_round(ends_at),
            }
        }
    }

    /// An antenna begins to listen: it says if it cannot, or hears who waited for it.
    fn begin_turn(&mut self) {
        let Some(round) = &mut self.round else { return };
        let (opcode, antenna) = (round.opcode, round.antenna());
        let waited: Vec<Heard> =
            round.unheard.extract_if(.., |heard| heard.tag.antenna == antenna).collect();
        if let Err(code) = self.check_antenna(antenna) {
            let failed = Reply::AntennaFailed { opcode, antenna: antenna - 1, code };
            return self.answer(&failed);
        }
        for heard in waited {
            self.hear(heard);
        }
    }

    fn hear(&mut self, heard: Heard) {
        let Some(round) = &mut self.round else { return };
        let antenna = heard.tag.antenna;
        if antenna != round.antenna() {
            if round.has_turn_for(antenna) {
                round.unheard.retain(|waiting| waiting.tag.epc != heard.tag.epc);
                round.unheard.push(heard);
            }
            return;
        }
        let tag = self.as_written(heard.tag);
        let deaf = self.check_antenna(antenna).is_err() || !self.hears(antenna);
        if deaf || self.faults.tags_lost || self.is_killed(&tag) {
            return;
        }
        let Some(round) = &mut self.round else { return };
        round.total += 1;
        let (opcode, with_phase) = (round.opcode, round.with_phase);
        let upper_ports = u8::from(antenna > 4) << 7;
        let rssi = self.model.rssi.raw(heard.rssi_dbm) | upper_ports;
        let freq_ant = FreqAnt::new(self.saved.channel(heard.channel), antenna);
        if opcode == opcode::INVENTORY {
            return self.keep(tag, rssi, freq_ant);
        }
        let (pc, _) = tag_words(&tag.epc);
        let packed = tag
            .tid
            .filter(|_| self.unsaved.packs_tid())
            .and_then(|tid| with_fast_tid(pc, tag.epc.as_bytes(), tid.as_bytes()));
        let (pc, epc) = match &packed {
            Some((pc, packed)) => (*pc, packed.as_ref()),
            None => (pc, tag.epc.as_bytes()),
        };
        let phase =
            with_phase.then_some(Phase { raw: heard.phase_deg, place: PhasePlace::AfterRssi });
        let report = TagReport { opcode, freq_ant, pc, epc: Opaque(epc), rssi, phase };
        self.push(&Reply::Tag(report), TransmitKind::Tag);
    }

    fn keep(&mut self, tag: FieldTag, rssi_raw: u8, freq_ant: FreqAnt) {
        match self.buffer.iter_mut().find(|kept| kept.tag.epc == tag.epc) {
            Some(kept) => kept.reads = (kept.reads + 1).min(READS_MAX),
            None => self.buffer.push(Buffered { tag, rssi_raw, freq_ant, reads: 1 }),
        }
    }

    fn end_round(&mut self, at: Duration) {
        let Some(round) = self.round.take() else { return };
        let took_ms = u32::try_from((at - round.started_at).as_millis()).unwrap_or(u32::MAX).max(1);
        let rate_per_s = u64::from(round.total) * 1000 / u64::from(took_ms);
        let rate_per_s = u16::try_from(rate_per_s).unwrap_or(u16::MAX);
        let total = round.total;
        let antenna = self.unsaved.antenna;
        let end = match round.opcode {
            opcode::INVENTORY => {
                let tags = u16::try_from(self.buffer.len()).unwrap_or(u16::MAX);
                Reply::BufferedEnd { antenna, tags, rate_per_s, total }
            }
            opcode::FAST_SWITCH => Reply::SwitchEnd { total, duration_ms: took_ms },
            opcode => Reply::RoundEnd { opcode, antenna, rate_per_s, total },
        };
        // A host waits for it as for an answer, so no full line may swallow it.
        if round.opcode == opcode::INVENTORY || !self.faults.end_records_lost {
            self.answer(&end);
        }
        self.take_waiting(at);
    }

    pub(super) fn answer_buffer(&mut self, opcode: u8) {
        if self.buffer.is_empty() {
            return self.refuse(opcode, ErrorCode::BUFFER_EMPTY);
        }
        let kept = std::mem::take(&mut self.buffer);
        for Buffered { tag, rssi_raw, freq_ant, reads } in &kept {
            let (pc, tag_crc) = tag_words(&tag.epc);
            self.push(
                &Reply::Buffered(BufferedTag {
                    opcode,
                    tags: u16::try_from(kept.len()).unwrap_or(u16::MAX),
                    pc,
                    epc: Opaque(tag.epc.as_bytes()),
                    tag_crc,
                    rssi: *rssi_raw,
                    freq_ant: *freq_ant,
                    reads: *reads,
                }),
                TransmitKind::Answer,
            );
        }
        if opcode == opcode::BUFFER {
            self.buffer = kept;
        }
    }
}
