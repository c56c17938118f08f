//! The texts of image review.

use super::Language;
use crate::finance::named;
use domain::wire::v1::{DecisionRecord, ExceptionRecord};

texts! {
    nav_review: "Hậu kiểm", "Review";
    role_reviewer: "Nhân viên hậu kiểm", "Image reviewer";
    act_review: "Trả lời hậu kiểm", "Image review answered";
    act_leave_review: "Trả lại lượt hậu kiểm", "Image review left to others";

    review_title: "Hậu kiểm hình ảnh", "Image review";
    review_text: "Những lượt xe cần người xem lại: mỗi lần một lượt, ảnh lớn, trả lời bằng phím. Biển số chỉ hiện với người đang giữ lượt đó và được ghi vào nhật ký.", "Passages that a person has to look at again: one at a time, the picture large, the answer by keys. A plate is shown to the one who has it alone, and that is in the audit log.";
    review_begin: "Bắt đầu, hoặc tiếp tục", "Begin, or go on";
    review_waiting: "Đang chờ xem", "Waiting";
    review_claimed: "Đang có người xem", "In somebody's hands";
    review_oldest: "Chờ lâu nhất từ", "Oldest since";
    review_causes: "Vì sao cần xem lại", "Why they are looked at";
    review_outcomes: "Kết quả trong 30 ngày", "Outcomes of 30 days";
    review_people: "Người xem trong 30 ngày", "Reviewers in 30 days";
    review_looks: "Số lượt đã xem", "Looks";
    review_seconds: "Thời gian một lượt", "Time of one";
    review_judged: "Được xem lại độc lập", "Looked at by others too";
    review_agreed: "Tỷ lệ thống nhất", "Agreement";
    review_no_work: "Chưa có ai xem lượt nào.", "Nobody has looked at anything yet.";
    review_nothing: "Không có lượt nào chờ.", "Nothing waits.";
    review_nothing_waits: "Không còn lượt nào chờ bạn xem.", "Nothing waits for you to look at.";
    review_lease_over: "Bạn không giữ lượt này, hoặc đã hết thời gian giữ. Hãy bắt đầu lượt khác.", "You do not have this item, or the time for it is over. Begin another one.";
    review_wrong_answer: "Hãy nhập biển số và nhóm xe, hoặc chọn một lý do; lý do khác cần vài chữ.", "Enter plate and group, or choose a reason; another reason takes a few words.";
    review_until: "Bạn giữ lượt này đến", "It is yours until";
    review_pictures: "Hình ảnh", "Pictures";
    review_picture: "Ảnh của lượt xe", "Picture of the passage";
    review_absent: "Trung tâm không có hình ảnh của lượt xe này.", "The centre has no picture of this passage.";
    review_recorded: "Sổ sách đang có", "What the books have";
    review_your_answer: "Bạn thấy gì", "What you see";
    review_read: "Biển số và nhóm như trên", "This is what I see";
    review_unreadable: "Không đọc được", "Cannot be read";
    review_unreadable_because: "Không đọc được vì", "Cannot be read because";
    review_rejected: "Bác bỏ lượt thu", "Reject";
    review_rejected_because: "Bác bỏ vì", "Reject because";
    review_note: "Ghi chú khi chọn lý do khác (không ghi biển số)", "A few words for another reason (no plates)";
    review_leave: "Để người khác xem", "Leave it to somebody else";
    review_seen: "Người xem lại đã thấy gì", "What reviewers saw";
    review_saw: "Trả lời", "Answer";
    review_erased: "Biển số đã xóa theo thời hạn lưu giữ", "The plate is erased: it was kept long enough";
    review_keys_text: "P: biển số · 1 đến 5: nhóm · A: đúng như vậy · U: không đọc được · R: bác bỏ · S: để người khác · Enter: thực hiện, rồi đến lượt tiếp theo", "P: plate · 1 to 5: group · A: this is what I see · U: cannot be read · R: reject · S: leave it · Enter: do it, and the next one comes";

    cause_charged_by_plate: "Thu theo biển số nhân viên nhập", "Charged by a plate that was typed";
    cause_group_corrected: "Nhóm xe do nhân viên sửa", "The group was corrected by hand";
    cause_opened_by_hand: "Nhân viên mở, không thu", "Opened by hand";
    cause_unpaid: "Đã qua, chưa có ai trả", "Went through, and nobody paid";

    outcome_confirmed: "Đúng như sổ sách", "As the books have it";
    outcome_differs: "Khác sổ sách", "Other than the books";
    outcome_unreadable: "Ảnh không đọc được", "Could not be read";
    outcome_rejected: "Lượt thu bị bác bỏ", "Charge rejected";
    outcome_split: "Ba người thấy ba điều khác nhau", "Three people saw three things";

    unreadable_no_picture: "không có ảnh", "there is no picture";
    unreadable_blurred: "ảnh mờ, nhòe", "blurred";
    unreadable_dark: "quá tối", "too dark";
    unreadable_light: "quá sáng", "too light";
    unreadable_obstructed: "biển số bị che", "something is in the way";
    unreadable_cut_off: "biển số nằm ngoài ảnh", "the plate is cut off";
    unreadable_damaged: "biển số hỏng, bẩn", "the plate is damaged or dirty";
    rejected_another: "ảnh của xe khác", "the picture is of another vehicle";
    rejected_no_plate: "xe không có biển số", "the vehicle has no plate";
    rejected_trailer: "biển số của rơ-moóc", "it is a trailer's plate";
    rejected_priority: "xe ưu tiên đang làm nhiệm vụ", "a priority vehicle is on duty";
    rejected_no_vehicle: "không có xe nào qua", "no vehicle passed";
}

impl Language {
    /// Why a passage is looked at again, by the cause's name.
    pub(crate) fn review_cause(self, name: &str) -> &'static str {
        match name {
            "charged-by-plate" => self.cause_charged_by_plate(),
            "group-corrected" => self.cause_group_corrected(),
            "opened-by-hand" => self.cause_opened_by_hand(),
            "unpaid" => self.cause_unpaid(),
            _ => self.unknown(),
        }
    }

    /// What an item came to, by the outcome's name.
    pub(crate) fn review_outcome(self, name: &str) -> &'static str {
        match name {
            "confirmed" => self.outcome_confirmed(),
            "differs" => self.outcome_differs(),
            "unreadable" => self.outcome_unreadable(),
            "rejected" => self.outcome_rejected(),
            "split" => self.outcome_split(),
            _ => self.unknown(),
        }
    }

    /// A reason of the review's catalogue, by its number.
    pub(crate) fn review_reason(self, number: i16) -> &'static str {
        match number {
            1 => self.unreadable_no_picture(),
            2 => self.unreadable_blurred(),
            3 => self.unreadable_dark(),
            4 => self.unreadable_light(),
            5 => self.unreadable_obstructed(),
            6 => self.unreadable_cut_off(),
            7 => self.unreadable_damaged(),
            20 => self.rejected_another(),
            21 => self.rejected_no_plate(),
            22 => self.rejected_trailer(),
            23 => self.rejected_priority(),
            24 => self.rejected_no_vehicle(),
            99 => self.reason(&domain::wire::v1::ReasonRecord::Other { note: String::new() }),
            _ => self.unknown(),
        }
    }

    /// An exception by its name in the books, or that there was none.
    pub(crate) fn exception_named(self, name: Option<&str>) -> String {
        let Some(name) = name else { return self.no_exception().to_owned() };
        named::<ExceptionRecord>(name).map_or(name, |kind| self.exception_kind(kind)).to_owned()
    }

    /// A decision by its name in the books.
    pub(crate) fn decision_named(self, name: Option<&str>) -> String {
        let name = name.unwrap_or_default();
        named::<DecisionRecord>(name).map_or(name, |kind| self.lane_decision(kind)).to_owned()
    }
}
