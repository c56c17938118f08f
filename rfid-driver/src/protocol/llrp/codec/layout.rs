//! The fields of every parameter of the standard, as data.
//!
//! The table serves whoever takes a message apart for a person, and tells how long a parameter
//! without a length field is.
//!
//! Source: LLRP 1.0.1 and 1.1, "LLRP Parameters"; 19, 20, 355 to 363 and 365 are not in 1.0.1.

use super::MeaningError;
use super::parameter::{ParameterKind, Parameters};
use crate::codec::{Fields, FieldsError};

/// How a field lies in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Shape {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    /// A number that is better shown in hex; in most of them each bit means something else.
    C8,
    C16,
    C32,
    /// A status code.
    Status,
    /// 96 bits.
    B96,
    /// A count of bytes (u16) and that many bytes of UTF-8.
    Text,
    /// A count of bits (u16) and as many bytes as hold them.
    Bits,
    /// A count (u16) and that many bytes, words of two bytes shown as such, or numbers.
    Bytes,
    Words,
    U16s,
    U32s,
    /// Everything that is left.
    Rest,
    /// Everything that is left, as parameters.
    Nested,
}

impl Shape {
    /// How many bytes it has; `None` where that is up to the sender.
    #[must_use]
    pub fn fixed_len(self) -> Option<u8> {
        match self {
            Self::U8 | Self::I8 | Self::C8 => Some(1),
            Self::U16 | Self::I16 | Self::C16 | Self::Status => Some(2),
            Self::U32 | Self::C32 => Some(4),
            Self::U64 => Some(8),
            Self::B96 => Some(12),
            Self::Text | Self::Bits | Self::Bytes | Self::Words | Self::U16s | Self::U32s => None,
            Self::Rest | Self::Nested => None,
        }
    }

    /// Takes a field of this shape off the front, its count included.
    pub(crate) fn take<'a>(
        self,
        fields: &mut Fields<'a>,
        name: &'static str,
    ) -> Result<&'a [u8], FieldsError> {
        if let Some(len) = self.fixed_len() {
            return fields.bytes(usize::from(len), name);
        }
        let item_bits = match self {
            Self::Bits => 1,
            Self::Words | Self::U16s => 16,
            Self::U32s => 32,
            Self::Rest | Self::Nested => return fields.bytes(fields.0.len(), name),
            _ => 8,
        };
        let count = { *fields }.u16(name)?;
        fields.bytes(2 + (usize::from(count) * item_bits).div_ceil(8), name)
    }
}

/// What a parameter is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Its name in lower case.
    pub name: &'static str,
    /// Its fields, from left to right.
    pub fields: &'static [(&'static str, Shape)],
}

impl Layout {
    /// How many bytes its fields have together; `None` where that is up to the sender.
    #[must_use]
    pub fn fixed_len(&self) -> Option<u8> {
        self.fields.iter().map(|(_, shape)| shape.fixed_len()).sum()
    }
}

/// How deep parameters may lie in parameters. The standard needs seven: the bits of a filter in a
/// command in an antenna's configuration in an inventory in a list in a specification; an error
/// may be told of each level.
const DEPTH_MAX: usize = 12;

/// Checks the lengths of all parameters, on all levels, and that their fields are there. Parameters
/// that are not in the standard are skipped, and so is what a later version may have put behind the
/// fields of one that is.
///
/// # Errors
/// Says which does not fit.
pub fn check(parameters: Parameters<'_>) -> Result<(), MeaningError> {
    check_to(parameters, DEPTH_MAX)
}

fn check_to(parameters: Parameters<'_>, depth: usize) -> Result<(), MeaningError> {
    if depth == 0 {
        return Err(MeaningError::TooDeep { depth_max: DEPTH_MAX });
    }
    for parameter in parameters.iter() {
        let Some(layout) = of(parameter.kind) else { continue };
        let mut fields = Fields(parameter.body);
        for (name, shape) in layout.fields {
            let taken = shape.take(&mut fields, name)?;
            if *shape == Shape::Nested {
                check_to(Parameters::new_checked(taken)?, depth - 1)?;
            }
        }
    }
    Ok(())
}

/// Declares the standard's parameters once, as constants and as layouts.
macro_rules! parameters {
    ($($number:literal $constant:ident $name:literal [$($field:ident: $shape:ident),*];)*) => {
        impl ParameterKind {
            $(#[doc = concat!("Parameter ", stringify!($number), ": ", $name, ".")]
            pub const $constant: Self = Self($number);)*
        }

        /// What a parameter is made of; `None` where it is not in the standard.
        #[must_use]
        pub fn of(kind: ParameterKind) -> Option<&'static Layout> {
            match kind.0 {
                $($number => Some(&Layout {
                    name: $name,
                    fields: &[$((stringify!($field), Shape::$shape)),*],
                }),)*
                _ => None,
            }
        }
    };
}

parameters! {
    1 ANTENNA_ID "antenna id" [antenna: U16];
    2 FIRST_SEEN_UTC "first seen timestamp utc" [first_seen_utc_us: U64];
    3 FIRST_SEEN_UPTIME "first seen timestamp uptime" [first_seen_uptime_us: U64];
    4 LAST_SEEN_UTC "last seen timestamp utc" [last_seen_utc_us: U64];
    5 LAST_SEEN_UPTIME "last seen timestamp uptime" [last_seen_uptime_us: U64];
    6 PEAK_RSSI "peak rssi" [peak_rssi_dbm: I8];
    7 CHANNEL_INDEX "channel index" [channel_index: U16];
    8 TAG_SEEN_COUNT "tag seen count" [tag_seen_count: U16];
    9 RO_SPEC_ID "rospec id" [rospec_id: U32];
    10 INVENTORY_PARAMETER_SPEC_ID "inventory parameter spec id" [inventory_parameter_spec_id: U16];
    11 C1G2_CRC "c1g2 crc" [crc: C16];
    12 C1G2_PC "c1g2 pc" [pc: C16];
    13 EPC_96 "epc-96" [epc: B96];
    14 SPEC_INDEX "spec index" [spec_index: U16];
    15 CLIENT_REQUEST_OP_SPEC_RESULT "client request op spec result" [result: U16];
    16 ACCESS_SPEC_ID "accessspec id" [accessspec_id: U32];
    17 OP_SPEC_ID "op spec id" [op_spec_id: U16];
    18 C1G2_SINGULATION_DETAILS "c1g2 singulation details" [collision_slots: U16, empty_slots: U16];
    19 C1G2_XPC_W1 "c1g2 xpc w1" [xpc_w1: C16];
    20 C1G2_XPC_W2 "c1g2 xpc w2" [xpc_w2: C16];
    128 UTC_TIMESTAMP "utc timestamp" [utc_us: U64];
    129 UPTIME "uptime" [uptime_us: U64];
    137 GENERAL_DEVICE_CAPABILITIES "general device capabilities" [
        antennas_max: U16, flags: C16, manufacturer: U32, model: U32, firmware: Text,
        parameters: Nested
    ];
    139 RECEIVE_SENSITIVITY_TABLE_ENTRY "receive sensitivity table entry" [
        index: U16, sensitivity_db: I16
    ];
    140 PER_ANTENNA_AIR_PROTOCOL "per antenna air protocol" [antenna: U16, protocols: Bytes];
    141 GPIO_CAPABILITIES "gpio capabilities" [inputs: U16, outputs: U16];
    142 LLRP_CAPABILITIES "llrp capabilities" [
        flags: C8, priorities_max: U8, client_request_timeout_ms: U16, rospecs_max: U32,
        specs_per_rospec_max: U32, inventory_specs_per_aispec_max: U32, accessspecs_max: U32,
        op_specs_per_accessspec_max: U32
    ];
    143 REGULATORY_CAPABILITIES "regulatory capabilities" [
        country: U16, standard: U16, parameters: Nested
    ];
    144 UHF_BAND_CAPABILITIES "uhf band capabilities" [parameters: Nested];
    145 TRANSMIT_POWER_LEVEL_TABLE_ENTRY "transmit power level table entry" [
        index: U16, power_cdbm: I16
    ];
    146 FREQUENCY_INFORMATION "frequency information" [hopping: C8, parameters: Nested];
    147 FREQUENCY_HOP_TABLE "frequency hop table" [
        hop_table_id: U8, reserved: C8, frequencies_khz: U32s
    ];
    148 FIXED_FREQUENCY_TABLE "fixed frequency table" [frequencies_khz: U32s];
    149 PER_ANTENNA_RECEIVE_SENSITIVITY_RANGE "per antenna receive sensitivity range" [
        antenna: U16, index_min: U16, index_max: U16
    ];
    177 RO_SPEC "rospec" [rospec_id: U32, priority: U8, current_state: U8, parameters: Nested];
    178 RO_BOUNDARY_SPEC "ro boundary spec" [parameters: Nested];
    179 RO_SPEC_START_TRIGGER "rospec start trigger" [trigger: U8, parameters: Nested];
    180 PERIODIC_TRIGGER_VALUE "periodic trigger value" [
        offset_ms: U32, period_ms: U32, parameters: Nested
    ];
    181 GPI_TRIGGER_VALUE "gpi trigger value" [pin: U16, event: C8, timeout_ms: U32];
    182 RO_SPEC_STOP_TRIGGER "rospec stop trigger" [
        trigger: U8, duration_ms: U32, parameters: Nested
    ];
    183 AI_SPEC "aispec" [antennas: U16s, parameters: Nested];
    184 AI_SPEC_STOP_TRIGGER "aispec stop trigger" [
        trigger: U8, duration_ms: U32, parameters: Nested
    ];
    185 TAG_OBSERVATION_TRIGGER "tag observation trigger" [
        trigger: U8, reserved: C8, tags: U16, attempts: U16, quiet_ms: U16, timeout_ms: U32
    ];
    186 INVENTORY_PARAMETER_SPEC "inventory parameter spec" [
        inventory_parameter_spec_id: U16, protocol: U8, parameters: Nested
    ];
    187 RF_SURVEY_SPEC "rf survey spec" [
        antenna: U16, start_khz: U32, end_khz: U32, parameters: Nested
    ];
    188 RF_SURVEY_SPEC_STOP_TRIGGER "rf survey spec stop trigger" [
        trigger: U8, duration_ms: U32, iterations: U32
    ];
    207 ACCESS_SPEC "accessspec" [
        accessspec_id: U32, antenna: U16, protocol: U8, current_state: C8, rospec_id: U32,
        parameters: Nested
    ];
    208 ACCESS_SPEC_STOP_TRIGGER "accessspec stop trigger" [trigger: U8, operation_count: U16];
    209 ACCESS_COMMAND "access command" [parameters: Nested];
    210 CLIENT_REQUEST_OP_SPEC "client request op spec" [op_spec_id: U16];
    211 CLIENT_REQUEST_RESPONSE "client request response" [accessspec_id: U32, parameters: Nested];
    217 LLRP_CONFIGURATION_STATE_VALUE "llrp configuration state value" [configuration_state: C32];
    218 IDENTIFICATION "identification" [id_type: U8, reader_id: Bytes];
    219 GPO_WRITE_DATA "gpo write data" [pin: U16, level: C8];
    220 KEEPALIVE_SPEC "keepalive spec" [trigger: U8, period_ms: U32];
    221 ANTENNA_PROPERTIES "antenna properties" [connected: C8, antenna: U16, gain_cdbi: I16];
    222 ANTENNA_CONFIGURATION "antenna configuration" [antenna: U16, parameters: Nested];
    223 RF_RECEIVER "rf receiver" [sensitivity_index: U16];
    224 RF_TRANSMITTER "rf transmitter" [hop_table_id: U16, channel_index: U16, power_index: U16];
    225 GPI_PORT_CURRENT_STATE "gpi port current state" [pin: U16, enabled: C8, state: U8];
    226 EVENTS_AND_REPORTS "events and reports" [hold: C8];
    237 RO_REPORT_SPEC "ro report spec" [trigger: U8, tags: U16, parameters: Nested];
    238 TAG_REPORT_CONTENT_SELECTOR "tag report content selector" [
        content: C16, parameters: Nested
    ];
    239 ACCESS_REPORT_SPEC "access report spec" [trigger: U8];
    240 TAG_REPORT_DATA "tag report data" [parameters: Nested];
    241 EPC_DATA "epc data" [epc: Bits];
    242 RF_SURVEY_REPORT_DATA "rf survey report data" [parameters: Nested];
    243 FREQUENCY_RSSI_LEVEL_ENTRY "frequency rssi level entry" [
        frequency_khz: U32, bandwidth_khz: U32, average_rssi_dbm: I8, peak_rssi_dbm: I8,
        parameters: Nested
    ];
    244 READER_EVENT_NOTIFICATION_SPEC "reader event notification spec" [parameters: Nested];
    245 EVENT_NOTIFICATION_STATE "event notification state" [event_type: U16, enabled: C8];
    246 READER_EVENT_NOTIFICATION_DATA "reader event notification data" [parameters: Nested];
    247 HOPPING_EVENT "hopping event" [hop_table_id: U16, next_channel_index: U16];
    248 GPI_EVENT "gpi event" [pin: U16, level: C8];
    249 RO_SPEC_EVENT "rospec event" [event_type: U8, rospec_id: U32, preempting_rospec_id: U32];
    250 REPORT_BUFFER_LEVEL_WARNING_EVENT "report buffer level warning event" [full_percent: U8];
    251 REPORT_BUFFER_OVERFLOW_ERROR_EVENT "report buffer overflow error event" [];
    252 READER_EXCEPTION_EVENT "reader exception event" [message: Text, parameters: Nested];
    253 RF_SURVEY_EVENT "rf survey event" [event_type: U8, rospec_id: U32, spec_index: U16];
    254 AI_SPEC_EVENT "aispec event" [
        event_type: U8, rospec_id: U32, spec_index: U16, parameters: Nested
    ];
    255 ANTENNA_EVENT "antenna event" [event_type: U8, antenna: U16];
    256 CONNECTION_ATTEMPT_EVENT "connection attempt event" [connection_status: U16];
    257 CONNECTION_CLOSE_EVENT "connection close event" [];
    287 LLRP_STATUS "llrp status" [status: Status, error_description: Text, parameters: Nested];
    288 FIELD_ERROR "field error" [field_number: U16, error: Status];
    289 PARAMETER_ERROR "parameter error" [parameter_type: U16, error: Status, parameters: Nested];
    327 C1G2_LLRP_CAPABILITIES "c1g2 llrp capabilities" [flags: C8, filters_per_query_max: U16];
    328 C1G2_UHF_RF_MODE_TABLE "c1g2 uhf rf mode table" [parameters: Nested];
    329 C1G2_UHF_RF_MODE_TABLE_ENTRY "c1g2 uhf rf mode table entry" [
        mode: U32, flags: C8, modulation: U8, forward_link_modulation: U8, spectral_mask: U8,
        backscatter_data_rate_bps: U32, pie_ratio_permille: U32, tari_min_ns: U32, tari_max_ns: U32,
        tari_step_ns: U32
    ];
    330 C1G2_INVENTORY_COMMAND "c1g2 inventory command" [state_aware: C8, parameters: Nested];
    331 C1G2_FILTER "c1g2 filter" [truncate: C8, parameters: Nested];
    332 C1G2_TAG_INVENTORY_MASK "c1g2 tag inventory mask" [
        memory_bank: C8, pointer_bits: U16, mask: Bits
    ];
    333 C1G2_TAG_INVENTORY_STATE_AWARE_FILTER_ACTION "c1g2 tag inventory state-aware filter action" [
        target: U8, action: U8
    ];
    334 C1G2_TAG_INVENTORY_STATE_UNAWARE_FILTER_ACTION "c1g2 tag inventory state-unaware filter action" [
        action: U8
    ];
    335 C1G2_RF_CONTROL "c1g2 rf control" [mode_index: U16, tari_ns: U16];
    336 C1G2_SINGULATION_CONTROL "c1g2 singulation control" [
        session: C8, tag_population: U16, tag_transit_ms: U32, parameters: Nested
    ];
    337 C1G2_TAG_INVENTORY_STATE_AWARE_SINGULATION_ACTION "c1g2 tag inventory state-aware singulation action" [
        flags: C8
    ];
    338 C1G2_TAG_SPEC "c1g2 tag spec" [parameters: Nested];
    339 C1G2_TARGET_TAG "c1g2 target tag" [
        memory_bank: C8, pointer_bits: U16, mask: Bits, data: Bits
    ];
    341 C1G2_READ "c1g2 read" [
        op_spec_id: U16, access_password: C32, memory_bank: C8, word_pointer: U16, word_count: U16
    ];
    342 C1G2_WRITE "c1g2 write" [
        op_spec_id: U16, access_password: C32, memory_bank: C8, word_pointer: U16, data: Words
    ];
    343 C1G2_KILL "c1g2 kill" [op_spec_id: U16, kill_password: C32];
    344 C1G2_LOCK "c1g2 lock" [op_spec_id: U16, access_password: C32, parameters: Nested];
    345 C1G2_LOCK_PAYLOAD "c1g2 lock payload" [privilege: U8, data_field: U8];
    346 C1G2_BLOCK_ERASE "c1g2 block erase" [
        op_spec_id: U16, access_password: C32, memory_bank: C8, word_pointer: U16, word_count: U16
    ];
    347 C1G2_BLOCK_WRITE "c1g2 block write" [
        op_spec_id: U16, access_password: C32, memory_bank: C8, word_pointer: U16, data: Words
    ];
    348 C1G2_EPC_MEMORY_SELECTOR "c1g2 epc memory selector" [content: C8];
    349 C1G2_READ_OP_SPEC_RESULT "c1g2 read op spec result" [
        result: U8, op_spec_id: U16, data: Words
    ];
    350 C1G2_WRITE_OP_SPEC_RESULT "c1g2 write op spec result" [
        result: U8, op_spec_id: U16, words_written: U16
    ];
    351 C1G2_KILL_OP_SPEC_RESULT "c1g2 kill op spec result" [result: U8, op_spec_id: U16];
    352 C1G2_LOCK_OP_SPEC_RESULT "c1g2 lock op spec result" [result: U8, op_spec_id: U16];
    353 C1G2_BLOCK_ERASE_OP_SPEC_RESULT "c1g2 block erase op spec result" [
        result: U8, op_spec_id: U16
    ];
    354 C1G2_BLOCK_WRITE_OP_SPEC_RESULT "c1g2 block write op spec result" [
        result: U8, op_spec_id: U16, words_written: U16
    ];
    355 LOOP_SPEC "loop spec" [loop_count: U32];
    356 SPEC_LOOP_EVENT "spec loop event" [rospec_id: U32, loop_count: U32];
    357 C1G2_RECOMMISSION "c1g2 recommission" [op_spec_id: U16, kill_password: C32, flags: C8];
    358 C1G2_BLOCK_PERMALOCK "c1g2 block permalock" [
        op_spec_id: U16, access_password: C32, memory_bank: C8, block_pointer: U16, mask: Words
    ];
    359 C1G2_GET_BLOCK_PERMALOCK_STATUS "c1g2 get block permalock status" [
        op_spec_id: U16, access_password: C32, memory_bank: C8, block_pointer: U16, block_range: U16
    ];
    360 C1G2_RECOMMISSION_OP_SPEC_RESULT "c1g2 recommission op spec result" [
        result: U8, op_spec_id: U16
    ];
    361 C1G2_BLOCK_PERMALOCK_OP_SPEC_RESULT "c1g2 block permalock op spec result" [
        result: U8, op_spec_id: U16
    ];
    362 C1G2_GET_BLOCK_PERMALOCK_STATUS_OP_SPEC_RESULT "c1g2 get block permalock status op spec result" [
        result: U8, op_spec_id: U16, status_words: Words
    ];
    363 MAXIMUM_RECEIVE_SENSITIVITY "maximum receive sensitivity" [sensitivity_dbm: I16];
    365 RF_SURVEY_FREQUENCY_CAPABILITIES "rf survey frequency capabilities" [
        frequency_min_khz: U32, frequency_max_khz: U32
    ];
    1023 CUSTOM "custom" [vendor: U32, subtype: U32, data: Rest];
}
