//! Operations on the memory of tags, and which tags they reach.

use super::R2000Reader;
use super::memory::TagMemory;
use crate::codec::Opaque;
use crate::emulator::{FieldTag, tag_words};
use crate::protocol::r2000::codec::{AccessedTag, ErrorCode, FreqAnt, Memory, Reply, opcode};

impl R2000Reader {
    pub(super) fn read_tags(&mut self, memory: Memory, password: &[u8]) {
        let read = |tag: &mut TagMemory| tag.read(memory, password);
        let found = self.tags_to_operate_on();
        let (mut read_of, mut failure) = (Vec::new(), ErrorCode::NO_TAG);
        for tag in found {
            match read(self.memory_of(&tag)) {
                Ok(data) => read_of.push((tag, data)),
                Err(code) => failure = code,
            }
        }
        if read_of.is_empty() {
            return self.refuse(opcode::READ, failure);
        }
        for (tag, data) in &read_of {
            let len = u8::try_from(data.len()).unwrap_or(u8::MAX);
            self.answer_accessed(opcode::READ, tag, read_of.len(), data, len);
        }
    }

    pub(super) fn operate(
        &mut self,
        opcode: u8,
        operation: impl Fn(&mut TagMemory) -> Result<(), ErrorCode>,
    ) {
        let found = self.tags_to_operate_on();
        if found.is_empty() {
            return self.refuse(opcode, ErrorCode::NO_TAG);
        }
        for tag in &found {
            let before = self.memory_of(tag).clone();
            let result = match operation(self.memory_of(tag)) {
                Ok(()) => ErrorCode::SUCCESS,
                Err(code) => {
                    *self.memory_of(tag) = before;
                    code
                }
            };
            self.answer_accessed(opcode, tag, found.len(), &[], result.0);
        }
    }

    pub(super) fn answer_accessed(
        &mut self,
        opcode: u8,
        tag: &FieldTag,
        of: usize,
        data: &[u8],
        result: u8,
    ) {
        let epc = tag.epc;
        let (pc, tag_crc) = tag_words(&epc);
        let upper_ports = u8::from(tag.antenna > 4) << 7;
        self.answer(&Reply::Accessed(AccessedTag {
            opcode,
            tags: u16::try_from(of).unwrap_or(u16::MAX),
            pc,
            epc: Opaque(epc.as_bytes()),
            tag_crc,
            data: Opaque(data),
            result,
            freq_ant: FreqAnt::new(self.saved.channel(0), tag.antenna),
            operations: upper_ports | 1,
        }));
    }

    /// The tags that the work antenna hears and that match, with the EPCs that they have now.
    pub(super) fn tags_to_operate_on(&mut self) -> Vec<FieldTag> {
        let antenna = self.unsaved.antenna + 1;
        if self.check_antenna(antenna).is_err() || !self.hears(antenna) {
            return Vec::new();
        }
        let heard = self.radio.read_all();
        heard
            .into_iter()
            .map(|heard| self.as_written(heard.tag))
            .filter(|tag| {
                let matches = self.unsaved.epc_match.is_none_or(|epc| epc == tag.epc);
                tag.antenna == antenna && matches && !self.is_killed(tag)
            })
            .collect()
    }

    /// Whether a cable leads to the antenna.
    pub(super) fn hears(&self, antenna: u8) -> bool {
        !self.faults.antennas_lost.contains(&antenna)
    }

    /// A tag of the field with the EPC that a host wrote into it.
    pub(super) fn as_written(&self, tag: FieldTag) -> FieldTag {
        let written = self.memories.values().find(|memory| memory.made_with == tag.epc);
        FieldTag { epc: written.map_or(tag.epc, |memory| memory.epc), ..tag }
    }

    pub(super) fn is_killed(&self, tag: &FieldTag) -> bool {
        self.memories.values().any(|memory| memory.epc == tag.epc && memory.killed)
    }

    pub(super) fn memory_of(&mut self, tag: &FieldTag) -> &mut TagMemory {
        let made_with = self
            .memories
            .values()
            .find(|memory| memory.epc == tag.epc)
            .map_or(tag.epc, |memory| memory.made_with);
        self.memories.entry(made_with).or_insert_with(|| TagMemory::new(tag))
    }
}
