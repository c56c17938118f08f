//! A reader that does what a script says: enough of one to tell a session's stories to.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::llrp::codec::{
    ConnectionAttempt, Frame, Message, MessageKind, ParameterKind, Parameters, Status, StatusCode,
    TagReport, Version,
};

/// A parameter with a length.
pub(super) fn tlv(kind: ParameterKind, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 4).unwrap();
    [&kind.0.to_be_bytes(), &len.to_be_bytes(), body].concat()
}

/// Numbers of 16 bits, one after the other.
pub(super) fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A notification of one event.
pub(super) fn notification(kind: ParameterKind, body: &[u8]) -> Vec<u8> {
    let time = tlv(ParameterKind::UPTIME, &[0; 8]);
    let data = [time, tlv(kind, body)].concat();
    let parameters = tlv(ParameterKind::READER_EVENT_NOTIFICATION_DATA, &data);
    let parameters = Parameters::new_checked(&parameters).unwrap();
    let kind = MessageKind::READER_EVENT_NOTIFICATION;
    Message::Parameters { kind, parameters }.emit(Version::V1_0_1, 0).as_ref().to_vec()
}

/// The reader.
#[derive(Debug)]
pub(super) struct Reader {
    /// What it says of a connection.
    pub(super) greeting: u16,
    /// The only version it understands.
    pub(super) only: Option<Version>,
    /// What it refuses, how often, and with which words.
    pub(super) refusals: Vec<(MessageKind, usize, StatusCode)>,
    /// Its ports, and whether there is an antenna on them.
    pub(super) ports: Vec<(u16, bool)>,
    /// Whether it holds reports back.
    pub(super) holds: bool,
    /// What it says before it answers the next command of a kind.
    pub(super) before_answer: Option<(MessageKind, Vec<u8>)>,
    /// Whether nothing leaves it.
    pub(super) mute: bool,
    /// What it was told, without acknowledgements.
    pub(super) heard: Vec<(Version, MessageKind)>,
    /// The ids of the signs of life that were acknowledged.
    pub(super) acknowledged: Vec<u32>,
    /// The bytes of the last inventory that was added.
    pub(super) inventory: Vec<u8>,
    /// What keeps it alive, and what it is about to say.
    pub(super) period: Option<Duration>,
    pub(super) next_life: Option<Duration>,
    pub(super) lives: u32,
    pub(super) out: VecDeque<Vec<u8>>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            greeting: 0,
            only: None,
            refusals: Vec::new(),
            ports: vec![(1, true), (2, true)],
            holds: false,
            before_answer: None,
            mute: false,
            heard: Vec::new(),
            acknowledged: Vec::new(),
            inventory: Vec::new(),
            period: None,
            next_life: None,
            lives: 0,
            out: VecDeque::new(),
        }
    }

    /// Somebody connects.
    pub(super) fn greet(&mut self) {
        self.out.clear();
        self.next_life = None;
        let greeting = words(&[self.greeting]);
        self.say(notification(ParameterKind::CONNECTION_ATTEMPT_EVENT, &greeting));
    }

    pub(super) fn say(&mut self, bytes: Vec<u8>) {
        if !self.mute {
            self.out.push_back(bytes);
        }
    }

    pub(super) fn say_tag(&mut self, report: &TagReport<'_>) {
        self.say(report.emit(Version::V1_0_1, 0).as_ref().to_vec());
    }

    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.next_life
    }

    pub(super) fn handle_deadline(&mut self, now: Duration) {
        if self.next_life.is_some_and(|due| due <= now) {
            self.next_life = self.period.map(|period| now + period);
            self.lives += 1;
            let life = Message::Bare { kind: MessageKind::KEEPALIVE };
            self.say(life.emit(Version::V1_0_1, 1000 + self.lives).as_ref().to_vec());
        }
    }

    /// How many commands of a kind it was told.
    pub(super) fn count(&self, kind: MessageKind) -> usize {
        self.heard.iter().filter(|(_, heard)| *heard == kind).count()
    }

    pub(super) fn handle(&mut self, bytes: &[u8], now: Duration) {
        let frame = Frame::new_checked(bytes).unwrap();
        let message = Message::parse(frame).unwrap();
        let kind = message.kind();
        if kind == MessageKind::KEEPALIVE_ACK {
            return self.acknowledged.push(frame.id());
        }
        self.heard.push((frame.version(), kind));
        if let Message::SetReaderConfig { parameters, .. } = message {
            let life = parameters.find(ParameterKind::KEEPALIVE_SPEC).unwrap();
            let period = u32::from_be_bytes(life.body[1..].try_into().unwrap());
            self.period = Some(Duration::from_millis(period.into()));
            self.next_life = self.period.map(|period| now + period);
        }
        if kind == MessageKind::ADD_ROSPEC {
            self.inventory = bytes.to_vec();
        }
        if let Some((_, words)) = self.before_answer.take_if(|(asked, _)| *asked == kind) {
            self.say(words);
        }
        if let Some(answer) = self.answer(kind, frame) {
            self.say(answer);
        }
    }

    fn answer(&mut self, asked: MessageKind, frame: Frame<'_>) -> Option<Vec<u8>> {
        let version = self.only.unwrap_or(frame.version());
        let answer = |kind, code, parameters: &[u8]| {
            let parameters = Parameters::new_checked(parameters).unwrap();
            let answer = Message::Answer { kind, status: Status::of(code), parameters };
            Some(answer.emit(version, frame.id()).as_ref().to_vec())
        };
        if version != frame.version() {
            return answer(MessageKind::ERROR_MESSAGE, StatusCode::M_UNSUPPORTED_VERSION, &[]);
        }
        let kind = match asked {
            MessageKind::CLOSE_CONNECTION => MessageKind::CLOSE_CONNECTION_RESPONSE,
            MessageKind::ENABLE_EVENTS_AND_REPORTS => return None,
            asked => MessageKind(asked.0 + 10),
        };
        let refusal =
            self.refusals.iter_mut().find(|(kind, times, _)| *kind == asked && *times > 0);
        if let Some((_, times, code)) = refusal {
            *times -= 1;
            return answer(kind, *code, &[]);
        }
        let parameters = match asked {
            MessageKind::GET_READER_CAPABILITIES => self.capabilities(),
            MessageKind::GET_READER_CONFIG => self.configuration(),
            _ => Vec::new(),
        };
        answer(kind, StatusCode::SUCCESS, &parameters)
    }

    /// Three powers, and two tables of frequencies to hop through.
    fn capabilities(&self) -> Vec<u8> {
        let ports = u16::try_from(self.ports.len()).unwrap();
        let general = [
            &words(&[ports, 0x4000, 0, 25_882, 0, 700, 3])[..],
            b"9.9",
            &tlv(ParameterKind::GPIO_CAPABILITIES, &words(&[4, 4])),
        ]
        .concat();
        let power = |entry| tlv(ParameterKind::TRANSMIT_POWER_LEVEL_TABLE_ENTRY, &words(entry));
        let table = |id: u8, first: u32| {
            let head = [&[id, 0][..], &words(&[2])].concat();
            let frequencies = [first.to_be_bytes(), (first + 500).to_be_bytes()].concat();
            tlv(ParameterKind::FREQUENCY_HOP_TABLE, &[head, frequencies].concat())
        };
        let frequencies = [vec![0x80], table(1, 902_750), table(2, 920_250)].concat();
        let band = [
            power(&[1, 1000]),
            power(&[40, 2650]),
            power(&[41, 2750]),
            tlv(ParameterKind::FREQUENCY_INFORMATION, &frequencies),
        ]
        .concat();
        let regulatory =
            [words(&[840, 1]), tlv(ParameterKind::UHF_BAND_CAPABILITIES, &band)].concat();
        [
            tlv(ParameterKind::GENERAL_DEVICE_CAPABILITIES, &general),
            tlv(ParameterKind::REGULATORY_CAPABILITIES, &regulatory),
        ]
        .concat()
    }

    fn configuration(&self) -> Vec<u8> {
        let mut configuration = Vec::new();
        for (port, connected) in &self.ports {
            let connected = if *connected { 0x80 } else { 0 };
            let properties = [&[connected][..], &words(&[*port, 0])].concat();
            configuration.extend(tlv(ParameterKind::ANTENNA_PROPERTIES, &properties));
            let radio = tlv(ParameterKind::RF_TRANSMITTER, &words(&[2, 7, 1]));
            let antenna = [words(&[*port]), radio].concat();
            configuration.extend(tlv(ParameterKind::ANTENNA_CONFIGURATION, &antenna));
        }
        let hold = if self.holds { 0x80 } else { 0 };
        configuration.extend(tlv(ParameterKind::EVENTS_AND_REPORTS, &[hold]));
        configuration
    }
}

/// Every way in which a reader can greet, but success.
pub(super) const TURNED_AWAY: [ConnectionAttempt; 3] = [
    ConnectionAttempt::ReaderInitiatedExists,
    ConnectionAttempt::ClientInitiatedExists,
    ConnectionAttempt::Failed,
];
