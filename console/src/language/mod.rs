//! The languages of the pages, and every text a person reads in them.
//!
//! A text is a method of [`Language`]; the macro that writes it takes both languages, so a text
//! without one of them does not compile. Names that come from the wire or the books (a decision,
//! a disposition) are translated by [`of_wire`]'s methods. Deliberately absent: texts for lanes
//! and statements, which other programs write.

mod of_wire;

use jiff::tz::TimeZone;

use domain::{Currency, Timestamp};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Vietnamese.
    #[default]
    Vietnamese,
    /// English.
    English,
}

impl Language {
    /// Its code of ISO 639-1.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Vietnamese => "vi",
            Self::English => "en",
        }
    }

    /// The language with a code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "vi" => Some(Self::Vietnamese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The other one, for the switch.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Vietnamese => Self::English,
            Self::English => Self::Vietnamese,
        }
    }

    /// What it calls itself.
    #[must_use]
    pub fn own_name(self) -> &'static str {
        match self {
            Self::Vietnamese => "Tiếng Việt",
            Self::English => "English",
        }
    }

    /// A sum of money, with the currency's sign or code.
    pub(crate) fn money(self, minor_units: i64, currency: Currency) -> String {
        let scale = 10_u64.pow(currency.exponent());
        let magnitude = minor_units.unsigned_abs();
        let mut text = self.count(magnitude / scale);
        if scale > 1 {
            let width = usize::try_from(currency.exponent()).unwrap_or(0);
            let point = if self == Self::Vietnamese { ',' } else { '.' };
            text = format!("{text}{point}{:0width$}", magnitude % scale);
        }
        let sign = if minor_units < 0 { "−" } else { "" };
        if currency == Currency::VND {
            format!("{sign}{text}\u{a0}₫")
        } else {
            format!("{sign}{text}\u{a0}{currency}")
        }
    }

    /// A whole number with its thousands grouped.
    pub(crate) fn count(self, number: u64) -> String {
        let digits = number.to_string();
        let separator = if self == Self::Vietnamese { '.' } else { ',' };
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(separator);
            }
            text.push(digit);
        }
        text
    }

    /// A time of day, to the second.
    pub(crate) fn time(self, at: Timestamp, zone: &TimeZone) -> String {
        at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// A date and a time of day.
    pub(crate) fn date_and_time(self, at: Timestamp, zone: &TimeZone) -> String {
        let format = match self {
            Self::Vietnamese => "%d/%m/%Y %H:%M:%S",
            Self::English => "%Y-%m-%d %H:%M:%S",
        };
        at.to_zoned(zone.clone()).strftime(format).to_string()
    }
}

/// Writes a method of [`Language`] for every text, and the list of all for the tests.
macro_rules! texts {
    ($($name:ident: $vietnamese:literal, $english:literal;)+) => {
        #[expect(missing_docs, reason = "each method's text says what it is")]
        impl Language {
            $(
                #[must_use]
                pub fn $name(self) -> &'static str {
                    match self {
                        Self::Vietnamese => $vietnamese,
                        Self::English => $english,
                    }
                }
            )+
        }

        #[cfg(test)]
        pub(crate) const TEXTS: &[(&str, &str, &str)] =
            &[$((stringify!($name), $vietnamese, $english)),+];
    };
}

// After the macro, which they use.
mod of_administration;
mod of_desk;
mod of_money;
mod of_review;
mod of_rules;

texts! {
    product: "Thu phí không dừng", "Toll desk";
    skip_to_content: "Đến nội dung chính", "Skip to content";
    main_navigation: "Điều hướng chính", "Main";
    nav_station: "Trạm", "Station";
    nav_shift: "Ca trực", "Shifts";
    nav_people: "Người dùng hệ thống", "Users";
    nav_audit: "Nhật ký kiểm tra", "Audit log";
    nav_passages: "Lượt xe", "Passages";
    nav_finance: "Tài chính", "Finance";
    nav_authority: "Cơ quan quản lý", "Authority";
    log_in: "Đăng nhập", "Log in";
    log_out: "Đăng xuất", "Log out";
    user: "Người dùng", "User";
    password: "Mật khẩu", "Password";
    wrong_password: "Tên hoặc mật khẩu không đúng. Hãy thử lại.", "The name or the password is not right. Please try again.";
    second_factor: "Xác thực bước hai", "Second factor";
    code_text: "Nhập mã sáu chữ số đang hiện trên thiết bị xác thực của bạn.", "Enter the six digits that your authenticator shows now.";
    code_label: "Mã", "Code";
    wrong_code: "Mã không đúng hoặc đã dùng. Hãy chờ mã tiếp theo.", "The code is not right, or was used already. Wait for the next one.";
    wrong_place: "Bạn không có quyền tại trạm này.", "Your roles are of another place.";
    too_fast: "Quá nhiều lần thử. Hãy thử lại sau", "Too many tries. Try again in";
    no_right: "Vai trò của bạn không cho phép việc này.", "Your roles do not allow this.";
    audit_away: "Không ghi được nhật ký kiểm tra nên việc này không được thực hiện. Hãy gọi kỹ thuật.", "The audit log cannot be written or read, so this was not done. Call the engineer.";

    role_station_operator: "Nhân viên trạm", "Station operator";
    role_supervisor: "Trưởng ca", "Supervisor";
    role_finance_maker: "Người lập (tài chính)", "Finance maker";
    role_finance_checker: "Người duyệt (tài chính)", "Finance checker";
    role_auditor: "Kiểm toán", "Auditor";
    role_authority: "Cơ quan quản lý đường bộ", "Road authority";
    role_administrator: "Quản trị", "Administrator";

    people_title: "Người dùng và vai trò", "Users and roles";
    people_text: "Mỗi thay đổi được ký bằng khóa quản trị; việc cho quyền về tiền hoặc quản trị cần hai người.", "Each change is signed with the administrators' key; what gives money or administration takes two people.";
    version: "Phiên bản", "Version";
    full_name: "Họ tên", "Full name";
    roles: "Vai trò", "Roles";
    scope: "Phạm vi", "Scope";
    active: "Đang dùng", "Active";
    inactive: "Đã ngừng", "No longer active";
    yes: "có", "yes";
    no: "không", "no";

    audit_text: "Ai đã làm gì tại bàn điều hành này. Mỗi dòng mang mã băm của dòng trước.", "Who did what at this console. Each line carries the digest of the line before.";
    entries: "dòng", "entries";
    chain_head: "mã băm cuối", "head";
    chain_holds: "Chuỗi nguyên vẹn từ dòng đầu đến dòng cuối.", "The chain holds, from the first line to the last.";
    chain_breaks: "Chuỗi bị đứt ở dòng", "The chain breaks at line";
    check_chain: "Kiểm tra chuỗi", "Check the chain";
    from_where: "Từ địa chỉ", "From";
    what: "Việc", "What";
    details: "Chi tiết", "Details";
    deed_started: "Bàn điều hành khởi động", "Console started";
    deed_put_aside: "Nhật ký cũ bị hỏng, được cất riêng", "Damaged log put aside";
    deed_people_read: "Đọc danh sách người dùng", "Users read";
    deed_logged_in: "Đăng nhập thành công", "Logged in";
    deed_log_in_refused: "Từ chối đăng nhập", "Login refused";
    deed_logged_out: "Đã đăng xuất", "Logged out";
    deed_route_refused: "Không đủ quyền", "Not allowed";
    deed_order_asked: "Lệnh gửi đến làn", "Order to a lane";
    deed_order_done: "Làn đã thực hiện lệnh", "Order carried out";
    deed_order_refused: "Làn từ chối lệnh", "Order refused by the lane";
    deed_order_unanswered: "Lệnh không có trả lời", "Order without an answer";
    deed_unmasked: "Xem biển số, thẻ không che", "Plate and tag shown";
    deed_books_refused: "Sổ sách từ chối", "Refused by the books";
    deed_searched: "Tra cứu theo biển số hoặc thẻ", "Searched by plate or tag";
    deed_password_changed: "Tự đổi mật khẩu", "Own password changed";
    deed_tariff_proposed: "Đề nghị biểu phí", "Tariff proposed";
    deed_tariff_approved: "Duyệt biểu phí", "Tariff approved";
    deed_tariff_declined: "Từ chối biểu phí", "Tariff declined";
    deed_shift_started: "Bắt đầu ca", "Shift started";
    deed_shift_offered: "Đề nghị giao ca", "Shift offered";
    deed_shift_taken: "Nhận ca", "Shift taken over";
    deed_shift_closed: "Kết thúc ca", "Shift closed";

    shift_yours: "Ca của bạn", "Your shift";
    shift_open: "Đang trực", "Open";
    shift_offered: "Chờ người nhận", "Offered";
    shift_handed_over: "Đã giao", "Handed over";
    shift_closed: "Đã kết thúc", "Closed";
    shift_waits_for: "Chờ người nhận ca:", "Waits to be taken over by";
    open_items: "Việc còn mở", "Open items";
    nothing_open: "Không còn việc mở.", "Nothing is open.";
    hand_over: "Giao ca", "Hand over";
    hand_over_to: "Giao cho", "To";
    take_over: "Nhận ca này", "Take over";
    offers_shift: "giao cho bạn ca", "hands over to you shift";
    close_shift: "Kết thúc ca trực", "Close the shift";
    start_shift: "Bắt đầu ca trực", "Start a shift";
    no_shift: "Bạn chưa bắt đầu ca. Xe vẫn được hỗ trợ, nhưng không tính vào ca nào.", "You have no shift. Vehicles are helped all the same, but in nobody's shift.";
    no_shifts: "Chưa có ca nào.", "There is no shift yet.";
    all_shifts: "Tất cả ca trực", "All shifts";
    begun: "Bắt đầu", "Begun";
    shift_note: "Ghi chú cho ca sau (không ghi biển số; bắt buộc khi còn việc mở)", "Note for the next (no plates; required while something is open)";
    shift_report: "Báo cáo ca", "Shift report";
    read_report: "Xem báo cáo", "Read report";
    taken_from: "nhận từ ca", "taken over from shift";
    how_often: "Số lần", "Times";
    fares: "Phí", "Fares";
    no_orders: "Không có lệnh nào trong ca.", "No order was given in this shift.";
    shift_cash: "Tiền mặt phải nộp", "Cash to hand in";
    without_fare: "lần thu tiền mặt chưa biết mức phí", "times in cash without a known fare";
    orders_refused: "lệnh bị làn từ chối", "orders refused by lanes";
    audit_head_text: "Mã băm cuối của nhật ký kiểm tra khi in báo cáo này:", "Head of the audit log when this report was made:";
    signature: "Chữ ký", "Signature";
    item_call: "xe đang chờ", "a vehicle waits";
    item_lane: "làn không bình thường", "the lane is not as it should be";
    item_order: "lệnh chưa có trả lời", "an order has no answer";
    item_unposted: "lượt xe trung tâm chưa nhận", "passages not yet taken by the centre";
    shift_begun: "Bạn đang có ca trực.", "You have a shift already.";
    shift_not_theirs: "Ca này không phải của bạn, hoặc đã kết thúc.", "That shift is not yours, or has ended.";
    shift_not_offered: "Ca này không được giao cho bạn.", "That shift was not offered to you.";
    shift_to_nobody: "Hãy chọn một đồng nghiệp của trạm.", "Choose a colleague of the station.";
    shift_needs_note: "Còn việc mở: hãy ghi chú cho ca sau.", "Something is open: write a note for the next.";
    shift_note_long: "Ghi chú tối đa 500 ký tự.", "The note may have 500 characters.";
    verb_open: "Mở thanh chắn theo lệnh", "Opened";
    verb_charge: "Thu theo biển số xe", "Charged by plate";
    verb_turn_away: "Cho xe quay đầu", "Turned away";

    one_passage: "Một lượt xe", "One passage";
    what_became: "Kết quả xử lý", "What became of it";
    basis_title: "Số tiền gồm", "What the amount consists of";
    basis_gross: "Mức phí", "Gross";
    basis_discount: "Giảm giá", "Discount";
    basis_trip_cap: "Vượt mức trần chuyến", "Over the trip's cap";
    basis_day_cap: "Vượt mức trần ngày", "Over the day's cap";
    money_moved: "Bút toán", "Money that moved";
    no_money_moved: "Không có bút toán.", "No money moved.";
    signed_record: "Bản ghi làn đã ký", "The record its lane signed";
    no_record: "Không tìm thấy bản ghi.", "The record was not found.";
    unmask: "Hiện biển số và thẻ", "Show plate and tag";
    unmask_why: "Lý do xem không che", "Why they are needed";
    unmask_text: "Việc này được ghi vào nhật ký kiểm tra với tên của bạn.", "This is written into the audit log with your name.";
    unmask_needs_reason: "Hãy chọn lý do.", "Choose a reason.";
    shown_in_clear: "Biển số và thẻ đang hiện không che; đã ghi vào nhật ký kiểm tra.", "Plate and tag are shown in clear; this is in the audit log.";
    because_dispute: "khiếu nại của khách", "a customer's dispute";
    because_mismatch: "chênh lệch đối soát", "a mismatch in reconciliation";
    because_review: "hậu kiểm hình ảnh", "image review";
    because_authority: "yêu cầu của cơ quan chức năng", "request of an authority";

    run_time: "Giờ vận hành", "Run time";
    speed: "Tốc độ", "Speed";

    broker_away: "Mất kết nối với bộ chuyển tin. Bảng làn không được cập nhật và chưa gửi lệnh được; hệ thống đang tự kết nối lại.", "The broker is away. The board is not being updated and commands cannot be sent; reconnecting by itself.";
    books_away: "Không đọc được cơ sở dữ liệu. Phần còn lại vẫn hoạt động; hệ thống đang tự kết nối lại.", "The books cannot be read at the moment. Everything else works; reconnecting by itself.";
    registry_away: "Chưa đọc được danh mục làn từ cơ sở dữ liệu; chỉ hiện các làn đang báo tín hiệu.", "The register of lanes has not been read from the books yet; only lanes that report are shown.";
    console_away: "Mất kết nối trực tiếp với máy chủ. Những gì trên màn hình có thể đã cũ; đang kết nối lại.", "The live connection to the console is lost. What you see may be old; reconnecting.";
    no_script: "Trang này cần JavaScript để tự cập nhật. Hãy tải lại trang để xem trạng thái mới.", "This page needs JavaScript to update by itself. Reload it to see the present state.";

    board: "Bảng làn", "Lanes";
    feed: "Vừa xảy ra", "Just happened";
    feed_nothing: "Chưa có gì từ khi mở.", "Nothing since this desk was opened.";
    feed_called: "Xe chờ", "A vehicle waits";
    feed_violation: "Xe qua khi chưa xử lý", "Crossed undecided";
    lanes_live: "làn đang báo", "lanes reporting";
    lanes_attention: "cần chú ý", "need attention";
    lanes_silent: "không rõ", "unknown or stale";
    calls_waiting: "xe đang chờ", "calls waiting";
    no_lanes: "Chưa biết làn nào. Các làn hiện ra khi chúng báo tín hiệu hoặc khi danh mục được nhập.", "No lane is known yet. Lanes appear when they report, or when the register is imported.";
    state_normal: "Bình thường", "Normal";
    state_attention: "Cần chú ý", "Attention";
    state_unknown: "Không rõ", "Unknown";
    state_stale: "Dữ liệu cũ", "Stale";
    since: "từ", "since";
    reader: "Đầu đọc", "Reader";
    field_io: "Vòng từ, barie", "Loops, arm";
    answering: "Phản hồi", "Answering";
    not_answering: "Không phản hồi", "Not answering";
    unknown: "Không rõ", "Unknown";
    arm: "Thanh chắn", "Arm";
    arm_up: "Mở", "Up";
    arm_down: "Đóng", "Down";
    queue: "Hàng chờ", "Queue";
    calls: "Xe chờ hỗ trợ", "Calls waiting";
    vehicles: "xe", "vehicles";
    last_passage: "Lượt gần nhất", "Last passage";
    none_seen: "Chưa thấy", "None seen yet";
    list_version: "Danh sách", "List version";
    posted: "Đã ghi sổ", "Posted";
    of_last: "trên", "of";
    to_go: "chờ", "to go";
    violations: "Vượt trạm", "Violations";
    alarm: "Cảnh báo", "Alarm";
    group: "Nhóm", "Group";

    desk: "Xe cần hỗ trợ", "Exception desk";
    no_calls: "Không có xe nào đang chờ.", "No vehicle is waiting.";
    waiting: "Đã chờ", "Waiting";
    unconfirmed: "làn chưa xác nhận lại", "not confirmed by the lane lately";
    tag: "Thẻ", "Tag";
    no_tag_read: "không đọc được", "none read";
    fare_due: "Phí", "Fare due";
    fare_unknown: "chưa biết", "not known";
    plate: "Biển số", "Plate";
    plate_hint: "ví dụ 37A 123.45", "such as 37A 123.45";
    vehicle_group: "Nhóm xe", "Vehicle group";
    charge_by_plate: "Thu theo biển số", "Charge by plate";
    open_because: "Mở vì", "Open because";
    open: "Mở thanh chắn", "Open";
    turn_away_because: "Quay đầu vì", "Turn away because";
    turn_away: "Cho quay đầu", "Turn away";
    note: "Ghi chú (khi chọn lý do khác)", "Note (for another reason)";
    keys: "Phím tắt", "Keys";
    keys_on: "Dùng phím tắt", "Use single keys";
    sound_on: "Báo bằng âm thanh khi có xe chờ", "Sound when a vehicle waits";
    keys_text: "J, K: xe sau, xe trước · P: biển số · 1 đến 5: nhóm · C: thu theo biển số · O: mở · T: quay đầu · G: sửa nhóm · R: đọc lại thẻ · M: chế độ làn · V: đoàn xe · X: kết thúc đoàn xe · Enter: thực hiện", "J, K: next and previous vehicle · P: plate · 1 to 5: group · C: charge · O: open · T: turn away · G: correct the group · R: read again · M: mode of a lane · V: convoy · X: end of the convoy · Enter: do it";

    sending: "Đang gửi lệnh…", "Sending the command…";
    answer_done: "Làn đã thực hiện. Lượt xe", "The lane has done it. Passage";
    answer_refused: "Làn từ chối:", "The lane refused:";
    answer_nobody: "Làn không kết nối: lệnh chưa được thực hiện.", "The lane is not connected: nothing was done.";
    answer_silence: "Làn chưa trả lời. Hãy nhìn thanh chắn trước khi thử lại.", "The lane has not answered. Look at the arm before you try again.";
    answer_broker_away: "Mất kết nối với bộ chuyển tin: lệnh chưa được gửi.", "The broker is away: the command was not sent.";
    answer_wrong_reply: "Làn trả lời theo cách không hiểu được.", "The lane answered in a way that was not understood.";
    answer_call_gone: "Xe này không còn chờ nữa.", "This vehicle is no longer waiting.";
    back: "Quay lại", "Back";

    form_lane: "Không có làn này.", "There is no such lane.";
    form_action: "Không có hành động này.", "There is no such action.";
    form_plate: "Hãy nhập biển số: 3 đến 12 chữ và số.", "Enter the plate: 3 to 12 letters and digits.";
    form_group: "Hãy chọn nhóm xe.", "Choose the vehicle group.";
    form_reason: "Lý do không phù hợp với hành động này.", "That reason does not go with this action.";
    form_note: "Lý do khác cần ghi chú, tối đa 200 ký tự.", "Another reason needs a note of up to 200 characters.";

    finance_title: "Các ngày đối soát", "Settlement days";
    finance_text: "Mỗi đơn vị vận hành, ngày mới nhất trước. Số liệu lấy từ sổ cái.", "Per operator, newest first. All figures are from the books.";
    day: "Ngày", "Day";
    operator: "Đơn vị vận hành", "Operator";
    state: "Trạng thái", "State";
    day_open: "Đang mở", "Open";
    day_closed: "Đã chốt", "Closed";
    early: "chốt sớm", "closed early";
    tolls: "Phí qua tài khoản", "Tolls";
    cash: "Tiền mặt", "Cash";
    fee: "Phí dịch vụ", "Fee";
    net: "Còn phải trả", "Net";
    estimated: "tạm tính", "estimate";
    statement: "Bảng kê", "Statement";
    not_closed_yet: "khi chốt ngày", "when the day closes";
    pending: "Chưa xử lý", "Pending";
    no_days: "Chưa có ngày nào trong sổ.", "No day is in the books yet.";

    passages_title: "Tra cứu lượt xe", "Passages";
    station: "Trạm", "Station";
    disposition: "Kết quả", "Disposition";
    exception: "Ngoại lệ", "Exception";
    any: "Tất cả", "Any";
    no_exception: "Không có", "None";
    with_exception: "Có ngoại lệ", "With any exception";
    search: "Tìm", "Search";
    at: "Lúc", "At";
    lane: "Làn", "Lane";
    number: "Số", "Number";
    decision: "Quyết định", "Decision";
    amount: "Số tiền", "Amount";
    paid_by: "Thanh toán", "Paid by";
    why: "Vì sao", "Why";
    newest: "Mới nhất", "Newest";
    older: "Cũ hơn", "Older";
    nothing_found: "Không có lượt xe nào như vậy.", "There is no such passage.";
    masked: "Biển số và số thẻ được che bớt.", "Plates and tags are masked.";

    authority_title: "Lưu lượng và doanh thu", "Traffic and revenue";
    authority_text: "Chỉ xem. Xe đã qua trạm và phí đã ghi sổ, theo trạm và giờ địa phương.", "Read-only. Vehicles that went through and tolls posted, by station and local hour.";
    hour: "Giờ", "Hour";
    traffic: "Lưu lượng", "Traffic";
    revenue: "Doanh thu", "Revenue";
    total: "Tổng", "Total";
    show: "Xem", "Show";
    no_traffic: "Chưa có lưu lượng trong ngày này.", "There was no traffic on this day.";
    chart_of: "Biểu đồ xe theo giờ", "Chart of vehicles by hour";

    problem: "Không thực hiện được", "This did not work";
    not_found: "Không có trang này.", "There is no such page.";
    wrong_form: "Biểu mẫu đã hết hạn hoặc không đến từ trang này. Hãy tải lại trang và thử lại.", "The form has expired, or did not come from this page. Reload the page and try again.";
    wrong_search: "Điều kiện tìm không hợp lệ.", "The search is not one we understand.";
}

#[cfg(test)]
mod tests;
