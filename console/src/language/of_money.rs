//! The texts of money's pages: days, payments, papers, cases.

use super::Language;
use crate::audit::Act;

texts! {
    nav_cases: "Hồ sơ", "Cases";

    step_complete: "Đủ dữ liệu", "Complete";
    step_matched: "Khớp", "Matched";
    step_closed: "Chốt", "Closed";
    step_approved: "Duyệt", "Approved";
    step_paid: "Lệnh trả tiền", "Ordered to pay";
    step_in_bank: "Ngân hàng báo có", "In the bank";
    is_done: "Xong", "Done";
    needs_somebody: "Cần xử lý", "Needs somebody";
    is_later: "Chưa đến", "Later";
    so_far: "đến lúc này", "so far";
    lanes_with_gaps: "làn còn thiếu số", "lanes with gaps";
    open_cases: "hồ sơ còn mở", "open cases";
    proposed_by: "đề nghị bởi", "proposed by";
    the_program: "chương trình", "the program";

    how_far: "Tiến độ của ngày", "How far the day is";
    what_it_comes_to: "Kết quả của ngày", "What the day comes to";
    adjustment: "Điều chỉnh", "Corrections";
    vat: "Thuế GTGT trên phí", "VAT on the fee";
    by_issuer: "Theo nhà phát hành", "By issuer";
    issuer: "Nhà phát hành", "Issuer";
    payment: "Lệnh chi", "Payment";
    bank_line: "Dòng sao kê ngân hàng", "Bank line";
    behind_the_total: "Lượt xe đằng sau tổng số", "Passages behind the total";
    history: "Lịch sử", "History";
    propose: "Đề nghị duyệt", "Propose";
    propose_text: "Bạn đã xem bảng kê và đứng tên đề nghị; một người khác duyệt. Còn phải trả:", "You have looked at the statement and stand for it; another person approves. Owed:";
    approve: "Duyệt ngày này", "Approve";
    approve_text: "Bạn là người thứ hai đứng sau số tiền này:", "You are the second person behind this amount:";
    done_proposed: "Đã đề nghị. Một người khác phải duyệt.", "Proposed. Another person has to approve it.";
    done_approved: "Đã duyệt. Ngày này có thể được trả tiền.", "Approved. The day can be paid.";
    state_closing: "Đang chốt", "Closing";
    state_proposed: "Đề nghị", "Proposed";
    state_approved: "Đã duyệt", "Approved by a second person";
    state_paid: "Đã lập lệnh chi", "Payment ordered";
    state_matched: "Ngân hàng đã báo có", "Matched with the bank";

    payments: "Lệnh chi và sao kê ngân hàng", "Payments and bank lines";
    waits_for_payment: "Đã duyệt, chờ trả tiền", "Approved, waits for payment";
    nothing_waits: "Không có ngày nào chờ.", "No day waits.";
    no_payments: "Chưa có lệnh chi nào.", "No payment was ordered yet.";
    pay_through: "Trả đến hết ngày", "Pay through";
    execute_on: "Ngân hàng chi vào ngày", "Banks pay on";
    order_payment: "Lập lệnh chi", "Order the payment";
    ordered_at: "Lập lúc", "Ordered at";
    take_booking: "Nhập dòng sao kê ngân hàng", "Take a line of a bank";
    booking_kind: "Loại", "Direction";
    booking_paid: "đã chi cho đơn vị vận hành", "paid to the operator";
    booking_returned: "tiền bị trả lại", "came back";
    booked_on: "Ngày ghi sổ", "Booked on";
    bank_reference: "Mã giao dịch của ngân hàng", "Bank reference";
    payment_not_ordered: "chưa lập lệnh", "not ordered yet";
    payment_carried: "chuyển sang kỳ sau", "carried into the next";
    payment_ordered: "đã lập lệnh, chờ ngân hàng", "ordered, waits for the bank";
    payment_booked: "ngân hàng đã trả đủ", "paid in full";
    payment_short: "ngân hàng trả thiếu", "paid short";
    payment_returned: "ngân hàng trả lại", "came back from the bank";
    done_ordered: "Đã lập lệnh chi. Tải tệp cho ngân hàng ở bảng dưới.", "Ordered. The files for the banks are in the table below.";
    done_nothing_to_pay: "Không có gì phải trả.", "There is nothing to pay.";
    done_booked: "Đã ghi nhận dòng sao kê.", "The bank line was taken.";
    wrong_days: "Hãy nhập hai ngày hợp lệ.", "Enter two valid days.";
    wrong_booking: "Hãy nhập số tiền lớn hơn không, ngày và mã giao dịch của ngân hàng.", "Enter an amount above zero, a day and the bank reference.";

    refused_not_now: "Ngày này chưa đến hoặc đã qua bước đó.", "The day is not as far as that, or is past it.";
    refused_proposed_by: "Người khác đã đề nghị trước:", "It was proposed before, by";
    refused_approved_by: "Người khác đã duyệt trước:", "It was approved before, by";
    refused_not_proposed: "Chưa có ai đề nghị việc này.", "Nobody has proposed this yet.";
    refused_own: "Chính bạn đã đề nghị việc này, nên một người khác phải duyệt.", "You proposed this yourself, so somebody else must approve it.";
    refused_settled: "Hồ sơ này đã kết thúc.", "This case is settled.";
    refused_no_account: "Không có tài khoản này.", "There is no such account.";
    refused_not_booked: "Sao kê ngân hàng chưa cho thấy việc này đã được sửa.", "The bank's statements do not show yet that this was put right.";
    refused_by_ledger: "Sổ cái từ chối bút toán:", "The ledger refused the correction:";
    refused_payment: "Không thực hiện được lệnh chi:", "The payment was refused:";
    change_away: "Bàn điều hành này không ghi được vào sổ lúc này; chưa có gì thay đổi.", "This console cannot change the books at the moment; nothing was changed.";

    cases_title: "Hồ sơ chênh lệch", "Cases";
    cases_text: "Những gì không khớp, cho đến khi hai người giải quyết xong. Việc đến hạn trước đứng trước.", "What does not add up, until two people have settled it. The soonest due come first.";
    kind: "Loại hồ sơ", "Kind";
    owner: "Người phụ trách", "Owner";
    mine: "của tôi", "mine";
    nobodys: "chưa có ai", "nobody's";
    not_settled: "Chưa kết thúc", "Not settled";
    due: "Hạn", "Due";
    overdue: "Quá hạn", "Overdue";
    case_code: "Mã", "Case";
    subject: "Về", "About";
    case_age_title: "Tuổi", "Age";
    ageing: "Tuổi của các hồ sơ còn mở", "Ageing of open cases";
    trend_title: "Hồ sơ phát sinh theo ngày", "Cases opened by day";
    trend_amounts: "Số tiền chưa thống nhất theo ngày", "Amounts in dispute by day";
    no_cases: "Không có hồ sơ nào như vậy.", "There is no such case.";
    more_cases: "Còn nữa: hãy lọc hẹp hơn.", "There are more: narrow the filter.";
    ours: "Bản ghi của ta", "Our record";
    theirs: "Bản ghi của bên kia", "Their record";
    no_record_here: "Không có bản ghi.", "There is none.";
    how_it_ends: "Kết thúc thế nào", "How it ends";
    outcome_stands: "Sổ sách giữ nguyên", "The books stand as they are";
    outcome_theirs: "Bên kia sửa sổ của họ", "The other side corrects its own";
    outcome_corrected: "Sửa phí của ta", "Our toll is corrected";
    outcome_booked: "Ngân hàng đã sửa", "The bank has put it right";
    outcome_assigned: "Dòng sao kê thuộc về lệnh chi", "The bank's line belongs to payment";
    outcome_charged: "Thu phí vào tài khoản", "Charged to account";
    which_transfer: "Bút toán sai", "The transfer that was wrong";
    right_amount: "Số tiền đúng (để trống: không thu)", "What it should have been (empty: nothing)";
    into_day: "Ghi vào ngày đang mở", "Into the open day";
    propose_outcome: "Đề nghị kết quả", "Propose the outcome";
    settle_case: "Kết thúc hồ sơ", "Settle the case";
    settle_text: "Kết quả đề nghị ở trên sẽ được thực hiện, kể cả bút toán.", "The outcome above is carried out, its correction included.";
    case_note: "Nội dung ghi chú (không ghi biển số)", "Note (no plates)";
    note_case: "Ghi chú hồ sơ", "Add a note";
    take_case: "Nhận phụ trách", "Take the case";
    take_case_text: "Từ nay bạn phụ trách hồ sơ này.", "You see to this case from now on.";
    case_taken: "Nhận phụ trách.", "Taken.";
    case_needs_note: "Hãy ghi chú, tối đa 2000 ký tự.", "Write a note of up to 2000 characters.";
    wrong_outcome: "Hãy chọn kết quả; khi sửa phí, chọn bút toán, số tiền và ngày đang mở.", "Choose an outcome; to correct a toll, a transfer, an amount and an open day.";
    no_history: "Chưa có gì.", "Nothing yet.";

    way_title: "Từ hình ảnh đến dòng ngân hàng", "From the picture to the bank line";
    way_picture: "Hình ảnh", "Picture";
    way_no_picture: "trung tâm không có", "the centre has none";
    way_pictures: "hiện khi có lý do", "shown to those who say why";
    passage_picture: "Ảnh của lượt xe này", "Picture of this passage";
    way_record: "Bản ghi có chữ ký của làn", "Record signed by the lane";
    way_charge: "Phí được tính", "Charge";
    way_ledger: "Bút toán sổ cái", "Ledger transfer";
    way_day: "Ngày đối soát", "Settlement day";
    way_position: "Nhà phát hành còn nợ cả ngày", "What the issuer owes for the day";
    way_payment: "Lệnh chi cho ngân hàng", "Payment in a bank order";
    not_yet: "chưa có", "not yet";

    nav_account: "Tài khoản của tôi", "My account";
    role_account_holder: "Chủ tài khoản", "Account holder";
    balance: "Số dư", "Balance";
    how_to_pay_in: "Nạp tiền", "To pay in";
    pay_in_text: "Chuyển khoản với nội dung là số tài khoản; mỗi mã giao dịch chỉ được ghi có một lần:", "Transfer the money and name the account; each reference is credited once:";
    trips: "Chuyến đi trong ngày", "Trips of the day";
    no_trips: "Không có chuyến đi nào trong ngày này.", "There was no trip on this day.";
    dispute: "Khiếu nại", "Dispute";
    dispute_it: "Khiếu nại chuyến này", "Dispute this trip";
    dispute_why: "Vì sao (tối đa 500 ký tự, không ghi biển số)", "Why (up to 500 characters, no plates)";
    wrong_dispute: "Hãy chọn chuyến đi và ghi lý do, tối đa 500 ký tự.", "Choose a trip and write why, in up to 500 characters.";
    done_disputed: "Đã mở hồ sơ khiếu nại; mã ở dòng của chuyến đi.", "A case was opened; its code is in the line of the trip.";
    movements: "Nạp, hoàn và giữ tiền gần đây", "Last payments, refunds and holds";
    no_movements: "Chưa có.", "None yet.";
    reference: "Mã giao dịch", "Reference";
    movement_top_up: "Nạp tiền vào tài khoản", "Paid in";
    movement_refund: "Hoàn tiền", "Refund";
    movement_hold: "Giữ tiền", "Set aside";
    movement_release: "Trả lại tiền giữ", "Set free";
    movement_correction: "Điều chỉnh phí", "Correction of a toll";
    account_open: "Đang hoạt động", "In use";
    account_blocked: "Bị khóa", "Blocked";
    account_closed: "Đã đóng tài khoản", "Account is closed";
    account_not_converted: "Chưa chuyển đổi", "Not converted";

    export_csv: "Tải tệp CSV", "Download as CSV";
    choose_case: "Chọn", "Choose";
    take_cases: "Nhận phụ trách các hồ sơ đã chọn", "Take the chosen cases";
    no_case_chosen: "Hãy chọn ít nhất một hồ sơ.", "Choose at least one case.";

    chart_of_classes: "Biểu đồ doanh thu theo nhóm xe", "Chart of revenue by vehicle group";

    act_propose: "Đề nghị duyệt ngày", "Settlement proposed";
    act_approve: "Duyệt ngày đối soát", "Settlement approved";
    act_pay: "Lập lệnh chi tiền", "Payment ordered by a person";
    act_confirm: "Nhập sao kê ngân hàng", "Bank line taken";
    act_take_case: "Nhận hồ sơ", "Case taken";
    act_note_case: "Ghi chú vào hồ sơ", "Case noted";
    act_propose_case: "Đề nghị kết quả hồ sơ", "Outcome of a case proposed";
    act_dispute: "Khiếu nại chuyến đi", "Trip disputed";
    act_settle_case: "Kết thúc hồ sơ theo đề nghị", "Case settled";
}

impl Act {
    /// What people call it.
    pub(crate) fn text(self, t: Language) -> &'static str {
        match self {
            Self::Propose => t.act_propose(),
            Self::Approve => t.act_approve(),
            Self::Pay => t.act_pay(),
            Self::Confirm => t.act_confirm(),
            Self::TakeCase => t.act_take_case(),
            Self::NoteCase => t.act_note_case(),
            Self::ProposeCase => t.act_propose_case(),
            Self::SettleCase => t.act_settle_case(),
            Self::Dispute => t.act_dispute(),
            Self::Review => t.act_review(),
            Self::LeaveReview => t.act_leave_review(),
            Self::MakeKey => t.act_make_key(),
            Self::RevokeKey => t.act_revoke_key(),
            Self::AskMode => t.act_ask_mode(),
            Self::AgreeMode => t.act_agree_mode(),
            Self::DeclineMode => t.act_decline_mode(),
        }
    }
}

impl Language {
    /// A state of a settlement day in its history.
    pub(crate) fn window_state(self, state: &str) -> &'static str {
        match state {
            "open" => self.day_open(),
            "closing" => self.state_closing(),
            "closed" => self.day_closed(),
            "proposed" => self.state_proposed(),
            "approved" => self.state_approved(),
            "paid" => self.state_paid(),
            "matched" => self.state_matched(),
            _ => self.unknown(),
        }
    }

    /// Money that came to an account or went, otherwise than for a trip.
    pub(crate) fn movement(self, kind: &str) -> &'static str {
        match kind {
            "top-up" => self.movement_top_up(),
            "refund" => self.movement_refund(),
            "hold" => self.movement_hold(),
            "release" => self.movement_release(),
            "reversal" | "repost" | "adjustment" => self.movement_correction(),
            _ => self.unknown(),
        }
    }

    /// What may be done with an account.
    pub(crate) fn account_state(self, state: &str) -> &'static str {
        match state {
            "open" => self.account_open(),
            "blocked" => self.account_blocked(),
            "closed" => self.account_closed(),
            "not-converted" => self.account_not_converted(),
            _ => self.unknown(),
        }
    }

    /// A case's state.
    pub(crate) fn case_state(self, state: &str) -> &'static str {
        match (self, state) {
            (Self::Vietnamese, "open") => "Đang mở",
            (Self::English, "open") => "Open",
            (Self::Vietnamese, "proposed") => "Chờ người thứ hai",
            (Self::English, "proposed") => "Waits for a second person",
            (Self::Vietnamese, "settled") => "Đã kết thúc",
            (Self::English, "settled") => "Settled",
            _ => self.unknown(),
        }
    }

    /// A case's kind.
    pub(crate) fn case_kind(self, kind: &str) -> &'static str {
        let (vietnamese, english) = match kind {
            "hole" => ("Thiếu số của làn", "Numbers of a lane are missing"),
            "unproven" => ("Phí và sổ cái không khớp", "Charges and ledger differ"),
            "only-ours" => ("Chỉ có ở ta", "Only ours"),
            "only-theirs" => ("Chỉ có ở bên kia", "Only theirs"),
            "amount-differs" => ("Khác số tiền", "Amounts differ"),
            "class-differs" => ("Khác nhóm xe", "Vehicle groups differ"),
            "duplicate" => ("Ghi hai lần", "Recorded twice"),
            "bank-short" => ("Ngân hàng trả thiếu", "The bank paid short"),
            "bank-returned" => ("Ngân hàng trả lại", "The bank gave it back"),
            "bank-over" => ("Ngân hàng trả thừa", "The bank paid too much"),
            "bank-unknown" => ("Ngân hàng trả khoản lạ", "The bank paid what nobody ordered"),
            "bank-late" => ("Ngân hàng trả chậm", "The bank is late"),
            "dispute" => ("Khách khiếu nại", "A customer disputes it"),
            "manifest-missing" => ("Làn chưa báo số liệu ngày", "A lane did not tell its day"),
            "manifest-differs" => ("Số liệu của làn khác sổ", "A lane tells other figures"),
            "loops-differ" => ("Vòng từ đếm khác số lượt", "Loops counted other vehicles"),
            "review-differs" => ("Hậu kiểm thấy khác sổ", "Image review saw something else"),
            _ => ("Khác", "Other"),
        };
        match self {
            Self::Vietnamese => vietnamese,
            Self::English => english,
        }
    }

    /// How old a case is, by the library's steps.
    pub(crate) fn case_age(self, age: &str) -> &'static str {
        let (vietnamese, english) = match age {
            "less than a day" => ("dưới 1 ngày", "less than a day"),
            "1 to 5 days" => ("1 đến 5 ngày", "1 to 5 days"),
            "5 to 30 days" => ("5 đến 30 ngày", "5 to 30 days"),
            "30 days or more" => ("từ 30 ngày", "30 days or more"),
            _ => return self.unknown(),
        };
        match self {
            Self::Vietnamese => vietnamese,
            Self::English => english,
        }
    }
}
