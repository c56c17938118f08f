//! What people call the things the wire and the books have names for.

use domain::wire::v1::{
    DecisionRecord, Disposition, ExceptionRecord, LaneMode, ReaderHealth, ReasonRecord, RoleRecord,
};

use super::Language;

/// Takes the text of the language: Vietnamese first.
fn pick(language: Language, (vietnamese, english): (&'static str, &'static str)) -> &'static str {
    match language {
        Language::Vietnamese => vietnamese,
        Language::English => english,
    }
}

impl Language {
    /// A reader's health.
    pub(crate) fn reader_health(self, health: ReaderHealth) -> &'static str {
        pick(
            self,
            match health {
                ReaderHealth::Away => ("Không kết nối", "Away"),
                ReaderHealth::Starting => ("Đang khởi động", "Starting"),
                ReaderHealth::Reading => ("Đang đọc", "Reading"),
                ReaderHealth::Degraded => ("Suy giảm", "Degraded"),
            },
        )
    }

    /// What a lane is for.
    pub(crate) fn role(self, role: RoleRecord) -> &'static str {
        pick(
            self,
            match role {
                RoleRecord::Open => ("Trạm hở", "Open"),
                RoleRecord::Entry => ("Lối vào", "Entry"),
                RoleRecord::Exit => ("Lối ra", "Exit"),
            },
        )
    }

    /// How a lane works.
    pub(crate) fn lane_mode(self, mode: LaneMode) -> &'static str {
        match mode {
            LaneMode::Automatic => self.mode_automatic(),
            LaneMode::Attended => self.mode_attended(),
            LaneMode::EtcOnly => self.mode_etc_only(),
            LaneMode::Closed => self.mode_closed(),
            LaneMode::Maintenance => self.mode_maintenance(),
        }
    }

    /// Why a vehicle did not simply pass.
    pub(crate) fn exception_kind(self, exception: ExceptionRecord) -> &'static str {
        pick(
            self,
            match exception {
                ExceptionRecord::NoTag => ("Không đọc được thẻ", "No tag was read"),
                ExceptionRecord::UnknownTag => ("Thẻ không có trong danh sách", "Unknown tag"),
                ExceptionRecord::NoMoney => ("Tài khoản không đủ tiền", "Not enough money"),
                ExceptionRecord::Blocked => ("Tài khoản bị khóa", "Account blocked"),
                ExceptionRecord::Closed => ("Tài khoản đã đóng", "Account closed"),
                ExceptionRecord::NotConverted => {
                    ("Chưa chuyển đổi tài khoản giao thông", "Account not converted")
                }
                ExceptionRecord::NoFare => ("Không có mức phí", "No fare is known"),
                ExceptionRecord::LeftUndecided => ("Rời đi khi chưa xử lý", "Left undecided"),
                ExceptionRecord::LaneClosed => ("Làn đang đóng", "The lane is closed"),
            },
        )
    }

    /// What the lane did.
    pub(crate) fn lane_decision(self, decision: DecisionRecord) -> &'static str {
        pick(
            self,
            match decision {
                DecisionRecord::OpenedByTag => ("Mở theo thẻ", "Opened by tag"),
                DecisionRecord::ChargedByPlate => ("Thu theo biển số", "Charged by plate"),
                DecisionRecord::OpenedByAttendant => ("Nhân viên mở", "Opened by attendant"),
                DecisionRecord::TurnedAway => ("Cho quay đầu", "Turned away"),
                DecisionRecord::LeftUndecided => ("Rời đi", "Left undecided"),
            },
        )
    }

    /// What became of a passage.
    pub(crate) fn outcome(self, disposition: Disposition) -> &'static str {
        pick(
            self,
            match disposition {
                Disposition::Posted => ("Đã ghi sổ", "Posted"),
                Disposition::Duplicate => ("Trùng lặp", "Duplicate"),
                Disposition::Invalid => ("Không hợp lệ", "Invalid"),
                Disposition::NotPosted => ("Không thu", "Not posted"),
                Disposition::TooOld => ("Quá hạn", "Too old"),
                Disposition::FormatError => ("Sai định dạng", "Format error"),
                Disposition::NotOnFile => ("Không có hồ sơ", "Not on file"),
                Disposition::SystemError => ("Lỗi hệ thống", "System error"),
                Disposition::Conflict => ("Xung đột", "Conflict"),
                Disposition::Pending => ("Chưa xử lý", "Pending"),
            },
        )
    }

    /// A reason of the closed catalogue.
    pub(crate) fn reason(self, reason: &ReasonRecord) -> &'static str {
        pick(
            self,
            match reason {
                ReasonRecord::CashPaid => ("đã trả tiền mặt", "cash was paid"),
                ReasonRecord::CashAtExit => ("trả tiền mặt ở lối ra", "cash at the exit"),
                ReasonRecord::PlateRead => ("biển số thay cho thẻ", "the plate stands for the tag"),
                ReasonRecord::GroupCorrected => ("nhóm xe được sửa", "the group was corrected"),
                ReasonRecord::PriorityVehicle => ("xe ưu tiên", "priority vehicle on duty"),
                ReasonRecord::Convoy => ("xe trong đoàn", "one of a convoy"),
                ReasonRecord::EquipmentFault => {
                    ("thiết bị làn hỏng", "equipment of the lane failed")
                }
                ReasonRecord::NoMeansOfPayment => {
                    ("không có cách thanh toán", "no means of payment")
                }
                ReasonRecord::DriversWish => ("lái xe muốn quay lại", "the driver turned back"),
                ReasonRecord::Other { .. } => ("lý do khác", "another reason"),
            },
        )
    }

    /// What an order asked for, by its name in the audit log.
    pub(crate) fn verb(self, name: &str) -> &str {
        match name {
            "open" => self.verb_open(),
            "charge-by-plate" => self.verb_charge(),
            "turn-away" => self.verb_turn_away(),
            "change-group" => self.verb_change_group(),
            "retry-read" => self.verb_retry_read(),
            "begin-convoy" => self.verb_begin_convoy(),
            "end-convoy" => self.verb_end_convoy(),
            "set-mode" => self.verb_set_mode(),
            other => other,
        }
    }

    /// Why something personal is shown, by its name in the audit log.
    pub(crate) fn unmask_reason(self, name: &str) -> &'static str {
        match name {
            "dispute" => self.because_dispute(),
            "mismatch" => self.because_mismatch(),
            "review" => self.because_review(),
            "authority-request" => self.because_authority(),
            _ => "",
        }
    }

    /// Who paid, by its name in the books.
    pub(crate) fn payer(self, name: &str) -> &str {
        match name {
            "account" => pick(self, ("Tài khoản", "Account")),
            "cash" => pick(self, ("Tiền mặt", "Cash")),
            "nobody" => pick(self, ("Không thu", "Nobody")),
            other => other,
        }
    }
}
