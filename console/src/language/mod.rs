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

texts! {
    product: "Thu phí không dừng", "Toll desk";
    skip_to_content: "Đến nội dung chính", "Skip to content";
    main_navigation: "Điều hướng chính", "Main";
    nav_station: "Trạm", "Station";
    nav_passages: "Lượt xe", "Passages";
    nav_finance: "Tài chính", "Finance";
    nav_authority: "Cơ quan quản lý", "Authority";
    log_in: "Đăng nhập", "Log in";
    log_out: "Đăng xuất", "Log out";
    user: "Người dùng", "User";
    password: "Mật khẩu", "Password";
    wrong_password: "Tên hoặc mật khẩu không đúng. Hãy thử lại.", "The name or the password is not right. Please try again.";
    run_time: "Giờ vận hành", "Run time";
    speed: "Tốc độ", "Speed";

    broker_away: "Mất kết nối với bộ chuyển tin. Bảng làn không được cập nhật và chưa gửi lệnh được; hệ thống đang tự kết nối lại.", "The broker is away. The board is not being updated and commands cannot be sent; reconnecting by itself.";
    books_away: "Không đọc được cơ sở dữ liệu. Phần còn lại vẫn hoạt động; hệ thống đang tự kết nối lại.", "The books cannot be read at the moment. Everything else works; reconnecting by itself.";
    registry_away: "Chưa đọc được danh mục làn từ cơ sở dữ liệu; chỉ hiện các làn đang báo tín hiệu.", "The register of lanes has not been read from the books yet; only lanes that report are shown.";
    console_away: "Mất kết nối trực tiếp với máy chủ. Những gì trên màn hình có thể đã cũ; đang kết nối lại.", "The live connection to the console is lost. What you see may be old; reconnecting.";
    no_script: "Trang này cần JavaScript để tự cập nhật. Hãy tải lại trang để xem trạng thái mới.", "This page needs JavaScript to update by itself. Reload it to see the present state.";

    board: "Bảng làn", "Lanes";
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
    keys_text: "J, K: xe sau, xe trước · P: biển số · 1 đến 5: nhóm · C: thu theo biển số · O: mở · T: quay đầu · Enter: thực hiện", "J, K: next and previous vehicle · P: plate · 1 to 5: group · C: charge · O: open · T: turn away · Enter: do it";

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
    read_statement: "Xem bảng kê", "Read it";
    not_closed_yet: "khi chốt ngày", "when the day closes";
    pending: "Chưa xử lý", "Pending";
    passages_by_disposition: "Lượt xe theo kết quả", "Passages by disposition";
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
